"""The transformer of Zhong et al. 2023, hooked: context ``a b``, attention α softmax + (1 - α), read at b.

model = hooked(weights)
logits, cache = model.run_with_cache(task.pairs())
cache["hook_pattern"]
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from transformer_lens import HookedRootModule
from transformer_lens.hook_points import HookPoint

from grok.models import names, pizza
from grok.models.architectures import recognise
from grok.models.names import Weights
from grok.task import Task


class HookedPizza(HookedRootModule):
    """Both positions, as the source computes them; ``grok.models.pizza`` has names, shapes and what α does.

    Hooks: hook_embed [N, 2, d] (before positions), hook_pattern [N, h, query, key], hook_z [N, 2, h, k], hook_resid_mid
    [N, 2, d], hook_pre and hook_post [N, 2, d_mlp].
    """

    def __init__(self, weights: Weights, coefficient: float):
        super().__init__()
        self.coefficient = coefficient
        self.matrix_names = {name.replace(".", "_"): name for name in weights}
        for key, name in self.matrix_names.items():
            self.register_parameter(key, nn.Parameter(weights[name].detach().clone()))
        self.hook_embed, self.hook_pattern, self.hook_z = HookPoint(), HookPoint(), HookPoint()
        self.hook_resid_mid, self.hook_pre, self.hook_post = HookPoint(), HookPoint(), HookPoint()
        self.setup()

    def __getitem__(self, name: str) -> Tensor:
        return getattr(self, name.replace(".", "_"))

    def forward(self, pairs: Tensor) -> Tensor:
        """[N, 2] → [N, 2, C]; the answer is at the last position."""
        x = self.hook_embed(self[names.W_E][pairs]) + self[names.W_POS_AB]
        value = torch.einsum("npd,hdk->nphk", x, self[names.W_V])
        z = self.hook_z(torch.einsum("nhqp,nphk->nqhk", self.hook_pattern(self._pattern(x)), value))
        mid = self.hook_resid_mid(x + torch.einsum("nqhk,hkd->nqd", z, self[names.W_O]))
        pre = self.hook_pre(mid @ self[names.W_IN] + self[names.B_IN])
        post = self.hook_post(pre.relu())
        return (mid + post @ self[names.W_OUT] + self[names.B_OUT]) @ self[names.W_U]

    def _pattern(self, x: Tensor) -> Tensor:
        n_heads, _, d_head = self[names.W_V].shape
        constant = x.new_full((len(x), n_heads, 2, 2), 1 - self.coefficient)
        if self.coefficient == 0:
            return constant
        query, key = (torch.einsum("npd,hdk->nphk", x, self[name]) for name in pizza.ATTENTION)
        scores = torch.einsum("nqhk,nphk->nhqp", query, key) / math.sqrt(d_head)
        return self.coefficient * scores.softmax(-1) + constant


Model = HookedPizza


def hooked(weights: Weights, task: Task | None = None) -> HookedPizza:
    """The model of these weights, in their dtype; its sizes are those of the matrices, whatever the task.

    Raises GrokError if a matrix is missing.
    """
    network = recognise(weights).network
    if not issubclass(network, pizza.Pizza):
        raise ValueError(f"expected the weights of a pizza transformer, got those of a {network.architecture}")
    return HookedPizza(weights, network.coefficient)


def logits(model: HookedPizza, task: Task, which: Tensor | None = None) -> Tensor:
    """Logits at the last position of these pairs (all of them if not given): [N, C]. Differentiable."""
    return model(task.pairs() if which is None else task.pairs()[which])[:, -1]


def matrices(model: HookedPizza) -> Weights:
    """The model's present weights and biases: inverse of ``hooked``."""
    return {name: model[name].detach().clone() for name in model.matrix_names.values()}
