"""What a claim is: a plain pytest test with an id, a sentence and a source.

    pytestmark = source("kissane", "One-hidden-layer MLP on modular addition", ref="…", fixture="modadd-mlp")

    @claim("K8", "W_U lives on the key frequencies", published=0.98241)
    def test_unembedding_lives_on_key_frequencies(model, evidence):
        ratio = evidence("‖W_U on K‖ / ‖W_U‖", neurons.key_norm_ratio(model.U, model.key_frequencies))
        assert ratio >= 0.98

``grok.suite.plugin`` runs it on every subject.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

import pytest

from grok.suite.asserts import recorded
from grok.suite.meta import Info, Source

Test = TypeVar("Test", bound=Callable[..., Any])


def claim(
    id: str,
    title: str,
    published: Any = None,
    section: str | None = None,
    control: Literal["default"] | None = "default",
    reason: str | None = None,
) -> Callable[[Test], Test]:
    """Make a test a claim. ``id`` is unique in a test session; ``title`` is the sentence.

    published: the source's own figure (number, text, or a tuple of them). section: where in the source.
    control=None: the claim has no control, by nature; ``reason`` says why. Raises ValueError if it does not,
    TypeError if the test's source cannot be read (its asserts are recorded by way of it).
    """
    if control not in ("default", None):
        raise ValueError(f"claim {id}: control is 'default' or None, not {control!r}")
    if control is None and not reason:
        raise ValueError(f"claim {id}: a claim without a control gives the reason why it has none")

    def decorate(test: Test) -> Test:
        info = Info(id, title, published, section, control, reason, recorded(test))
        return pytest.mark.claim(info)(test)

    return decorate


def source(
    key: str, title: str, ref: str | None = None, fixture: str | None = None, url: str | None = None
) -> pytest.MarkDecorator:
    """For ``pytestmark``: the source of all claims of a module, and the recipe whose fixtures are their subjects."""
    return pytest.mark.source(Source(key, title, ref, fixture, url))
