"""The action and the workflows: valid by their published schemas, and no input is ever read as a command."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTION = ROOT / "action.yml"
EXAMPLE = textwrap.dedent(re.findall(r"```yaml\n(.*?) *```", (ROOT / "docs/ci.md").read_text("utf-8"), re.DOTALL)[0])


def steps(text: str) -> list[dict]:
    content = yaml.safe_load(text)
    jobs = [content["runs"]] if "runs" in content else content["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


def lint(schema: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_workflows_fit_the_published_schemas(tmp_path):
    (tmp_path / "example.yml").write_text(EXAMPLE)
    found = lint("vendor.github-workflows", *WORKFLOWS, tmp_path / "example.yml")
    assert found.returncode == 0, found.stdout
    (tmp_path / "wrong.yml").write_text(EXAMPLE.replace("runs-on:", "run-on:"))
    assert lint("vendor.github-workflows", tmp_path / "wrong.yml").returncode == 1


def test_the_action_fits_the_published_schema():
    found = lint("vendor.github-actions", ACTION)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("path", [ACTION, *WORKFLOWS], ids=lambda path: path.name)
def test_scripts_get_inputs_as_environment_only_and_are_bash(path):
    scripts = [step["run"] for step in steps(path.read_text(encoding="utf-8")) if "run" in step]
    assert scripts
    for script in scripts:
        assert "${{" not in script
        assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True).stderr == ""


@pytest.mark.parametrize("text", [EXAMPLE, WORKFLOWS[0].read_text(encoding="utf-8")], ids=["example", "workflow"])
def test_callers_name_inputs_that_the_action_has(text):
    inputs = set(yaml.safe_load(ACTION.read_text(encoding="utf-8"))["inputs"])
    ours = [step for step in steps(text) if step.get("uses", "").startswith(("./", "OWNER/"))]
    assert ours
    for step in ours:
        assert set(step.get("with", {})) <= inputs
