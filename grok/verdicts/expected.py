"""The expected verdicts (reports/expected.json): reading, writing, and comparing a run with them.

Only this module decides whether a run is as expected. pytest, the gate, the terminal and the page ask it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from grok.errors import GrokError
from grok.files import write_json
from grok.verdicts import decode
from grok.verdicts.claim import Claim, Statement
from grok.verdicts.contradictions import contradictions
from grok.verdicts.number import percent
from grok.verdicts.verdict import SCHEMA, Result, Verdict, must_fail, verdict

# worst first
KINDS = ("missing", "error", "not evaluated", "contradiction", "verdict", "subject", "separation", "margin", "new")


@dataclass(frozen=True)
class Entry:
    """The expected verdict of one claim.

    margin: to four significant digits. subjects: whether the claim holds on each; None if it could not be evaluated.
    separated: see ``separation.Separation``.
    """

    verdict: Verdict
    margin: float | None = None
    separated: bool | None = None
    subjects: dict[str, bool | None] = field(default_factory=dict)


# ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────


def read(path: Path) -> dict[str, Entry]:
    """Claim id → entry. Raises GrokError if the file is missing, not JSON, or of another shape."""
    make = f"grok gate verdicts.json --expected {path} --accept"
    data = decode.read(path, SCHEMA, make)
    try:
        if "claims" not in data:
            raise decode.Malformed("claims is missing")
        entries: dict[str, Entry] = decode.decode(dict[str, Entry], data["claims"], "claims")
        for name in (name for name, entry in entries.items() if entry.verdict == "error"):
            raise decode.Malformed(f"claims.{name}.verdict is an error, which is never expected")
    except decode.Malformed as error:
        raise GrokError(f"{path}: {error}; make it again with\n  {make}") from None
    return entries


def write(path: Path, entries: Mapping[str, Entry]) -> None:
    """Atomically. Raises OSError."""
    write_json(path, {"schema": SCHEMA, "claims": {name: asdict(entry) for name, entry in entries.items()}})


def entry(claim: Claim) -> Entry:
    """The entry with which exactly this claim passes."""
    return Entry(
        verdict=claim.verdict,
        margin=_rounded(claim.margin),
        separated=None if claim.separation is None else claim.separation.separated,
        subjects={s.subject: s.holds for s in claim.subjects},
    )


def accept(claims: Iterable[Claim]) -> dict[str, Entry]:
    """The entries with which exactly these claims pass.

    Raises GrokError for an error, and for a record that contradicts itself.
    """
    claims = list(claims)
    for claim in claims:
        if claim.verdict == "error":
            raise GrokError(f"{claim.id} is an error, which is never accepted: {claim.reason}")
        for wrong in contradictions(claim):
            raise GrokError(f"{claim.id}: {wrong}; such a record is not accepted")
    return {claim.id: entry(claim) for claim in claims}


def unfit(claim: Claim, committed: Entry | None) -> str | None:
    """The reason why a claim of a session cannot become an entry; None if it can.

    A model, its controls and every subject that is committed must have run, without an error.
    """
    roles = {s.role for s in claim.subjects}
    controlled = "control" in roles or claim.no_control is not None or claim.fixture is None
    missing = committed is not None and committed.subjects.keys() - {s.subject for s in claim.subjects}
    if claim.verdict == "error":
        return f"an error is never expected: {claim.reason}"
    return None if "trained" in roles and controlled and not missing else "not all of its subjects ran"


# ── is it expected? ──────────────────────────────────────────────────────────────────────────────────────────────


def outcome(result: Result, committed: Entry | None) -> bool:
    """Whether the outcome on one subject is the expected one.

    Without an entry, a claim must hold on models and must fail on controls and rivals. If the entry does not name the
    subject, any outcome is accepted. An error is never expected.
    """
    if result.error is not None:
        return False
    if committed is None:
        return (result.holds is True) != must_fail(result.role)
    return result.subject not in committed.subjects or result.holds == committed.subjects[result.subject]


def judge(statement: Statement, subjects: Iterable[Result], committed: Entry | None) -> Claim:
    """The claim of a session beside its entry. A verdict is not compared where a committed subject did not run, but for
    an error, which is never expected."""
    subjects = tuple(subjects)
    if committed is None:
        return Claim.of(statement, subjects)
    partial = bool(committed.subjects.keys() - {s.subject for s in subjects})
    broken = any(s.error for s in subjects)
    moved = broken or (not partial and verdict(_held(subjects, committed))[0] != committed.verdict)
    return Claim.of(statement, subjects, committed.verdict, partial, moved)


def _held(subjects: tuple[Result, ...], committed: Entry) -> tuple[Result, ...]:
    """The subjects that the entry names, all if it names none: further seeds have nothing to be held to."""
    return tuple(s for s in subjects if s.subject in committed.subjects or not committed.subjects)


@dataclass(frozen=True)
class Change:
    """One reason why the gate says no.

    kind: one of ``KINDS``. was, now: verdict (or truth on a subject) expected and found. margins: expected and found,
    None where there is none.
    """

    claim: str
    kind: str
    was: str
    now: str
    margin_was: float | None = None
    margin_now: float | None = None
    detail: str = ""

    @property
    def drop(self) -> float:
        """By how much the margin shrank; 0 where it is not known."""
        if self.margin_was is None or self.margin_now is None:
            return 0.0
        return self.margin_was - self.margin_now

    def __str__(self) -> str:
        text = f"{self.claim}: {self.detail or f'{self.was} → {self.now}'}"
        if self.margin_was is not None or self.margin_now is not None:
            text += f" (margin {percent(self.margin_was)} → {percent(self.margin_now)})"
        return text


def compare(
    claims: Iterable[Claim],
    entries: Mapping[str, Entry],
    max_margin_drop: float | None = None,
    require_separation: bool = False,
) -> list[Change]:
    """Everything that makes the gate fail, worst first; empty if it passes.

    A claim fails that is missing, is an error (whatever is expected), was not evaluated though a verdict is expected,
    has another verdict, has another outcome on a subject that was recorded, lost more than ``max_margin_drop`` of its
    margin (in units of the threshold), or has no expected verdict yet. With ``require_separation`` a claim fails too
    whose trained models stood apart from every control and rival, with the threshold between, and no longer do. So does
    a record that contradicts itself. Subjects that the entry does not name have nothing to be held to.
    """
    found = {claim.id: claim for claim in claims}
    changes = [
        Change(name, "missing", want.verdict, "missing", want.margin, detail="was not run, or is gone")
        for name, want in entries.items()
        if name not in found
    ]
    for name, claim in found.items():
        changes.extend(_of_claim(claim, entries.get(name), max_margin_drop, require_separation))
    return sorted(changes, key=_badness)


def _badness(change: Change) -> tuple[int, bool, float, str]:
    return KINDS.index(change.kind), change.was != "replicated", -change.drop, change.claim


def _of_claim(claim: Claim, want: Entry | None, max_drop: float | None, separate: bool) -> Iterator[Change]:
    if wrong := next(contradictions(claim), None):
        yield Change(claim.id, "contradiction", "a sound record", claim.verdict, detail=wrong)
    if claim.verdict == "error":
        yield Change(claim.id, "error", want.verdict if want else "nothing", "error", detail=f"error {claim.reason}")
        return
    if want is None:
        detail = f"{claim.verdict}, and no verdict is expected yet"
        yield Change(claim.id, "new", "nothing", claim.verdict, None, _rounded(claim.margin), detail)
        return
    held = _held(claim.subjects, want)
    if len(held) < len(claim.subjects):
        claim = Claim.of(claim, held)
    name, word, margin, was = claim.id, claim.verdict, _rounded(claim.margin), want.verdict
    if word != was:
        unevaluated = word == "not evaluated"
        detail = f"not evaluated: {claim.reason}" if unevaluated else ""
        yield Change(name, word if unevaluated else "verdict", was, word, want.margin, margin, detail)
        return
    yield from _subjects(claim, want)
    found = claim.separation
    if separate and want.separated and not (found and found.separated):
        nearest = f"{found.nearest} comes as near as a trained model" if found else "nothing to compare with ran"
        yield Change(name, "separation", "separated", "not separated", detail=f"separation is lost: {nearest}")
    if max_drop is not None and want.margin is not None:
        if margin is None:
            yield Change(name, "margin", was, word, want.margin, None, "the margin is gone")
        elif want.margin - margin > max_drop:
            yield Change(name, "margin", was, word, want.margin, margin, f"still {word}, but the margin shrank")


def _subjects(claim: Claim, want: Entry) -> Iterator[Change]:
    found = {s.subject: s for s in claim.subjects}
    for subject, was in want.subjects.items():
        if subject not in found:
            yield Change(claim.id, "subject", _truth(was), "missing", detail=f"{subject} was not run")
        elif not outcome(found[subject], want):
            now = _truth(found[subject].holds)
            yield Change(claim.id, "subject", _truth(was), now, detail=f"on {subject}: {_truth(was)} → {now}")


def _truth(holds: bool | None) -> str:
    return {True: "holds", False: "fails", None: "not evaluated"}[holds]


def _rounded(margin: float | None) -> float | None:
    """As it is committed: to four significant digits."""
    return None if margin is None else float(f"{margin:.4g}")
