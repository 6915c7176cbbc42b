"""A claim as verdicts.json has it (schema 2, docs/verdicts.md): its sentence, its subjects and its verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from grok.verdicts import separation as apart
from grok.verdicts.separation import Assert, Separation
from grok.verdicts.verdict import Result, Verdict, judged, least, verdict, wilson


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What does not depend on a run. ``expression``: the asserts as written.

    text: what is meant and how it is measured, the docstring of the test.
    fixture: the recipe that it is about; None for the tests' own models. threshold: where it comes from, and because:
    the reason. no_control: why there is no control; None if there is.
    """

    id: str
    title: str
    text: str | None = None
    source: str | None = None
    source_title: str | None = None
    ref: str | None = None
    url: str | None = None
    section: str | None = None
    fixture: str | None = None
    published: Any = None
    about: Literal["mechanism", "behaviour"] | None = None
    threshold: Literal["source", "convention"] | None = None
    because: str | None = None
    no_control: str | None = None
    expression: tuple[str, ...] = ()
    file: str | None = None
    line: int | None = None
    nodeid: str | None = None
    command: str | None = None

    @property
    def name(self) -> str:
        """The id without the family: P6 for ``P6 · modadd-mlp``."""
        return self.id.removesuffix(f" · {self.fixture}")


@dataclass(frozen=True, kw_only=True)
class Claim(Statement):
    """A claim with its subjects and its verdict.

    reason: why the verdict is not plainly replicated. expected: the committed verdict; None if there is none to compare
    with. partial: some of the committed subjects did not run. moved: the verdict is not the committed one (see
    ``expected.judge``). k, n: it holds on k of the n models that were evaluated; wilson: the 95 % interval of that
    share. margin: the least of the models'. beside: the result on the published network, which is shown beside a user's
    model and decides nothing.
    """

    verdict: Verdict
    expected: Verdict | None = None
    reason: str | None = None
    partial: bool = False
    moved: bool = False
    k: int = 0
    n: int = 0
    wilson: tuple[float, float] | None = None
    margin: float | None = None
    subjects: tuple[Result, ...]
    separation: Separation | None = None
    asserted: tuple[Assert, ...] = ()
    beside: Result | None = None

    @classmethod
    def of(
        cls,
        statement: Statement,
        subjects: Iterable[Result],
        expected: Verdict | None = None,
        partial: bool = False,
        moved: bool = False,
    ) -> Claim:
        """The claim with everything that follows from what came of its subjects."""
        subjects = tuple(subjects)
        word, why = verdict(subjects)
        evaluated = [s for s in judged(subjects) if s.holds is not None]
        k, n = sum(bool(s.holds) for s in evaluated), len(evaluated)
        return cls(
            **{field.name: getattr(statement, field.name) for field in fields(Statement)},
            verdict=word,
            expected=expected,
            reason=statement.no_control or why if word == "uncontrolled" else why,
            partial=partial,
            moved=moved,
            k=k,
            n=n,
            wilson=wilson(k, n),
            margin=least(s.margin for s in judged(subjects)),
            subjects=subjects,
            separation=apart.separation(subjects),
            asserted=tuple(apart.asserts(subjects)),
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
