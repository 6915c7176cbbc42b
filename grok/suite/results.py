"""All results of a session: gathered from its tests, compared with the committed verdicts, written."""

from __future__ import annotations

import importlib.metadata
import platform
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from grok import commit
from grok.suite.arguments import UPDATE
from grok.verdicts import expected
from grok.verdicts.claim import Claim, Statement
from grok.verdicts.expected import Entry
from grok.verdicts.record import Run, Verdicts
from grok.verdicts.runs import grokked, grokked_note
from grok.verdicts.verdict import Result, order

PACKAGES = ("grok-claims", "torch", "transformer_lens", "numpy", "pytest")


@dataclass
class Results:
    """The results of a session's tests. ``expected``: claim id → committed entry; None if nothing is committed."""

    expected: dict[str, Entry] | None
    free: bool  # nothing is expected of this session: see ``outcome.surprise``
    _statements: dict[str, Statement] = field(default_factory=dict)
    _subjects: dict[str, dict[str, Result]] = field(default_factory=dict)
    _fixtures: dict[str, dict[str, Any]] = field(default_factory=dict)
    _clashes: dict[str, str] = field(default_factory=dict)
    _beside: dict[str, Result] = field(default_factory=dict)

    def add(self, message: dict[str, Any]) -> None:
        """Add the result that a test sent: {"meta", "subject", "card"}."""
        said = Statement(**message["meta"])
        home = self._statements.setdefault(said.id, said).nodeid
        if home != said.nodeid:
            self._clashes[said.id] = clash(said.id, home, said.nodeid)
        subject = Result.from_json(message["subject"])
        if subject.role == "reference":
            self._beside[said.id] = subject
        else:
            self._subjects.setdefault(said.id, {})[subject.subject] = subject
        if message["card"] is not None:
            self._fixtures[message["card"]["digest"]] = message["card"]

    def claims(self) -> list[Claim]:
        """The claims, in the order of their source files; within a file, recipe by recipe."""
        tried = [statement for statement in self._statements.values() if statement.id in self._subjects]
        said = sorted(tried, key=lambda s: (s.file or "", s.fixture or "", s.line or 0))
        entries = {} if self.free else self.expected or {}
        judged = [expected.judge(each, order(self._subjects[each.id].values()), entries.get(each.id)) for each in said]
        return [replace(claim, beside=self._beside.get(claim.id)) for claim in judged]

    def fixtures(self) -> list[dict[str, Any]]:
        return sorted(self._fixtures.values(), key=lambda card: (card["fixture"], card["seed"]))

    def runs(self) -> list[str]:
        """How many runs of each recipe did not grok, and which; then the runs whose recipe is not the published one.

        A line for each recipe, and one for all runs with the same changes. There is none for a single run that grokked.
        """
        names: dict[str | None, list[str]] = {}
        for claim in self.claims():
            names.setdefault(claim.fixture, []).extend(s.subject for s in claim.subjects if s.role == "trained")
        notes = {recipe: grokked_note(grokked(self.fixtures(), trained)) for recipe, trained in names.items()}
        changed: dict[str, list[str]] = {}
        for card in self.fixtures():
            if card.get("changes"):
                changed.setdefault(card["changes"], []).append(f"{card['fixture']}/seed{card['seed']}")
        told = [
            f"{', '.join(names)} {'was' if len(names) == 1 else 'were'} trained with {changes}: a claim may fail on a "
            "published figure for that reason"
            for changes, names in changed.items()
        ]
        return [*(f"{recipe}: {note}" for recipe, note in notes.items() if note), *told]

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

    def update(self, path: Path) -> dict[str, str]:
        """Rewrite the committed verdicts of the claims that ran completely. Returns the others, each with the reason.

        The entry of a claim that did not run stays. To remove a claim, delete its entry by hand.
        """
        old = self.expected or {}
        whole = {claim.id: claim for claim in self.claims()}
        left = {name: why for name, claim in whole.items() if (why := expected.unfit(claim, old.get(name)))}
        new = {name: expected.entry(claim) for name, claim in whole.items() if name not in left}
        expected.write(path, new | {name: entry for name, entry in old.items() if name not in new})
        return left


def clash(claim: str, home: str | None, other: str | None) -> str:
    """The message for two tests with one id."""
    return f"two claims are called {claim}: {home} and {other}"


def _changed(claim: Claim) -> str:
    return f"{claim.id}: {claim.verdict}, expected {claim.expected}" + (f" ({claim.reason})" if claim.reason else "")


def environment(root: Path, arguments: Iterable[str], **more: Any) -> Run:
    """Command, versions and commit: what verdicts.json says about the run itself; ``more``: its other fields."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    command = shlex.join(["pytest", *map(str, arguments)])
    return Run(command, versions, "cpu", commit.of(root), **more)


def verdicts(results: Results, run: Run, fixtures: Path) -> Verdicts:
    """The content of verdicts.json for a session. fixtures: the folder of the trained networks."""
    claims = tuple(results.claims())
    from grok.suite.curves import curves  # not before there are verdicts

    return Verdicts(replace(run, fixtures=tuple(results.fixtures()), curves=curves(claims, fixtures)), claims)
