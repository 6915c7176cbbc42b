"""The kinds of plots that a claim can record with ``evidence.plot(kind, name, **data)``. docs/plots.md shows them."""

from __future__ import annotations

from typing import Any

# Kind → what is drawn of the data. A series is an array of numbers over the array that is called steps, frequencies,
# tokens, heads or x; a matrix is an array of arrays of numbers.
KINDS = {
    "lines": "each series as a line",
    "points": "each series as points",
    "bars": "each series as bars",
    "matrix": "a matrix as a map of colours; x, y: the labels of its columns and rows",
    "panels": "several matrices side by side, with one scale of colours",
    "planes": "arrays of [x, y], each as points in a plane of its own; labels: a text for each point",
    "loss_curves": "each series as a line over steps, all subjects in one figure; phases: {name: step}",
    "progress": "as loss_curves, for any measure over steps or x",
    "fourier_norms": "each series as bars over frequencies",
    "attention": "each series as bars over heads",
    "fve": "each series as points over x; line: a threshold",
    "pcs": "each series as points that a line joins, over tokens or x",
    "spectrum_2d": "a matrix over the frequencies of b (x) and of a (y)",
    "error_table": "a matrix over b (x) and a (y)",
}
NOT_DRAWN = ("steps", "frequencies", "tokens", "heads", "x", "phases", "labels", "axes")


def check(kind: str, name: str) -> None:
    """Raises ValueError if there is no such kind."""
    if kind not in KINDS:
        raise ValueError(f"plot {name}: there is no kind {kind!r} (docs/plots.md); there are {', '.join(KINDS)}")


def check_data(kind: str, name: str, data: dict[str, Any]) -> None:
    """Raises ValueError if nothing would be drawn: there is no series and no matrix, or none of them has an entry."""
    drawn = {key: value for key, value in data.items() if key not in NOT_DRAWN and isinstance(value, list)}
    if not any(drawn.values()):
        raise ValueError(
            f"plot {name}, of the kind {kind}, is empty: it has {', '.join(drawn) or 'no array but the axis'}"
        )
