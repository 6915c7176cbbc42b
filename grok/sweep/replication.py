"""The tables of ``docs/replication.md``, from verdicts over all seeds and the fixtures they were found on.

    pytest claims/ --seeds all --claims-json verdicts.json
    python -m grok.sweep.replication verdicts.json --fixtures fixtures --out docs/replication.md

Verdicts on networks with other p, made with ``--fixture-dir``, add a table: ``--over-p 59=verdicts-p59.json``.
What stands outside the markers is written by hand and stays.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import tyro

from grok import files
from grok.errors import GrokError
from grok.recipe import PUBLISHED
from grok.sweep.shipped import Runs, read_runs
from grok.verdicts.claim import Claim
from grok.verdicts.record import Verdicts, read_verdicts
from grok.verdicts.seeds import Measure, at_or_below, measures, spread, trained

TABLES, OVER_P = "tables", "over p"  # what stands between the markers of each


def tables(verdicts: Verdicts, runs: Sequence[Runs]) -> str:
    """Markdown: the runs, then the claims of each recipe."""
    parts = ["## The runs", "", *_runs_table(runs)]
    for recipe in dict.fromkeys(claim.fixture for claim in verdicts.claims):
        claims = [c for c in verdicts.claims if c.fixture == recipe]
        solved = {
            f"{r.recipe}/seed{row['seed']}" for r in runs if r.recipe == recipe for row in r.rows if row["grokked"]
        }
        parts += ["", f"## Claims on `{recipe}`", "", *_in_short(claims, solved), "", *_claims_table(claims, solved)]
    return "\n".join(parts) + "\n"


def tables_over_p(by_p: Mapping[int, Verdicts]) -> str:
    """Markdown: on how many seeds each claim holds at each p, for every recipe that has seeds at more than one."""
    parts: list[str] = []
    for recipe in dict.fromkeys(c.fixture for verdicts in by_p.values() for c in verdicts.claims):
        at = {p: {c.id: c for c in by_p[p].claims if c.fixture == recipe and c.n} for p in sorted(by_p)}
        there = [p for p in at if at[p]]
        if len(there) > 1:
            everywhere = set.intersection(*(set(at[p]) for p in there))
            claims = [c for c in at[there[0]].values() if c.id in everywhere]
            parts += ["", f"## `{recipe}` over p", "", *_over_p_in_short(claims, {p: at[p] for p in there}), ""]
            parts += [_line(["claim", *(f"p = {p}" for p in there)]), "|---" * (len(there) + 1) + "|"]
            parts += [_line([f"**{c.id}** {c.title}", *(_share(at[p][c.id]) for p in there)]) for c in claims]
    return "\n".join(parts) + "\n"


def _over_p_in_short(claims: Sequence[Claim], at: Mapping[int, Mapping[str, Claim]]) -> Iterator[str]:
    """Claims by where they hold: for every p, from a p on, for none, and the others. ``at``: in the order of p."""
    from_on = {p: f"every seed from p = {p} on" for p in at}
    from_on |= {min(at): "every seed of every p", max(at): f"every seed of p = {max(at)} only"}
    groups: dict[str, list[str]] = {name: [] for name in (*from_on.values(), "no seed of any p", "some")}
    for claim in claims:
        found = {p: by_id[claim.id] for p, by_id in at.items()}
        name = "some" if any(c.k for c in found.values()) else "no seed of any p"
        for p in sorted(at, reverse=True):
            if found[p].k != found[p].n:
                break
            name = from_on[p]
        groups[name].append(claim.id + ("°" if any(c.verdict == "vacuous" for c in found.values()) else ""))
    for name, ids in groups.items():
        yield f"- holds on {name}: {', '.join(ids) or '–'}"


def _share(claim: Claim) -> str:
    squares = "■" * claim.k + "□" * (claim.n - claim.k)
    interval = "" if claim.wilson is None else ", {:.2f} … {:.2f}".format(*claim.wilson)
    return f"{squares} {claim.k}/{claim.n}" + ("°" if claim.verdict == "vacuous" else "") + interval


def replace_between(text: str, new: str, name: str = TABLES) -> str:
    """``text`` with what stands between the markers of this name replaced. Raises GrokError without them."""
    begins, ends = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, begin, rest = text.partition(begins)
    _, end, after = rest.partition(ends)
    if not (begin and end):
        raise GrokError(f"expected the lines {begins} and {ends} around the tables")
    return f"{before}{begins}\n\n{new}\n{ends}{after}"


def _runs_table(runs: Sequence[Runs]) -> Iterator[str]:
    yield "| recipe | seeds | grokked | not grokked | steps to memorise | steps to grok | key frequencies | test loss |"
    yield "|---|---|---|---|---|---|---|---|"
    for r in runs:
        control = r.recipe.endswith("-wd0")
        keys = sorted(int(n) for n in r.column("n_key_frequencies"))
        cells = [
            f"`{r.recipe}`",
            ", ".join(str(row["seed"]) for row in r.rows),
            "none, as a control should" if control and not r.column("steps_to_grok") else f"{_grokked(r)}",
            "" if control else ", ".join(f"seed {seed}" for seed in r.not_grokked) or "none",
            _summary(r.column("steps_to_memorise")),
            _summary(r.column("steps_to_grok")),
            ", ".join(map(str, keys)) or "–",
            _summary(r.column("test_loss")),
        ]
        yield _line(cells)


def _grokked(runs: Runs) -> str:
    return f"{len(runs.rows) - len(runs.not_grokked)} of {len(runs.rows)}"


def _in_short(claims: Sequence[Claim], solved: set[str]) -> Iterator[str]:
    """Claims by where they hold: everywhere, on what grokked, on some, nowhere."""
    groups: dict[str, list[str]] = {name: [] for name in ("every seed", "every seed that grokked", "some", "none")}
    for claim in claims:
        seeds = trained(claim)
        holds = {s.subject for s in seeds if s.holds}
        if len(holds) == len(seeds):
            where = "every seed"
        elif solved and solved <= holds:
            where = "every seed that grokked"
        else:
            where = "some" if holds else "none"
        groups[where].append(claim.id + ("°" if claim.verdict == "vacuous" else ""))
    for name, ids in groups.items():
        yield f"- holds on {name}: {', '.join(ids) or '–'}"
    yield "\n° vacuous: a control passes too."


def _claims_table(claims: Sequence[Claim], solved: set[str]) -> Iterator[str]:
    yield "| claim | holds | 95 % | grokked | fails on | measure | median, range | sd, 95 % | published | seeds ≤ it |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for claim in claims:
        interval = "–" if claim.wilson is None else "{:.2f} … {:.2f}".format(*claim.wilson)
        holds = f"{claim.k}/{claim.n}" + ("°" if claim.verdict == "vacuous" else "")
        among = [s for s in trained(claim) if s.subject in solved]
        of_solved = f"{sum(s.holds is True for s in among)}/{len(among)}"
        first = [f"**{claim.id}** {claim.title}", holds, interval, of_solved, _failing(claim)]
        found: list[Measure | None] = [*measures(claim)]
        for measure in found or [None]:
            yield _line([*first, *_measure(measure)])
            first = [""] * len(first)


def _measure(measure: Measure | None) -> list[str]:
    if measure is None:
        return ["–", "", "", "", ""]
    s = spread(measure.values)
    if s.sd is None:
        sd = "–"
    elif s.sd_interval is None:
        sd = f"{s.sd:.2g}"
    else:
        sd = "{:.2g}, {:.2g} … {:.2g}".format(s.sd, *s.sd_interval)
    if measure.published is None:
        return [measure.name, _summary(measure.values), sd, "", ""]
    below = f"{at_or_below(measure.values, measure.published)} of {s.n}"
    return [measure.name, _summary(measure.values), sd, f"{measure.published:.4g}", below]


def _failing(claim: Claim) -> str:
    """The seeds on which it does not hold, or could not be evaluated."""
    failing = [s for s in trained(claim) if s.holds is not True]
    return ", ".join(s.subject.rpartition("/")[2] + ("" if s.holds is False else " (not evaluable)") for s in failing)


def _summary(values: Sequence[float]) -> str:
    if not values:
        return "–"
    s = spread(values)
    return _short(s.median) if s.low == s.high else f"{_short(s.median)}, {_short(s.low)} … {_short(s.high)}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e7 else f"{value:.4g}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def main(
    verdicts: Annotated[Path, tyro.conf.Positional],
    fixtures: Path = Path("fixtures"),
    over_p: tuple[str, ...] = (),
    *,
    out: Path,
) -> int:
    """Rewrite the tables in OUT from VERDICTS (made with --seeds all) and the fixtures.

    Args:
        verdicts: of the shipped networks.
        fixtures: their folder.
        over_p: P=FILE for the verdicts on networks with another p; without, the tables over p stay as they are.
        out: the page.
    """
    found = read_verdicts(verdicts)
    text = replace_between(out.read_text(), tables(found, read_runs(fixtures)))
    if over_p:
        others = (pair.partition("=") for pair in over_p)
        by_p = {PUBLISHED[0].task.p: found} | {int(p): read_verdicts(Path(file)) for p, _, file in others}
        text = replace_between(text, tables_over_p(by_p), OVER_P)
    files.write_bytes(out, text.encode())
    return 0


if __name__ == "__main__":
    try:
        sys.exit(tyro.cli(main, prog="python -m grok.sweep.replication"))
    except (GrokError, OSError) as error:
        sys.exit(f"grok: {error}")
