"""The plugin as its users meet it: sessions of pytest, on models of their own and on fixtures on disk."""

import json
import shutil
from dataclasses import replace

import pytest
import safetensors.torch
import torch

import grok.store.checkpoint  # here, because torch cannot be imported again after a session in this process
import grok.store.fixture
import grok.verdicts.record
from grok.models import analytic
from grok.recipe import get_recipe
from grok.suite.results import Results
from grok.suite.subject import Subject
from grok.task import Task
from grok.verdicts.verdict import Result as Verdict

pytest_plugins = ["pytester"]

OWN = """
import pytest
from grok.claim import claim, source
from grok.errors import NotEvaluable

pytestmark = source("me", "My paper")

@pytest.fixture(params=[pytest.param(0.9, id="good"), pytest.param(0.1, id="bad", marks=pytest.mark.control)])
def model(request):
    return request.param
"""
LARGE = """
@claim("A1", "It is large", published=0.95)
def test_large(model, evidence):
    assert evidence("size", model) >= 0.8
"""
POSITIVE = """
@claim("A2", "It is positive")
def test_positive(model, evidence):
    assert model > 0
"""
HUGE = """
@claim("A3", "It is huge")
def test_huge(model, evidence):
    assert model > 100
"""


@pytest.fixture(autouse=True)
def _at_a_desk(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("COLUMNS", "80")


def run(pytester, *args):
    already = "ignore:Module already imported"  # grok is, by the session around this one
    return pytester.runpytest_inprocess(
        "-W", already, "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--strict-markers", *args
    )


def verdicts(pytester):
    data = json.loads((pytester.path / "v.json").read_text())
    return {claim["id"]: claim for claim in data["claims"]}


def test_a_claim_passes_where_it_holds_and_where_a_control_fails_it(pytester):
    pytester.makepyfile(OWN + LARGE)
    result = run(pytester, "--claims-json", "v.json")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["A1 *It is large * 0.9 * 0.1 * 0.95 replicated 1/1", "*1 claim: 1 replicated*"])
    assert "warning" not in result.stdout.str().lower()
    claim = verdicts(pytester)["A1"]
    assert (claim["verdict"], claim["k"], claim["n"], claim["expected"]) == ("replicated", 1, 1, None)
    assert claim["margin"] == pytest.approx(0.125)
    assert claim["expression"] == ['evidence("size", model) >= 0.8']
    good, bad = claim["subjects"]
    assert (good["subject"], good["role"], good["holds"]) == ("good", "trained", True)
    assert (bad["subject"], bad["role"], bad["holds"]) == ("bad", "control", False)
    assert bad["asserts"][0]["values"] == "0.1 >= 0.8"
    assert bad["evidence"][0]["value"] == 0.1


def test_what_holds_on_a_control_and_what_holds_nowhere_fails_while_nothing_is_committed(pytester):
    pytester.makepyfile(OWN + POSITIVE + HUGE)
    result = run(pytester, "--claims-json", "v.json")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["A2 on bad: holds; it must not on a control", "A3 on good: does not hold; it must *"])
    found = verdicts(pytester)
    assert (found["A2"]["verdict"], found["A2"]["reason"]) == ("vacuous", "also holds on controls: bad")
    assert found["A3"]["verdict"] == "refuted"


def test_what_holds_on_a_rival_is_unspecific_and_behaviour_has_none(pytester):
    rival = OWN.replace(
        "marks=pytest.mark.control)])",
        'marks=pytest.mark.control), pytest.param(0.95, id="other", marks=pytest.mark.rival)])',
    )
    behaviour = LARGE.replace('"A1"', '"A4"').replace("def test_large", "def test_behaves")
    assert rival != OWN
    pytester.makepyfile(rival + LARGE + behaviour.replace("published=0.95)", 'published=0.95, about="behaviour")'))
    run(pytester, "--claims-json", "v.json")
    found = verdicts(pytester)
    assert (found["A1"]["verdict"], found["A1"]["reason"]) == ("unspecific", "also holds on rivals: other")
    assert [s["role"] for s in found["A1"]["subjects"]] == ["trained", "control", "rival"]
    assert found["A4"]["verdict"] == "replicated"
    assert [s["role"] for s in found["A4"]["subjects"]] == ["trained", "control"]


def test_committed_verdicts_pass_and_any_change_fails(pytester):
    pytester.makepyfile(OWN + LARGE + POSITIVE + HUGE)
    expected = pytester.path / "expected.json"
    result = run(pytester, "--expected", "expected.json")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["no verdict is committed of A1, A2, A3; *"])
    assert run(pytester, "--expected", "expected.json", "--update-expected").ret == 0
    committed = json.loads(expected.read_text())["claims"]
    assert {name: entry["verdict"] for name, entry in committed.items()} == {
        "A1": "replicated",
        "A2": "vacuous",
        "A3": "refuted",
    }
    entry = {"verdict": "replicated", "margin": 0.125, "separated": True, "subjects": {"good": True, "bad": False}}
    assert committed["A1"] == entry
    assert run(pytester, "--expected", "expected.json").ret == 0

    pytester.makepyfile(OWN + LARGE.replace("0.8", "0.99") + POSITIVE + HUGE.replace("100", "0.5"))
    result = run(pytester, "--expected", "expected.json")
    assert result.ret == 1
    result.assert_outcomes(passed=4, failed=2)
    result.stdout.fnmatch_lines(
        ["A1 on good: does not hold; expected: holds", "A3 on good: holds; expected: does not hold", "A1: refuted, *"]
    )


def test_a_verdict_over_some_subjects_is_not_compared(pytester):
    pytester.makepyfile(OWN + LARGE)
    run(pytester, "--expected", "expected.json", "--update-expected")
    assert run(pytester, "--expected", "expected.json", "-k", "bad").ret == 0
    result = run(pytester, "--expected", "expected.json", "--update-expected", "-k", "good")
    result.stdout.fnmatch_lines(["*rewritten, but for A1 (not all of its subjects ran)"])
    assert json.loads((pytester.path / "expected.json").read_text())["claims"]["A1"]["subjects"]["bad"] is False


def test_ci_does_not_rewrite_what_is_expected(pytester, monkeypatch):
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile(OWN + LARGE)
    result = pytester.runpytest_subprocess("--expected", "expected.json", "--update-expected")
    assert result.ret == 2
    result.stderr.fnmatch_lines(["*--update-expected is refused where CI is set*"])
    assert not (pytester.path / "expected.json").exists()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("evidence('x', float('nan')) >= 0", "NotFinite: x is nan*"),
        ("model.shape == 1", "AttributeError: 'float' object has no attribute*"),
        ("outside.check(model)", "an assert outside the claim's file failed: *outside.py, line 2"),
        ("pytest.fail('no')", "Failed: no*"),
    ],
)
def test_an_error_is_no_verdict(pytester, body, error):
    pytester.makepyfile(outside="def check(x):\n    assert x > 100\n    return True")
    pytester.makepyfile(f"{OWN}\nimport outside\n@claim('A1', 'x')\ndef test_x(model, evidence):\n    assert {body}")
    result = run(pytester, "--claims-json", "v.json")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["A1 on good: an error, not a verdict", f"  {error}"])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert {s["holds"] for s in verdicts(pytester)["A1"]["subjects"]} == {None}
    assert verdicts(pytester)["A1"]["verdict"] == "error"
    result.stdout.fnmatch_lines(["A1 * error", "*on good: *"])


def test_an_error_is_never_committed(pytester):
    """Neither with the other verdicts nor in place of an earlier one; and it fails where no verdict was expected."""
    nan = "@claim('A5', 'x')\ndef test_x(model, evidence):\n    assert evidence('x', float('nan')) >= 0\n"
    pytester.makepyfile(OWN + LARGE + nan)
    result = run(pytester, "--expected", "expected.json", "--update-expected")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*rewritten, but for A5 (an error is never expected: on good:*"])
    committed = json.loads((pytester.path / "expected.json").read_text())
    assert list(committed["claims"]) == ["A1"]
    committed["claims"]["A5"] = {"verdict": "not evaluated", "subjects": {"good": None, "bad": None}}
    (pytester.path / "expected.json").write_text(json.dumps(committed))
    result = run(pytester, "--expected", "expected.json")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["A5: error, expected not evaluated (on good: *"])
    run(pytester, "--expected", "expected.json", "--update-expected")
    kept = json.loads((pytester.path / "expected.json").read_text())["claims"]
    assert kept["A5"]["verdict"] == "not evaluated", "an entry stays where its claim broke"


def test_a_claim_that_asserts_nothing_is_an_error(pytester):
    pytester.makepyfile(OWN + "@claim('A1', 'x')\ndef test_x(model, evidence):\n    evidence('size', model)")
    run(pytester).stdout.fnmatch_lines(["  it asserts nothing: *"])


def test_what_cannot_be_evaluated_fails_a_model_but_not_a_control(pytester):
    body = "    if model < 1: raise NotEvaluable('no keys')\n    assert 1"
    pytester.makepyfile(f"{OWN}\n@claim('A1', 'x')\ndef test_x(model, evidence):\n{body}")
    result = run(pytester, "--claims-json", "v.json")
    result.assert_outcomes(passed=1, failed=1)
    claim = verdicts(pytester)["A1"]
    assert (claim["verdict"], claim["reason"]) == ("not evaluated", "no keys")


def test_ids_are_unique(pytester):
    pytester.makepyfile(OWN + LARGE + POSITIVE.replace("A2", "A1"))
    result = run(pytester)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: two claims are called A1: *test_large and *test_positive"])


def test_an_id_shared_across_workers_is_told_at_the_end():
    found = Results(expected=None, free=False)
    for home in ("a.py::test_x", "b.py::test_y"):
        meta = {"id": "A1", "title": "x", "nodeid": home, "file": "a.py", "line": 1}
        found.add({"meta": meta, "subject": Verdict("model", "trained", True).to_json(), "card": None})
    assert found.surprises() == ["two claims are called A1: a.py::test_x and b.py::test_y"]


def test_workers_write_the_same_verdicts(pytester):
    pytester.makepyfile(OWN + LARGE + POSITIVE + HUGE)
    run(pytester, "--claims-json", "alone.json")
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "-n", "2", "--claims-json", "workers.json")
    alone, workers = (json.loads((pytester.path / name).read_text()) for name in ("alone.json", "workers.json"))
    assert alone["claims"] == workers["claims"]
    assert [claim["id"] for claim in workers["claims"]] == ["A1", "A2", "A3"]
    differing = {key for key in alone["run"] if alone["run"][key] != workers["run"][key]}
    assert differing <= {"started", "seconds", "command"}


# ── fixtures on disk ─────────────────────────────────────────────────────────────────────────────────────────────

FAMILY = """
from grok.claim import claim, source

pytestmark = source("me", "My paper", fixture="tiny")

@claim("T1", "The weights grew")
def test_grew(model, evidence):
    assert evidence("‖U‖", model.U.norm()) >= 10

@claim("T2", "There are numbers")
def test_numbers(model, evidence):
    assert model.task.p == 7

@claim("T3", "The test loss fell")
def test_fell(run, evidence):
    assert run.columns["test_loss"][-1] < 1

@claim("T4", "It starts at zero", no_control="every run does")
def test_starts(run, evidence):
    assert run.steps[0] == 0
"""


def tiny_fixture(root, name, seed, scale, test_loss):
    """A fixture of p = 7 whose final weights are ``scale`` times its initial ones."""
    from grok.models.matrices import initial
    from grok.store.fixture import save_fixture

    recipe = replace(get_recipe("modadd-mlp"), name=name, task=Task(7), steps=10, d_model=4, d_mlp=8).with_seed(seed)
    weights = initial(recipe)
    final = {key: scale * w for key, w in weights.items()}
    columns = {"test_loss": [3.0, test_loss]}
    save_fixture(
        root / name / f"seed{seed}",
        recipe,
        final,
        {0: weights, 5: weights},
        {"initial": 0, "memorised": 5},
        {"schema": 1, "steps": [0, 10], "key_frequencies": None, "columns": columns},
        {"device": "cpu", "torch": torch.__version__},
    )


@pytest.fixture
def shipped(pytester):
    tiny_fixture(pytester.path / "fixtures", "tiny", 0, 100.0, 0.1)
    tiny_fixture(pytester.path / "fixtures", "tiny", 3, 1.0, 0.1)
    tiny_fixture(pytester.path / "fixtures", "tiny-wd0", 0, 1.0, 5.0)
    pytester.makepyfile(FAMILY)
    return pytester


def test_subjects_are_the_shipped_seed_and_its_controls(shipped):
    result = run(shipped, "--claims-json", "v.json")
    found = verdicts(shipped)
    names = {claim: [(s["subject"], s["role"], s["holds"]) for s in found[claim]["subjects"]] for claim in found}
    assert names["T1"] == [
        ("tiny/seed0", "trained", True),
        ("tiny/memorised-seed0", "control", False),
        ("tiny/memorised-seed3", "control", False),
        *((f"tiny/untrained-seed{i}", "control", False) for i in range(10)),
    ]
    assert names["T3"] == [("tiny/seed0", "trained", True), ("tiny-wd0/seed0", "control", False)]
    assert names["T4"] == [("tiny/seed0", "trained", True)]
    assert [found[c]["verdict"] for c in found] == ["replicated", "vacuous", "replicated", "uncontrolled"]
    assert result.ret == 1, "T2 holds on its controls, and nothing says so yet"
    assert found["T1"]["subjects"][0]["digest"]
    listed = json.loads((shipped.path / "v.json").read_text())["run"]["fixtures"]
    assert [(f["fixture"], f["seed"], f["device"]) for f in listed] == [
        ("tiny", 0, "cpu"),
        ("tiny", 3, "cpu"),
        ("tiny-wd0", 0, "cpu"),
    ]


def test_each_subject_is_loaded_once_and_forgotten(shipped, monkeypatch):
    loaded = []
    load = grok.store.fixture.load_fixture
    monkeypatch.setattr(
        grok.store.fixture, "load_fixture", lambda folder: loaded.append(folder.parent.name) or load(folder)
    )
    dropped = []
    drop = Subject.drop
    monkeypatch.setattr(Subject, "drop", lambda self: dropped.append(self.name) or drop(self))
    run(shipped)
    names = ["tiny/seed0", "tiny/memorised-seed0", "tiny/memorised-seed3"]
    names += [f"tiny/untrained-seed{i}" for i in range(10)]
    assert sorted(loaded) == ["tiny"] * len(names) + ["tiny-wd0"]
    assert sorted(dropped) == sorted([*names, "tiny-wd0/seed0"])


def test_more_seeds(shipped):
    run(shipped, "--claims-json", "v.json", "--seeds", "all", "-k", "grew")
    claim = verdicts(shipped)["T1"]
    assert (claim["verdict"], claim["k"], claim["n"]) == ("mixed", 1, 2)
    assert claim["reason"].startswith("tiny/seed3: ")
    assert run(shipped, "--seeds", "first").ret == 4


def test_more_seeds_are_shown_and_change_nothing_that_is_committed(shipped, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    run(shipped, "--expected", "e.json", "--update-expected")
    result = run(shipped, "--expected", "e.json", "--seeds", "all", "--claims-json", "v.json")
    assert result.ret == 0
    assert not verdicts(shipped)["T1"]["moved"]
    seeds = "tiny: 2 of 2 runs did not grok (test loss at the end ≥ 0.01): seeds 0, 3"
    result.stdout.fnmatch_lines(["T1 *mixed 1/2 *9–91 %", seeds])
    committed = json.loads((shipped.path / "e.json").read_text())
    committed["claims"]["T1"]["subjects"]["tiny/seed3"] = True
    (shipped.path / "e.json").write_text(json.dumps(committed))
    assert run(shipped, "--expected", "e.json", "--seeds", "all", "--claims-json", "v.json").ret == 1
    assert verdicts(shipped)["T1"]["moved"]


@pytest.mark.parametrize("fault", ["a byte", "no folder", "no file"])
def test_a_damaged_fixture_is_told_once_in_a_line_or_two(shipped, fault):
    folder = shipped.path / "fixtures" / "tiny" / "seed0"
    match fault:
        case "a byte":
            data = bytearray((folder / "model.safetensors").read_bytes())
            data[-1] ^= 1
            (folder / "model.safetensors").write_bytes(data)
        case "no folder":
            shutil.rmtree(folder.parent)
        case "no file":
            (folder / "checkpoints.safetensors").unlink()
    result = run(shipped, "--claims-json", "v.json", "-k", "grew or numbers")
    assert result.ret == 1
    text = result.stdout.str()
    assert text.count("_ ERROR at setup of") in (1, 2), "seed 3, a control, may be gone too"
    assert "grok train" in text
    assert "Traceback" not in text
    assert "plugin.py" not in text
    damaged = [s for c in verdicts(shipped).values() for s in c["subjects"] if "seed3" not in s["subject"]]
    assert {s["holds"] for s in damaged if "untrained" not in s["subject"]} == {None}


def test_a_claim_without_fixture_or_model_says_so(pytester):
    pytester.makepyfile(FAMILY.replace(', fixture="tiny"', ""))
    result = run(pytester)
    result.stdout.fnmatch_lines(["*claim T1 asks for a model, but its source() names no fixture*"])
    assert "Traceback" not in result.stdout.str()


# ── the user's checkpoint ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def mine(pytester):
    """A checkpoint that adds modulo 7, the shipped fixture of its family, and claims of two families."""
    tiny_fixture(pytester.path / "fixtures", "modadd-mlp", 0, 1.0, 0.1)
    (pytester.path / "mine.safetensors").write_bytes(safetensors.torch.save(analytic.mlp(Task(7), [1, 2])))
    of_family = FAMILY.replace('"tiny"', '"modadd-mlp"')
    pytester.makepyfile(
        test_mine=of_family, test_other=FAMILY.replace('"tiny"', '"add-transformer"').replace('"T', '"O')
    )
    return pytester


def test_a_control_of_ones_own_must_not_have_generalised(mine):
    draw = torch.Generator().manual_seed(0)
    shapes = {"W_E": (7, 4), "W_in": (4, 8), "W_U": (8, 7)}
    chance = {name: torch.randn(shape, generator=draw) for name, shape in shapes.items()}
    (mine.path / "chance.safetensors").write_bytes(safetensors.torch.save(chance))
    given = ("--recipe", "modadd-mlp", "--expected", "none.json", "--claims-json", "v.json")
    result = run(mine, "--checkpoint", "mine.safetensors", "--control", "chance.safetensors", *given)
    assert result.ret == 0
    roles = {s["subject"]: s["role"] for s in verdicts(mine)["T1"]["subjects"]}
    assert (roles["mine.safetensors"], roles["chance.safetensors"]) == ("checkpoint", "control")
    refused = run(mine, "--checkpoint", "mine.safetensors", "--control", "mine.safetensors", *given)
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(["*mine.safetensors is no control: its test loss is *, expected at least 1*"])
    assert run(mine, "--control", "chance.safetensors", *given).ret == 4


def test_a_checkpoint_takes_the_place_of_the_shipped_models(mine):
    result = run(mine, "--checkpoint", "mine.safetensors", "--claims-json", "v.json", "--expected", "none.json")
    assert result.ret == 0, "a verdict on a model of the user's is told, not judged"
    result.assert_outcomes(passed=24, skipped=6, deselected=28)
    result.stdout.fnmatch_lines(["mine.safetensors: *right on 1.0000 of all a + b*", "T2 *vacuous"])
    found = verdicts(mine)
    assert set(found) == {"T1", "T2", "T3", "T4"}
    subjects = {s["subject"]: (s["role"], s["holds"]) for s in found["T1"]["subjects"]}
    assert subjects["mine.safetensors"][0] == "checkpoint"
    assert subjects["modadd-mlp/untrained-seed0"] == ("control", False)
    assert (found["T3"]["verdict"], found["T3"]["reason"]) == ("not evaluated", "a checkpoint has no training run")
    assert found["T1"]["expected"] is None


def test_a_checkpoint_that_cannot_be_taken_is_told_in_a_line(mine):
    (mine.path / "text.pt").write_text("no weights")
    for arguments in (["nowhere.pt"], ["text.pt"], ["mine.safetensors", "--recipe", "modadd-transformer"]):
        result = run(mine, "--checkpoint", *arguments)
        assert result.ret == 4
        assert result.stderr.str().startswith(f"ERROR: {arguments[0]}: ")
        assert "Traceback" not in result.stderr.str()
