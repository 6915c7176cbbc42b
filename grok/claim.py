"""What a claim is: a plain pytest test with an id, a sentence and a source.

    pytestmark = source("kissane", "One-hidden-layer MLP on modular addition", ref="…", fixture="modadd-mlp")

    @claim("K8", "W_U lives on the key frequencies", published=0.98241)
    def test_unembedding_lives_on_key_frequencies(model, evidence):
        ratio = evidence("‖W_U on K‖ / ‖W_U‖", neurons.key_norm_ratio(model.U, model.key_frequencies))
        assert ratio >= 0.98

``grok.suite.plugin`` runs it on every subject.
"""

from __future__ import annotations

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
    """Make a test a claim. ``id`` is unique in a test session; ``title`` is the sentence.

    published: the source's own figure (number, text, or a tuple of them). section: where in the source.
    about: what the sentence is about. A claim about the "mechanism", by which a network gets its answers, must fail on
    rivals too: networks that solve the task another way. One about "behaviour" (accuracy, losses, timing) has none.
    threshold: where the asserted bound comes from: the "source" (its figures, its words), or a "convention" of ours for
    what a word means. because: the reason, in a line; it goes with threshold.
    no_control: why the claim has no control, by nature. It is then never replicated, but uncontrolled.
    on: the recipes whose networks the claim is tried on. Each has a verdict of its own, under ``P6 · modadd-mlp``;
    ``published`` may then be a dict from recipe to figure. Without it the claim is about the fixture of its source.

    Raises ValueError for an unknown ``about`` or ``threshold``, or a threshold without a reason; TypeError if the
    test's source cannot be read (its asserts are recorded by way of it).
    """
    for name, value, known in (
        ("about", about, get_args(About)),
        ("threshold", threshold, (None, *get_args(Threshold))),
    ):
        if value not in known:
            raise ValueError(f"claim {id}: {name} is one of {', '.join(map(str, known))}, not {value!r}")
    if (threshold is None) != (not because):
        raise ValueError(
            f"claim {id}: threshold says where the bound comes from, because says why; give both or neither"
        )

    def decorate(test: Test) -> Test:
        info = Info(id, title, published, section, about, threshold, because, no_control, tuple(on), recorded(test))
        return pytest.mark.claim(info)(test)

    return decorate


def source(
    key: str, title: str, ref: str | None = None, fixture: str | None = None, url: str | None = None
) -> pytest.MarkDecorator:
    """For ``pytestmark``: the source of all claims of a module, and the recipe whose fixtures are their subjects."""
    return pytest.mark.source(Source(key, title, ref, fixture, url))
