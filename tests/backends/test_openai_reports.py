"""How a job at OpenAI goes: its events, what was measured, and what is kept of it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from cloudistill.backends.backend import Request
from cloudistill.backends.openai import OpenAIBackend, reports, results
from cloudistill.core.errors import UnusableAnswer
from cloudistill.core.example import Example, Message
from cloudistill.core.job import StepMetrics
from cloudistill.core.refs import JobRef

from .vendors import Canned, Vendor, openai_only, trouble

JOB = JobRef("openai", "ftjob-1")
RUNNING, DONE = 12 * 60, 3600


def started(vendor: Vendor, seconds: float = DONE, **members: Any) -> JobRef:
    """A job, `seconds` after it was ordered."""
    numbers = {"epochs": 4, "batch_size": 5, **members}
    job = vendor.backend.submit(vendor.spec(hyperparameters=numbers))
    vendor.world.clock.advance(seconds)
    return job.ref


def listed(*items: Any, more: bool = False) -> dict[str, Any]:
    return {"object": "list", "data": [*items], "has_more": more}


@openai_only
class TestEvents:
    def test_they_come_oldest_first_from_every_page(self, vendor: Vendor, monkeypatch: pytest.MonkeyPatch):
        ref = started(vendor)
        whole = list(vendor.backend.events(ref))
        assert whole[0].message.startswith("Created fine-tuning job")
        assert whole[-1].message == "The job has successfully completed"
        assert [event.at for event in whole] == sorted(event.at for event in whole if event.at)
        assert {"message", "metrics", "moderation_checks"} == {event.kind for event in whole}
        monkeypatch.setattr("cloudistill.backends.openai._PAGE", 2)
        assert list(vendor.backend.events(ref)) == whole

    def test_a_long_history_is_cut_at_its_old_end_and_says_so(self, vendor: Vendor, monkeypatch: pytest.MonkeyPatch):
        ref = started(vendor)
        whole = list(vendor.backend.events(ref))
        monkeypatch.setattr("cloudistill.backends.openai._PAGE", 1)
        monkeypatch.setattr("cloudistill.backends.openai.NEWEST", 3)
        before = vendor.server.count(r"/events$")
        first, *rest = vendor.backend.events(ref)
        assert ("the newest 3" in first.message, first.level) == (True, "warning")
        assert rest == whole[-3:]
        assert vendor.server.count(r"/events$") == before + 4
        monkeypatch.setattr("cloudistill.backends.openai.NEWEST", len(whole))
        assert list(vendor.backend.events(ref)) == whole

    def test_a_failure_is_an_error_and_a_cancellation_a_warning(self, vendor: Vendor):
        cancelled = started(vendor, 0)
        vendor.backend.cancel(cancelled)
        assert [*vendor.backend.events(cancelled)][-1].level == "warning"
        vendor.file.write_text("{}\n", "utf-8")
        failed = [*vendor.backend.events(started(vendor))]
        assert [event.level for event in failed if event.level != "info"] == ["error"]

    def test_nothing_is_asked_before_the_first_is_taken(self, vendor: Vendor):
        before = len(vendor.server.requests)
        vendor.backend.events(JOB)
        assert len(vendor.server.requests) == before


def test_kinds_and_levels_nobody_knows_pass(canned: Canned, canned_backend: OpenAIBackend):
    canned.answer = listed({"id": "e-1", "message": "hm", "level": "grave", "type": "omen", "created_at": 5, "data": 1})
    (event,) = canned_backend.events(JOB)
    assert (event.message, event.level, event.kind, event.at and event.at.timestamp()) == ("hm", "info", "omen", 5)


def test_events_that_came_oldest_first_stay_so(canned: Canned, canned_backend: OpenAIBackend):
    canned.answer = listed(*({"id": str(n), "message": str(n), "created_at": n} for n in (1, 2, 3)))
    assert [event.message for event in canned_backend.events(JOB)] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "answer",
    [
        b'"events"',
        {"object": "list"},
        listed("an event"),
        listed({"id": "e-1", "created_at": 1}),
        listed({"message": "no id, and more to come", "level": "info", "created_at": 1}, more=True),
        listed(more=True),
        listed({"id": "e-1", "message": "the same page for ever", "level": "info", "created_at": 1}, more=True),
    ],
)
def test_a_page_that_is_none_is_not_taken_for_the_end(canned: Canned, canned_backend: OpenAIBackend, answer: Any):
    canned.answer = answer
    assert isinstance(trouble(canned_backend, lambda: list(canned_backend.events(JOB))), UnusableAnswer)
    assert len(canned.bodies) <= 2


def test_a_list_without_pages_is_read_once_whatever_its_host_answers_to_the_next(
    canned: Canned, canned_backend: OpenAIBackend
):
    canned.answer = {"object": "list", "data": [{"id": "e-1", "message": "hm", "level": "info", "created_at": 1}]}
    assert [event.message for event in canned_backend.events(JOB)] == ["hm"]


@pytest.mark.parametrize("when", [1e30, -1e30, "soon", [1], {"at": 1}])
def test_a_time_that_is_none_is_not_told(canned: Canned, canned_backend: OpenAIBackend, when: Any):
    canned.answer = listed({"id": "e-1", "message": "hm", "level": "info", "created_at": when})
    assert [event.at for event in canned_backend.events(JOB)] == [None]
    canned.answer = {"id": JOB.id, "status": "running", "created_at": when, "finished_at": when}
    assert canned_backend.poll(JOB).created is None


@openai_only
class TestMetrics:
    def test_while_a_job_runs_they_are_in_its_events_and_then_in_its_file(self, vendor: Vendor):
        ref = started(vendor, 60)
        assert vendor.backend.metrics(ref) == []
        vendor.world.clock.advance(RUNNING)
        during = vendor.backend.metrics(ref)
        vendor.world.clock.advance(DONE)
        after = vendor.backend.metrics(ref)
        assert 0 < len(during) < len(after) == 4
        assert [step.step for step in after] == [3, 6, 9, 12]
        assert [step.step for step in during] == [step.step for step in after][: len(during)]
        for early, late in zip(during, after, strict=False):
            assert early.training_loss == pytest.approx(late.training_loss, abs=1e-6)

    def test_without_a_result_file_the_events_do(self, vendor: Vendor):
        ref = started(vendor)
        told = vendor.backend.metrics(ref)
        (file,) = vendor.backend.client.fine_tuning.jobs.retrieve(ref.id).result_files
        vendor.backend.client.files.delete(file)
        assert [step.step for step in vendor.backend.metrics(ref)] == [step.step for step in told]

    def test_a_file_too_large_to_be_one_is_not_held_and_the_events_say_what_they_can(
        self, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
    ):
        ref = started(vendor)
        told = vendor.backend.metrics(ref)
        monkeypatch.setattr(results, "LARGEST", 8)
        assert [step.step for step in vendor.backend.metrics(ref)] == [step.step for step in told]
        monkeypatch.setattr("cloudistill.backends.openai.NEWEST", 0)
        assert vendor.backend.metrics(ref) == []

    @pytest.mark.parametrize("path", [r"GET /v1/files/.*/content", r"GET /v1/fine_tuning/jobs/[^/]+$"])
    def test_a_page_in_place_of_an_answer_is_unusable(self, vendor: Vendor, path: str):
        ref = started(vendor)
        vendor.server.fail(path, kind="html")
        assert isinstance(trouble(vendor.backend, lambda: vendor.backend.metrics(ref)), UnusableAnswer)

    def test_a_proxys_404_is_not_taken_for_a_deleted_file(self, vendor: Vendor):
        ref = started(vendor)
        vendor.server.fail(r"GET /v1/files/.*/content", status=404, body=b"<html>no route</html>")
        assert trouble(vendor.backend, lambda: vendor.backend.metrics(ref)).status == 404


NEW = "step,train_loss,train_mean_token_accuracy,valid_loss,valid_mean_token_accuracy\n1,0.5,0.75,0.6,0.7\n2,0.4,,,\n"
AZURE = "step,train_loss,train_mean_token_accuracy,valid_loss,validation_mean_token_accuracy\n1,.5,.75,.6,.7\n2,.4,,,\n"
OLD = "step,train_loss,train_accuracy,valid_loss,valid_accuracy\n1,0.5,0.75,0.6,0.7\n2,0.4,,,\n"
TOLD = [
    StepMetrics(step=1, training_loss=0.5, training_accuracy=0.75, validation_loss=0.6, validation_accuracy=0.7),
    StepMetrics(step=2, training_loss=0.4),
]


@pytest.mark.parametrize(
    "text",
    [NEW, AZURE, OLD, f"\ufeff{NEW}", NEW.replace("\n", "\r\n"), NEW.replace("\n", "\r"), NEW.replace(",", ", ")],
)
@pytest.mark.parametrize("encoded", [False, True])
def test_result_files_of_every_age_are_read(text: str, encoded: bool):
    content = base64.encodebytes(text.encode()) if encoded else text.encode()
    assert reports.steps(reports.rows_of(content, "GET")) == TOLD


@pytest.mark.parametrize("content", [b"", b"\n", NEW.splitlines()[0].encode()])
def test_a_result_file_without_rows_says_nothing(content: bytes):
    assert reports.steps(reports.rows_of(content, "GET")) == []


@pytest.mark.parametrize(
    "content", [b"<html>proxy</html>", b"\x00\xff\x01", b"epoch,loss\n1,2\n", b"{}", b"step\n" + b"1" * 200_000]
)
def test_what_is_no_result_file_is_unusable(content: bytes):
    with pytest.raises(UnusableAnswer, match="GET /files/1/content"):
        list(reports.rows_of(content, "GET /files/1/content"))


def test_a_loss_over_the_whole_validation_file_outweighs_one_over_a_batch():
    rows = [{"step": 4, "train_loss": 0.3, "valid_loss": 0.9}, {"step": "4", "full_valid_loss": 0.6}]
    assert reports.steps(rows) == [StepMetrics(step=4, training_loss=0.3, validation_loss=0.6)]


def test_what_is_no_number_is_not_told():
    rows = [{"step": "1", "train_loss": "nan", "valid_loss": None}, {"step": "soon", "train_loss": 1.0}, {"step": None}]
    assert reports.steps(rows) == [StepMetrics(step=1)]


@openai_only
def test_the_last_epochs_are_kept_oldest_first_and_can_be_called(vendor: Vendor):
    ref = started(vendor, RUNNING)
    assert vendor.backend.checkpoints(ref) == []
    vendor.world.clock.advance(DONE)
    kept = vendor.backend.checkpoints(ref)
    assert [one.step for one in kept] == [6, 9, 12]
    assert len({one.name for one in kept}) == len({one.model for one in kept}) == 3
    assert kept[0].metrics is not None
    assert kept[0].metrics.training_loss is not None
    assert kept[0].created is not None
    question = Example(messages=(Message(role="user", content="What is the weather in Oslo?"),))
    for one in kept:
        assert vendor.backend.generate(one.model, Request(example=question)).message


@pytest.mark.parametrize(
    "changed",
    [{"id": None}, {"fine_tuned_model_checkpoint": None}, {"fine_tuning_job_id": "ftjob-2"}],
)
def test_a_checkpoint_that_is_none_or_anothers_is_unusable(
    canned: Canned, canned_backend: OpenAIBackend, changed: dict[str, Any]
):
    shown = {
        "id": "ftckpt_1",
        "fine_tuned_model_checkpoint": "ft:m:o::1:ckpt-step-5",
        "fine_tuning_job_id": JOB.id,
        "step_number": 5,
        "metrics": {"step": 5, "train_loss": 0.5, "full_valid_mean_token_accuracy": 0.9},
        "created_at": 7,
    }
    canned.answer = listed(shown)
    (kept,) = canned_backend.checkpoints(JOB)
    assert kept.metrics == StepMetrics(step=5, training_loss=0.5, validation_accuracy=0.9)
    canned.answer = listed(shown | {"step_number": "soon"}, shown | {"step_number": None, "id": "ftckpt_2"})
    assert [one.step for one in canned_backend.checkpoints(JOB)] == [None, None]
    canned.answer = listed(shown | changed)
    assert isinstance(trouble(canned_backend, lambda: canned_backend.checkpoints(JOB)), UnusableAnswer)
