"""verdicts.json as a whole: its frozen dataclasses, reading and writing. docs/verdicts.md describes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from grok.errors import GrokError
from grok.verdicts import decode
from grok.verdicts.claim import Claim
from grok.verdicts.verdict import SCHEMA, Result, deciding, judged

if TYPE_CHECKING:
    from pandas import DataFrame

PUBLISHED = "published"  # in ``Run.expected``: the verdicts that come with the published claims
MAKE = "pytest claims/ --claims-json verdicts.json"


@dataclass(frozen=True)
class Curve:
    """The losses of one training run, thinned to draw them.

    columns: train_loss, test_loss and, where K is known, restricted_loss and excluded_loss; a value for each of
    ``steps``. phases: name and step at which it ends. key_frequencies: K of the final network, None if it has none.
    """

    subject: str
    steps: tuple[int, ...]
    columns: dict[str, tuple[float | None, ...]]
    phases: tuple[tuple[str, int], ...] = ()
    key_frequencies: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            if len(column) != len(self.steps):
                raise decode.Malformed(
                    f"the curve of {self.subject} has {len(column)} values of {name} for {len(self.steps)} steps"
                )


@dataclass(frozen=True)
class Run:
    """How the claims were run. started: ISO 8601. fixtures: the cards of the fixtures that were loaded.

    expected: the file of committed verdicts that the run was compared with, or ``PUBLISHED``; None if nothing is
    expected of it.
    curves: of the trained networks.
    """

    command: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    device: str | None = None
    commit: str | None = None
    expected: str | None = None
    started: str | None = None
    seconds: float | None = None
    subjects_note: tuple[str, ...] = ()
    fixtures: tuple[dict[str, Any], ...] = ()
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True)
class Verdicts:
    """A run and the claims in it, in the order of their files."""

    run: Run
    claims: tuple[Claim, ...]

    def to_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}

    def to_dataframe(self, by: Literal["claim", "subject"] = "claim") -> DataFrame:
        """A pandas DataFrame with a row for each claim, or for each claim on each of its subjects.

        by="claim": id, title, source, section, fixture, about, published, verdict, expected, reason, k, n, margin,
        value. by="subject": id, fixture, subject, role, seed, holds, margin, value, reason, error. value is the
        measured side of the assert that decides (docs/verdicts.md). Raises GrokError if pandas is not installed, and
        ValueError for another ``by``.
        """
        if by not in _COLUMNS:
            raise ValueError(f"by is one of {', '.join(_COLUMNS)}, not {by!r}")
        try:
            import pandas
        except ImportError:
            raise GrokError("to_dataframe needs pandas, which is not installed: pip install pandas") from None
        if by == "claim":
            rows = [{**vars(claim), "value": _value(judged(claim.subjects))} for claim in self.claims]
        else:
            named = [({"id": claim.id, "fixture": claim.fixture}, s) for claim in self.claims for s in claim.subjects]
            rows = [{**vars(s), **names, "value": _value([s])} for names, s in named]
        return pandas.DataFrame(rows, columns=_COLUMNS[by])


_COLUMNS = {
    "claim": [
        "id",
        "title",
        "source",
        "section",
        "fixture",
        "about",
        "published",
        "verdict",
        "expected",
        "reason",
        "k",
        "n",
        "margin",
        "value",
    ],
    "subject": ["id", "fixture", "subject", "role", "seed", "holds", "margin", "value", "reason", "error"],
}


def _value(subjects: Iterable[Result]) -> float | None:
    decides = deciding(subjects)
    return decides.left if decides else None


def read_verdicts(path: Path | str) -> Verdicts:
    """The content of a verdicts.json. Raises GrokError, with the command to run, for a file of another shape."""
    data = decode.read(Path(path), SCHEMA, MAKE)
    try:
        return parse(data)
    except decode.Malformed as error:
        raise GrokError(f"{path}: {error}; make it again with\n  {MAKE}") from None


def parse(data: dict[str, Any]) -> Verdicts:
    """From JSON. Raises ``decode.Malformed``."""
    found: Verdicts = decode.decode(Verdicts, data, "")
    seen: set[str] = set()
    for claim in found.claims:
        if claim.id in seen:
            raise decode.Malformed(f"two claims are called {claim.id!r}; give each its own id")
        seen.add(claim.id)
    return found
