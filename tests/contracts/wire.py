"""The pytest plugin that judges every exchange with an emulator, and fails the test that caused a violation."""

from __future__ import annotations

import json
import os
import tempfile
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.history import History
from tests.contracts.judge import Judge
from tests.contracts.operations import OPERATIONS

from cloudistill.emulators.recording import RECORD_VARIABLE, Exchange, listening

ON_PURPOSE = "sends_bad_requests"
SHOWN = 20


class Wire:
    """Listens to the emulators of this process, and reads what those of other processes write down."""

    def __init__(self, config: pytest.Config) -> None:
        """Begin to listen; programs that tests start are told to write down what their emulators hear."""
        self._judge, self._history = Judge(), History()
        self._heard: deque[Exchange] = deque()
        self._running = ExitStack()
        self._read = 0
        self._gaps: list[str] = []
        self.used: set[str] = set()
        config.addinivalue_line(
            "markers", f"{ON_PURPOSE}: breaks vendors' contracts on purpose, and must be refused for it"
        )
        folder = self._running.enter_context(tempfile.TemporaryDirectory(prefix="wire-"))
        self._file = Path(folder) / "exchanges.jsonl"
        os.environ[RECORD_VARIABLE] = str(self._file)
        self._running.callback(os.environ.pop, RECORD_VARIABLE, None)
        self._running.enter_context(listening(self._heard.append))

    def pytest_unconfigure(self) -> None:
        """Listen no more."""
        self._running.close()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Judge what the test's set-up and the test itself did."""
        result = yield
        self._settle(item)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Judge what was done while it was cleared away."""
        result = yield
        self._settle(item)
        return result

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Of a run in several processes, this one hears from each what was called there."""
        self.used |= set(getattr(node, "workeroutput", {}).get("used", ()))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Of a whole run that passed, the operations that were called must be those of the table."""
        if (told := getattr(session.config, "workeroutput", None)) is not None:
            told["used"] = sorted(self.used)
        elif _is_whole(session):
            self._gaps = [f"{name!r} is called, and is not in the table" for name in sorted(self.used - OPERATIONS)]
            self._gaps += [f"{name!r} is in the table, and is never called" for name in sorted(OPERATIONS - self.used)]
        if self._gaps:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say where the table of operations is not the truth."""
        for gap in self._gaps:
            terminalreporter.write_line(f"{gap}: mend tests/contracts/operations.py, then `make tables`", red=True)

    def _settle(self, item: pytest.Item) -> None:
        on_purpose = item.get_closest_marker(ON_PURPOSE) is not None
        found = [line for exchange in self._news() for line in self._problems(exchange, on_purpose=on_purpose)]
        if found:
            more = [f"... and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
            pytest.fail("against the vendors' contracts:\n" + "\n".join([*found[:SHOWN], *more]), pytrace=False)

    def _problems(self, exchange: Exchange, *, on_purpose: bool) -> Iterator[str]:
        verdict = self._judge.verdict(exchange)
        name = verdict.operation.key if verdict.operation else "no operation"
        problems = verdict.violations(exchange, on_purpose=on_purpose)
        problems += self._history.observe(exchange, verdict.operation)
        if verdict.operation and exchange.status < 400:
            self.used.add(name)
        yield from (
            f"{name}: {exchange.method} {exchange.path} -> {exchange.status}: {problem}" for problem in problems
        )

    def _news(self) -> Iterator[Exchange]:
        while self._heard:
            yield self._heard.popleft()
        if not self._file.exists() or self._file.stat().st_size == self._read:
            return
        with self._file.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if line.endswith(b"\n"):  # another program may be in the middle of one
                    self._read += len(line)
                    yield Exchange.from_json(json.loads(line))


def _is_whole(session: pytest.Session) -> bool:
    """Whether every test of the project ran, and passed."""
    narrowing = ("keyword", "markexpr", "deselect", "lf", "ignore", "ignore_glob")
    narrowed = any(getattr(session.config.option, name, None) for name in narrowing)
    asked = session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return asked and not narrowed and session.exitstatus == pytest.ExitCode.OK
