"""Claims on networks of which no neuron is active: a verdict or a reason, no error, and nothing of neurons holds."""

import alone
import pytest
import torch

from grok.models import analytic
from grok.models.names import Weights
from grok.task import Task

OF_NEURONS = {"K3", "K4", "K9", "K9b", "K11", "K14", "K15", "K14b", "K15b", "G1", "P5", "P6", "P7", "P7b", "P8", "P8b"}
OF_LOGITS = {"K6", "K7", "K13", "K13b", "C1", "Z1", "Z3"}


def _networks() -> dict[str, Weights]:
    whole = {name: w.float() for name, w in analytic.mlp(Task(11), (2, 3, 5)).items()}
    (d, m), one = whole["W_in"].shape, torch.ones(whole["W_in"].shape[1])
    zero = {name: torch.zeros_like(w) for name, w in whole.items()}
    return {
        "nothing_read": whole | {"W_in": zero["W_in"]},
        "nothing_embedded": whole | {"W_E": zero["W_E"]},
        "all_embedded_alike": whole | {"W_E": torch.linspace(-1, 1, d).expand(11, d).contiguous()},
        "never_on": whole | {"b_in": -1e3 * one},
        "always_the_same": whole | {"W_in": zero["W_in"], "b_in": torch.linspace(-1, 1, m)},
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, dict]]:
    return alone.results(tmp_path_factory.mktemp("networks"), "modadd-mlp", _networks())


@pytest.mark.parametrize("network", sorted(_networks()))
def test_each_claim_has_a_verdict_or_a_reason(results: dict, network: str):
    assert len(results[network]) > 30
    assert alone.without_a_verdict(results[network]) == {}
    assert {claim for claim in OF_NEURONS | OF_LOGITS if results[network][claim]["holds"]} == set()


def test_the_reason_is_a_sentence(results: dict):
    told = {claim: one["reason"] for claim, one in results["nothing_read"].items() if one["holds"] is None}
    neurons = "no neuron is active: none varies over the pairs (a, b)"
    shares = "what is measured is the same for every pair (a, b), so that there are no shares of it"
    equal = "for every pair the logits of all classes are equal"
    expected = {"K4": neurons, "P7": neurons, "P8": neurons, "K14": neurons, "K15": neurons}
    expected |= dict.fromkeys(("K6", "K7", "K10", "K11"), shares) | dict.fromkeys(("K13", "K13b", "C1"), equal)
    expected |= dict.fromkeys(("K9", "K9b"), "the neurons write nothing along the cosine of 2 in U, on any pair")
    expected |= {"Z3": "no logit depends on both numbers"}
    assert {claim: told[claim] for claim in expected} == expected
