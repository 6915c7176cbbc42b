"""The one-hidden-layer MLP of source K, hooked: E[a] + E[b] → ReLU → logits.

model = hooked(weights)
logits, cache = model.run_with_cache(task.pairs())
cache["hook_post"]
"""

from __future__ import annotations

from torch import Tensor, nn
from transformer_lens import HookedRootModule
from transformer_lens.hook_points import HookPoint

from grok.models import names
from grok.models.activations import ACTIVATIONS
from grok.models.names import Weights
from grok.recipe import RELU, Activation
from grok.task import Task


class HookedMLP(HookedRootModule):
    """logits = relu((W_E[a] + W_E_b[b]) W_in + b_in) W_U + b_U, or with gelu in place of relu.

    W_E [p, d_model], W_in [d_model, d_mlp], W_U [d_mlp, C]. If ``W_E_b`` is not given, it is ``W_E``. If the biases
    b_in [d_mlp] and b_U [C] are not given, they are zero and frozen. Hooks: hook_embed (the sum), hook_pre, hook_post.
    """

    def __init__(self, weights: Weights, activation: Activation = RELU):
        super().__init__()
        given = {name: nn.Parameter(w.detach().clone()) for name, w in weights.items()}
        self.W_E, self.W_in, self.W_U = given[names.MLP_W_E], given[names.MLP_W_IN], given[names.MLP_W_U]
        self.W_E_b = given.get("W_E_b")
        for name, width in (("b_in", self.W_in.shape[1]), ("b_U", self.W_U.shape[1])):
            frozen = nn.Parameter(self.W_E.new_zeros(width), requires_grad=False)
            self.register_parameter(name, given.get(name, frozen))
        self.hook_embed, self.hook_pre, self.hook_post = HookPoint(), HookPoint(), HookPoint()
        self.activation = activation
        self.setup()

    def forward(self, pairs: Tensor) -> Tensor:
        """[N, 2] → [N, C]."""
        a, b = pairs.unbind(1)
        second = self.W_E if self.W_E_b is None else self.W_E_b
        embed = self.hook_embed(self.W_E[a] + second[b])
        pre = self.hook_pre(embed @ self.W_in + self.b_in)
        post = self.hook_post(ACTIVATIONS[self.activation](pre))
        return post @ self.W_U + self.b_U


Model = HookedMLP


def hooked(weights: Weights, task: Task | None = None, activation: Activation = RELU) -> HookedMLP:
    """The model of these weights, in their dtype. Its sizes are those of the matrices, for every task.

    Raises KeyError if a matrix is missing.
    """
    return HookedMLP(weights, activation)


def logits(model: HookedMLP, task: Task, which: Tensor | None = None) -> Tensor:
    """Logits of these pairs (all pairs if None): [N, C]. Differentiable."""
    return model(task.pairs() if which is None else task.pairs()[which])


def matrices(model: HookedMLP) -> Weights:
    """The model's present weights and biases: inverse of ``hooked``."""
    return {name: w.detach().clone() for name, w in model.named_parameters()}
