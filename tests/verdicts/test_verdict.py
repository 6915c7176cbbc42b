import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grok.verdicts.claim import Claim, Statement
from grok.verdicts.decode import decode
from grok.verdicts.runs import GROKKED_TEST_LOSS, grokked, grokked_note
from grok.verdicts.verdict import (
    Assertion,
    Evidence,
    Plot,
    Result,
    order,
    tally,
    verdict,
    wilson,
)

TRUE, FALSE, NULL = True, False, None


def subjects(trained, controls=(), rivals=(), error=None):
    found = [
        Result(f"m/seed{i}", "trained", holds, None if holds is not None else "no keys")
        for i, holds in enumerate(trained)
    ]
    found += [Result(f"m/c{i}", "control", holds, error=error) for i, holds in enumerate(controls)]
    return found + [Result(f"m/r{i}", "rival", holds) for i, holds in enumerate(rivals)]


@pytest.mark.parametrize(
    ("trained", "controls", "rivals", "expected"),
    [
        ([TRUE], [FALSE, NULL], [FALSE], "replicated"),
        ([TRUE, NULL], [FALSE, FALSE], [FALSE], "replicated"),
        ([TRUE, FALSE], [FALSE, FALSE], [FALSE], "mixed"),
        ([FALSE, FALSE], [FALSE, FALSE], [FALSE], "refuted"),
        ([FALSE], [TRUE, TRUE], [FALSE], "refuted"),
        ([TRUE], [FALSE, TRUE], [FALSE], "vacuous"),
        ([TRUE, FALSE], [TRUE, FALSE], [FALSE], "vacuous"),
        ([NULL], [FALSE, TRUE], [FALSE], "not evaluated"),
        ([], [FALSE, FALSE], [FALSE], "not evaluated"),
        ([TRUE], [FALSE], [TRUE, FALSE], "unspecific"),
        ([TRUE, FALSE], [FALSE], [TRUE], "unspecific"),
        ([TRUE], [TRUE], [TRUE], "vacuous"),
        ([FALSE], [FALSE], [TRUE], "refuted"),
        ([TRUE], [FALSE], [], "replicated"),
        ([TRUE], [NULL, NULL], [FALSE], "uncontrolled"),
        ([TRUE], [], [], "uncontrolled"),
    ],
)
def test_verdict(trained, controls, rivals, expected):
    found, reason = verdict(subjects(trained, controls, rivals))
    assert found == expected
    assert (reason is None) == (expected == "replicated")


def test_controls_that_ran_alone_say_on_which_the_claim_holds():
    assert verdict(subjects([], [FALSE, NULL], [TRUE]))[1] == "only controls or rivals ran: holds on r0"
    assert verdict(subjects([], [FALSE], [FALSE]))[1] == "only controls or rivals ran: holds on none"
    assert verdict(subjects([], [NULL]))[1] == "only controls or rivals ran: none was evaluated"


def test_an_error_anywhere_is_the_verdict():
    found, reason = verdict(subjects([TRUE], [NULL], error="NaN"))
    assert (found, reason) == ("error", "on m/c0: NaN")


def test_the_reason_of_a_refutation_is_the_assert_that_failed_by_most():
    near = Result("m/seed0", "trained", False, asserts=[Assertion("x >= 1", "0.9 >= 1", False, 0.9, ">=", 1, -0.1)])
    far = Result("m/seed1", "trained", False, asserts=[Assertion("x >= 1", "0.2 >= 1", False, 0.2, ">=", 1, -0.8)])
    claim = Claim.of(Statement(id="X1", title="x"), (near, far))
    assert claim.reason == "m/seed1: 0.2 >= 1, from x >= 1"
    assert claim.margin == -0.8
    assert (claim.k, claim.n) == (0, 2)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_ends_are_where_the_share_is_1_96_standard_errors_away(kn):
    k, n = kn
    low, high = wilson(k, n)
    assert 0 <= low <= high <= 1
    for end in (low, high):
        assert (k / n - end) ** 2 == pytest.approx(1.959964**2 * end * (1 - end) / n, abs=1e-9)


def test_wilson_of_published_examples():
    assert wilson(0, 0) is None
    assert wilson(16, 16) == pytest.approx([0.8064, 1.0], abs=1e-4)
    assert wilson(81, 263) == pytest.approx([0.2553, 0.3662], abs=1e-4)  # Newcombe 1998, table I, without continuity


def test_subjects_survive_json():
    subject = Result(
        "m/seed0",
        "trained",
        False,
        "x",
        evidence=[Evidence("e", [1.0], 2, [0.0, 1.0], 20)],
        asserts=[Assertion("a", "1 >= 2", False, 1, ">=", 2, -0.5)],
        plots=[Plot("fve", "p", {"x": [1]})],
    )
    data = json.loads(json.dumps(subject.to_json()))
    assert Result.from_json(data) == decode(Result, data, "") == subject


def test_a_run_grokked_by_the_threshold_of_training():
    """Controls and runs that the fixtures do not name are left out; a loss that is no number is no grok."""
    losses = [GROKKED_TEST_LOSS, 0.99 * GROKKED_TEST_LOSS, None, 0.0]
    fixtures = [{"fixture": "m", "seed": i, "test_loss": loss} for i, loss in enumerate(losses)]
    found = grokked(fixtures, ["m/seed0", "m/seed1", "m/seed2", "m/seed9", "m/seed0"])
    assert found == {"m/seed0": False, "m/seed1": True, "m/seed2": False}
    assert grokked_note(found).endswith("2 of 3 runs did not grok (test loss at the end ≥ 0.01): seeds 0, 2")
    assert grokked_note({"m/seed1": True}) is None
    other = [
        {"fixture": "m", "seed": i, "test_loss": 4.0, "test_accuracy": a, "loss": "x"} for i, a in enumerate((1, 0.9))
    ]
    assert grokked(other, ["m/seed0", "m/seed1"]) == {"m/seed0": True, "m/seed1": False}


def test_order_is_by_role_then_number():
    names = [("m/untrained", "control"), ("m/seed10", "trained"), ("m/seed9", "trained"), ("mine.pt", "checkpoint")]
    found = order(Result(name, role, True) for name, role in names)
    assert [s.subject for s in found] == ["m/seed9", "m/seed10", "mine.pt", "m/untrained"]


def test_neither_the_contract_nor_the_plugin_waits_for_torch():
    code = "import sys, grok.verdicts.verdict as v; found = {m for m in sys.modules if m.startswith('grok.')};"
    code += "assert found == {'grok.verdicts', *(f'grok.verdicts.{m}' for m in ('verdict', 'assertion', 'number'))};"
    code += "import grok.suite.plugin; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_tally_counts_the_networks_of_one_kind():
    drawn = [Result(f"m/untrained-seed{i}", "control", i < 3) for i in range(10)]
    rest = [Result("m/number-line", "rival", True), Result("m-wd0/seed0", "control", False)]
    assert tally([*drawn, *rest]) == "untrained 3 of 10, number-line"
