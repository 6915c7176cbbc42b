"""The plugin's command line options (``arguments``), checked."""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from grok import published
from grok.errors import GrokError
from grok.suite.arguments import UPDATE
from grok.suite.subject import Checkpoint
from grok.suite.subjects import load_checkpoints
from grok.verdicts import expected
from grok.verdicts.expected import Entry
from grok.verdicts.record import PUBLISHED


@dataclass(frozen=True)
class Options:
    """The checked options. ``entries``: claim id → committed entry; None if there is no file to compare with.

    claims: the ids of the claims to run; all if it is empty. expected_file: the file to compare with or to rewrite; it
    need not exist. None for the fixtures of a user, of which nothing is expected. as_published: the entries are those
    of the published claims in the package.
    """

    json_file: Path | None
    html_file: Path | None
    expected_file: Path | None
    update_expected: bool
    recipe: str | None
    claims: tuple[str, ...]
    seeds: str
    fixtures: Path
    tracebacks: bool
    entries: dict[str, Entry] | None
    as_published: bool
    beside: Path | None
    _own_fixtures: bool
    _checkpoints: tuple[str, ...]
    _controls: tuple[str, ...]
    _loading: dict[str, Any]

    @property
    def written(self) -> bool:
        """Whether a file with plots is written; otherwise the plots of the published claims need not be made."""
        return self.json_file is not None or self.html_file is not None

    @classmethod
    def of(cls, config: pytest.Config) -> Options:
        """The options of a session. Raises pytest.UsageError; exits with 2 if verdicts must not be rewritten."""
        get = config.getoption
        here = config.invocation_params.dir
        file, update = _expected_file(config), get("update_expected")
        if update and os.environ.get("CI"):
            pytest.exit(f"{UPDATE} is refused where CI is set: rewrite the verdicts on your machine and commit them", 2)
        if update and file is None:
            raise pytest.UsageError(f"{UPDATE} on fixtures of your own needs --expected FILE: the file to rewrite")
        if update and get("checkpoint"):
            raise pytest.UsageError(f"{UPDATE} is for shipped fixtures; it does not go with --checkpoint")
        if get("control") and not get("checkpoint"):
            raise pytest.UsageError("--control needs --checkpoint: it names a control of the models given there")
        seeds = get("seeds") or "canonical"
        if not re.fullmatch(r"canonical|all|\d+(,\d+)*", seeds):
            raise pytest.UsageError(f"--seeds: expected canonical, all, or numbers like 0,3,7; found {seeds!r}")
        if get("fixture_dir") and not (here / get("fixture_dir")).is_dir():
            raise pytest.UsageError(
                f"--fixture-dir {get('fixture_dir')}: no such folder; `grok train RECIPE` makes runs/"
            )
        if get("claims_html") and importlib.util.find_spec("jinja2") is None:
            raise pytest.UsageError("--claims-html needs jinja2, which is not installed: pip install jinja2 plotly")
        if get("recipe"):
            _check_recipe(get("recipe"))
        as_published = file is not None and not get("expected") and not file.exists() and _are_published(config)
        return cls(
            json_file=_path(here, get("claims_json")),
            html_file=_path(here, get("claims_html")),
            expected_file=file,
            update_expected=update,
            recipe=get("recipe"),
            claims=tuple(name.strip() for name in (get("claims") or "").split(",") if name.strip()),
            seeds=seeds,
            fixtures=_near(_path(here, get("fixture_dir")) or published.fixtures(config.rootpath)),
            tracebacks=get("tbstyle") != "auto" or bool(get("usepdb")),
            entries=_read(published.root() / published.EXPECTED if as_published else file, bool(get("expected"))),
            as_published=as_published,
            beside=_path(here, get("beside")),
            _own_fixtures=bool(get("fixture_dir")),
            _checkpoints=tuple(get("checkpoint") or ()),
            _controls=tuple(get("control") or ()),
            _loading={
                **{name: get(name) for name in ("recipe", "split_seed", "train_frac", "index")},
                "split": _path(here, get("split")),
            },
        )

    @property
    def free(self) -> bool:
        """Whether nothing is expected: the verdicts are being rewritten, or the models or runs are the user's."""
        return self.update_expected or bool(self._checkpoints) or (self._own_fixtures and self.entries is None)

    @property
    def compared_with(self) -> str | None:
        """The committed verdicts, as verdicts.json names them; None if nothing is expected."""
        if self.free or self.entries is None:
            return None
        return PUBLISHED if self.as_published else str(self.expected_file)

    def expected_of(self, claim: str) -> Entry | None:
        """The committed entry of a claim; None if there is none."""
        return (self.entries or {}).get(claim)

    def load_checkpoints(self) -> tuple[Checkpoint, ...]:
        """The user's models. Raises pytest.UsageError for a file that is missing, hostile, or of another family."""
        if not self._checkpoints:
            return ()
        try:
            return load_checkpoints(self._checkpoints, self._controls, **self._loading)
        except (GrokError, OSError) as error:
            raise pytest.UsageError(str(error)) from None


def _path(here: Path, given: str | None) -> Path | None:
    return here / given if given else None


def _near(path: Path) -> Path:
    """The path, relative if it is below the working directory, so that errors and verdicts name no local folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _check_recipe(name: str) -> None:
    from grok.recipe import FAMILIES  # imports torch

    known = [recipe.name for recipe in FAMILIES]
    if name not in known:
        raise pytest.UsageError(f"--recipe: unknown recipe {name!r}; there are claims about {', '.join(known)}")


def _expected_file(config: pytest.Config) -> Path | None:
    """The file given, or the one of the project; none for fixtures of the user's, of which nothing is expected."""
    if given := config.getoption("expected"):
        return _near(config.invocation_params.dir / given)
    return None if config.getoption("fixture_dir") else _near(config.rootpath / published.EXPECTED)


def _are_published(config: pytest.Config) -> bool:
    """Whether published claims were asked for, by a path or as a module of the package."""
    names = [str(arg).split("::")[0] for arg in config.args]
    as_modules = config.getoption("pyargs") and any(name.split(".")[:2] == ["grok", "claims"] for name in names)
    return bool(as_modules) or any(published.name_of(config.invocation_params.dir / name) for name in names)


def _read(file: Path | None, given: bool) -> dict[str, Entry] | None:
    """The committed entries. A file that was given and does not exist yet has none."""
    if file is None or not (given or file.exists()):
        return None
    if not file.exists():
        return {}
    try:
        return expected.read(file)
    except GrokError as error:
        raise pytest.UsageError(str(error)) from None
