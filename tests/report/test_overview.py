"""The first screen: the curve and the verdicts of each family, and the story in three lists."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest
import sample

from grok.models.architectures import ARCHITECTURES
from grok.report import page
from grok.report.curve import drawing
from grok.report.families import _ARCHITECTURES, families
from grok.report.lists import FIRST, lead, lists
from grok.report.view import Pool, cards
from grok.verdicts.record import Curve


def shown(claims, **run):
    verdicts = sample.verdicts(claims)
    verdicts = replace(verdicts, run=replace(verdicts.run, **run))
    return families(verdicts, cards(verdicts, (), Pool()))


def points(line) -> list[tuple[float, float]]:
    return [tuple(map(float, pair.split(","))) for pair in line.points.split()]


def test_a_family_tells_task_seeds_device_sources_and_verdicts():
    (family,) = shown([sample.claim("K1", sample.subjects()), sample.claim("K2", sample.subjects(trained=(0.9,)))])
    assert family.title == "(a + b) mod 113, MLP with one hidden layer"
    assert dict(family.facts) == {"seed": "0", "trained on": "cpu", "for": "50,000 steps"}
    assert family.sources == (
        ("One-hidden-layer MLP on modular addition", "https://github.com/ckkissane/mech-interp-practice"),
    )
    assert family.keys == "3, 14, 35"
    assert [(word, n) for word, _, n in family.counts] == [("replicated", 1), ("refuted", 1)]


def test_a_file_without_curves_shows_no_figure_and_says_so():
    (family,) = shown([sample.claim("K1", sample.subjects())], curves=())
    assert (family.curve, family.no_curve) == (None, "No curve is recorded.")
    verdicts = sample.verdicts([sample.claim("K1", sample.subjects())])
    text = page.render(replace(verdicts, run=replace(verdicts.run, curves=())))
    assert "No curve is recorded." in text
    assert '<svg class="curve"' not in text


def test_a_checkpoint_and_models_of_the_tests_own_are_told_as_what_they_are():
    model = replace(sample.subject("model.pt", 0.99), role="checkpoint")
    (family,) = shown([sample.claim("K1", [model, *sample.subjects()[1:]])])
    assert family.no_curve == "A checkpoint has no training run."
    assert ("checkpoint", "model.pt") in family.facts
    (own,) = shown([sample.claim("A1", sample.subjects(fixture="mine"), fixture=None)], fixtures=(), curves=())
    assert own.title == "One-hidden-layer MLP on modular addition"


def test_families_with_key_frequencies_come_first():
    names = ("add-transformer", "modadd-mlp")
    claims = [sample.claim(f"X{i}", sample.subjects(name), fixture=name) for i, name in enumerate(names)]
    curves = (sample.curve("add-transformer/seed0", None), sample.curve("modadd-mlp/seed0"))
    assert [family.name for family in shown(claims, curves=curves)] == ["modadd-mlp", "add-transformer"]


def test_the_curve_is_drawn_to_scale_on_logarithmic_axes():
    figure = drawing(sample.curve("m/seed0"))
    lines = {line.kind: points(line) for line in figure.lines}
    assert set(lines) == {"train", "test", "restricted", "excluded"}
    assert [x for x, _ in lines["train"]] == [0, 50, 100]  # steps 100, 1,000, 10,000; a log scale has no step 0
    decade = (lines["train"][1][1] - lines["train"][0][1]) / 3  # from 1e-3 to 1e-6
    assert lines["train"][2][1] - lines["train"][1][1] == pytest.approx(decade, abs=0.02)
    assert [(phase.name, phase.x, phase.width) for phase in figure.phases] == [
        ("circuit formation", 0, 50),
        ("cleanup", 50, 50),
    ]
    assert "test loss ends at 1e-6" in figure.text
    ends = sorted(line.y for line in figure.lines)
    assert min(b - a for a, b in itertools.pairwise(ends)) >= 8.99  # the labels do not cover each other


@pytest.mark.parametrize("losses", [(), (None, None), (0.0, 0.0)])
def test_what_cannot_be_drawn_is_not(losses):
    steps = (0, 100)[: len(losses)]
    assert drawing(Curve("m/seed0", steps, {"train_loss": losses} if losses else {})) is None


def test_three_lists_tell_what_came_back_and_each_claim_is_in_one():
    (family,) = shown(sample.one_of_each())
    found = list(lists(family.cards))
    assert [[card.claim.id for card in one.first] for one in found] == [
        ["K1"],
        ["K2", "K3"],
        ["K4", "K6"],
        ["K5", "K7"],
    ]
    assert [one.n for one in found] == [1, 2, 2, 2]


def test_a_long_list_shows_every_family_first_and_a_claim_of_several_families_once():
    claims = [
        sample.claim(f"P{i} · {name}", sample.subjects(name), fixture=name, about="behaviour" if i < 2 else "mechanism")
        for name in ("modadd-mlp", "modadd-transformer")
        for i in range(10)
    ]
    (one,) = lists([card for family in shown(claims) for card in family.cards])
    assert len(one.first) == FIRST
    assert len(one.rest) == 20 - FIRST
    assert {card.fixture for card in one.first} == {"modadd-mlp", "modadd-transformer"}
    assert len({card.id for card in one.first}) == FIRST
    assert "P2" in {card.id for card in one.first}
    assert "P0" not in {card.id for card in one.first}


def test_the_first_sentence_fits_the_networks_that_were_tried():
    own = [sample.claim("A1", [sample.subject("good/seed0", 0.99)])]
    assert lead(own) == "1 claim, tested on trained networks. No control or rival was tried."
    own.append(sample.claim("A2", [sample.subject("bad.pt", 0.1)]))
    assert lead(own) == "2 claims, tested on trained networks, and required to fail on controls."
    model = replace(sample.subject("model.pt", 0.99), role="checkpoint")
    assert lead([sample.claim("K1", [model, sample.subject("m/untrained", 0.1)])]) == (
        "1 claim, tested on model.pt, and required to fail on networks that are untrained."
    )
    everything = lead(sample.one_of_each())
    assert everything.endswith("are untrained, have only memorised their examples or solve the task in another way.")


def test_every_link_of_the_first_screen_leads_to_a_place_of_the_page():
    text = page.render(sample.verdicts([*sample.one_of_each(), *sample.many(20)]))
    ids = set(re.findall(r' id="([^"]*)"', text))
    links = re.findall(r'href="#([^"]*)"', text)
    assert len(links) > 30
    assert {link.replace("%20", " ") for link in links} <= ids


def test_every_architecture_has_a_name_in_words():
    assert _ARCHITECTURES.keys() == ARCHITECTURES.keys()
