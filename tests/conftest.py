"""Triton kernels run in its interpreter where there is no GPU; it decides when first imported, so it is told here.
The wheel is built once for all the tests that install it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made from a source distribution without a network. Both are built from a copy, so that no build folder
    appears in the checkout."""
    pytest.importorskip("setuptools", reason="setuptools builds the wheel")
    tmp = tmp_path_factory.mktemp("wheel")
    for folder in ("grok", "claims", "fixtures", "reports"):
        shutil.copytree(ROOT / folder, tmp / "src" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp / "src")
    build = "import setuptools.build_meta as build; print(build.build_sdist('../dist'))"
    sources = _run(sys.executable, "-c", build, cwd=tmp / "src").split()[-1]
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "wheel", "--no-deps", "--no-index")
    _run(*pip, "--no-build-isolation", "-w", tmp / "dist", tmp / "dist" / sources, cwd=tmp)
    [made] = (tmp / "dist").glob("*.whl")
    return made


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
