"""What a backend promises that tells more of a job than its status, can hold it, or has the vendor run the teacher."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest

from cloudistill.backends.backend import Answers, Checkpoints, Distils, Pauses, Reports
from cloudistill.conformance.answering import question
from cloudistill.conformance.lessons import write_prompts
from cloudistill.conformance.subject import Subject
from cloudistill.conformance.training import TrainsPromises, reach, store, walk
from cloudistill.core.job import Checkpoint, Job, JobEvent, JobSpec, JobStatus, PromptReport, StepMetrics
from cloudistill.pipeline.retry import once


class ReportsPromises(TrainsPromises):
    """The promises of a backend that tells how a job goes."""

    ability: ClassVar[type] = Reports

    def test_events_come_oldest_first_and_in_words(self, subject: Subject, trained: Job) -> None:
        events: list[JobEvent] = once(subject.backend, lambda: [*subject.backend.events(trained.ref)])
        assert events
        assert all(event.message.strip() for event in events)
        times = [event.at for event in events if event.at is not None]
        assert all(at.tzinfo is not None for at in times)
        assert times == sorted(times)

    def test_metrics_go_up_step_by_step_from_one(self, subject: Subject, trained: Job) -> None:
        metrics: list[StepMetrics] = once(subject.backend, lambda: subject.backend.metrics(trained.ref))
        assert bool(metrics) is subject.measures
        assert all(measured.step >= 1 for measured in metrics)
        assert all(first.step < second.step for first, second in pairwise(metrics))
        assert all(step.training_loss is None or step.training_loss >= 0 for step in metrics)
        accuracies = [figure for step in metrics for figure in (step.training_accuracy, step.validation_accuracy)]
        assert all(figure is None or 0 <= figure <= 1 for figure in accuracies)

    def test_a_job_that_has_just_begun_has_nothing_measured_yet(self, subject: Subject, spec: JobSpec) -> None:
        ref = once(subject.backend, lambda: subject.backend.submit(spec)).ref
        assert once(subject.backend, lambda: subject.backend.metrics(ref)) == []
        once(subject.backend, lambda: [*subject.backend.events(ref)])


class CheckpointsPromises(TrainsPromises):
    """The promises of a backend that keeps the student as it was part-way."""

    ability: ClassVar[type] = Checkpoints

    def test_checkpoints_are_told_apart_oldest_first(self, subject: Subject, trained: Job) -> None:
        kept = self._kept(subject, trained)
        assert kept
        assert len({checkpoint.name for checkpoint in kept}) == len(kept)
        for order in ("step", "epoch", "created"):
            values = [value for checkpoint in kept if (value := getattr(checkpoint, order)) is not None]
            assert values == sorted(values), order

    def test_a_checkpoint_can_be_called_like_any_model(self, subject: Subject, trained: Job) -> None:
        kept = self._kept(subject, trained)
        assert all(checkpoint.model.platform == subject.backend.platform for checkpoint in kept)
        if isinstance(subject.backend, Answers):
            answer = once(subject.backend, lambda: subject.backend.generate(kept[0].model, question()))
            assert answer.content

    def test_a_job_that_has_just_begun_has_none(self, subject: Subject, spec: JobSpec) -> None:
        job = once(subject.backend, lambda: subject.backend.submit(spec))
        assert self._kept(subject, job) == []

    def _kept(self, subject: Subject, job: Job) -> list[Checkpoint]:
        return once(subject.backend, lambda: subject.backend.checkpoints(job.ref))


class PausesPromises(TrainsPromises):
    """The promises of a backend that can hold a job."""

    ability: ClassVar[type] = Pauses

    def test_a_held_job_stays_held_and_goes_on_to_a_model(self, subject: Subject, spec: JobSpec) -> None:
        ref = once(subject.backend, lambda: subject.backend.submit(spec)).ref
        reach(subject, ref, JobStatus.RUNNING)
        once(subject.backend, lambda: subject.backend.pause(ref))
        held = reach(subject, ref, JobStatus.PAUSED)
        assert not held.status.is_final
        subject.advance(24 * 3600)
        assert once(subject.backend, lambda: subject.backend.poll(ref)).status is JobStatus.PAUSED
        once(subject.backend, lambda: subject.backend.resume(ref))
        assert walk(subject, held).status is JobStatus.SUCCEEDED


class DistilsPromises(TrainsPromises):
    """The promises of a backend whose vendor runs the teacher itself; the subject names a `pair`."""

    ability: ClassVar[type] = Distils

    @pytest.fixture
    def native(self, subject: Subject, spec: JobSpec, tmp_path: Path) -> JobSpec:
        """An order of prompts that wait for the vendor's teacher."""
        assert subject.pair is not None, "a subject for DistilsPromises names a pair"
        teacher, student = subject.pair
        file = write_prompts(tmp_path / "prompts.jsonl", teacher, student, spec.marker)
        return replace(spec, student=student, teacher=teacher, method="native", training=store(subject, file))

    def test_prompts_and_a_teacher_become_a_model(self, subject: Subject, native: JobSpec) -> None:
        job = once(subject.backend, lambda: subject.backend.submit(native))
        found = once(subject.backend, lambda: subject.backend.find(native))
        assert found is not None
        assert (found.ref, found.base) == (job.ref, native.student.id)
        ended = walk(subject, job)
        assert ended.status is JobStatus.SUCCEEDED, ended
        assert ended.model is not None

    def test_a_native_order_is_one_create(self, subject: Subject, native: JobSpec) -> None:
        before = len(subject.wire.requests)
        once(subject.backend, lambda: subject.backend.submit(native))
        (sent,) = subject.wire.requests[before:]
        assert sent.startswith("POST ")

    def test_the_report_is_none_until_it_says_what_became_of_the_prompts(
        self, subject: Subject, native: JobSpec
    ) -> None:
        job = once(subject.backend, lambda: subject.backend.submit(native))
        assert self._report(subject, job) is None
        report = self._report(subject, walk(subject, job))
        assert report is not None
        assert (report.accepted or 0) > 0
        assert sum(report.reasons.values()) <= (report.rejected or 0)

    def _report(self, subject: Subject, job: Job) -> PromptReport | None:
        return once(subject.backend, lambda: subject.backend.prompt_report(job.ref))
