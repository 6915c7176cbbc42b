"""Claims on networks of which no neuron is active: a verdict or a reason, no error, and nothing of neurons holds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from grok.models import analytic
from grok.models.names import Weights
from grok.task import Task

ROOT = Path(__file__).parents[2]
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
    """Network → claim → its result; of the checkpoints alone, without controls."""
    folder = tmp_path_factory.mktemp("networks")
    chosen = ["--recipe", "modadd-mlp", "--split-seed", "0", "--train-frac", "0.3", "-k", "no_neuron"]
    for name, weights in _networks().items():
        torch.save(weights, folder / f"no_neuron_{name}.pt")
        chosen += ["--checkpoint", str(folder / f"no_neuron_{name}.pt")]
    written = folder / "verdicts.json"
    quiet = ["-q", "-p", "no:cacheprovider", "--claims-json", str(written)]
    done = subprocess.run([sys.executable, "-m", "pytest", "claims/", *quiet, *chosen], cwd=ROOT, capture_output=True)
    assert done.returncode in (0, 1), done.stdout
    found: dict[str, dict[str, dict]] = {}
    for claim in json.loads(written.read_text())["claims"]:
        for result in claim["subjects"]:
            name = result["subject"].removeprefix("no_neuron_").removesuffix(".pt")
            found.setdefault(name, {})[claim["id"].split(" ")[0]] = result
    return found


@pytest.mark.parametrize("network", sorted(_networks()))
def test_each_claim_has_a_verdict_or_a_reason(results: dict, network: str):
    assert len(results[network]) > 30
    assert {claim: one["error"] for claim, one in results[network].items() if one["error"]} == {}
    assert [claim for claim, one in results[network].items() if one["holds"] is None and not one["reason"]] == []
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
