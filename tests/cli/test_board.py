"""What people see while they wait: a live table and bars on a terminal, plain lines when piped."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from cloudistill import Run, RunStatus, Store, errors
from cloudistill.cli import progress
from cloudistill.cli.progress import Board
from cloudistill.pipeline.progress import Event
from tests.conftest import STUDENTS


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    screen = io.StringIO()
    monkeypatch.setattr(progress, "err", Console(file=screen, force_terminal=True, width=140))
    return screen


@pytest.fixture
def run(tmp_path: Path) -> Run:
    store = Store(tmp_path / "state.db")
    facts = {"native_status": "validating_files", "job": "openai:ftjob-1", "cost_estimate_usd": {"low": 1.0, "high": 2}}
    record = store.add("desk", status=RunStatus.WAITING, payer="p", order={"student": STUDENTS["openai"]}, facts=facts)
    return Run(store, record)


def test_the_live_table_shows_the_vendors_word_ours_and_the_estimate(terminal: io.StringIO, run: Run) -> None:
    board = Board(quiet=False)

    def looks() -> Iterator[Run]:
        board.notify(Event(run="desk", step="wait", message="halfway"))
        yield run

    board.follow([run], looks())
    for shown in ("desk", "validating_files", "waiting", "$1.00–2.00", "halfway"):
        assert shown in terminal.getvalue()


def test_ctrl_c_leaves_the_job_running_and_says_how_to_go_on(terminal: io.StringIO, run: Run) -> None:
    def looks() -> Iterator[Run]:
        yield run
        raise KeyboardInterrupt

    with pytest.raises(errors.StillRunning, match="cloudistill watch desk"):
        Board(quiet=False).follow([run], looks())


def test_a_bar_counts_the_teachers_answers(terminal: io.StringIO) -> None:
    board = Board(quiet=False)
    for done in (1, 2, 3):
        board.notify(Event(run="desk", step="label", message="answers", done=done, total=3))
    assert "answers" in terminal.getvalue()


def test_nothing_is_said_twice_when_piped_and_nothing_at_all_under_json(
    capsys: pytest.CaptureFixture[str], run: Run
) -> None:
    for quiet, lines in ((False, 1), (True, 0)):
        board = Board(quiet=quiet)
        for _ in range(3):
            board.notify(Event(run="desk", step="wait", message="queued"))
        board.follow([run], iter([run]))
        assert capsys.readouterr().err.count("queued") == lines


def test_work_without_a_bar_leaves_no_empty_line(capsys: pytest.CaptureFixture[str]) -> None:
    Board(quiet=False).close()
    assert capsys.readouterr().err == ""
