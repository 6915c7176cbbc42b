"""A claim's docstring as the page shows it: paragraphs, labels, code, and equations in LaTeX as MathML.

A block of lines between blank lines is a paragraph, or an equation if it stands between ``$$``. A paragraph may begin
with one of ``LABELS`` and a colon. Within a paragraph `` `x` `` is code and ``$x$`` is an equation.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import markupsafe
from latex2mathml.converter import convert

LABELS = ("Measured", "Threshold", "Finding", "No equation", "No plot")

_WORDS = re.compile(r"\w+")
_TAGS = _WORDS.findall(
    "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot mstyle mpadded mphantom menclose "
    "msub msup msubsup munder mover munderover mmultiscripts mprescripts mtable mtr mtd"
)
_ATTRIBUTES = _WORDS.findall(
    "accent accentunder columnalign depth display displaystyle fence form height largeop linethickness lspace "
    "mathvariant maxsize minsize movablelimits notation rspace scriptlevel separator stretchy symmetric width"
)
_INLINE = re.compile(r"`([^`]+)`|\$([^$]+)\$")


@dataclass(frozen=True)
class Part:
    """A piece of a paragraph. math: its MathML, for which ``text`` is the LaTeX."""

    kind: Literal["text", "code", "math"]
    text: str
    math: markupsafe.Markup | None = None


@dataclass(frozen=True)
class Block:
    """A paragraph, or an equation of its own line, which is one part. label: one of ``LABELS``, or empty."""

    label: str
    parts: tuple[Part, ...]
    equation: bool = False


def blocks(text: str | None) -> tuple[Block, ...]:
    """The blocks of a docstring whose indentation is removed (``inspect.getdoc``)."""
    found = re.split(r"\n\s*\n", (text or "").strip())
    return tuple(_block(" ".join(lines.split())) for lines in found if lines.strip())


def _block(line: str) -> Block:
    if len(line) > 4 and line.startswith("$$") and line.endswith("$$"):
        return Block("", (_equation(line[2:-2].strip(), "block"),), equation=True)
    label, colon, rest = line.partition(":")
    named = bool(colon) and label in LABELS
    return Block(label if named else "", tuple(_parts(rest.strip() if named else line)))


def _parts(line: str) -> Iterator[Part]:
    end = 0
    for found in _INLINE.finditer(line):
        if found.start() > end:
            yield Part("text", line[end : found.start()])
        yield Part("code", found[1]) if found[1] else _equation(found[2].strip(), "inline")
        end = found.end()
    if end < len(line):
        yield Part("text", line[end:])


def _equation(latex: str, display: str) -> Part:
    """MathML, or the LaTeX as code if it cannot be converted or would bring anything else into the page."""
    try:
        tree = ElementTree.fromstring(convert(latex, display=display))
        math = _checked(tree)
    except Exception:  # the converter raises many kinds, and documents none
        return Part("code", latex)
    math.set("alttext", latex)
    return Part("math", latex, markupsafe.Markup(ElementTree.tostring(math, encoding="unicode")))


def _checked(element: ElementTree.Element) -> ElementTree.Element:
    """A copy without namespace, with known attributes only. Raises ValueError for an element that is not MathML."""
    tag = element.tag.rpartition("}")[2]
    if tag not in _TAGS:
        raise ValueError(f"<{tag}> is not MathML")
    kept = ElementTree.Element(tag, {key: value for key, value in element.attrib.items() if key in _ATTRIBUTES})
    kept.text = element.text
    for child in element:
        kept.append(_checked(child))
        word = kept[-1].text or ""
        if kept[-1].tag == "mi" and len(word) > 1 and word.isalpha():  # cos x, not cosx
            ElementTree.SubElement(kept, "mspace", width="0.17em")
    return kept
