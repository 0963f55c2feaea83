"""What a run can be asked and told besides its status: reads, promotion, pausing, and the removal of what it left."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from cloudistill import Run, RunStatus, Store, distill, errors, get
from cloudistill.core.job import JobStatus
from cloudistill.core.refs import FileRef
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


def test_what_the_run_was_warned_of_before_its_model_was_deleted_is_still_said(lessons: Lessons) -> None:
    run = ready(lessons(20), vendor())
    run.record = run.store.update("r", warning="its weights lie in gs://there/")
    run.delete_model()
    warning = run.to_json()["warning"]
    assert "gs://there/" in warning
    assert "was deleted on" in warning


def test_deleting_files_that_a_run_being_deployed_was_trained_on_orders_no_deployment(lessons: Lessons) -> None:
    backend, data = vendor(), lessons(20)
    first, second = ready(data, backend, "first"), ready(data, backend, "second")
    second.store.update("second", status=RunStatus.DEPLOYING)  # a look would raise: this vendor deploys nothing
    assert len(first.delete_files()) == 1


def test_another_payers_run_on_the_same_file_is_not_looked_for_under_this_ones_credentials(lessons: Lessons) -> None:
    backend, data = vendor(), lessons(20)
    first = ready(data, backend, "first")
    facts = {"training": first.record.facts["training"], "job": "openai:theirs"}
    first.store.add("theirs", status=RunStatus.WAITING, payer="acme 2", order=first.record.order, facts=facts)
    with pytest.raises(errors.RunConflict, match="acme 2"):
        first.delete_files()
    assert backend.deleted == []


class Shelf(acme.Vendor):
    """Keeps files by content, until they are deleted."""

    def upload(self, path: Path, *, fingerprint: str) -> FileRef:
        file = FileRef(self.platform, f"file-{fingerprint[:12]}")
        if str(file) not in self.files:
            self.files.append(str(file))
            return super().upload(path, fingerprint=fingerprint)
        return file

    def delete_file(self, ref: FileRef) -> None:
        super().delete_file(ref)
        if str(ref) in self.files:
            self.files.remove(str(ref))

    @cached_property
    def files(self) -> list[str]:
        return []


def test_a_failed_run_whose_shared_file_another_run_deleted_uploads_it_again(lessons: Lessons) -> None:
    backend, data = Shelf(platform="openai"), lessons(20)
    failed, done = ordered(data, backend, "failed"), ready(data, backend, "done")
    backend.become(failed.job, JobStatus.FAILED)
    failed.refresh()
    done.delete_files()
    assert len(backend.uploads) == 1
    again = distill(
        data, student=STUDENTS["openai"], name="failed", today=TODAY, wait=False, backends=[backend], again=True
    )
    assert (again.record.attempt, len(backend.uploads), len(backend.specs)) == (2, 2, 3)
    assert backend.specs[-1].training == FileRef.parse(backend.files[0])


def forced(data: Path, backend: acme.Trainer, **options: Any) -> Run:
    told: dict[str, Any] = {"name": "r", "today": TODAY, "wait": False, "backends": [backend], "force_new": True}
    return distill(data, student=STUDENTS["openai"], **(told | options))


def test_what_earlier_attempts_left_is_deleted_too(lessons: Lessons) -> None:
    backend = Shelf(platform="openai")
    first = ready(lessons(20), backend)
    first.promote("step-1")
    left = (first.record.facts["training"], str(first.record.facts["trained"]))
    second = forced(lessons(20, seed=9, name="other.jsonl"), backend)
    backend.become(second.job, JobStatus.FAILED)
    second.refresh()
    third = forced(lessons(20, seed=8, name="third.jsonl"), backend)
    backend.become(third.job, JobStatus.SUCCEEDED)
    third.refresh()
    own = str(third.model)
    assert [str(ref) for ref in third.delete_model()] == ["openai:part-1", left[1], own]
    gone = [str(ref) for ref in third.delete_files()]
    assert (gone[0], len(gone), backend.files) == (left[0], 3, [])
    assert third.delete_files() == third.delete_model() == []
    assert own in third.to_json()["warning"]


def test_the_files_of_an_earlier_attempt_that_may_still_train_are_kept(lessons: Lessons) -> None:
    backend = Shelf(platform="openai")
    ordered(lessons(20), backend)
    second = forced(lessons(20, seed=9, name="other.jsonl"), backend)
    backend.become(second.job, JobStatus.SUCCEEDED)
    assert len(second.refresh().delete_files()) == 1
    assert len(backend.files) == 1


def test_the_files_of_a_lost_run_can_be_deleted_and_keep_no_others(lessons: Lessons) -> None:
    backend, data = vendor(), lessons(20)
    lost, done = ordered(data, backend, "lost"), ready(data, backend, "done")
    lost.record = lost.store.update("lost", status=RunStatus.LOST)
    assert len(done.delete_files()) == 1
    assert len(lost.delete_files()) == 1


def test_a_deletion_that_was_cut_short_is_finished_by_the_next(
    lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = vendor()
    run = ready(lessons(20), backend)
    whole = str(run.model)
    run.promote("step-1")

    def refuse(what: str) -> None:
        if what == f"delete {whole}":
            raise errors.PermissionDenied("no", platform="openai")

    with monkeypatch.context() as patched:
        patched.setattr(backend, "hear", refuse)
        with pytest.raises(errors.PermissionDenied):
            run.delete_model()
    assert str(get("r").model) == "openai:part-1", "nothing is said to be gone before all of it is"
    assert [str(ref) for ref in run.delete_model()] == ["openai:part-1", whole]
    assert run.model is None
