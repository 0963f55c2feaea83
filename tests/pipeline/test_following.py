"""What a run can be asked and told besides its status: reads, promotion, pausing, and the removal of what it left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudistill import Run, RunStatus, Store, distill, errors, get
from cloudistill.core.job import JobStatus
from cloudistill.pipeline.ordering import Doubt
from cloudistill.pipeline.retry import Patience
from tests.conftest import STUDENTS, TODAY

from . import acme

Lessons = Callable[..., Path]
READS = ("events", "metrics", "checkpoints")
BUSY = errors.ServiceTrouble("busy", platform="openai", outcome="refused")


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def ordered(data: Path, backend: acme.Trainer, name: str = "r") -> Run:
    run = distill(data, student=STUDENTS["openai"], name=name, today=TODAY, wait=False, backends=[backend])
    run.doubt = Doubt(patience=Patience(sleep=lambda _seconds: None))
    return run


def vendor() -> acme.Vendor:
    return acme.Vendor(platform="openai")


def ready(data: Path, backend: acme.Trainer, name: str = "r") -> Run:
    run = ordered(data, backend, name)
    backend.become(run.job, JobStatus.SUCCEEDED)
    return run.refresh()


def test_events_metrics_and_checkpoints_are_the_vendors_own(lessons: Lessons) -> None:
    run = ordered(lessons(20), vendor())
    assert [event.message for event in run.events()] == ["ordered", "trained"]
    assert [step.training_loss for step in run.metrics()] == [2.0, 1.0, pytest.approx(2 / 3)]
    assert [checkpoint.name for checkpoint in run.checkpoints()] == ["step-1", "step-2"]


@pytest.mark.parametrize("read", READS)
def test_a_read_is_repeated_while_the_trouble_passes(read: str, lessons: Lessons) -> None:
    backend = vendor()
    run = ordered(lessons(20), backend)
    backend.asked, backend.troubles = [], [BUSY, BUSY]
    assert getattr(run, read)()
    assert backend.asked == [f"{read} job-1"] * 3


@pytest.mark.parametrize("verb", [*READS, "pause", "resume", "promote", "delete_files", "delete_model"])
def test_what_a_platform_cannot_do_is_wrong_usage_and_names_it(verb: str, lessons: Lessons) -> None:
    backend = acme.Trainer(platform="openai")
    run = (ordered if verb in {"pause", "resume"} else ready)(lessons(20), backend)
    with pytest.raises(errors.UsageError, match="'openai'"):
        getattr(run, verb)(*(["step-1"] if verb == "promote" else []))


@pytest.mark.parametrize("read", READS)
def test_a_run_without_a_job_has_nothing_to_tell(read: str) -> None:
    store = Store()
    store.add("r", status=RunStatus.PLANNED, payer="acme 1", order={"student": STUDENTS["openai"]}, facts={})
    with pytest.raises(errors.UsageError, match="has no job"):
        getattr(Run(store, store.get("r"), vendor()), read)()


# -- promotion


def test_a_promoted_checkpoint_is_the_runs_model_until_the_final_one_is_promoted(lessons: Lessons) -> None:
    run = ready(lessons(20), vendor())
    whole = run.model
    assert str(run.promote("step-2").model) == "openai:part-2"
    assert (get("r").to_json()["model"], get("r").to_json()["checkpoint"]) == ("openai:part-2", "step-2")
    assert str(run.promote("step-1").model) == "openai:part-1"
    assert run.promote("final").model == whole
    promoted = [step.detail["checkpoint"] for step in run.history() if step.step == "promote"]
    assert promoted == ["step-2", "step-1", "final"]


def test_both_models_of_a_promoted_run_are_known_to_be_its_own(lessons: Lessons) -> None:
    run = ready(lessons(20), vendor())
    whole = str(run.model)
    run.promote("step-1")
    for model in (whole, "openai:part-1"):
        maker = run.store.maker(model)
        assert maker is not None
        assert maker.name == "r"


def test_an_unknown_checkpoint_is_refused_with_the_known_ones(lessons: Lessons) -> None:
    run = ready(lessons(20), vendor())
    with pytest.raises(errors.UsageError, match="step-1, step-2, final"):
        run.promote("step-9")


def test_nothing_is_promoted_before_there_is_a_model(lessons: Lessons) -> None:
    with pytest.raises(errors.UsageError, match="no model in whose place"):
        ordered(lessons(20), vendor()).promote("step-1")


# -- pausing


def test_a_held_job_is_not_final_and_goes_on(lessons: Lessons) -> None:
    run = ordered(lessons(20), vendor())
    assert run.pause().refresh().native_status == "paused"
    assert run.status is RunStatus.WAITING
    assert run.resume().refresh().native_status == "running"
    assert [step.step for step in run.history()][-4:] == ["pause", "pause", "resume", "resume"]


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_finished_job_is_neither_held_nor_let_go_on(verb: str, lessons: Lessons) -> None:
    run = ready(lessons(20), vendor())
    with pytest.raises(errors.UsageError, match=f"no job to {verb}"):
        getattr(run, verb)()


# -- removal


def test_files_are_deleted_once_the_run_is_finished_and_the_record_says_so(lessons: Lessons) -> None:
    backend = vendor()
    run = ready(lessons(20), backend)
    file = run.record.facts["training"]
    assert [str(ref) for ref in run.delete_files()] == [file]
    assert backend.deleted == [file]
    assert run.delete_files() == []
    assert {"delete file"} <= {step.step for step in run.history()}


def test_a_deleted_model_is_no_longer_the_runs_and_that_is_said(lessons: Lessons) -> None:
    backend = vendor()
    run = ready(lessons(20), backend)
    trained = str(run.model)
    run.promote("step-1")
    assert [str(ref) for ref in run.delete_model()] == ["openai:part-1", trained]
    assert run.model is None
    assert trained in run.to_json()["warning"]
    assert get("r").model is None
    with pytest.raises(errors.UsageError, match="no model"):
        run.promote("final")


def test_a_deletion_that_meets_passing_trouble_is_asked_again(lessons: Lessons) -> None:
    backend = vendor()
    run = ready(lessons(20), backend)
    backend.troubles = [BUSY]
    assert len(run.delete_model()) == 1


@pytest.mark.parametrize("verb", ["delete_files", "delete_model"])
def test_nothing_is_deleted_while_the_run_goes_on(verb: str, lessons: Lessons) -> None:
    backend = vendor()
    run = ordered(lessons(20), backend)
    with pytest.raises(errors.UsageError, match="once it is finished"):
        getattr(run, verb)()
    assert backend.deleted == []


def test_a_file_that_another_run_still_trains_on_is_kept(lessons: Lessons) -> None:
    backend, data = vendor(), lessons(20)
    first, second = ready(data, backend, "first"), ordered(data, backend, "second")
    with pytest.raises(errors.UsageError, match="'second' trains on"):
        first.delete_files()
    backend.become(second.job, JobStatus.SUCCEEDED)
    assert len(first.delete_files()) == 1, "the other's job is done, whatever its record says"


def test_the_same_command_after_a_deletion_pays_nothing_and_tells_what_became_of_the_model(lessons: Lessons) -> None:
    backend, data = vendor(), lessons(20)
    ready(data, backend).delete_model()
    again = ordered(data, backend)
    known: dict[str, Any] = again.to_json()
    assert (known["status"], known["model"], len(backend.specs)) == ("ready", None, 1)
    assert "--force-new" in known["warning"]
