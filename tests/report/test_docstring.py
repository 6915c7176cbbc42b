"""The docstring of a claim as the page shows it."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grok.report.docstring import LABELS, blocks

WHOLE = r"""The logits use
only `K`.

Measured: the share $s_k$ of each.

$$ s = \frac{a}{b} $$

Note: no label of ours."""


def test_paragraphs_labels_code_and_equations():
    first, second, third, last = blocks(WHOLE)
    assert [(p.kind, p.text) for p in first.parts] == [("text", "The logits use only "), ("code", "K"), ("text", ".")]
    assert (second.label, [p.kind for p in second.parts]) == ("Measured", ["text", "math", "text"])
    assert third.equation
    tree = ElementTree.fromstring(third.parts[0].math)
    assert (tree.tag, tree.get("display"), tree.get("alttext")) == ("math", "block", r"s = \frac{a}{b}")
    assert [e.tag for e in tree.iter("mfrac")] == ["mfrac"]
    assert (last.label, last.parts[0].text) == ("", "Note: no label of ours.")
    assert blocks(None) == blocks(" \n ") == ()


@pytest.mark.parametrize(
    "latex",
    [
        r"\text{<script>window.stolen=1</script>}",
        r"\href{javascript:window.stolen=1}{x}",
        r"\text{</math><img src=x onerror=alert(1)>}",
        r"\frac{",
        r"\class{x}{y} \style{color:red}{z}",
    ],
)
def test_an_equation_brings_nothing_but_mathml_into_the_page(latex):
    (block,) = blocks(f"$${latex}$$")
    (part,) = block.parts
    assert part.text == latex
    if part.kind == "math":
        assert part.math is not None
        names = {name for element in ElementTree.fromstring(part.math).iter() for name in element.attrib}
        assert not names & {"href", "style", "class", "onclick"}
        assert "<script" not in part.math


def test_a_function_keeps_its_distance_and_a_product_does_not():
    (block,) = blocks(r"$$\cos x + ab$$")
    assert block.parts[0].math is not None
    assert [e.tag for e in ElementTree.fromstring(block.parts[0].math)[0]] == ["mi", "mspace", "mi", "mo", "mi", "mi"]


@given(st.text(alphabet="$`:\\{}<>& \nabMeasured", max_size=60))
def test_any_text_is_read_and_none_of_it_is_lost(text):
    found = blocks(text)
    assert all(block.label in ("", *LABELS) for block in found)
    shown = "".join(part.text for block in found for part in block.parts) + "".join(block.label for block in found)
    assert {c for c in text if c not in "$`: \n"} == {c for c in shown if c not in "$`: \n"}
