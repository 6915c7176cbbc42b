"""What a collected test says of its claim: its info and source, the subject it runs on, the family it is about."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from grok import published
from grok.suite.meta import Info, Source
from grok.suite.subject import AnySubject
from grok.verdicts.verdict import Role, must_fail

SUBJECT = "grok_subject"  # the fixture with the subject of a test
MARKS: tuple[Role, ...] = ("control", "rival")  # possible marks of the params of a model fixture


def info_of(item: Any) -> Info | None:
    mark = item.get_closest_marker("claim")
    return mark.args[0] if mark else None


def source_of(item: Any) -> Source | None:
    mark = item.get_closest_marker("source")
    return mark.args[0] if mark else None


def subject_of(item: Any) -> AnySubject | None:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get(SUBJECT) if callspec else None


def families(item: Any) -> tuple[str | None, ...]:
    """The recipes that a claim is about; (None,) where the tests bring their own models."""
    info, source = info_of(item), source_of(item)
    return (info.on if info else ()) or (source.fixture if source else None,)


def family(item: Any) -> str | None:
    """The recipe that this test of a claim is about."""
    subject = subject_of(item)
    return subject.family if subject else families(item)[0]


def claim_id(item: Any) -> str:
    """The id under which the verdict is kept."""
    return item.get_closest_marker("claim").args[0].id_on(family(item), variant(item))


def variant(item: Any) -> str:
    """The parameters of the claim itself, as in ``3-0.5``; empty if it is not parametrized."""
    return "-".join(part for part, of_claim in _parameters(item) if of_claim)


def subject_name(item: Any) -> str:
    """The subject's name. A model that the tests bring themselves is called by the id of its own parameters."""
    if (subject := subject_of(item)) is not None:
        return subject.name
    return "-".join(part for part, of_claim in _parameters(item) if not of_claim) or "model"


def _parameters(item: Any) -> Iterator[tuple[str, bool]]:
    """The parts of a test's id, and whether they are the claim's own: given by a mark, and not to make the subject."""
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return
    marks = list(item.iter_markers("parametrize"))
    groups: dict[tuple[str, ...], bool] = {}  # parameters that are given together
    for name in callspec.params:
        mark = next((mark for mark in marks if name in _names(mark)), None)
        groups[_names(mark) if mark else (name,)] = mark is not None and not _makes_subjects(mark)
    parts = getattr(callspec, "_idlist", ())  # the parts of callspec.id, which may have a "-" of their own
    if len(parts) != len(groups):
        parts = ["-".join(_shown(callspec, name) for name in names) for names in groups]
    yield from zip(parts, groups.values(), strict=True)


def _names(mark: pytest.Mark) -> tuple[str, ...]:
    names = mark.args[0] if mark.args else mark.kwargs["argnames"]
    return tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else tuple(names)


def _makes_subjects(mark: pytest.Mark) -> bool:
    """Whether the parameters are models, or go to a fixture that makes them."""
    values = mark.args[1] if len(mark.args) > 1 else mark.kwargs["argvalues"]
    roles = {mark.name for value in values for mark in getattr(value, "marks", ())}
    return bool(roles & set(MARKS) or {"model", "models", "run"} & set(_names(mark)) or mark.kwargs.get("indirect"))


def _shown(callspec: Any, name: str) -> str:
    value = callspec.params[name]
    return str(value) if isinstance(value, (str, int, float)) else f"{name}{callspec.indices[name]}"


def foreign(item: Any, wanted: str | None) -> bool:
    """Whether the test is about another recipe than the wanted one."""
    return bool(wanted and family(item) not in (None, wanted))


def tried_on(info: Info) -> set[str]:
    """The roles of the subjects on which a claim runs."""
    roles = {"trained", "checkpoint", "reference"}
    roles |= set() if info.no_control else {"control"}
    return roles | ({"rival"} if info.about == "mechanism" else set())


def own_role(item: Any) -> Role:
    """The role of a model that the tests bring themselves."""
    return next((role for role in MARKS if item.get_closest_marker(role)), "trained")


def with_their_subject(items: list[Any], named: Collection[str]) -> list[Any]:
    """The items without the controls and rivals of a claim none of whose own models is among them.

    If no model is among them, the user wants controls alone, and all stay. named: the parts behind ``::`` of the ids
    that the user gave; such an item stays.
    """
    judged = {claim_id(item) for item in items if info_of(item) and not must_fail(_role(item))}
    return [
        item
        for item in items
        if not judged or not info_of(item) or claim_id(item) in judged or item.nodeid.partition("::")[2] in named
    ]


def _role(item: Any) -> Role:
    subject = subject_of(item)
    return subject.role if subject else own_role(item)


def uncalled(item: Any) -> bool:
    """Whether the item is a control or rival of the tests' own, for a claim that has none."""
    info = info_of(item)
    return info is not None and own_role(item) not in tried_on(info)


def nodeid(item: Any) -> str:
    name = getattr(item, "originalname", item.name)
    return f"{published.name_of(item.path) or item.parent.nodeid}::{name}"


def command(item: Any) -> str:
    """What runs the claim again."""
    if published.name_of(item.path) and published.in_package():
        return f"pytest --pyargs grok.claims --claims {item.get_closest_marker('claim').args[0].id}"
    return f"pytest '{nodeid(item)}'"


def location(item: Any) -> tuple[str, int]:
    """File, relative to the root, and line of the test. The file of a published claim has the same name everywhere."""
    file, line, _ = item.location
    return published.name_of(item.path) or Path(file).as_posix(), (line or 0) + 1


def place(item: Any) -> str:
    return "{}:{}".format(*location(item))
