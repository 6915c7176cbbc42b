"""The pytest plugin: the options, the fixtures of claims, and what notices that a session has claims.

It is loaded in every pytest session of an environment that has grok-claims, so it imports next to nothing. What runs
and judges claims, ``hooks``, is imported when the first claim is collected, or if one of the options is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from grok import published
from grok.suite import arguments, machine

if TYPE_CHECKING:
    from grok.suite.evidence import Recorder
    from grok.suite.subject import AnySubject

MESSAGE = "grok_claim"  # the user property in which a test sends its result, from whichever process it ran in


def pytest_addoption(parser: pytest.Parser) -> None:
    arguments.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "claim(info): a claim of a source; written with grok.claim.claim")
    config.addinivalue_line("markers", "source(source): where claims come from; written with grok.claim.source")
    config.addinivalue_line("markers", "control: a model that learned nothing; for the params of a model fixture")
    config.addinivalue_line(
        "markers", "rival: a model that solves the task in another way; for the params of a model fixture"
    )
    if machine.is_worker(config):
        machine.share_cores(config.workerinput["workercount"])  # type: ignore[attr-defined] # set by pytest-xdist
    # a project with committed verdicts has claims, and is told at once if they cannot be read
    if arguments.given(config) or (config.rootpath / published.EXPECTED).exists():
        _hooks(config)
    elif config.pluginmanager.hasplugin("xdist") and not machine.is_worker(config):
        config.pluginmanager.register(_FirstResult(config))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("claim"):
        _hooks(metafunc.config).parametrize(metafunc)


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.get_closest_marker("claim"):
        _hooks(item.config).collected_claim(item)


class _FirstResult:
    """Notices claims in the process that the user started with pytest-xdist: it collects none, and gets the results."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if any(name == MESSAGE for name, _ in report.user_properties):
            self.config.pluginmanager.unregister(self)
            hooks = _hooks(self.config)
            self.config.stash[hooks.SESSION].pytest_runtest_logreport(report)  # it takes part from the next one on


def _hooks(config: pytest.Config) -> Any:
    """The module ``hooks``, which takes part in the session from now on."""
    from grok.suite import hooks

    hooks.start(config)
    return hooks


@pytest.fixture(scope="session")
def grok_subject(request: pytest.FixtureRequest) -> Iterator[AnySubject]:
    """The model or run on which a claim runs. Only one is in memory at a time."""
    if not hasattr(request, "param"):
        pytest.fail("the model and run fixtures of grok-claims are for tests with @claim", pytrace=False)
    machine.keep_memory()
    yield request.param
    request.param.drop()


@pytest.fixture
def model(grok_subject: Any) -> Any:
    """The subject's ``grok.models.network.Network``. Override it with a fixture of your own for your own models."""
    return grok_subject.network


@pytest.fixture
def run(grok_subject: Any) -> Any:
    """The subject's ``grok.store.run.Run``."""
    return grok_subject.run


@pytest.fixture
def models(grok_subject: Any) -> Any:
    """The networks of all seeds of the subject, each a ``grok.models.network.Network``, in turn."""
    return grok_subject.networks


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Recorder:
    """``evidence(name, value)`` records a measured value and returns it; ``evidence.plot(…)`` records arrays."""
    from grok.suite import hooks

    return request.node.stash.setdefault(hooks.RECORDER, hooks.Recorder())
