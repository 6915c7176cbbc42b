"""The outcome of a claim on each subject, and the verdict over all subjects.

This module imports no torch, and of ``grok`` only its neighbours.
"""

from __future__ import annotations

import math
import re
import typing
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from grok.verdicts.assertion import Assertion

SCHEMA = 2

Role = Literal["trained", "checkpoint", "control", "rival", "reference"]  # reference: see ``Claim.beside``
Verdict = Literal["replicated", "refuted", "mixed", "vacuous", "unspecific", "uncontrolled", "not evaluated", "error"]
VERDICTS: tuple[Verdict, ...] = typing.get_args(Verdict)
ROLES: tuple[Role, ...] = typing.get_args(Role)


@dataclass(frozen=True)
class Evidence:
    """A named value that was measured; ``control_range`` is that of ``control_draws`` matched random controls."""

    name: str
    value: Any
    published: Any = None
    control_range: list[float] | None = None
    control_draws: int | None = None


@dataclass(frozen=True)
class Plot:
    """The arrays of a plot."""

    kind: str
    name: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """A claim on one model or run. ``holds``: true, false, or None with the reason why it could not be evaluated.

    error: what broke, if something did; then nothing is known of the claim. margin: the least of its asserts; a file
    says it too, and ``contradictions`` compares.
    """

    subject: str
    role: Role
    holds: bool | None
    reason: str | None = None
    error: str | None = None
    seed: int | None = None
    device: str | None = None
    digest: str | None = None
    evidence: list[Evidence] = field(default_factory=list)
    asserts: list[Assertion] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    margin: float | None = None

    def __post_init__(self) -> None:
        if self.margin is None:
            object.__setattr__(self, "margin", least(a.margin for a in self.asserts))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Result:
        """From ``to_json``, unchecked: between the processes of one session."""
        lists = {"evidence": Evidence, "asserts": Assertion, "plots": Plot}
        return cls(**data | {name: [kind(**x) for x in data[name]] for name, kind in lists.items()})


def least(margins: Iterable[float | None]) -> float | None:
    """The smallest of those that are numbers; None if there is none."""
    return min((m for m in margins if m is not None), default=None)


def judged(subjects: Iterable[Result]) -> list[Result]:
    """Those a claim is made about: trained models and checkpoints."""
    return [s for s in subjects if not must_fail(s.role)]


def deciding(subjects: Iterable[Result]) -> tuple[Result | None, Assertion | None]:
    """The subject and the assert that decide: the failure by most or, if nothing fails, the assert that holds by least.

    None for the assert if what failed compares no numbers, and for both if nothing was asserted.
    """

    def room(of: Result | Assertion) -> float:
        return math.inf if of.margin is None else of.margin

    asserted = [s for s in subjects if s.asserts]
    subject = min([s for s in asserted if s.holds is False] or asserted, key=room, default=None)
    if subject is None:
        return None, None
    made = [a for a in subject.asserts if not a.passed] or subject.asserts
    return subject, min((a for a in made if a.left is not None), key=room, default=None)


def must_fail(role: str) -> bool:
    """Whether a claim must fail on subjects of this role."""
    return role in ("control", "rival")


def others(subjects: Iterable[Result]) -> list[Result]:
    """Those on which a claim must fail: controls learned nothing, and rivals solve the task another way."""
    return [s for s in subjects if must_fail(s.role)]


def kind(subject: str) -> str:
    """What the networks of one kind have in common: ``modadd-mlp/untrained-seed3`` → ``untrained``.

    The run without weight decay, ``modadd-mlp-wd0/seed0``, keeps its whole name.
    """
    return re.sub(r"-seed\d+$", "", subject.rpartition("/")[2]) if "/seed" not in subject else subject


def tally(subjects: Iterable[Result]) -> str:
    """On how many of each kind a claim holds: ``untrained 10 of 10, memorised 1 of 3``."""
    subjects = list(subjects)
    total, holding = (
        Counter(kind(s.subject) for s in chosen) for chosen in (subjects, [s for s in subjects if s.holds])
    )
    return ", ".join(name if total[name] == 1 else f"{name} {holding[name]} of {total[name]}" for name in holding)


def _of_controls_alone(subjects: Iterable[Result]) -> str:
    evaluated = [s for s in subjects if s.holds is not None]
    holds = f"holds on {tally(evaluated) or 'none'}" if evaluated else "none was evaluated"
    return f"only controls or rivals ran: {holds}"


def verdict(subjects: Iterable[Result]) -> tuple[Verdict, str | None]:
    """The verdict over all subjects of a claim, and why, if it is not plainly replicated.

    error if something broke on any subject: nothing is known then, and it is never expected. Else not evaluated if no
    model was. Else refuted if it holds on no model that was evaluated. Else vacuous if it also holds on a control;
    unspecific if it also holds on a rival; uncontrolled if no control was evaluated. Else replicated, or mixed if it
    fails on a model.
    """
    subjects = list(subjects)
    evaluated = [s for s in judged(subjects) if s.holds is not None]
    holding = [s for s in evaluated if s.holds]
    if broken := next((s for s in subjects if s.error), None):
        return "error", f"on {broken.subject}: {broken.error}"
    if not evaluated:
        return "not evaluated", next((s.reason for s in judged(subjects) if s.reason), _of_controls_alone(subjects))
    if not holding:
        return "refuted", _failure(evaluated)
    controls, rivals = ([s for s in subjects if s.role == role] for role in ("control", "rival"))
    if any(s.holds for s in controls):
        return "vacuous", f"also holds on controls: {tally(controls)}"
    if any(s.holds for s in rivals):
        return "unspecific", f"also holds on rivals: {tally(rivals)}"
    if all(s.holds is None for s in controls):
        return "uncontrolled", "no control was evaluated"
    if len(holding) < len(evaluated):
        return "mixed", _failure(s for s in evaluated if not s.holds)
    return "replicated", None


def _failure(failing: Iterable[Result]) -> str:
    """The assert that failed by most."""
    worst = min(failing, key=lambda s: math.inf if s.margin is None else s.margin)
    failed = [a for a in worst.asserts if not a.passed]
    if not failed:
        return f"{worst.subject}: {worst.reason}"
    return f"{worst.subject}: {failed[-1].shown}"


def wilson(k: int, n: int) -> tuple[float, float] | None:
    """95 % interval of a share observed as k of n (Wilson 1927); None if n is 0."""
    if n == 0:
        return None
    z = 1.959964
    centre = (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(k * (n - k) / n + z * z / 4)
    return max(0.0, centre - half), min(1.0, centre + half)


def order(subjects: Iterable[Result]) -> tuple[Result, ...]:
    """Trained, then checkpoints, controls, rivals; by kind and name, seed10 after seed9."""

    def key(s: Result) -> tuple[int, str, int, str]:
        return ROLES.index(s.role), s.subject.rstrip("0123456789"), len(s.subject), s.subject

    return tuple(sorted(subjects, key=key))
