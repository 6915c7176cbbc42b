"""The curves that a session writes are those of the runs, thinned."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from grok.measure import trajectory
from grok.store.fixture import load_fixture
from grok.suite.curves import COLUMNS, POINTS, curves, thinned
from grok.verdicts.claim import Claim, Statement
from grok.verdicts.verdict import Result

FIXTURES = Path(__file__).parents[2] / "fixtures"


def claim(*names: str) -> Claim:
    about = Statement(id="X1", title="a claim", fixture="modadd-transformer")
    return Claim.of(about, [Result(name, "trained", True) for name in names])


def test_a_curve_has_the_losses_phases_and_keys_of_its_run():
    run = load_fixture(FIXTURES / "modadd-transformer/seed999").run
    first, second = curves([claim("modadd-transformer/seed1", "modadd-transformer/seed999")], FIXTURES)
    assert (first.subject, second.subject) == ("modadd-transformer/seed999", "modadd-transformer/seed1")
    assert first.key_frequencies == run.key_frequencies
    assert set(first.columns) == set(COLUMNS)
    assert len(first.steps) <= POINTS + 5
    for name, column in first.columns.items():
        kept = [run.columns[name][run.steps.index(step)] for step in first.steps]
        assert all(abs(a - b) <= 1e-3 * abs(b) for a, b in zip(column, kept, strict=True))
    ends = trajectory.phases(run.steps, run.columns["train_loss"], run.columns["test_loss"])
    assert [step for _, step in first.phases] == [ends.memorised, ends.circuit, ends.cleanup]


def test_a_network_without_key_frequencies_has_two_losses():
    about = Statement(id="F1", title="a claim", fixture="add-transformer")
    (found,) = curves([Claim.of(about, [Result("add-transformer/seed999", "trained", True)])], FIXTURES)
    assert set(found.columns) == {"train_loss", "test_loss"}
    assert found.key_frequencies is None


def test_a_run_that_is_not_there_and_a_model_of_the_users_have_no_curve():
    assert curves([claim("modadd-transformer/seed77", "../seed1", "model.pt")], FIXTURES) == ()


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=400, unique=True), st.data())
def test_thinned_steps_keep_both_ends_and_what_is_needed(steps, data):
    steps = [0, *sorted(steps)]
    needed = data.draw(st.lists(st.sampled_from(steps), max_size=3))
    kept = thinned(steps, needed, points=20)
    assert kept == sorted(set(kept))
    assert {steps[i] for i in kept} >= {0, steps[-1], *needed}
    assert len(kept) <= 21 + 2 + len(needed)
