"""What ``import grok`` shows, and the command without its script."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import grok
from grok import cli, commit, measure


def test_dir_lists_what_is_public_and_all_of_it_is_there():
    assert dir(grok) == ["__version__", "claim", "errors", "fixture", "load", "measure", "subjects", "verdicts"]
    assert all(getattr(grok, name) is not None for name in dir(grok))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = grok.nothing


def test_measures_are_reached_through_the_package():
    shown = "import grok; print(grok.measure.universality.jaccard({1, 2}, {2, 3})); print(*dir(grok.measure))"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    value, modules = done.stdout.splitlines()
    assert float(value) == pytest.approx(1 / 3)
    assert {"embedding", "losses", "neurons"} <= set(modules.split())
    with pytest.raises(AttributeError, match=r"'grok\.measure' has no attribute 'nothing'"):
        _ = measure.nothing


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]):
    assert grok.__version__ == version("grok-claims")
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"grok-claims {version('grok-claims')}\n"


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "grok", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()[0]) == (0, "grok-claims")


def test_a_command_that_needs_no_torch_does_not_import_it(tmp_path: Path):
    code = "import sys; from grok import cli\ntry: cli.main()\nfinally: assert 'torch' not in sys.modules"
    for arguments in (("--help",), ("train", "--help"), ("gate", "none.json"), ("compare", "none.json", "none.json")):
        done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, "Traceback" in done.stderr) == (2 * ("none.json" in arguments), False), done.stderr


def test_the_variable_names_the_commit_only_where_there_is_no_repository(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GROK_COMMIT", "of the environment")
    monkeypatch.setattr(commit, "_git", lambda _folder, command, *_: "abc" if command == "rev-parse" else "")
    assert commit.of_package() == "abc"
    monkeypatch.setattr(commit, "_git", lambda *_: None)
    assert commit.of_package() == "of the environment"
    monkeypatch.delenv("GROK_COMMIT")
    assert commit.of_package() is None
