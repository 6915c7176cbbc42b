"""The hooks of claims: each is run on its subjects, and the result judged. They never train a model.

The test of a claim passes on a subject if the outcome is the one in the expected verdicts. Without expected verdicts it
passes if the claim holds on a model and fails on a control. ``plugin`` lets them take part in a session that has
claims. Importing this imports no torch.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from typing import Any

import pytest

from grok.errors import GrokError, NotEvaluable
from grok.suite import collected, outcome, results
from grok.suite.collected import SUBJECT
from grok.suite.evidence import Recorder, recording
from grok.suite.machine import is_worker
from grok.suite.options import Options
from grok.suite.plugin import MESSAGE
from grok.suite.session import Session
from grok.suite.subject import AnySubject
from grok.suite.subjects import Subjects
from grok.verdicts.verdict import Result

OPTIONS = pytest.StashKey[Options]()
SUBJECTS = pytest.StashKey[Subjects]()
RECORDER = pytest.StashKey[Recorder]()
RESULT = pytest.StashKey[Result]()
SESSION = pytest.StashKey[Session]()


def start(config: pytest.Config) -> None:
    """Let these hooks take part in the session, from now on; a second call does nothing.

    Raises pytest.UsageError for options that are wrong.
    """
    if config.pluginmanager.has_plugin(__name__):
        return
    options = Options.of(config)
    config.stash[OPTIONS] = options
    config.stash[SUBJECTS] = Subjects(options.fixtures, options.seeds, options.load_checkpoints(), options.beside)
    if not is_worker(config):
        config.stash[SESSION] = Session(config, options, config.stash[SUBJECTS].checkpoints)
        config.pluginmanager.register(config.stash[SESSION])
    config.pluginmanager.register(sys.modules[__name__], __name__)


# ── which subjects ───────────────────────────────────────────────────────────────────────────────────────────────


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Gives the test of a claim its subjects."""
    info = collected.info_of(metafunc.definition)
    if info is None or SUBJECT not in metafunc.fixturenames:
        return
    subjects_of = metafunc.config.stash[SUBJECTS].asked_for(metafunc.fixturenames)
    found = [(family, subject) for family in collected.families(metafunc.definition) for subject in subjects_of(family)]
    if not found and not info.on:
        raise pytest.Collector.CollectError(
            f"claim {info.id} asks for a model, but its source() names no fixture, and you have no model fixture"
        )
    chosen = [s for family, s in found if s.role in collected.tried_on(info) and family in (None, s.family)]
    if not chosen:  # no network of these families is here: left out below
        metafunc.parametrize(SUBJECT, [None], ids=["none"], indirect=True, scope="session")
        return
    metafunc.parametrize(SUBJECT, chosen, ids=[s.name for s in chosen], indirect=True, scope="session")


def collected_claim(item: pytest.Item) -> None:
    """Lets ``-k K8`` select by id, and ``--dist loadgroup`` of pytest-xdist keep a subject's tests on one worker."""
    if info := collected.info_of(item):
        item.extra_keyword_matches.add(info.id)
    if (subject := collected.subject_of(item)) and item.config.pluginmanager.hasplugin("xdist"):
        item.add_marker(pytest.mark.xdist_group(subject.name))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuses two claims with one id. If there is a recipe or a checkpoint, leaves out claims of other families.

    A word of ``-k`` may be in the name of a control of another family: such a control goes with its claim.
    The tests of one subject run one after the other, so that its network is loaded once.
    """
    if not is_worker(config):  # pytest-xdist breaks if a worker stops; then the session reports it at the end
        _refuse_clashes(items)
    checkpoints = config.stash[SUBJECTS].checkpoints
    family = checkpoints[0].family if checkpoints else config.stash[OPTIONS].recipe
    chosen = config.stash[OPTIONS].claims
    _refuse_unknown(chosen, items)

    def runs(item: pytest.Item) -> bool:
        info = collected.info_of(item)
        if info is None:
            return True
        if not collected.subject_of(item) and (checkpoints or SUBJECT in getattr(item, "fixturenames", ())):
            return False  # a model of the tests' own is no checkpoint; or there is no network of the claim's families
        return not (collected.foreign(item, family) or collected.uncalled(item) or (chosen and info.id not in chosen))

    kept = [item for item in items if runs(item)]
    if (config.option.keyword or config.option.markexpr) and not config.getoption("lf", False):  # what failed, runs
        kept = collected.with_their_subject(kept, {arg.partition("::")[2] for arg in config.args})
    if left_out := set(items) - set(kept):
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = kept
    places: dict[AnySubject | None, int] = {}
    on_subjects = [item for item in items if collected.subject_of(item)]
    in_turn = iter(sorted(on_subjects, key=lambda item: places.setdefault(collected.subject_of(item), len(places))))
    items[:] = [next(in_turn) if collected.subject_of(item) else item for item in items]


def _refuse_unknown(chosen: tuple[str, ...], items: list[pytest.Item]) -> None:
    known = {info.id for item in items if (info := collected.info_of(item))}
    if unknown := [name for name in chosen if name not in known]:
        raise pytest.UsageError(
            f"--claims: no claim here is called {', '.join(unknown)}; grok list --claims lists the published ones"
        )


def _refuse_clashes(items: list[pytest.Item]) -> None:
    homes: dict[str, str] = {}
    for item in items:
        if info := collected.info_of(item):
            here = collected.nodeid(item)
            if (home := homes.setdefault(info.id, here)) != here:
                raise pytest.UsageError(results.clash(info.id, home, here))


# ── one test ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """The test of a claim passes if the outcome is the expected one, not if its assert holds."""
    info = collected.info_of(pyfuncitem)
    if info is None:
        return (yield)
    recorder = pyfuncitem.stash.setdefault(RECORDER, Recorder())
    subject = collected.subject_of(pyfuncitem)
    options = pyfuncitem.config.stash[OPTIONS]
    recorder.keeps_plots = subject is None or (subject.plots and options.written)
    raised: BaseException | None = None
    try:
        with recording(recorder):
            yield
    # what a claim raises is its outcome, whatever it is; pytest's own two are no Exception, and a skip is raised again
    except (Exception, pytest.skip.Exception, pytest.fail.Exception) as error:
        raised = error
    for given in ("model", "run"):
        if note := getattr(pyfuncitem.funcargs.get(given), "rank_note", None):
            recorder("K, as no frequency stands out", note)
    lists = {"evidence": recorder.evidence, "asserts": recorder.asserts, "plots": recorder.plots}
    result = _subject(pyfuncitem, **outcome.judge(raised, recorder, pyfuncitem.path), **lists)
    pyfuncitem.stash[RESULT] = result
    if isinstance(raised, pytest.skip.Exception):
        raise raised
    name = collected.claim_id(pyfuncitem)
    committed = options.expected_of(name)
    why = outcome.surprise(name, result, committed, options.free, collected.place(pyfuncitem))
    if why is None:
        return True
    if raised is not None and result.error is not None and options.tracebacks:
        raise raised
    pytest.fail(why, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report: pytest.TestReport = yield
    raised = call.excinfo.value if call.excinfo else None
    if isinstance(raised, GrokError):  # for a missing or damaged fixture the message is enough
        report.longrepr = str(raised)
    info = collected.info_of(item)
    if info is None or report.when == "teardown" or (report.when == "setup" and report.passed):
        return report
    if report.when == "setup" and isinstance(raised, NotEvaluable):
        report.outcome, report.longrepr = "skipped", (str(item.path), item.location[1] or 0, f"Skipped: {raised}")
    result = item.stash.get(RESULT, None) or _subject(item, **_unreached(raised))
    subject = collected.subject_of(item)
    meta = outcome.describe(
        collected.claim_id(item),
        info,
        collected.source_of(item),
        collected.family(item),
        collected.nodeid(item),
        *collected.location(item),
        collected.command(item),
    )
    message = {"meta": meta, "subject": result.to_json(), "card": subject.card() if subject else None}
    report.user_properties.append((MESSAGE, json.dumps(message)))
    holds = "error" if result.error else {True: "true", False: "false", None: "not evaluated"}[result.holds]
    item.user_properties.extend([("claim", info.id), ("subject", result.subject), ("holds", holds)])  # for JUnit
    return report


def _unreached(raised: BaseException | None) -> dict[str, Any]:
    """``holds``, ``reason`` and ``error`` where the test function was not reached."""
    text = str(raised).strip().split("\n", maxsplit=1)[0]
    if isinstance(raised, (NotEvaluable, pytest.skip.Exception)):
        return {"holds": None, "reason": text}
    return {"holds": None, "error": text if isinstance(raised, GrokError) else f"{type(raised).__name__}: {text}"}


def _subject(item: Any, **result: Any) -> Result:
    """The result under the subject's name."""
    name = collected.subject_name(item)
    if (subject := collected.subject_of(item)) is not None:
        return Result(name, subject.role, **subject.about(), **result)
    return Result(name, collected.own_role(item), **result)
