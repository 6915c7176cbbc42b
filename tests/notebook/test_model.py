"""``grok.load`` and ``grok.fixture``: one object, and its plots."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

import grok
from grok.errors import GrokError, NotEvaluable
from grok.notebook.model import Model

ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "fixtures" / "add-transformer" / "seed0"


@pytest.fixture(scope="module")
def adder() -> Model:
    return grok.fixture("add-transformer", seed=0)


@pytest.fixture(scope="module")
def file() -> Model:
    return grok.load(ROOT / "examples" / "own_claims" / "model.safetensors")


def test_a_short_repr_says_what_it_is(adder: Model, file: Model):
    about = "transformer, add with p = 10, 200,960 parameters, right on 96.43% of the test pairs, K = none"
    assert repr(adder) == f"<add-transformer/seed0: {about}>"
    own = "mlp, add_mod with p = 13, 819 parameters, right on 100.00% of all pairs, K = 2, 3, 5"
    assert repr(file) == f"<model.safetensors: {own}>"


def test_a_folder_and_the_name_of_a_shipped_network_give_the_same(adder: Model):
    loaded = grok.load(FIXTURE)
    assert repr(loaded) == repr(adder)
    assert loaded.card == adder.card
    assert torch.equal(loaded.network.logits, adder.network.logits)


def test_card_and_trajectory_are_those_of_the_folder(adder: Model):
    assert adder.card["seed"] == 0
    assert adder.trajectory["test_loss"][-1] == pytest.approx(adder.card["test_loss"])
    assert {len(column) for column in adder.trajectory.values()} == {len(adder.trajectory["steps"])}


def test_the_hooked_model_computes_the_networks_logits(adder: Model, file: Model):
    logits, cache = adder.hooked(torch.float64).run_with_cache(adder.tokens())
    torch.testing.assert_close(logits[:, -1], adder.network.logits)
    torch.testing.assert_close(cache["blocks.0.mlp.hook_post"][:, -1], adder.network.post)
    silent = file.hooked(torch.float64).run_with_hooks(
        file.tokens(), fwd_hooks=[("hook_post", lambda post, hook: 0 * post)]
    )
    torch.testing.assert_close(silent, file.network.skip_logits.expand_as(silent))


def test_a_checkpoint_of_the_run_is_another_network():
    trained = grok.fixture("add-transformer", seed=4)
    memorised = trained.at("memorised")
    assert memorised.name == "add-transformer/seed4 memorised"
    assert memorised.accuracy["train"] > 0.99
    assert memorised.accuracy["test"] < trained.accuracy["test"]
    assert torch.equal(memorised.network.logits, trained.fixture.network("memorised").logits)
    with pytest.raises(GrokError, match="no checkpoint 'middle'; it holds"):
        trained.at("middle")


def test_a_single_file_says_what_it_does_not_have(file: Model):
    assert file.card["format"] == file.format
    for ask in (lambda: file.trajectory, lambda: file.checkpoints, lambda: file.at("initial")):
        with pytest.raises(GrokError, match="a single file has no"):
            ask()
    with pytest.raises(NotEvaluable, match="no training run to plot"):
        file.plot.losses()


def test_the_readme_runs():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    [code] = re.findall(r"## From a notebook\n\n```python\n(.*?)```", text, re.DOTALL)
    said: dict[str, Any] = {}
    exec(code, said)
    torch.testing.assert_close(said["logits"][:, -1], said["model"].network.logits.float(), atol=1e-3, rtol=1e-3)
    assert said["memorised"].accuracy["test"] < 0.5


def test_a_network_that_is_not_shipped_is_told_with_the_seeds_that_are():
    with pytest.raises(GrokError, match="not shipped with seed 9, but with the seeds 0, 1, 2"):
        grok.fixture("modadd-mlp", seed=9)
    with pytest.raises(GrokError, match="unknown recipe 'modmul'"):
        grok.fixture("modmul")


def test_losses_are_drawn_at_every_step_with_the_phases(adder: Model):
    drawn = adder.plot.losses()
    assert {trace.name: list(trace.x) for trace in drawn.data}["test loss"] == adder.trajectory["steps"]
    assert [note.text for note in drawn.layout.annotations] == ["memorised", "circuit formed", "cleaned up"]
    assert drawn.layout.yaxis.type == "log"


def test_fourier_draws_the_norms_of_the_key_frequencies_highest(file: Model):
    [bars] = file.plot.fourier().data
    highest = sorted(zip(bars.y, bars.x, strict=True))[-3:]
    assert {k for _, k in highest} == {2, 3, 5}
    with pytest.raises(ValueError, match="one of U, W_E"):
        file.plot.fourier(of="W_out")


def test_tokens_stand_on_their_circle_at_the_angle_of_their_frequency(file: Model):
    [points] = file.plot.circle(2).data
    at = torch.complex(torch.tensor(points.x), torch.tensor(points.y))
    turned = at / at[0] / torch.exp(2j * torch.pi * 2 / 13 * torch.arange(13))
    torch.testing.assert_close(turned, torch.ones_like(turned), atol=1e-3, rtol=0)


def test_functions_of_the_pairs_are_heatmaps(adder: Model, file: Model):
    for drawn, size in (
        (adder.plot.attention(), 10),
        (adder.plot.errors(), 10),
        (adder.plot.neuron(0), 10),
        (file.plot.spectrum("post"), 7),
    ):
        assert drawn.data[0].type == "heatmap"
        assert (len(drawn.data[0].z), len(drawn.data[0].z[0])) == (size, size)
    assert adder.plot.attention().data[1].z[3][4] == pytest.approx(float(adder.network.pattern[34, 1, 0]), rel=1e-4)
    with pytest.raises(NotEvaluable, match="has no attention"):
        file.plot.attention()
    assert [trace.name for trace in adder.plot.pcs().data] == ["PC1", "PC2"]
