"""Measures do not depend on the coordinates of a network, and are numbers on networks that learned nothing."""

import dataclasses
import math

import pytest
import torch

from grok.measure import activations, attention, losses, neurons, phases, readout
from grok.models import analytic
from grok.models import matrices as weights
from grok.models.architectures import network
from grok.models.network import Network
from grok.models.rivals import hide
from grok.models.transformer import Transformer
from grok.recipe import get_recipe
from grok.task import Task


def everything(model: Network) -> dict[str, float]:
    p, keys = model.task.p, model.key_frequencies
    found = neurons.frequencies(model.spectrum.post_powers)
    each = losses.excluded_each(model, torch.arange(p * p))
    polynomials, subspace = activations.as_polynomials(model), activations.key_subspace(model)
    out = {
        "P1": readout.rest_of_readout(model.U, keys).square,
        "P5": polynomials.answer.loss,
        "P5 replaced": polynomials.replaced,
        **{f"P6 {k}": loss for k, loss in (each.keys | each.others).items()},
        "P7": subspace.kept.loss,
        "P8": subspace.removed.loss,
        "C4": neurons.other_share(model.post, found, p, model.task.sign).median,
        "G1": phases.agreement(model).length,
        **{f"G2 {k}": spread.first for k, spread in phases.spread(model).items()},
        **{f"G3 {name}": activations.with_activation(model, name).loss for name in activations.ACTIVATIONS},
        "M1": readout.evenness(model.U),
    }
    if isinstance(model, Transformer):
        out |= {f"P3 {h}": float(x) for h, x in enumerate(attention.single_frequency(model.pattern, p).share)}
    else:
        out["M2"] = neurons.token_frequency_share(model.W_neur)
    return out


def noisy(found: dict[str, torch.Tensor], amount: float) -> dict[str, torch.Tensor]:
    """With noise on every matrix. The bias, which ``hide`` does not know, is zero if there is one threshold."""
    generator = torch.Generator().manual_seed(3)
    return {
        name: w + amount * torch.randn(w.shape, generator=generator, dtype=w.dtype)
        for name, w in found.items()
        if not name.endswith("b_in")
    }


@pytest.mark.parametrize("amount", [0.01, 0.1])
@pytest.mark.parametrize(
    ("build", "operation"),
    [(analytic.mlp, "add_mod"), (analytic.transformer, "add_mod"), (analytic.transformer, "sub_mod")],
)
def test_rotation_of_the_residual_stream_and_order_of_neurons_change_nothing(build, operation, amount):
    task = Task(13, operation)
    plain = noisy(build(task, [2, 5], 1), amount)
    model, other = network(plain, task), network(hide(plain, seed=4), task)
    assert (model.post - other.post).abs().max() > 1e-2
    one = everything(model)
    assert everything(other) == pytest.approx(one, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("name", ["modadd-mlp", "modadd-transformer", "modsub-transformer"])
@pytest.mark.parametrize("scale", [1.0, 0.0])
def test_untrained_and_empty_networks_have_finite_measures(name, scale):
    recipe = get_recipe(name)
    recipe = dataclasses.replace(recipe, task=dataclasses.replace(recipe.task, p=13), d_model=16, d_mlp=24)
    model = network({n: scale * w for n, w in weights.initial(recipe).items()}, recipe.task, recipe.split())
    found = everything(model)
    assert {n: x for n, x in found.items() if not math.isfinite(x)} == {}
    assert found["G1"] < 0.9
    if scale == 0:
        assert found["P1"] == 1
        assert found["P5 replaced"] == found["G1"] == found["M1"] == 0
        assert found.get("P3 0", 0) == found.get("M2", 0) == 0
