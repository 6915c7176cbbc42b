"""The tables of docs/replication.md: runs that did not grok, and claims over seeds."""

import json

import pytest
import scenario

from grok.errors import GrokError
from grok.sweep import replication, shipped
from grok.sweep.shipped import Runs
from grok.verdicts.claim import Claim, Statement
from grok.verdicts.record import Run, Verdicts
from grok.verdicts.verdict import Evidence, Result


def _runs(test_losses):
    rows = [
        {"seed": seed, "grokked": loss < 0.01, "steps_to_grok": 700 if loss < 0.01 else None, "test_loss": loss}
        for seed, loss in enumerate(test_losses)
    ]
    return Runs("some-recipe", tuple(rows))


def test_runs_that_did_not_grok_are_counted_and_named():
    runs = _runs([1e-6, 0.2, 1e-7, 3.0])
    assert runs.not_grokked == [1, 3]
    assert runs.column("steps_to_grok") == [700, 700]
    text = replication.tables(Verdicts(Run(), ()), [runs])
    assert "2 of 4" in text
    assert "seed 1, seed 3" in text


def _subject(name, value, published, holds, role="trained"):
    return Result(f"r/{name}", role, holds, evidence=[Evidence("m", value, published)])


def _claim(values, published, holds):
    trained = [_subject(f"seed{i}", v, published, h) for i, (v, h) in enumerate(zip(values, holds, strict=True))]
    subjects = [*trained, _subject("untrained", 99.0, published, False, "control")]
    return Claim.of(Statement(id="K1", title="t", fixture="r"), subjects)


def test_claims_table_has_every_seed_and_no_control():
    claim = _claim([0.25, 0.5, 0.75], 0.5, [True, False, None])
    text = replication.tables(Verdicts(Run(), (claim,)), [])
    for cell in ("1/2", "0/0", "seed1, seed2 (not evaluable)", "0.5, 0.25 … 0.75", "2 of 3", "0.09 … 0.91"):
        assert f"| {cell} |" in text
    assert "99" not in text


@pytest.mark.parametrize(
    ("holds", "where", "of_grokked"),
    [
        ([True, True, True], "every seed", "2/2"),
        ([True, False, True], "every seed that grokked", "2/2"),
        ([True, False, None], "some", "1/2"),
        ([False, True, False], "some", "0/2"),
        ([False, None, False], "none", "0/2"),
    ],
)
def test_where_a_claim_holds(holds, where, of_grokked):
    """Seeds 0 and 2 grokked, seed 1 did not."""
    runs = Runs("r", tuple({"seed": i, "grokked": i != 1} for i in range(3)))
    text = replication.tables(Verdicts(Run(), (_claim([1.0, 2.0, 3.0], None, holds),)), [runs])
    assert f"- holds on {where}: K1\n" in text
    assert f"| {of_grokked} |" in text


def test_a_claim_over_p():
    """On every seed of both p, on some of one, and one that was evaluated at a single p."""
    at_59 = Verdicts(Run(), (_claim([1.0, 2.0], None, [True, True]),))
    at_113 = Verdicts(Run(), (_claim([1.0, 2.0], None, [True, True]), _named("K2", [True]), _named("K3", [None])))
    text = replication.tables_over_p({113: at_113, 59: at_59})
    assert "| claim | p = 59 | p = 113 |" in text
    assert "| **K1** t | ■■ 2/2, 0.34 … 1.00 | ■■ 2/2, 0.34 … 1.00 |" in text
    assert "- holds on every seed of every p: K1\n" in text
    assert "K2" not in text
    mixed = Verdicts(Run(), (_claim([1.0, 2.0], None, [True, False]),))
    assert "- holds on every seed of p = 113 only: K1\n" in replication.tables_over_p({113: at_113, 59: mixed})
    by_p = {113: at_113, 97: at_59, 59: mixed}
    assert "- holds on every seed from p = 97 on: K1\n" in replication.tables_over_p(by_p)
    assert "- holds on some: K1\n" in (text := replication.tables_over_p({113: mixed, 59: at_59}))
    assert "■□ 1/2" in text
    neither = Verdicts(Run(), (_claim([1.0, 2.0], None, [False, False]),))
    assert "- holds on no seed of any p: K1\n" in replication.tables_over_p({113: neither, 59: neither})
    assert replication.tables_over_p({113: at_113}) == "\n"


def _named(name, holds):
    trained = [_subject(f"seed{i}", 1.0, None, h) for i, h in enumerate(holds)]
    return Claim.of(Statement(id=name, title="t", fixture="r"), trained)


def test_tables_replace_only_what_stands_between_their_markers():
    page = "head\n<!-- tables: begin -->\nold\n<!-- tables: end -->\n<!-- over p: begin -->\n13\n<!-- over p: end -->\n"
    assert replication.replace_between(page, "new") == page.replace("old", "\nnew")
    assert replication.replace_between(page, "7", replication.OVER_P) == page.replace("13", "\n7")
    with pytest.raises(GrokError, match="tables: begin"):
        replication.replace_between("head", "new")


def test_fixtures_on_disk_give_the_rows_of_the_table(tmp_path, undisturbed_store):
    run = scenario.runs()[3]
    (tmp_path / run.name).mkdir()
    (tmp_path / run.name / "seed3").symlink_to(undisturbed_store.folder(run))
    (runs,) = shipped.read_runs(tmp_path)
    card = json.loads((undisturbed_store.folder(run) / "card.json").read_text())
    assert (runs.recipe, runs.not_grokked) == (run.name, [3])
    assert runs.column("test_loss") == [card["test_loss"]]
