"""docs/measures.md from the docstrings of ``grok.measure``: ``python -m grok.site.measures docs/measures.md``.

The docstring of a measure ends with a line "Equation:" and a line "Source:". A measure without a source of its own has
that of its class or its module. A measure is a public function, or a public method of a public class.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from grok import measure
from grok.files import write_bytes

HEAD = """# Measures

<!-- Made by `python -m grok.site.measures docs/measures.md` from the docstrings. Edit those, not this file. -->

Every public measure of `grok.measure`, with its equation and its source. From a notebook, `import grok` is enough:
for example `grok.measure.neurons.key_norm_ratio(model.network.U, model.network.key_frequencies)`.

L are the logits of all pairs, s is the label of a pair and c a class. p is the modulus, w_k = 2πk/p, and K are the
key frequencies. U maps the neurons to the logits, pre and post are the neurons before and after the activation, and
*skip* is what reaches the logits around them. ⟨·, ·⟩ is the dot product and ‖·‖ the Euclidean norm of all entries.
The *power* of k is the squared norm of the part on cos w_k and sin w_k, and *centred* means that the mean was
subtracted. Shapes stand in brackets. The [README](../README.md#terms) explains the terms, and says which
[source](../README.md#sources) a letter stands for.
"""
TAGS = ("Equation", "Source")


@dataclass(frozen=True)
class Measure:
    """A documented function or method. name: within its module. equation, source: None if the docstring has none."""

    name: str
    signature: str
    text: str
    equation: str | None
    source: str | None


def modules() -> dict[str, ModuleType]:
    """The modules of measures by name, in alphabetical order."""
    return {name: importlib.import_module(f"grok.measure.{name}") for name in dir(measure)}


def measures(module: ModuleType) -> list[Measure]:
    """The measures of a module, in the order of its source."""
    of_module = parts(inspect.getdoc(module) or "")[1].get("Source")
    found = []
    for name, thing in _public(vars(module), module.__name__):
        if not inspect.isclass(thing):
            found.append(_measure(name, thing, of_module))
            continue
        of_class = parts(inspect.getdoc(thing) or "")[1].get("Source", of_module)
        own = [(key, value) for key, value in vars(thing).items() if inspect.isfunction(value) and key[0] != "_"]
        found += [_measure(f"{name}.{key}", value, of_class) for key, value in own]
    return found


def parts(doc: str) -> tuple[str, dict[str, str]]:
    """A docstring without its tagged lines, and what these say.

    >>> parts("A share.\\n\\nEquation: a / b, with\\n    b > 0.\\nSource: F.")
    ('A share.', {'Equation': 'a / b, with b > 0', 'Source': 'F'})
    """
    tagged = re.compile(rf"^({'|'.join(TAGS)}): (.*(?:\n[ ]+\S.*)*)", re.MULTILINE)
    said = {tag: " ".join(text.split()).removesuffix(".") for tag, text in tagged.findall(doc)}
    return tagged.sub("", doc).strip(), said


def document() -> str:
    """The text of docs/measures.md."""
    return "\n".join([HEAD, *(_module(name, module) for name, module in modules().items() if measures(module))])


def _public(members: dict[str, Any], home: str) -> Iterator[tuple[str, Any]]:
    """What a module defines itself: functions (cached ones too) and classes."""
    for name, thing in members.items():
        if not name.startswith("_") and callable(thing) and getattr(thing, "__module__", None) == home:
            yield name, thing


def _measure(name: str, function: Any, source: str | None) -> Measure:
    text, said = parts(inspect.getdoc(function) or "")
    signature = str(inspect.signature(function)).replace("'", "").replace("(self, ", "(").replace("(self)", "()")
    return Measure(name, f"{name}{signature}", text, said.get("Equation"), said.get("Source", source))


def _module(name: str, module: ModuleType) -> str:
    text, _ = parts(inspect.getdoc(module) or "")
    return "\n".join([f"## {name}\n", _markdown(text), "", *(_entry(name, found) for found in measures(module))])


def _entry(module: str, found: Measure) -> str:
    return "\n".join(
        [
            f"### {module}.{found.name}\n",
            f"```python\n{found.signature}\n```\n",
            f"{_markdown(found.text)}\n",
            f"- Equation: `{(found.equation or '').replace('``', '')}`",
            f"- Source: {_markdown(found.source or '')}\n",
        ]
    )


def _markdown(text: str) -> str:
    """A docstring's double backticks as single ones; a star that stands for "any shape" is no emphasis."""
    return text.replace("``", "`").replace("[*,", r"[\*,").replace("...", "…")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m grok.site.measures", description="Write the document.")
    parser.add_argument("path", type=Path)
    write_bytes(parser.parse_args().path, document().encode())
