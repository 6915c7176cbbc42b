"""Every claim says what it means and how it is measured, names what it asserts, and draws it or says why not."""

import ast
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

from grok.report.docstring import Part, blocks
from grok.suite import naming

FILES = sorted((Path(__file__).parents[2] / "claims").glob("test_*.py"))


def each_claim(path: Path) -> Iterator[tuple[str, ast.FunctionDef, dict[str, ast.expr]]]:
    """(id, function, arguments of the decorator by name) of every claim in a file, read and not run."""
    for function in ast.parse(path.read_text(encoding="utf-8")).body:
        for decorator in getattr(function, "decorator_list", []):
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "claim":
                arguments = {keyword.arg: keyword.value for keyword in decorator.keywords}
                yield ast.literal_eval(decorator.args[0]), function, arguments


def draws(function: ast.FunctionDef) -> bool:
    """Whether it draws a plot itself, or gives ``evidence`` to a function of its file that does."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    given = any(isinstance(a, ast.Name) and a.id == "evidence" for call in calls for a in call.args)
    return given or any(ast.unparse(call.func) == "evidence.plot" for call in calls)


def unnamed(function: ast.FunctionDef) -> list[str]:
    """The comparisons whose measured side has no name in words: it is the left one, unless that is a number."""
    names, found = naming.bound(function), []
    for node in (n.test for n in ast.walk(function) if isinstance(n, ast.Assert)):
        for part in node.values if isinstance(node, ast.BoolOp) else [node]:
            inside, compared = names, part
            if isinstance(part, ast.Call) and isinstance(part.args[0], ast.GeneratorExp):
                inside, compared = naming.within(part.args[0], names), part.args[0].elt
            sides = naming.sides(compared, inside)
            if not sides[isinstance(compared.left, ast.Constant)]:
                found.append(ast.unparse(part))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_claim_says_what_it_means_and_how_it_is_measured(path: Path):
    lacking = {}
    for name, function, arguments in each_claim(path):
        said = blocks(ast.get_docstring(function))
        labels = {block.label for block in said}
        first = said[0].parts[-1].text if said else ""
        needed = {
            "a first paragraph in plain words": bool(said) and not said[0].label and first.endswith("."),
            "Measured:": "Measured" in labels,
            "an equation, or No equation:": any(b.equation for b in said) != ("No equation" in labels),
            "a plot, or No plot:": draws(function) != ("No plot" in labels),
            "section=": "section" in arguments,
        }
        if missing := [what for what, there in needed.items() if not there]:
            lacking[name] = missing
    assert lacking == {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_equation_can_be_set(path: Path):
    """LaTeX that cannot be converted stands on the page as code, and an unknown command or brace as itself."""
    wrong = {
        name: part.text
        for name, function, _ in each_claim(path)
        for block in blocks(ast.get_docstring(function))
        for part in block.parts
        if (block.equation or "\\" in part.text or "$" in part.text or part.kind == "math") and not is_set(part)
    }
    assert wrong == {}


def is_set(part: Part) -> bool:
    braces = re.sub(r"\\[{}]", "", part.text)
    return (
        part.math is not None
        and braces.count("{") == braces.count("}")
        and "\\" not in "".join(ElementTree.fromstring(part.math).itertext())
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_assert_is_named_by_what_it_measures(path: Path):
    found = {name: unnamed(function) for name, function, _ in each_claim(path)}
    assert {name: comparisons for name, comparisons in found.items() if comparisons} == {}
