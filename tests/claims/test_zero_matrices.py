"""Claims on transformers of which one matrix is zero, or all are: a verdict or a reason, no error with NaN."""

import alone
import pytest
import torch

import grok
from grok.models import analytic, names
from grok.models.names import Weights
from grok.task import Task

MATRICES = (names.W_E, names.W_K, names.W_O, names.W_OUT, names.W_U)
RECIPES = ("modadd-transformer", "modsub-transformer", "add-transformer")
REASONS = {
    ("modadd-transformer", names.W_K, "B5"): "2 of 2 fail, the worst by 0 >= 0.9",  # constant, so without a frequency
    ("modadd-transformer", names.W_E, "N1"): "the matrix is zero, so that there are no shares of its singular values",
    ("modadd-transformer", names.W_U, "N4"): "the neurons of frequency 2 write nothing to the logits",
    ("modsub-transformer", names.W_E, "S5"): "the matrix is zero, so that there are no shares of its singular values",
    ("modsub-transformer", names.W_U, "S11"): "every logit is zero",
    ("add-transformer", names.W_E, "F2"): "all rows are the same, so that there are no principal components",
    ("add-transformer", names.W_U, "F17"): "every logit is the same number",
    ("add-transformer", names.W_U, "F20"): "all rows are the same, so that there are no principal components",
    ("add-transformer", names.W_U, "F28"): "the neurons write nothing to the logits: U is zero",
}


def _networks(recipe: str) -> dict[str, Weights]:
    if recipe == "add-transformer":
        whole = grok.fixture(recipe).network.weights
    else:
        whole = analytic.transformer(Task(11, "add_mod" if recipe == "modadd-transformer" else "sub_mod"), (2, 3, 5))
    whole = {name: w.float().contiguous() for name, w in whole.items()}
    zero = {name: torch.zeros_like(w) for name, w in whole.items()}
    return {name: whole | {name: zero[name]} for name in MATRICES} | {"all": zero}


@pytest.fixture(scope="module", params=RECIPES)
def recipe_and_results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("networks")
    return request.param, alone.results(folder, request.param, _networks(request.param))


@pytest.mark.parametrize("network", [*MATRICES, "all"])
def test_each_claim_has_a_verdict_or_a_reason(recipe_and_results, network: str):
    _, results = recipe_and_results
    assert len(results[network]) > 20
    assert alone.without_a_verdict(results[network]) == {}


def test_the_reason_is_a_sentence(recipe_and_results):
    recipe, results = recipe_and_results
    expected = {at[1:]: reason for at, reason in REASONS.items() if at[0] == recipe}
    assert {(network, claim): results[network][claim]["reason"] for network, claim in expected} == expected
