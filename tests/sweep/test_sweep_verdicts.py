"""Claims on a sweep's runs, joined to its table."""

import shutil

import scenario

from grok.sweep import table, verdicts
from grok.sweep.plan import without_seeds
from grok.sweep.store import Store

CLAIMS = """
from grok.claim import claim, source

pytestmark = source("test", "A test", ref="none", fixture="modadd-transformer")

@claim("X1", "The first weight is positive", no_control="only a test")
def test_sign(model, evidence):
    value = evidence("first weight", float(model.W_E[0, 0]))
    assert value > 0
"""


def test_each_run_gets_its_own_verdicts(tmp_path, undisturbed_store):
    store = Store(tmp_path / "sweep")
    shutil.copytree(undisturbed_store.out, store.out)  # the other tests' table has no claims
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "test_some_claims.py").write_text(CLAIMS)
    point = without_seeds(scenario.runs()[0])
    runs = [run for run in scenario.runs() if without_seeds(run) == point][:4]
    verdicts.run(store, runs, tmp_path / "claims")
    rows = [table.row(store.folder(run), run) for run in runs]
    for row in rows:
        (claim,), (measure,) = row["claims"], row["measures"]
        assert (claim["claim"], measure["measure"]) == ("X1", "first weight")
        assert claim["holds"] == (measure["value"] > 0)
    assert len({row["measures"][0]["value"] for row in rows}) == len(rows)
