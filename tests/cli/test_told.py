"""What a vendor may say of a job, however odd: drawn, printed and written without harm."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudistill import Run, RunStatus, Store, distill
from cloudistill.backends.backend import Backend
from cloudistill.cli import page
from cloudistill.cli.told import Told
from cloudistill.core.job import JobEvent, JobStatus, PromptReport, StepMetrics
from cloudistill.core.refs import JobRef, ModelRef
from cloudistill.pipeline import run as running
from tests.conftest import STUDENTS, TODAY
from tests.pipeline import acme

from .shell import Shell

Lessons = Callable[..., Path]
HOSTILE = "\x1b[31m<script>alert(1)</script>\u202e\ud800[bold]"


class Odd(acme.Vendor):
    """Says what no vendor should."""

    def events(self, ref: JobRef) -> Iterator[JobEvent]:
        yield JobEvent(message=HOSTILE)

    def metrics(self, ref: JobRef) -> list[StepMetrics]:
        losses = (1.5, math.nan, math.inf, -1e308, 1e308, 0.5)
        return [StepMetrics(step=9 - number, training_loss=loss) for number, loss in enumerate(losses)]


@pytest.fixture
def odd(lessons: Lessons, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Odd:
    """The vendor of the finished run `r`, distilled by the vendor itself."""
    monkeypatch.chdir(tmp_path)
    backend = Odd(platform="bedrock")

    def connect(_platform: str) -> Backend:
        return backend

    monkeypatch.setattr(running, "connected", connect)
    student, teacher = "bedrock:amazon.nova-micro-v1:0:128k", ModelRef.parse("bedrock:amazon.nova-pro-v1:0")
    data = lessons(120, answered=False)
    run: Run = distill(
        data, student=student, teacher=teacher, method="native", name="r", today=TODAY, wait=False, backends=[backend]
    )
    backend.become(run.job, JobStatus.SUCCEEDED)
    run.refresh()
    return backend


def strictly(text: str) -> Any:
    """JSON as the standard has it, without NaN."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.usefixtures("odd")
def test_what_is_no_number_is_null_in_json_and_left_out_of_curve_and_page(shell: Shell, tmp_path: Path) -> None:
    assert shell("show", "r", "--json") == 0, shell.err
    losses = [step["training_loss"] for step in strictly(shell.out)["metrics"]]
    assert losses == [1.5, None, None, -1e308, 1e308, 0.5]
    assert shell("show", "r", "--html", tmp_path / "r.html") == 0, shell.err
    assert "training loss: 0.5 at step 4, 1.5 at step 9" in shell.out


@pytest.mark.usefixtures("odd")
def test_hostile_words_are_shown_and_not_obeyed(shell: Shell, tmp_path: Path) -> None:
    page_file = tmp_path / "r.html"
    assert shell("show", "r", "--events", "--html", page_file) == 0, shell.err
    for text in (shell.out, page_file.read_text("utf-8")):
        assert not {"\x1b", "\u202e", "\ud800"} & set(text)
        assert "alert(1)" in text
    assert "<script>" not in page_file.read_text("utf-8")
    assert shell("show", "r", "--events", "--json") == 0, shell.err
    shell.out.encode("utf-8")
    assert shell.document["events"][0]["message"] == HOSTILE


def test_a_page_stays_small_however_many_steps_there_were() -> None:
    told = Told(metrics=[StepMetrics(step=step, training_loss=2 / step + step % 7) for step in range(1, 20_000)])
    drawn = page.plot(told)
    assert drawn is not None
    assert len(drawn) < 100_000


def test_a_report_on_the_prompts_that_came_late_is_read_when_the_run_is_shown(odd: Odd, shell: Shell) -> None:
    assert shell("show", "r", "--json") == 0
    assert shell.document["prompts"] is None
    odd.report = PromptReport(accepted=118, rejected=2)
    assert shell("show", "r", "--recorded", "--json") == 0
    assert shell.document["prompts"] is None
    assert shell("show", "r", "--json") == 0
    assert shell.document["prompts"]["rejected"] == 2


def test_what_was_deleted_is_said_before_the_next_deletion_fails(odd: Odd, shell: Shell) -> None:
    with Store() as store:
        known = store.get("r")
        facts = {"training": known.facts["training"], "job": "bedrock:job-1"}
        store.add("theirs", status=RunStatus.WAITING, payer="acme 2", order=known.order, facts=facts)
    assert shell("delete", "r", "--model", "--files", "--yes") == 3
    assert "deleted bedrock:tuned-by-job-1" in shell.err
    assert odd.deleted == ["bedrock:tuned-by-job-1"]


@pytest.mark.parametrize("platform", STUDENTS)
def test_a_check_that_was_to_ask_and_could_not_says_so(
    platform: str, shell: Shell, lessons: Lessons, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = ["--student", STUDENTS[platform], "--ask", "--today", "2026-11-24", "--json"]
    assert shell("check", lessons(20), *flags) == 0, shell.err
    (told,) = [finding for finding in shell.document["findings"] if finding["rule"] == "service-not-asked"]
    assert told["level"] == "warning"
    assert not told["message"].endswith("..")


def test_accounts_that_cannot_be_asked_are_not_called_empty(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shell("jobs", "--at", "openai") == 4
    assert "no job could be listed" in shell.out
    assert "OPENAI_API_KEY" in shell.err
