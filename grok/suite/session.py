"""A session of claims: collects the results of the tests, writes them, and fails if a verdict is not expected."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest

from grok import files
from grok.errors import GrokError
from grok.suite import results, terminal
from grok.suite.options import Options
from grok.suite.plugin import MESSAGE
from grok.suite.subject import Checkpoint

UNFINISHED = "the session was stopped: the table is of the tests that ran before, and no verdicts were written"


class Session:
    """Collects the results, in the process that the user started."""

    def __init__(self, config: pytest.Config, options: Options, checkpoints: tuple[Checkpoint, ...]) -> None:
        self.config = config
        self.options = options
        self.checkpoints = checkpoints
        self.results = results.Results(options.entries, options.free)
        self.seen: set[str] = set()
        self.notes: list[str] = []
        self.started = datetime.now(UTC)
        self.clock = time.perf_counter()

    def pytest_report_header(self) -> list[str]:
        return [f"{checkpoint.name}: {note}" for checkpoint in self.checkpoints for note in checkpoint.notes]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, text in report.user_properties:
            if name == MESSAGE:
                self.results.add(json.loads(str(text)))
        report.user_properties = [p for p in report.user_properties if p[0] != MESSAGE]
        if report.failed and isinstance(report.longrepr, str):
            report.repeats = report.longrepr in self.seen  # type: ignore[attr-defined]
            self.seen.add(report.longrepr)

    def pytest_report_teststatus(self, report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
        """A damaged fixture fails many tests, so its error is shown once."""
        return ("with the same error", "E", "ERROR") if getattr(report, "repeats", False) else None

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.config.option.collectonly:
            return
        if session.exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) or session.shouldfail:
            self.notes.append(UNFINISHED)
            return
        try:
            self._write()
        except (OSError, GrokError) as error:
            self.notes.append(f"cannot write: {error}")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self.results.surprises() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _write(self) -> None:
        options = self.options
        if options.update_expected and options.expected_file:
            left = [f"{name} ({why})" for name, why in self.results.update(options.expected_file).items()]
            self.notes.append(f"{options.expected_file} rewritten" + (f", but for {', '.join(left)}" if left else ""))
        if not (options.json_file or options.html_file):
            return
        run = results.environment(
            self.config.rootpath,
            self.config.invocation_params.args,
            started=self.started.isoformat(timespec="seconds"),
            seconds=round(time.perf_counter() - self.clock, 1),
            expected=options.compared_with,
            subjects_note=tuple(self.pytest_report_header()),
        )
        verdicts = results.verdicts(self.results, run, options.fixtures)
        if options.json_file:
            files.write_json(options.json_file, verdicts.to_json())
        if options.html_file:
            from grok.report import page

            page.write(verdicts, options.html_file)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if claims := self.results.claims():
            terminalreporter.section("claims")
            for line in terminal.table(claims, terminal.columns()):
                for text, markup in line:
                    terminalreporter.write(text, **markup)
                terminalreporter.line("")
            for note in [*self.results.runs(), *self.results.surprises(), *self.notes]:
                for text in terminal.paragraph(note, terminal.columns()):
                    terminalreporter.write_line(text)
