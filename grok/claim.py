"""A claim is a plain pytest test with an id, a sentence and a source.

    pytestmark = source("kissane", "One-hidden-layer MLP on modular addition", ref="C. Kissane", fixture="modadd-mlp")

    @claim("K8", "W_U lives on the key frequencies", published=0.98241)
    def test_unembedding_lives_on_key_frequencies(model, evidence):
        ratio = evidence("‖W_U on K‖ / ‖W_U‖", neurons.key_norm_ratio(model.U, model.key_frequencies))
        assert ratio >= 0.98

``grok.suite.hooks`` runs the test on every subject.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, get_args

import pytest

from grok.suite.asserts import recorded
from grok.suite.meta import About, Info, Source, Threshold

Test = TypeVar("Test", bound=Callable[..., Any])


def claim(
    id: str,
    title: str,
    published: Any = None,
    section: str | None = None,
    about: About = "mechanism",
    threshold: Threshold | None = None,
    because: str | None = None,
    no_control: str | None = None,
    on: Sequence[str] = (),
) -> Callable[[Test], Test]:
    """Make a test a claim. ``id`` is unique in a test session; ``title`` is the sentence. The page shows the test's
    docstring, with equations between dollar signs in LaTeX.

    published: the source's own figure (a number, a text, or a tuple of them). section: the place in the source.
    about: what the sentence is about. A claim about the "mechanism" by which a network gets its answers must also fail
    on rivals, networks that solve the task in another way. A claim about "behaviour" (accuracy, losses, timing) has no
    rivals.
    threshold: the origin of the asserted bound. It is the "source" (its figures, its words) or a "convention" of this
    project for the meaning of a word. because: the reason, in one line; give it with ``threshold``.
    no_control: the reason why the claim cannot have a control. Its best verdict is then uncontrolled.
    on: the recipes whose networks the claim runs on. Each recipe has its own verdict, under an id like
    ``P6 · modadd-mlp``. ``published`` may then be a dict from recipe to figure. Without ``on`` the claim runs on the
    fixtures of its source.

    Raises ValueError for an unknown ``about`` or ``threshold``, or for a threshold without a reason. Raises TypeError
    if the source code of the test cannot be read, because its asserts are read from there.
    """
    for name, value, known in (
        ("about", about, get_args(About)),
        ("threshold", threshold, (None, *get_args(Threshold))),
    ):
        if value not in known:
            raise ValueError(f"claim {id}: {name} is one of {', '.join(map(str, known))}, not {value!r}")
    if (threshold is None) != (not because):
        raise ValueError(
            f"claim {id}: give both threshold (where the bound comes from) and because (the reason), or neither"
        )

    def decorate(test: Test) -> Test:
        said = (id, title, published, section, about, threshold, because, no_control, tuple(on))
        info = Info(*said, recorded(test), inspect.getdoc(test))
        return pytest.mark.claim(info)(test)

    return decorate


def source(
    key: str, title: str, ref: str | None = None, fixture: str | None = None, url: str | None = None
) -> pytest.MarkDecorator:
    """A mark for ``pytestmark`` or for one claim: the source, and the recipe whose fixtures the claims are about.

    key: a short name. title: the source's title. ref: who wrote it, and what and when. url: a public https link to it.
    fixture: the recipe; None if the tests have a ``model`` fixture of their own.
    """
    return pytest.mark.source(Source(key, title, ref, fixture, url))
