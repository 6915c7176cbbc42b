"""A plot of the page as a plotly figure, drawn by the page's own code, ``templates/kinds.js``, in the light theme.

The code runs in an embedded JavaScript engine, so that a plot is the same on the page and in a notebook.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import re
from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
import quickjs

from grok.verdicts import plots

TEMPLATES = importlib.resources.files("grok.report") / "templates"
DIGITS = 5  # significant, as recorded plots have them
SQUARE = 560  # pixels, the width of a plot whose axes have one scale

# What the code asks of a browser is the colours of the page. One network is drawn, in the role of a trained one.
BROWSER = """
const document = { documentElement: { classList: { toggle() {}, remove() {} } } };
const getComputedStyle = () => ({ getPropertyValue: (name) => COLOURS_OF_THE_PAGE[name] });
"""
DRAW = """
function drawn(kind, text) {
  const data = JSON.parse(text);
  return JSON.stringify(kindOf(kind, data)([data], [{ role: "trained", subject: "" }], "light"));
}
"""


def figure(kind: str, name: str, data: Mapping[str, Any]) -> go.Figure:
    """The figure of one plot of one network, titled by its name.

    kind, data: as a claim gives them to ``evidence.plot``; tensors, lists or ranges by name. Raises ValueError for an
    unknown kind, and if there is nothing to draw.
    """
    plain = {key: _plain(value) for key, value in data.items()}
    plots.check(kind, name)
    plots.check_data(kind, name, plain)
    made = json.loads(_drawn(kind, json.dumps(plain)))
    colours = _colours()
    axis = {"gridcolor": colours["--grid"], "zerolinecolor": colours["--rule"], "automargin": True}
    layout = {
        "title": {"text": _escaped(name), "font": {"size": 15}},
        "template": "none",
        "height": 340,
        "width": SQUARE if made.get("square") else None,
        "margin": {"l": 55, "r": 15, "t": 70, "b": 55},
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": colours["--ink"]},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hovermode": "closest" if "coloraxis" in made["layout"] else "x unified",
        "barmode": "group",
        **made["layout"],
    }
    for key in {*layout, "xaxis", "yaxis"}:
        if re.fullmatch(r"[xy]axis\d*", key):
            layout[key] = {**axis, **layout.get(key, {})}
    return go.Figure(made["traces"], layout, skip_invalid=True)  # plotly.js skips what it does not know, too


def _drawn(kind: str, data: str) -> str:
    """Traces and layout as JSON, from data as JSON; by an engine of its own, since threads cannot share one."""
    engine = quickjs.Context()
    engine.eval(_code())
    return engine.get("drawn")(kind, data)


@functools.cache
def _code() -> str:
    colours = f"const COLOURS_OF_THE_PAGE = {json.dumps(_colours())};"
    return "\n".join((colours, BROWSER, (TEMPLATES / "kinds.js").read_text(encoding="utf-8"), DRAW))


@functools.cache
def _colours() -> dict[str, str]:
    """The colours of the page in the light theme, by the names that they have in its style."""
    style = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    return dict(re.findall(r"(--[\w-]+): (#\w+);", style[: style.index("@media")]))


def _plain(value: Any) -> Any:
    """Lists for tensors, arrays and ranges, with floats rounded: a figure is then small when it is saved."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, Mapping):
        return {str(key): _plain(v) for key, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple, range)) else value


def _escaped(text: str) -> str:
    """plotly reads <b>, <a href> and the like in texts; names are data."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
