"""Where the published claims are, with the networks they are tried on and their expected verdicts.

They stand in a checkout at its top, around the package. A wheel has a copy of them in the package (``setup.py`` says of
which networks).
"""

from __future__ import annotations

import functools
from pathlib import Path

from grok.errors import GrokError

EXPECTED = Path("reports/expected.json")  # below the folder of a project, this one's or a user's


@functools.cache
def root() -> Path:
    """The folder that holds ``claims/``, ``fixtures/`` and ``reports/expected.json``. Raises GrokError."""
    package = Path(__file__).parent
    for folder in (package, package.parent):
        if (folder / EXPECTED).is_file() and all((folder / name).is_dir() for name in ("claims", "fixtures")):
            return folder
    raise GrokError(
        f"{package}: the published claims are not in this installation; install grok-claims again, or from a checkout"
    )


def in_package() -> bool:
    """Whether they are the copy in the package. Raises GrokError as ``root``."""
    return root() == Path(__file__).parent


def lacks_seeds(fixtures: Path) -> bool:
    """Whether these are the networks of a package: nothing that compares all seeds can be said of them."""
    package = Path(__file__).parent
    return fixtures.resolve() == (package / "fixtures").resolve()


def name_of(path: Path) -> str | None:
    """The name of a file or folder of published claims, ``claims/test_modadd_mlp.py`` say; None for any other path."""
    try:
        top = root().resolve()
    except GrokError:
        return None
    path = path.resolve()
    return path.relative_to(top).as_posix() if path.is_relative_to(top / "claims") else None


def fixtures(project: Path) -> Path:
    """The folder of trained networks for claims of this project: its own ``fixtures/``, or else the published ones."""
    own = project / "fixtures"
    if next(own.glob("*/seed*/card.json"), None) is not None:
        return own
    try:
        return root() / "fixtures"
    except GrokError:
        return own
