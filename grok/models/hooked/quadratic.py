"""The network with quadratic neurons, hooked: W_a[a] + W_b[b] → x² → logits.

model = hooked(weights)
logits, cache = model.run_with_cache(task.pairs())
cache["hook_post"]
"""

from __future__ import annotations

from torch import Tensor, nn
from transformer_lens import HookedRootModule
from transformer_lens.hook_points import HookPoint

from grok.models import names
from grok.models.names import Weights
from grok.task import Task


class HookedQuadratic(HookedRootModule):
    """logits = (W_a[a] + W_b[b])² W_out.

    W_a, W_b [n, d_mlp], W_out [d_mlp, C]. Hooks: hook_pre, hook_post.
    """

    def __init__(self, weights: Weights):
        super().__init__()
        given = {name: nn.Parameter(w.detach().clone()) for name, w in weights.items()}
        self.W_a, self.W_b = given[names.TWO_HOT_A], given[names.TWO_HOT_B]
        self.W_out = given[names.TWO_HOT_OUT]
        self.hook_pre, self.hook_post = HookPoint(), HookPoint()
        self.setup()

    def forward(self, pairs: Tensor) -> Tensor:
        """[N, 2] → [N, C]."""
        a, b = pairs.unbind(1)
        return self.hook_post(self.hook_pre(self.W_a[a] + self.W_b[b]).square()) @ self.W_out


Model = HookedQuadratic


def hooked(weights: Weights, task: Task | None = None) -> HookedQuadratic:
    """The model of these weights, in their dtype; its sizes are those of the matrices, whatever the task.

    Raises KeyError if a matrix is missing.
    """
    return HookedQuadratic(weights)


def logits(model: HookedQuadratic, task: Task, which: Tensor | None = None) -> Tensor:
    """Logits of these pairs (all of them if not given): [N, C]. Differentiable."""
    return model(task.pairs() if which is None else task.pairs()[which])


def matrices(model: HookedQuadratic) -> Weights:
    """The model's present weights: inverse of ``hooked``."""
    return {name: w.detach().clone() for name, w in model.named_parameters()}
