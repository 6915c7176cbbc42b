"""The kinds of plots that a claim can record with ``evidence.plot(kind, name, **data)``. docs/plots.md shows them."""

from __future__ import annotations

from typing import Any

# Kind → what is drawn of the data. A series is an array of numbers, a matrix an array of arrays of numbers. With any
# kind, see: a sentence under the title; axes: the titles of x and y. grok/report/templates/kinds.js draws them.
KINDS = {
    "lines": "each series as a line over x",
    "points": "each series as points over x",
    "bars": "each series as bars over x or frequencies",
    "fourier_norms": "each series as bars over frequencies",
    "attention": "each series as bars over heads",
    "fve": "each series as points over x; line: a threshold",
    "pcs": "each series as a line with points over tokens or x",
    "loss_curves": "each series as a line over steps, all subjects in one figure; phases: {name: step}",
    "progress": "each series as a line over x, all subjects in one figure; phases: {name: step}",
    "matrix": "a matrix as a map of colours; x, y: the labels",
    "panels": "each matrix as a map of colours under its name, all with one scale; x, y: the labels",
    "planes": "each list of [x, y] as points in a plane under its name; labels: the texts beside the points",
    "spectrum_2d": "a matrix over the frequencies of b (x) and of a (y)",
    "error_table": "a matrix over b (x) and a (y)",
}
NOT_DRAWN = ("steps", "frequencies", "tokens", "heads", "x", "y", "phases", "labels", "axes", "line")


def check(kind: str, name: str) -> None:
    """Raises ValueError if there is no such kind."""
    if kind not in KINDS:
        raise ValueError(f"plot {name}: there is no kind {kind!r} (docs/plots.md); there are {', '.join(KINDS)}")


def check_data(kind: str, name: str, data: dict[str, Any]) -> None:
    """Raises ValueError if there is nothing to draw: no series and no matrix, or every one of them is empty."""
    drawn = {key: value for key, value in data.items() if key not in NOT_DRAWN and isinstance(value, list)}
    if not any(drawn.values()):
        why = f"{', '.join(drawn)} {'are' if len(drawn) > 1 else 'is'} empty" if drawn else "it has only an axis"
        raise ValueError(f"plot {name}: a plot of kind {kind} has no points, {why}")
