"""Sessions of pytest inside a test, and what verdicts.json says of their claims."""

import json

import grok.store.checkpoint  # noqa: F401 - torch cannot be imported again after a session in this process

# claims and a model of the tests' own
OWN = """
import pytest
from grok.claim import claim, source
from grok.errors import NotEvaluable

pytestmark = source("me", "My paper")

@pytest.fixture(params=[pytest.param(0.9, id="good"), pytest.param(0.1, id="bad", marks=pytest.mark.control)])
def model(request):
    return request.param
"""
LARGE = """
@claim("A1", "It is large", published=0.95)
def test_large(model, evidence):
    assert evidence("size", model) >= 0.8
"""
POSITIVE = """
@claim("A2", "It is positive")
def test_positive(model, evidence):
    assert model > 0
"""
HUGE = """
@claim("A3", "It is huge")
def test_huge(model, evidence):
    assert model > 100
"""


def run(pytester, *args):
    already = "ignore:Module already imported"  # grok is, by the session around this one
    return pytester.runpytest_inprocess(
        "-W", already, "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--strict-markers", *args
    )


def verdicts(pytester):
    data = json.loads((pytester.path / "v.json").read_text())
    return {claim["id"]: claim for claim in data["claims"]}
