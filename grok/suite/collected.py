"""What a collected test says of its claim: its info and source, the subject it runs on, the family it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from grok import published
from grok.suite.meta import Info, Source
from grok.suite.subject import AnySubject
from grok.verdicts.verdict import Role

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
