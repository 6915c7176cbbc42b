"""A figure is what the page draws, because the page's code draws it."""

import pytest
import torch

from grok.report.figure import figure


def test_curves_are_drawn_on_a_log_axis_with_levels_and_phases():
    drawn = figure(
        "loss_curves",
        "a <b>loss",
        {"steps": [0, 1], "train_loss": [1.0, 1e-5], "test_loss": [2.0, None], "line": 0.5, "phases": {"end": 1}},
    )
    assert [(trace.name, list(trace.y)) for trace in drawn.data] == [
        ("train loss", [1, 1e-5]),
        ("test loss", [2, None]),
    ]
    assert drawn.layout.yaxis.type == "log"
    assert [note.text for note in drawn.layout.annotations] == ["0.5", "end"]
    assert drawn.layout.title.text == "a &lt;b>loss"


def test_the_kind_says_how_and_tensors_are_rounded_lists():
    [bars] = figure("fourier_norms", "norms", {"frequencies": range(1, 3), "norm": torch.tensor([1 / 3, 2.0])}).data
    assert (bars.type, list(bars.x), list(bars.y)) == ("bar", [1, 2], [0.33333, 2])
    drawn = figure("error_table", "errors", {"error": torch.tensor([[0, -2], [1, 0]])})
    assert drawn.data[0].type == "heatmap"
    assert (drawn.layout.xaxis.title.text, drawn.layout.yaxis.title.text) == ("b", "a")
    assert (drawn.layout.coloraxis.cmin, drawn.layout.coloraxis.cmax) == (-2, 2)


def test_the_colours_are_those_of_the_page_in_the_light():
    drawn = figure("lines", "x", {"x": [1, 2], "value": [1, 2]})
    assert drawn.layout.font.color == "#16191f"
    assert drawn.layout.xaxis.gridcolor == "#e3e6ec"


@pytest.mark.parametrize("data", [{}, {"steps": [1, 2]}, {"line": 0.5}, {"x": [], "up": []}])
def test_nothing_to_draw_is_an_error(data: dict):
    with pytest.raises(ValueError, match="a plot of kind lines has no points"):
        figure("lines", "nothing", data)


def test_an_unknown_kind_is_an_error():
    with pytest.raises(ValueError, match="there is no kind 'pie'"):
        figure("pie", "share", {"share": [1, 2]})
