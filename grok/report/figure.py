"""A plot as a plotly figure, from the same kind, name and arrays that a claim records for the page.

The rules are those of ``templates/plots.js``, which draws in the browser: the kind says how, the arrays say what.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import plotly.graph_objects as go

X_KEYS = ("steps", "frequencies", "tokens", "heads", "x")
MODES = {"fourier_norms": "bar", "attention": "bar", "fve": "markers", "pcs": "lines+markers", "circle": "markers+text"}
HEATMAP_AXES = {
    "spectrum_2d": ("frequency in b", "frequency in a"),
    "error_table": ("b", "a"),
    "activations": ("b", "a"),
}
SEQUENTIAL = ((0, "#ffffff"), (0.25, "#b7cef5"), (0.6, "#3f78d8"), (1, "#0b2a66"))
DIVERGING = ((0, "#b3470b"), (0.5, "#ffffff"), (1, "#1557d0"))
COLOURS = ("#1557d0", "#b3470b", "#0b6b3f", "#7a3fb0", "#8a6100", "#0f7285")
LOG_FROM = 100  # curves whose values differ by more than this factor are drawn on a log axis
DIGITS = 5  # significant, as recorded plots have them
SMALL = 20  # rows of a table that has its numbers written in it; so many points at most have their text beside them
SQUARE = (560, 520)  # width and height of plots whose axes have one scale
_AXIS = {"gridcolor": "#e4e7ec", "zerolinecolor": "#aab2bf", "automargin": True}


def figure(kind: str, name: str, data: Mapping[str, Any]) -> go.Figure:
    """The figure of one plot, titled by its name, on a light ground.

    data: arrays by name, tensors or lists. An array of arrays makes a heatmap. Otherwise one of ``X_KEYS`` is the
    horizontal axis and every other list is a series; "line" is a level to draw across, "phases" are steps by name,
    "text" is shown over each point, and written beside the first ones. None in a list is a gap. Raises ValueError if
    there is nothing to draw.
    """
    plain = {key: _plain(value) for key, value in data.items()}
    matrix = next((v for k, v in plain.items() if k != "phases" and isinstance(v, list) and v and _is_list(v[0])), None)
    drawn = _lines(kind, plain) if matrix is None else _heatmap(kind, plain, matrix)
    square = matrix is not None or kind == "circle"
    return drawn.update_layout(
        title={"text": _escaped(name), "font": {"size": 15}},
        template="none",
        width=SQUARE[0] if square else None,
        height=SQUARE[1] if square else 340,
        margin={"l": 55, "r": 15, "t": 70, "b": 45},
        font={"family": "system-ui, sans-serif", "size": 12, "color": "#1c2330"},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest" if square else "x unified",
    )


def _heatmap(kind: str, data: Mapping[str, Any], matrix: list[list[float | None]]) -> go.Figure:
    values = [value for row in matrix for value in row if value is not None]
    if not values:
        raise ValueError("the matrix of a plot holds no number")
    negative = min(values) < 0
    most = max(*map(abs, values), 1e-12)
    trace = go.Heatmap(
        z=matrix,
        x=data.get("x"),
        y=data.get("y"),
        colorscale=DIVERGING if negative else SEQUENTIAL,
        zmin=-most if negative else 0,
        zmax=most,
        texttemplate="%{z:.3~g}" if len(matrix) <= SMALL else None,
        colorbar={"thickness": 12},
        hovertemplate="%{y}, %{x}: %{z:.4~g}<extra></extra>",
    )
    across, down = HEATMAP_AXES.get(kind, ("", ""))
    return go.Figure(trace).update_layout(
        xaxis={**_AXIS, "title": {"text": across}, "constrain": "domain"},
        yaxis={
            **_AXIS,
            "title": {"text": down},
            "autorange": "reversed",
            "scaleanchor": "x",
            "constrain": "domain",
        },
    )


def _lines(kind: str, data: Mapping[str, Any]) -> go.Figure:
    mode = MODES.get(kind, "lines")
    x_key = next((key for key in X_KEYS if _is_list(data.get(key))), "")
    series = {k: v for k, v in data.items() if _is_list(v) and k not in (x_key, "phases", "text")}
    if not series:
        raise ValueError(f"a plot of the kind {kind!r} needs a list of numbers; it got {', '.join(data) or 'nothing'}")
    drawn = go.Figure()
    for i, (name, values) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        if mode == "bar":
            drawn.add_bar(x=data.get(x_key), y=values, name=_label(name), marker={"color": colour})
        else:
            drawn.add_scatter(
                x=data.get(x_key),
                y=values,
                mode=mode,
                name=_label(name),
                text=(data.get("text") or ())[:SMALL],
                hovertext=data.get("text"),
                textposition="top center",
                line={"color": colour, "width": 2},
                marker={"color": colour, "size": 8 if kind != "circle" else 5},
            )
    values = [v for one in series.values() for v in one if v is not None]
    log = mode == "lines" and min(values, default=0) > 0 and max(values) > LOG_FROM * min(values)
    drawn.update_layout(
        barmode="group",
        showlegend=len(series) > 1,
        xaxis={**_AXIS, "title": {"text": "" if x_key == "x" else x_key}},
        yaxis={**_AXIS, **({"type": "log", "exponentformat": "power", "dtick": 1} if log else {})},
    )
    if kind == "circle":
        drawn.update_layout(yaxis={"scaleanchor": "x"})
    if isinstance(data.get("line"), (int, float)):
        drawn.add_hline(y=data["line"], line_dash="dash", annotation_text=f"{data['line']:g}")
    for name, step in _phases(data.get("phases")):
        drawn.add_vline(
            x=step,
            line_dash="dash",
            line_width=1.5,
            annotation={
                "text": _escaped(name),
                "textangle": -90,
                "xanchor": "right",
                "yanchor": "top",
                "font_size": 11,
            },
        )
    return drawn


def _phases(given: Any) -> Iterable[tuple[str, float]]:
    found = given.items() if isinstance(given, dict) else enumerate(given or ())
    return [(str(name), step) for name, step in found if isinstance(step, (int, float))]


def _plain(value: Any) -> Any:
    """Lists for tensors, arrays and ranges, with floats rounded: a figure is then small when it is saved."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    return [_plain(v) for v in value] if isinstance(value, (list, tuple, range)) else value


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _label(name: str) -> str:
    return _escaped(name.replace("_", " "))


def _escaped(text: str) -> str:
    """plotly reads <b>, <a href> and the like in texts; names are data."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
