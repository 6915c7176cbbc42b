"""What every engine must equal: the hooked models, their loss in float64 as the sources compute it, autograd, AdamW.

Small and slow on purpose. ``performance`` work never touches this file.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from transformer_lens import HookedRootModule
from transformer_lens.model_bridge import TransformerBridge

from grok import weights as names
from grok.models import mlp, transformer
from grok.recipe import Recipe
from grok.task import Task
from grok.weights import Weights

Model = TransformerBridge | HookedRootModule


def hooked(weights: Weights, task: Task) -> Model:
    """The hooked model of these weights; the names decide the architecture."""
    return mlp.hooked(weights) if names.MLP_W_IN in weights else transformer.hooked(weights, task)


def logits(model: Model, task: Task, which: Tensor | None = None) -> Tensor:
    """Logits at the last position of these pairs (all of them if not given): [N, C]. Differentiable."""
    if isinstance(model, TransformerBridge):
        return model(transformer.tokens(task, which), return_type="logits")[:, -1]
    return model(task.pairs() if which is None else task.pairs()[which])


def loss(model: Model, task: Task, which: Tensor) -> Tensor:
    """Mean cross-entropy of these pairs by a float64 log-softmax, a scalar. Differentiable."""
    log_probs = logits(model, task, which).double().log_softmax(-1)
    return -log_probs.gather(1, task.labels()[which, None]).mean()


def matrices(model: Model) -> Weights:
    """The present weights and biases, with the names of ``grok.weights``."""
    if isinstance(model, TransformerBridge):
        return transformer.matrices(model)
    return {name: w.detach().clone() for name, w in model.named_parameters()}


def loss_and_grads(weights: Weights, task: Task, which: Tensor) -> tuple[Tensor, Weights]:
    """Mean loss and its gradient by every matrix, by autograd through the hooked model."""
    model = hooked(weights, task)
    value = loss(model, task, which)
    value.backward()
    if isinstance(model, TransformerBridge):
        grads = transformer.gradients(model)
    else:
        grads = {name: w.grad for name, w in model.named_parameters() if w.grad is not None}
    return value.detach(), {name: grads[name] for name in weights}


def train(weights: Weights, recipe: Recipe, steps: int) -> Iterator[tuple[float, Weights]]:
    """Full-batch AdamW as the sources run it: after each update, the loss before it and the weights."""
    model = hooked(weights, recipe.task)
    trained = [w for w in model.parameters() if w.requires_grad]
    optimiser = torch.optim.AdamW(
        trained, lr=recipe.lr, betas=recipe.betas, eps=recipe.eps, weight_decay=recipe.weight_decay
    )
    which = recipe.split().train
    for _ in range(steps):
        optimiser.zero_grad()
        value = loss(model, recipe.task, which)
        value.backward()
        optimiser.step()
        present = matrices(model)
        yield float(value.detach()), {name: present[name] for name in weights}
