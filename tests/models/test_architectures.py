"""An architecture is recognised in one place, and an unknown one is refused wherever weights are read."""

from dataclasses import replace

import pytest
import torch

from grok.errors import GrokError
from grok.models import architectures, matrices, tables
from grok.models.concat import Concat
from grok.models.hooked import definition
from grok.models.mlp import MLP
from grok.models.transformer import Transformer
from grok.recipe import C113_MLP, PUBLISHED, RECIPES, S5_MLP, Recipe
from grok.train.engines import folded

UNKNOWN = {"cell.W_h": torch.zeros(3, 3), "W_E": torch.zeros(5, 3)}


@pytest.mark.parametrize("recipe", [*PUBLISHED, C113_MLP, S5_MLP], ids=lambda r: r.name)
def test_the_initial_weights_are_recognised(recipe: Recipe):
    weights = matrices.initial(recipe)
    assert architectures.recognise(weights).name == recipe.architecture
    assert architectures.recognise(weights).required == matrices.shapes(recipe).keys()
    network = architectures.network(weights, recipe.task)
    assert type(network) is {"mlp": MLP, "transformer": Transformer, "concat": Concat}[recipe.architecture]
    first, second = architectures.recognise(weights).embeddings(weights)
    parts = (first, second) if recipe.architecture == "concat" else (first,)
    torch.testing.assert_close(network.W_E, torch.cat(parts, dim=1).double())
    torch.testing.assert_close(first.shape, second.shape)


def test_biases_do_not_change_the_architecture():
    weights = matrices.initial(RECIPES["modadd-mlp"]) | {"b_in": torch.zeros(512), "b_U": torch.zeros(113)}
    assert architectures.recognise(weights).name == "mlp"


def test_weights_of_two_architectures_are_refused():
    both = matrices.initial(RECIPES["modadd-mlp"]) | matrices.initial(RECIPES["modadd-transformer"])
    with pytest.raises(GrokError, match="no known architecture"):
        architectures.recognise(both)


@pytest.mark.parametrize(
    "read",
    [
        lambda w, r: architectures.network(w, r.task),
        lambda w, r: tables.fold(w),
        lambda w, r: definition.hooked(w, r.task),
        lambda w, r: matrices.shapes(r),
        lambda w, r: matrices.initial(r),
        lambda w, r: folded.logits(w, torch.zeros(1, 1, 2, dtype=torch.int64), r),
    ],
)
def test_an_unknown_architecture_is_refused(read):
    with pytest.raises(GrokError, match=r"known|knows") as refusal:
        read(UNKNOWN, replace(RECIPES["modadd-mlp"], architecture="rnn"))
    assert "\n" not in str(refusal.value)


def test_chunks_of_a_give_the_logits_of_the_whole():
    for recipe in (RECIPES["modadd-mlp"], RECIPES["modadd-transformer"], RECIPES["c113-mlp"]):
        small = replace(recipe, task=replace(recipe.task, p=7), d_model=8, d_mlp=12)
        weights = matrices.initial(small)
        parts = architectures.recognise(weights).chunks(weights, 3)
        chunks = [architectures.network(part, small.task).logits for part in parts]
        assert [len(chunk) for chunk in chunks] == [21, 21, 7]
        whole = architectures.network(weights, small.task).logits
        torch.testing.assert_close(torch.cat(chunks), whole, atol=1e-12, rtol=0)
