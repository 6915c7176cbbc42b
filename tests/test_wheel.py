"""The wheel in an environment of its own and a folder without a checkout: what is in it, and a user's first hour."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from grok.store.fixture import load_fixture
from grok.verdicts.verdict import Result, Role, verdict

ROOT = Path(__file__).parent.parent
EXPECTED = json.loads((ROOT / "reports" / "expected.json").read_text(encoding="utf-8"))["claims"]
EXAMPLE = ROOT / "examples" / "own_claims"
# as in docs/notebook.ipynb
MEMORISED = "import grok; print(grok.fixture('modadd-transformer', seed=1).at('memorised'))"


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder / "grok"


def test_the_wheel_is_small_and_its_networks_are_those_of_the_checkout(wheel: Path, unpacked: Path):
    assert wheel.stat().st_size <= 15e6
    folders = sorted(path.parent for path in (unpacked / "fixtures").glob("*/*/card.json"))
    assert {folder.parent.name for folder in folders} >= {path.name for path in (ROOT / "fixtures").glob("*-wd0")}
    for folder in folders:
        kept, whole = load_fixture(folder), load_fixture(ROOT / "fixtures" / folder.relative_to(unpacked / "fixtures"))
        assert kept.roles.items() <= whole.roles.items()
        for step, weights in kept.weights.items():
            assert all(bool((w == whole.weights[step][name]).all()) for name, w in weights.items()), step
        assert kept.trajectory == whole.trajectory


def _word(subjects: dict[str, bool | None]) -> str:
    """The verdict that follows from what is expected on each subject; the role of a subject is in its name."""
    return verdict([Result(name, _role(name), holds) for name, holds in subjects.items()])[0]


def _role(name: str) -> Role:
    last = name.rpartition("/")[2]
    if re.fullmatch(r"(untrained|memorised)-seeds?\d*|permuted|shuffled", last) or "-wd0/" in name:
        return "control"
    return "trained" if re.fullmatch(r"seed\d+|all-seeds|formula|sweep", last) else "rival"


def test_every_verdict_is_the_same_on_the_networks_of_the_wheel(unpacked: Path):
    assert {name: _word(entry["subjects"]) for name, entry in EXPECTED.items()} == {
        name: entry["verdict"] for name, entry in EXPECTED.items()
    }
    kept = json.loads((unpacked / "reports" / "expected.json").read_text(encoding="utf-8"))["claims"]
    assert {name: _word(entry["subjects"]) for name, entry in kept.items()} == {
        name: EXPECTED[name]["verdict"] for name in kept
    }
    left_out = EXPECTED.keys() - kept.keys()
    assert all(any(name.endswith("/all-seeds") for name in EXPECTED[claim]["subjects"]) for claim in left_out)


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel in it. It borrows the other packages, torch above all, from the running one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    [site] = folder.glob("lib/python*/site-packages")
    borrowed = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (site / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "-q")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--force-reinstall", wheel], check=True)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="the folders of an environment have other names there")
def test_a_first_hour_without_a_checkout(environment: Path, tmp_path: Path):
    """Each command with its exit code and the last line that it prints."""
    shipped = next(environment.glob("lib/python*/site-packages/grok/fixtures/add-transformer"))
    for seed, name in ((999, "good.safetensors"), (4, "other.safetensors")):
        shutil.copy(shipped / f"seed{seed}" / "model.safetensors", tmp_path / name)
    for name in ("test_own_claims.py", "model.safetensors"):
        shutil.copy(EXAMPLE / name, tmp_path)
    few, split = ("--claims", "F1,F23"), ("--split-seed", "598", "--train-frac", "0.72")
    own = ("pytest", "-q", "test_own_claims.py", "--claims-json", "own.json")
    trained = "runs/add-transformer/seed5"
    smaller = ("--seed", "5", "--steps", "20", "--set", "d_mlp=64", "--set", "weight_decay=0.5")
    for command, code, last in (
        (("python", "-c", "import grok; print(grok.__file__)"), 0, r".*/site-packages/grok/__init__\.py"),
        (("python", "-c", MEMORISED), 0, "<modadd-transformer/seed1 memorised: .*>"),
        (("grok", "list"), 0, "claims and their verdicts: grok list --claims"),
        (("grok", "list", "--claims"), 0, r"\d+ claims, \d+ with a verdict here; .*"),
        (("pytest", "--pyargs", "grok.claims", "-q", *few), 0, r"\d+ passed, \d+ deselected in .*"),
        (("grok", "verify", "good.safetensors", *few, *split, "--json", "a.json"), 0, r"\d+ passed, .*"),
        (
            ("grok", "verify", "other.safetensors", *few, "--strict", "--json", "b.json"),
            1,
            "strict: .*: F23",
        ),
        (("grok", "verify", "good.safetensors", "--claims", "K8"), 2, "grok: K8: not about add-transformer; .*"),
        (("grok", "compare", "a.json", "b.json"), 0, "2 claims in both: 1 with another verdict, 0 more .*"),
        (("grok", "compare", "a.json", "b.json", "--html", "both.html"), 0, r"wrote both\.html"),
        ((*own, "--claims-html", "own.html"), 0, "4 passed in .*"),
        (("grok", "gate", "own.json"), 2, r" *grok gate own\.json --accept"),
        (("grok", "gate", "own.json", "--accept"), 0, r"wrote reports/expected\.json: 2 replicated; .*"),
        (("grok", "gate", "own.json"), 0, "ok: 2 replicated; none unexpected"),
        (
            ("grok", "train", "add-transformer", *smaller),
            0,
            f"{trained}: add-transformer, .*",
        ),
        (("grok", "verify", trained, *few), 0, r"\d+ passed, .*"),
    ):
        program = ("python", "-m", "pytest") if command[0] == "pytest" else command[:1]
        whole = [environment / "bin" / program[0], *program[1:], *command[1:]]
        done = subprocess.run(whole, cwd=tmp_path, capture_output=True, text=True, env=_env())
        assert done.returncode == code, (command, done.stdout, done.stderr)
        told = done.stderr if code == 2 else done.stdout
        assert re.fullmatch(last, told.rstrip().splitlines()[-1]), (command, told)


def _env() -> dict[str, str]:
    """A user's: no checkout on the path, no mark of continuous integration, compiled files are kept, no hypothesis.

    The plugin of hypothesis, which is among the borrowed packages, imports it at the end of every session of pytest.
    """
    left_out = ("PYTHONPATH", "CI", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return kept | {"PYTEST_ADDOPTS": "-p no:hypothesispytest"}
