"""The MLP with concatenated embeddings, hooked: (W_x[a] ‖ W_y[b]) W → ReLU → logits.

model = hooked(weights)
logits, cache = model.run_with_cache(task.pairs())
cache["hook_post"]
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformer_lens import HookedRootModule
from transformer_lens.hook_points import HookPoint

from grok.models import names
from grok.models.names import Weights
from grok.task import Task


class HookedConcat(HookedRootModule):
    """logits = relu((W_x[a] ‖ W_y[b]) W) W_U.

    W_x, W_y [n, d_model], W [2 d_model, d_mlp], W_U [d_mlp, C]. Hooks: hook_embed (both side by side), hook_pre,
    hook_post.
    """

    def __init__(self, weights: Weights):
        super().__init__()
        given = {name: nn.Parameter(w.detach().clone()) for name, w in weights.items()}
        self.W_x, self.W_y = given[names.CONCAT_W_X], given[names.CONCAT_W_Y]
        self.W, self.W_U = given[names.CONCAT_W], given[names.CONCAT_W_U]
        self.hook_embed, self.hook_pre, self.hook_post = HookPoint(), HookPoint(), HookPoint()
        self.setup()

    def forward(self, pairs: Tensor) -> Tensor:
        """[N, 2] → [N, C]."""
        a, b = pairs.unbind(1)
        embed = self.hook_embed(torch.cat([self.W_x[a], self.W_y[b]], dim=1))
        post = self.hook_post(self.hook_pre(embed @ self.W).relu())
        return post @ self.W_U


Model = HookedConcat


def hooked(weights: Weights, task: Task | None = None) -> HookedConcat:
    """The model of these weights, in their dtype; its sizes are those of the matrices, whatever the task.

    Raises KeyError if a matrix is missing.
    """
    return HookedConcat(weights)


def logits(model: HookedConcat, task: Task, which: Tensor | None = None) -> Tensor:
    """Logits of these pairs (all of them if not given): [N, C]. Differentiable."""
    return model(task.pairs() if which is None else task.pairs()[which])


def matrices(model: HookedConcat) -> Weights:
    """The model's present weights: inverse of ``hooked``."""
    return {name: w.detach().clone() for name, w in model.named_parameters()}
