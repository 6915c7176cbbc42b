"""Imports run one way: the rooms and what each may know of the others. A second test shows that the first can fail."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What knows nothing of any room: every room may import it.
BASE = {"errors", "files", "progress", "commit", "published"}
# Every room → the other rooms that it imports. An arrow that no file uses any more is removed here.
ARROWS: dict[str, set[str]] = {
    **{name: set() for name in BASE},
    "__init__": {"notebook", "suite"},
    "__main__": {"cli"},
    "task": {"fourier", "groups"},
    "recipe": {"task"},
    "fourier": set(),
    "groups": {"fourier"},
    "kernels": set(),
    "models": {"task", "recipe", "fourier", "groups", "kernels"},
    "measure": {"task", "fourier", "kernels", "models"},
    "views": {"fourier", "models", "measure"},
    "store": {"task", "recipe", "models"},
    "verdicts": set(),
    "train": {"task", "recipe", "fourier", "kernels", "models", "measure", "store", "verdicts"},
    "sweep": {"recipe", "measure", "store", "train", "verdicts"},
    "suite": {"recipe", "kernels", "models", "measure", "store", "verdicts", "report"},
    "report": {"verdicts"},
    "notebook": {"views", "recipe", "models", "measure", "store", "report"},
    "site": {"measure", "report", "verdicts"},
    "claim": {"suite"},
    "commands": {"recipe", "measure", "models", "store", "train", "sweep", "report", "verdicts"},
    "cli": {"commands"},
    "claims": {"views", "claim", "measure", "models", "task"},
}

# TransformerLens takes seconds to import and is not on every machine with a GPU.
HOOKED = "grok/models/hooked/"
# What may run on such a machine needs these only (and the standard library).
LEAN_ROOMS = {*BASE, "task", "recipe", "fourier", "groups", "kernels", "models", "measure", "store", "train"}
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
        if target not in BASE | {None, room} and target not in ARROWS[room]:
            found.append(f"{path}: {room} must not import {name}")
        hooked = path.startswith(HOOKED)
        if top == "transformer_lens" and not hooked:
            found.append(f"{path}: only {HOOKED} imports {name}")
        if at_import and name.startswith("grok.models.hooked") and not hooked:
            found.append(f"{path}: {name} imports TransformerLens; import it inside the function that needs it")
        if at_import and room in LEAN_ROOMS and top not in LEAN and not hooked:
            found.append(f"{path}: {name} is not on every machine; import it inside the function that needs it")
    return found


def _files() -> list[str]:
    folders = [folder for folder in ("grok", "claims") if (ROOT / folder).is_dir()]
    return [str(f.relative_to(ROOT)) for folder in folders for f in sorted((ROOT / folder).rglob("*.py"))]


def test_every_room_is_named_and_every_arrow_is_used():
    used: dict[str, set[str]] = {}
    for path in _files():
        parts = Path(path).with_suffix("").parts
        room = "claims" if parts[0] == "claims" else parts[1]
        targets = {name.split(".")[1] for name, _ in imports((ROOT / path).read_text()) if name.startswith("grok.")}
        used.setdefault(room, set()).update(targets - BASE - {room})
    assert used == ARROWS


def circles(sources: dict[str, str]) -> list[str]:
    """Files that import each other when they are imported, by way of others or directly; sources: module → text."""
    graph = {
        module: {name for name, at_import in imports(text) if at_import and name in sources}
        for module, text in sources.items()
    }
    while leaves := [module for module, targets in graph.items() if not targets & graph.keys()]:
        for module in leaves:
            del graph[module]
    return sorted(graph)


def test_no_file_imports_itself_by_way_of_others():
    sources = {}
    for path in _files():
        parts = Path(path).with_suffix("").parts
        # `from grok.train import run` names a package and a module: the module counts
        text = re.sub(r"from (grok[\w.]*) import ([\w, ]+)", _modules, (ROOT / path).read_text())
        sources[".".join(parts)] = text
    assert circles(sources) == []


def _modules(found: re.Match[str]) -> str:
    """``from grok.train import run`` as ``import grok.train, grok.train.run``; what is no module is not looked up."""
    return "import " + ", ".join([found[1], *(f"{found[1]}.{name.split()[0]}" for name in found[2].split(","))])


def test_a_circle_is_seen():
    assert circles({"a": "import b", "b": "import c", "c": "import a", "d": "import a"}) == ["a", "b", "c", "d"]
    assert circles({"a": "import b", "b": "def f():\n    import a"}) == []


def test_imports_run_one_way():
    assert [v for path in _files() for v in violations(path, (ROOT / path).read_text())] == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("grok/measure/neurons.py", "from grok.train import run"),
        ("grok/measure/neurons.py", "from grok import claim"),
        ("grok/train/engines/engine.py", "import transformer_lens.hook_points"),
        ("grok/measure/intervene.py", "from grok.models.hooked import transformer"),
        ("grok/suite/plugin.py", "from grok.commands import gate"),
        ("grok/verdicts/verdict.py", "from grok.recipe import RECIPES"),
        ("grok/train/engines/engine.py", "def f():\n    import transformer_lens"),
        ("grok/train/engines/engine.py", "import plotly"),
        ("grok/report/page.py", "from grok.recipe import RECIPES"),
        ("claims/test_modadd_mlp.py", "from grok.store import fixture"),
    ],
)
def test_a_forbidden_import_is_seen(path: str, line: str):
    assert violations(path, line)


CHECK = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), name + "."):
        if not found.name.startswith("grok.models.hooked."):
            importlib.import_module(found.name)
sys.exit("transformer_lens" in sys.modules)
"""


def _imports_transformer_lens(*modules: str) -> bool:
    done = subprocess.run([sys.executable, "-c", CHECK, *modules], capture_output=True, text=True, cwd=ROOT)
    assert not done.stderr, done.stderr
    return bool(done.returncode)


def test_the_lean_rooms_import_without_transformer_lens():
    assert not _imports_transformer_lens(*(f"grok.{room}" for room in sorted(LEAN_ROOMS)))


def test_the_subprocess_would_notice_it():
    assert _imports_transformer_lens("grok.models.hooked.mlp")
