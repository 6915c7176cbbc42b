"""All results of a session: gathered from its tests, compared with the committed verdicts, written."""

from __future__ import annotations

import importlib.metadata
import platform
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grok import commit, files
from grok.verdicts.document import to_json
from grok.verdicts.separation import separated, separation
from grok.verdicts.verdict import SCHEMA, Claim, Result, grokked, grokked_note, least, order

PACKAGES = ("grok-claims", "torch", "transformer_lens", "numpy", "pytest")
UPDATE = "--update-expected"


@dataclass
class Results:
    """The results of a session's tests. ``expected``: claim id → committed entry; None if nothing is committed."""

    expected: dict[str, Any] | None
    free: bool  # nothing is expected of this session: see ``outcome.surprise``
    _meta: dict[str, dict[str, Any]] = field(default_factory=dict)
    _subjects: dict[str, dict[str, Result]] = field(default_factory=dict)
    _fixtures: dict[str, dict[str, Any]] = field(default_factory=dict)
    _clashes: dict[str, str] = field(default_factory=dict)

    def add(self, message: dict[str, Any]) -> None:
        """Add the result that a test sent: {"meta", "subject", "card"}."""
        meta = message["meta"]
        home = self._meta.setdefault(meta["id"], meta)["nodeid"]
        if home != meta["nodeid"]:
            self._clashes[meta["id"]] = clash(meta["id"], home, meta["nodeid"])
        subject = Result.from_json(message["subject"])
        self._subjects.setdefault(meta["id"], {})[subject.subject] = subject
        if message["card"] is not None:
            self._fixtures[message["card"]["digest"]] = message["card"]

    def claims(self) -> list[Claim]:
        """The claims, in the order of their source files; within a file, recipe by recipe."""
        metas = sorted(self._meta.values(), key=lambda meta: (meta["file"], meta["fixture"] or "", meta["line"]))
        return [self._claim(meta) for meta in metas]

    def _claim(self, meta: dict[str, Any]) -> Claim:
        subjects = order(self._subjects[meta["id"]].values())
        committed = None if self.free or self.expected is None else self.expected.get(meta["id"])
        if committed is None:
            return Claim(meta, subjects)
        held = frozenset(committed.get("subjects", {}))
        return Claim(meta, subjects, committed["verdict"], bool(held - {s.subject for s in subjects}), held)

    def fixtures(self) -> list[dict[str, Any]]:
        return sorted(self._fixtures.values(), key=lambda card: (card["fixture"], card["seed"]))

    def runs(self) -> list[str]:
        """A line for each recipe: how many runs did not grok, and which. There is none for a single run that did."""
        names: dict[str, list[str]] = {}
        for claim in self.claims():
            names.setdefault(claim.meta["fixture"], []).extend(s.subject for s in claim.subjects if s.role == "trained")
        notes = {recipe: grokked_note(grokked(self.fixtures(), trained)) for recipe, trained in names.items()}
        return [f"{recipe}: {note}" for recipe, note in notes.items() if note]

    def surprises(self) -> list[str]:
        """The differences from the committed verdicts, a line each. Claims without a verdict share one line."""
        clashes = list(self._clashes.values())
        if self.free or self.expected is None:
            return clashes
        claims = self.claims()
        new = [claim.id for claim in claims if claim.expected is None]
        told = [_changed(claim) for claim in claims if claim.moved]
        if new:
            told.append(f"no verdict is committed of {', '.join(new)}; if those above are right, commit them: {UPDATE}")
        return clashes + told

    def update(self, path: Path) -> list[str]:
        """Rewrite the committed verdicts of the claims that ran completely. Returns the ids of the other claims.

        The entry of a claim that did not run stays. To remove a claim, delete its entry by hand.
        """
        entries = dict(self.expected or {})
        whole = {claim.id: _whole(claim, entries.get(claim.id, {})) for claim in self.claims()}
        left = [name for name, ran in whole.items() if not ran]
        claims = {claim.id: claim for claim in self.claims() if whole[claim.id]}
        kept = {name: entry for name, entry in entries.items() if name not in claims}
        new = {name: _entry(claim) for name, claim in claims.items()}
        files.write_json(path, {"schema": SCHEMA, "claims": new | kept})
        return left


def clash(claim: str, home: str, other: str) -> str:
    """The message for two tests with one id."""
    return f"two claims are called {claim}: {home} and {other}"


def _changed(claim: Claim) -> str:
    return f"{claim.id}: {claim.verdict}, expected {claim.expected}" + (f" ({claim.reason})" if claim.reason else "")


def _whole(claim: Claim, committed: dict[str, Any]) -> bool:
    """Whether enough ran to commit a verdict: a model, its controls, all subjects committed before, and no error."""
    roles = {s.role for s in claim.subjects}
    controlled = "control" in roles or claim.meta["no_control"] or claim.meta["fixture"] is None
    missing = set(committed.get("subjects", {})) - {s.subject for s in claim.subjects}
    return "trained" in roles and controlled and not missing and not any(s.error for s in claim.subjects)


def _entry(claim: Claim) -> dict[str, Any]:
    margin = least([claim.margin])
    return {
        "verdict": claim.verdict,
        "margin": None if margin is None else float(f"{margin:.4g}"),
        "separated": separated(separation(claim.subjects)),
        "subjects": {s.subject: s.holds for s in claim.subjects},
    }


def environment(root: Path, arguments: Iterable[str]) -> dict[str, Any]:
    """Command, versions and commit: what verdicts.json says about the run itself, except for its times."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    command = shlex.join(["pytest", *map(str, arguments)])
    return {"command": command, "versions": versions, "device": "cpu", "commit": commit.of(root)}


def verdicts(results: Results, run: dict[str, Any]) -> dict[str, Any]:
    """The content of verdicts.json for a session."""
    return to_json({**run, "fixtures": results.fixtures()}, results.claims())
