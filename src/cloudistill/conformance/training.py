"""What a backend that `Trains` promises: content stored once, one request for an order, a job read as it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cloudistill.backends.backend import Trains
from cloudistill.conformance.basics import trouble
from cloudistill.conformance.doubt import DoubtPromises
from cloudistill.conformance.lessons import write
from cloudistill.conformance.subject import Subject
from cloudistill.core.errors import UnusableAnswer, UsageError
from cloudistill.core.job import Job, JobSpec, JobStatus
from cloudistill.core.refs import FileRef, JobRef
from cloudistill.pipeline.retry import once
from cloudistill.platforms.platform import load

STEP = 600.0  # seconds
STEPS = 100
LARGE = 9_000_000  # bytes; more than a vendor takes at once


def store(subject: Subject, file: Path, fingerprint: str | None = None) -> FileRef:
    """Upload `file`, under its own fingerprint or the one given."""
    known = fingerprint or hashlib.sha256(file.read_bytes()).hexdigest()
    return once(subject.backend, lambda: subject.backend.upload(file, fingerprint=known))


def walk(subject: Subject, job: Job) -> Job:
    """The job at its end."""
    ref = job.ref
    for _ in range(STEPS):
        job = once(subject.backend, lambda: subject.backend.poll(ref))
        if job.status.is_final:
            return job
        subject.advance(STEP)
    raise AssertionError(f"after {STEP * STEPS:.0f} s of vendor time the job is still {job}")


def reach(subject: Subject, ref: JobRef, status: JobStatus) -> Job:
    """The job once it has that status."""
    job = once(subject.backend, lambda: subject.backend.poll(ref))
    for _ in range(STEPS):
        if job.status is status:
            return job
        subject.advance(STEP / 20)
        job = once(subject.backend, lambda: subject.backend.poll(ref))
    raise AssertionError(f"the job never was {status}; it is {job}")


def answer_with(subject: Subject, body: Any) -> None:
    """Have the next request answered with that JSON."""
    subject.wire.fail(
        "", kind="refuse", status=200, body=json.dumps(body).encode(), headers={"content-type": "application/json"}
    )


class TrainsPromises(DoubtPromises):
    """The promises of a backend that tunes students."""

    ability: ClassVar[type] = Trains

    @pytest.fixture
    def file(self, subject: Subject, tmp_path: Path, marker: str) -> Path:
        """A training file that no other test uses."""
        return write(tmp_path / "train.jsonl", subject.student, marker)

    @pytest.fixture
    def upload(self, subject: Subject, file: Path) -> Callable[[], FileRef]:
        """Stores the training file, under the fingerprint it has now."""
        fingerprint = hashlib.sha256(file.read_bytes()).hexdigest()
        return lambda: store(subject, file, fingerprint)

    @pytest.fixture
    def spec(self, subject: Subject, upload: Callable[[], FileRef], marker: str) -> JobSpec:
        """An order whose file is at the vendor."""
        return JobSpec(run="Town halls", marker=marker, student=subject.student, training=upload())

    @pytest.fixture
    def trained(self, subject: Subject, spec: JobSpec) -> Job:
        """A job that has succeeded."""
        job = walk(subject, once(subject.backend, lambda: subject.backend.submit(spec)))
        assert job.status is JobStatus.SUCCEEDED, job
        return job

    # -- files

    def test_the_bytes_stored_are_the_bytes_sent(
        self, subject: Subject, file: Path, upload: Callable[[], FileRef]
    ) -> None:
        content = file.read_bytes()
        assert subject.stored(upload()) == content == file.read_bytes()

    def test_a_file_of_several_parts_arrives_whole(self, subject: Subject, file: Path) -> None:
        content = file.read_bytes() * (LARGE // file.stat().st_size)
        file.write_bytes(content)
        assert subject.stored(store(subject, file)) == content

    def test_a_second_upload_of_the_same_content_sends_nothing(
        self, subject: Subject, file: Path, upload: Callable[[], FileRef]
    ) -> None:
        first, content = upload(), file.read_bytes()
        file.write_bytes(b"x" * len(content))  # would show at the vendor if it were sent
        assert upload() == first
        assert subject.stored(first) == content

    # -- orders

    def test_a_job_submitted_once_is_found_by_its_marker(self, subject: Subject, spec: JobSpec) -> None:
        assert once(subject.backend, lambda: subject.backend.find(spec)) is None
        job = once(subject.backend, lambda: subject.backend.submit(spec))
        found = once(subject.backend, lambda: subject.backend.find(spec))
        assert found is not None
        assert (found.ref, found.marker, found.base) == (job.ref, spec.marker, spec.student.id)
        assert not found.status.is_final

    def test_submit_sends_exactly_one_create(self, subject: Subject, spec: JobSpec) -> None:
        before = len(subject.wire.requests)
        once(subject.backend, lambda: subject.backend.submit(spec))
        (sent,) = subject.wire.requests[before:]
        assert sent.startswith("POST ")

    def test_a_marker_names_one_order_where_the_backend_says_so(self, subject: Subject, spec: JobSpec) -> None:
        twice = [once(subject.backend, lambda: subject.backend.submit(spec)).ref for _ in range(2)]
        found = once(subject.backend, lambda: subject.backend.find(spec))
        assert found is not None
        assert found.ref in twice
        assert len(set(twice)) == 1 or not subject.backend.idempotent

    @pytest.mark.parametrize("member", ["hyperparameters", "native"])
    def test_what_the_vendor_has_no_place_for_is_refused_and_not_sent(
        self, subject: Subject, spec: JobSpec, member: str
    ) -> None:
        odd = replace(spec, **{member: {"no_such_thing": 1}})
        before = len(subject.wire.requests)
        for verb in (subject.backend.accepts, subject.backend.submit):
            with pytest.raises(UsageError, match="no_such_thing"):
                verb(odd)
        assert len(subject.wire.requests) == before

    def test_an_order_that_fits_is_accepted_without_asking(self, subject: Subject, spec: JobSpec) -> None:
        before = len(subject.wire.requests)
        subject.backend.accepts(spec)
        assert len(subject.wire.requests) == before

    # -- jobs

    def test_poll_is_one_get(self, subject: Subject, spec: JobSpec) -> None:
        job = once(subject.backend, lambda: subject.backend.submit(spec))
        before = len(subject.wire.requests)
        once(subject.backend, lambda: subject.backend.poll(job.ref))
        (sent,) = subject.wire.requests[before:]
        assert sent.startswith("GET ")

    def test_a_job_runs_to_a_model_and_stays_what_it_is(self, subject: Subject, spec: JobSpec, trained: Job) -> None:
        assert trained.model is not None
        assert trained.model.platform == subject.backend.platform
        assert (trained.warning, trained.failure) == (None, None)
        assert (trained.marker, trained.base) == (spec.marker, spec.student.id)
        assert trained.created is not None
        assert trained.created.tzinfo is not None
        subject.advance(STEP)
        assert once(subject.backend, lambda: subject.backend.poll(trained.ref)) == trained

    def test_a_cancelled_job_ends_cancelled(self, subject: Subject, spec: JobSpec) -> None:
        job = once(subject.backend, lambda: subject.backend.submit(spec))
        once(subject.backend, lambda: subject.backend.cancel(job.ref))
        ended = walk(subject, job)
        assert (ended.status, ended.model) == (JobStatus.CANCELLED, None)

    def test_list_pages_to_the_end(self, subject: Subject, spec: JobSpec) -> None:
        orders = [replace(spec, marker=f"{spec.marker[:-4]}{number:04x}") for number in range(subject.page + 1)]
        for order in orders:
            once(subject.backend, lambda order=order: subject.backend.submit(order))
        listed = once(subject.backend, lambda: [*subject.backend.list()])
        assert {order.marker for order in orders} <= {job.marker for job in listed}
        assert len({job.ref for job in listed}) == len(listed)
        for order in (orders[0], orders[-1]):
            found = once(subject.backend, lambda order=order: subject.backend.find(order))
            assert found is not None
            assert found.marker == order.marker

    # -- the vendor's words

    def test_every_status_word_of_the_vendor_is_read_as_the_facts_say(self, subject: Subject, spec: JobSpec) -> None:
        ref = once(subject.backend, lambda: subject.backend.submit(spec)).ref
        for word, status in load(ref.platform).statuses.items():
            job = self._polled_as(subject, ref, word)
            assert (job.ref, job.status, job.native_status) == (ref, status, word)
            assert (job.model is not None) is (status is JobStatus.SUCCEEDED), word

    def test_an_unknown_status_word_is_kept_and_not_final(self, subject: Subject, spec: JobSpec) -> None:
        ref = once(subject.backend, lambda: subject.backend.submit(spec)).ref
        job = self._polled_as(subject, ref, "STATE_Hibernating")
        assert (job.status, job.native_status, job.model) == (JobStatus.UNKNOWN, "STATE_Hibernating", None)
        assert not job.status.is_final

    def test_a_success_without_a_model_is_not_done_yet(self, subject: Subject, spec: JobSpec) -> None:
        ref = once(subject.backend, lambda: subject.backend.submit(spec)).ref
        statuses = load(ref.platform).statuses
        word = next(word for word, status in statuses.items() if status is JobStatus.SUCCEEDED)
        answer_with(subject, subject.job_answer(ref, word, model=False))
        job = once(subject.backend, lambda: subject.backend.poll(ref))
        assert (job.status, job.native_status, job.model) == (JobStatus.RUNNING, word, None)
        assert job.warning

    def test_an_answer_about_another_job_is_unusable(self, subject: Subject, spec: JobSpec) -> None:
        ref = once(subject.backend, lambda: subject.backend.submit(spec)).ref
        other = JobRef(ref.platform, ref.id[:-2] + ("00" if not ref.id.endswith("00") else "11"))
        answer_with(subject, subject.job_answer(other, next(iter(load(ref.platform).statuses))))
        assert isinstance(trouble(subject, lambda: subject.backend.poll(ref)), UnusableAnswer)

    def _polled_as(self, subject: Subject, ref: JobRef, word: str) -> Job:
        answer_with(subject, subject.job_answer(ref, word))
        return once(subject.backend, lambda: subject.backend.poll(ref))
