"""The plugin's command line options, checked."""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from grok.errors import GrokError
from grok.suite.subject import Checkpoint
from grok.suite.subjects import load_checkpoints
from grok.verdicts import expected
from grok.verdicts.expected import Entry

UPDATE = "--update-expected"


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("grok claims")
    add = group.addoption
    add("--claims-json", metavar="FILE", help="write verdicts.json")
    add("--claims-html", metavar="FILE", help="write the page")
    add("--expected", metavar="FILE", help="committed verdicts to compare with")
    add(UPDATE, action="store_true", help="rewrite the committed verdicts from this run; refused where CI is set")
    add("--checkpoint", metavar="FILE", action="append", help="run the claims on this model of yours; repeatable")
    add(
        "--control",
        metavar="FILE",
        action="append",
        help="a model of yours that learned nothing: claims must fail on it",
    )
    add("--recipe", metavar="NAME", help="recipe of the checkpoint; without one, run only the claims of this recipe")
    add("--split-seed", metavar="N", type=int, help="seed of the checkpoint's train pairs")
    add("--train-frac", metavar="X", type=float, help="share of the pairs that the checkpoint was trained on")
    add("--index", metavar="N", type=int, help="which checkpoint, if the file holds a list of them")
    add("--seeds", metavar="SEEDS", default="canonical", help="seeds of fixtures: canonical (default), all, or 0,3,7")
    add("--claims", metavar="IDS", help="run only these claims, as in K8,N6")
    add("--fixture-dir", metavar="DIR", help="folder of the fixtures, as DIR/<recipe>/seed<N>")


@dataclass(frozen=True)
class Options:
    """The checked options. ``entries``: claim id → committed entry; None if there is no file to compare with.

    claims: the ids of the claims to run; all if it is empty.
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
    _own_fixtures: bool
    _checkpoints: tuple[str, ...]
    _controls: tuple[str, ...]
    _loading: dict[str, Any]

    @classmethod
    def of(cls, config: pytest.Config) -> Options:
        """The options of a session. Raises pytest.UsageError; exits with 2 if verdicts must not be rewritten."""
        get = config.getoption
        here = config.invocation_params.dir
        file, update = get("expected") and _near(here / get("expected")), get("update_expected")
        if update and os.environ.get("CI"):
            pytest.exit(f"{UPDATE} is refused where CI is set: rewrite the verdicts on your machine and commit them", 2)
        if update and file is None:
            raise pytest.UsageError(f"{UPDATE} needs --expected FILE: the file to rewrite")
        if update and get("checkpoint"):
            raise pytest.UsageError(f"{UPDATE} is for shipped fixtures; it does not go with --checkpoint")
        if get("control") and not get("checkpoint"):
            raise pytest.UsageError("--control needs --checkpoint: it names a control of the models given there")
        if not re.fullmatch(r"canonical|all|\d+(,\d+)*", get("seeds")):
            raise pytest.UsageError(f"--seeds: expected canonical, all, or numbers like 0,3,7; found {get('seeds')!r}")
        if get("claims_html") and importlib.util.find_spec("jinja2") is None:
            raise pytest.UsageError("--claims-html needs jinja2, which is not installed: pip install jinja2 plotly")
        if get("recipe"):
            _check_recipe(get("recipe"))
        return cls(
            json_file=_path(here, get("claims_json")),
            html_file=_path(here, get("claims_html")),
            expected_file=file,
            update_expected=update,
            recipe=get("recipe"),
            claims=tuple(name.strip() for name in (get("claims") or "").split(",") if name.strip()),
            seeds=get("seeds"),
            fixtures=_near(_path(here, get("fixture_dir")) or config.rootpath / "fixtures"),
            tracebacks=get("tbstyle") != "auto" or bool(get("usepdb")),
            entries=_read(file),
            _own_fixtures=bool(get("fixture_dir")),
            _checkpoints=tuple(get("checkpoint") or ()),
            _controls=tuple(get("control") or ()),
            _loading={name: get(name) for name in ("recipe", "split_seed", "train_frac", "index")},
        )

    @property
    def free(self) -> bool:
        """Whether nothing is expected: the verdicts are being rewritten, or the models or runs are the user's."""
        return self.update_expected or bool(self._checkpoints) or (self._own_fixtures and self.entries is None)

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


def _read(file: Path | None) -> dict[str, Entry] | None:
    """The committed entries. A file that does not exist yet has none."""
    if file is None:
        return None
    if not file.exists():
        return {}
    try:
        return expected.read(file)
    except GrokError as error:
        raise pytest.UsageError(str(error)) from None
