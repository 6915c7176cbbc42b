"""Imports run one way: the rooms and what each may know of the others. A second test shows that the first can fail."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Room → rooms of the package it may import, besides itself and what knows nothing of any room (`errors`, atomic writes
# in `files`). A room not listed is free.
BASE = {"errors", "files", "progress"}
ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "files": set(),
    "task": set(),
    "recipe": {"task"},
    "weights": {"recipe"},
    "fourier": set(),
    "kernels": set(),
    "tables": {"recipe", "weights", "kernels"},
    "network": {"task", "weights", "fourier"},
    "models": {"task", "recipe", "weights"},
    "train": {
        "task",
        "recipe",
        "weights",
        "files",
        "kernels",
        "models",
        "tables",
        "network",
        "fourier",
        "measure",
        "trajectory",
        "checkpoint",
        "fixture",
    },
    "formats": {"weights"},
    "fixture": {"recipe", "weights", "network", "trajectory"},
    "measure": {"task", "recipe", "weights", "fourier", "kernels", "tables", "network"},
    "verdict": set(),
    "seeds": set(),
    "report": {"verdict", "seeds"},
    "claims": {"claim", "measure", "intervene", "fourier"},
}

# TransformerLens takes seconds to import and is not on every machine with a GPU.
HOOKED = {f"grok/models/{name}.py" for name in ("transformer", "mlp", "definition")} | {"grok/measure/intervene.py"}
# What may run on such a machine needs these only (and the standard library).
LEAN_ROOMS = {
    "errors",
    "files",
    "task",
    "recipe",
    "weights",
    "fourier",
    "kernels",
    "tables",
    "network",
    "train",
    "measure",
}
LEAN_ROOMS |= {"checkpoint", "fixture", "formats", "trajectory"}
LEAN = {"torch", "numpy", "einops", "safetensors", "tqdm", "triton", "grok"} | set(sys.stdlib_module_names)


def imports(source: str) -> Iterator[tuple[str, bool]]:
    """Every module named by an import, and whether it runs when the file is imported."""
    tree = ast.parse(source)
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports here are absolute"
            # `from grok import weights` names the module grok.models.matrices
            named = [f"grok.{a.name}" for a in node.names] if node.module == "grok" else [str(node.module)]
            yield from ((name, id(node) not in inside) for name in named)


def violations(path: str, source: str) -> list[str]:
    """What the file at this path of the repository imports against the rules."""
    parts = Path(path).with_suffix("").parts
    room = "claims" if parts[0] == "claims" else parts[1]
    found = []
    for name, at_import in imports(source):
        top, *rest = name.split(".")
        target = rest[0] if top == "grok" and rest else None
        if target not in BASE | {None, room} and target not in ARROWS.get(room, {target}):
            found.append(f"{path}: {room} must not import {name}")
        if top == "transformer_lens" and path not in HOOKED:
            found.append(f"{path}: only {', '.join(sorted(HOOKED))} import {name}")
        if at_import and room in LEAN_ROOMS and top not in LEAN:
            found.append(f"{path}: {name} is not on every machine; import it inside the function that needs it")
    return found


def _files() -> list[str]:
    folders = [folder for folder in ("grok", "claims") if (ROOT / folder).is_dir()]
    return [str(f.relative_to(ROOT)) for folder in folders for f in sorted((ROOT / folder).rglob("*.py"))]


def test_imports_run_one_way():
    assert [v for path in _files() for v in violations(path, (ROOT / path).read_text())] == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("grok/measure/neurons.py", "from grok.train import run"),
        ("grok/measure/neurons.py", "from grok import claim"),
        ("grok/train/engines/engine.py", "import transformer_lens.hook_points"),
        ("grok/train/engines/engine.py", "def f():\n    import transformer_lens"),
        ("grok/train/engines/engine.py", "import plotly"),
        ("grok/report/page.py", "from grok.recipe import RECIPES"),
        ("claims/test_modadd_mlp.py", "from grok.models import analytic"),
    ],
)
def test_a_forbidden_import_is_seen(path: str, line: str):
    assert violations(path, line)


CHECK = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), name + "."):
        importlib.import_module(found.name)
sys.exit("transformer_lens" in sys.modules)
"""


def _imports_transformer_lens(*modules: str) -> bool:
    done = subprocess.run([sys.executable, "-c", CHECK, *modules], capture_output=True, text=True, cwd=ROOT)
    assert not done.stderr, done.stderr
    return bool(done.returncode)


def test_the_lean_rooms_import_without_transformer_lens():
    lean = [f"grok.{room}" for room in sorted(LEAN_ROOMS) if list((ROOT / "grok").glob(f"{room}*"))]
    assert not _imports_transformer_lens(*lean)


def test_the_subprocess_would_notice_it():
    assert _imports_transformer_lens("grok.models.hooked.mlp")
