"""The example for other repositories, in a directory of its own, with the wheel installed and no checkout in sight."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "own_claims"


def _run(*command: object, cwd: Path, **env: str) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, env=os.environ | env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    """A folder with what the wheel installs."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    _run(*pip, "install", "--no-deps", "--no-index", "--target", tmp_path / "site", wheel, cwd=tmp_path)
    return tmp_path / "site"


def test_the_example_with_the_wheel(installed: Path, tmp_path: Path):
    example = shutil.copytree(EXAMPLE, tmp_path / "example", ignore=shutil.ignore_patterns("__pycache__"))
    where = _run(sys.executable, "-c", "import grok; print(grok.__file__)", cwd=example, PYTHONPATH=str(installed))
    assert Path(where.strip()).is_relative_to(installed)
    written = ("--claims-json", "verdicts.json", "--claims-html", "claims.html")
    command = (sys.executable, "-m", "pytest", "-W", "error", *written)
    shown = _run(*command, cwd=example, PYTHONPATH=str(installed))
    assert "2 claims: 2 replicated" in shown
    assert "4 passed" in shown
    verdicts = json.loads((example / "verdicts.json").read_text())
    assert {c["id"]: c["verdict"] for c in verdicts["claims"]} == {"E1": "replicated", "E2": "replicated"}
    assert [s["holds"] for s in verdicts["claims"][1]["subjects"]] == [True, False]
    assert "An MLP that adds modulo 13" in (example / "claims.html").read_text()


def test_the_library_way_of_its_readme(tmp_path: Path):
    """Its code runs as it stands."""
    [code] = re.findall(r"```python\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.DOTALL)
    assert len(code.splitlines()) <= 12
    shutil.copy(EXAMPLE / "model.safetensors", tmp_path)
    names = [line.split()[0] for line in _run(sys.executable, "-c", code, cwd=tmp_path).splitlines()]
    assert names[:3] == ["mine", "modadd-mlp/seed0", "modadd-mlp/untrained-seed0"]
    assert names[-2:] == ["modadd-mlp/number-line", "modadd-mlp/all-frequencies"]
