"""The definition, which every engine must equal: hooked models, their float64 loss as in the sources, autograd, AdamW.

This file is deliberately small and slow. Work on performance never changes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from transformer_lens import HookedRootModule
from transformer_lens.model_bridge import TransformerBridge

from grok.models.architectures import ARCHITECTURES, recognise
from grok.models.names import Weights
from grok.recipe import CROSS_ENTROPY, RELU, SQUARED_ERROR, Activation, Loss, Recipe
from grok.task import Task

Model = TransformerBridge | HookedRootModule


def hooked(weights: Weights, task: Task, activation: Activation = RELU) -> Model:
    """The hooked model of these weights. Raises GrokError if they are of no known architecture.

    activation: of its neurons, where the architecture leaves the choice.
    """
    architecture = recognise(weights)
    chosen = {"activation": activation} if architecture.network.activations else {}
    return architecture.definition().hooked(weights, task, **chosen)


def _module(model: Model) -> Any:
    """The module that made this model. Raises TypeError if none did."""
    for architecture in ARCHITECTURES.values():
        if isinstance(model, architecture.definition().Model):
            return architecture.definition()
    raise TypeError(f"a {type(model).__name__} is no hooked model of {', '.join(ARCHITECTURES)}")


def logits(model: Model, task: Task, which: Tensor | None = None) -> Tensor:
    """Logits at the last position of these pairs (all pairs if None): [N, C]. Differentiable."""
    return _module(model).logits(model, task, which)


def loss(model: Model, task: Task, which: Tensor, kind: Loss = CROSS_ENTROPY) -> Tensor:
    """Mean loss of these pairs, a float64 scalar: cross-entropy, or squared error over pairs and classes.

    The squared error is that of the logits from 1 for the label and 0 for the others. Differentiable.
    """
    found, labels = logits(model, task, which).double(), task.labels()[which]
    if kind == SQUARED_ERROR:
        return torch.nn.functional.mse_loss(found, torch.nn.functional.one_hot(labels, found.shape[1]).double())
    return -found.log_softmax(-1).gather(1, labels[:, None]).mean()


def matrices(model: Model) -> Weights:
    """The present weights and biases, with the names of ``models.names``."""
    return _module(model).matrices(model)


def loss_and_grads(
    weights: Weights, task: Task, which: Tensor, kind: Loss = CROSS_ENTROPY, activation: Activation = RELU
) -> tuple[Tensor, Weights]:
    """Mean loss and its gradient by every matrix, by autograd through the hooked model."""
    model = hooked(weights, task, activation)
    value = loss(model, task, which, kind)
    value.backward()
    grads = _renamed(hooked(weights, task), {key: w.grad for key, w in _variables(model).items()})
    return value.detach(), {name: grads[name] for name in weights}


class Training:
    """One run as the sources train: full batch, autograd through the hooked model, torch's AdamW.

    It can continue from Adam's moments (under the names of the matrices) and the number of updates behind them.
    """

    def __init__(self, weights: Weights, recipe: Recipe, moments: tuple[Weights, Weights] | None = None, step: int = 0):
        self.recipe, self.split, self.step = recipe, recipe.split(), step
        self.model = hooked(weights, recipe.task, recipe.activation)
        self._trained = {key: w for key, w in _variables(self.model).items() if w.requires_grad}
        # The place of each entry of our matrices among the model's variables, laid end to end. It is found once, by
        # renaming numbers, because renaming takes twice as long as a step.
        numbers = torch.arange(sum(w.numel() for w in self._trained.values()), dtype=torch.float64)
        ends = torch.tensor([w.numel() for w in self._trained.values()]).cumsum(0)[:-1]
        parts = zip(self._trained.items(), numbers.tensor_split(ends), strict=True)
        doubles = {name: w.double() for name, w in weights.items()}
        renamed = _renamed(hooked(doubles, recipe.task), {key: part.view_as(w) for (key, w), part in parts})
        self._places = {name: renamed[name].long() for name in weights}
        self._optimiser = torch.optim.AdamW(
            self._trained.values(), lr=recipe.lr, betas=recipe.betas, eps=recipe.eps, weight_decay=recipe.weight_decay
        )
        if moments is not None and step:
            first, second = (hooked(given, recipe.task).state_dict() for given in moments)
            for key, w in self._trained.items():
                count = torch.tensor(float(step))
                self._optimiser.state[w] = {"step": count, "exp_avg": first[key], "exp_avg_sq": second[key]}

    def advance(self) -> Tensor:
        """Makes one update. Returns the train loss before it, a scalar."""
        self._optimiser.zero_grad()
        value = loss(self.model, self.recipe.task, self.split.train, self.recipe.loss)
        value.backward()
        for group in self._optimiser.param_groups:
            group["lr"] = self.recipe.rate(self.step)
        self._optimiser.step()
        self.step += 1
        return value.detach()

    @torch.no_grad()
    def train_loss(self) -> Tensor:
        return loss(self.model, self.recipe.task, self.split.train, self.recipe.loss)

    @torch.no_grad()
    def test_loss(self) -> Tensor:
        return loss(self.model, self.recipe.task, self.split.test, self.recipe.loss)

    def weights(self) -> Weights:
        """The present weights."""
        return self._named([w.detach() for w in self._trained.values()])

    def moments(self) -> tuple[Weights, Weights]:
        """Adam's first and second moments of every matrix. They are zero before the first update."""
        states = [self._optimiser.state[w] for w in self._trained.values()]
        zeros = [torch.zeros_like(w) for w in self._trained.values()]
        first, second = (
            self._named([state.get(moment, zero) for state, zero in zip(states, zeros, strict=True)])
            for moment in ("exp_avg", "exp_avg_sq")
        )
        return first, second

    def _named(self, values: list[Tensor]) -> Weights:
        together = torch.cat([value.flatten() for value in values])
        return {name: together[places] for name, places in self._places.items()}


def train(weights: Weights, recipe: Recipe, steps: int) -> Iterator[tuple[float, Weights]]:
    """``Training``: after each update, the loss before it and the weights."""
    training = Training(weights, recipe)
    for _ in range(steps):
        value = training.advance()
        yield float(value), training.weights()


def _variables(model: Model) -> dict[str, Tensor]:
    return model.state_dict(keep_vars=True)


def _renamed(replica: Model, values: Mapping[str, Tensor | None]) -> Weights:
    """Values of a model's variables with the names and shapes of ``grok.models.names``; zero where there is no value.

    The replica takes the values as its weights, so that TransformerLens itself renames them.
    """
    zeros = {key: torch.zeros_like(w) for key, w in replica.state_dict().items()}
    replica.load_state_dict(zeros | {key: value for key, value in values.items() if value is not None}, strict=True)
    return matrices(replica)
