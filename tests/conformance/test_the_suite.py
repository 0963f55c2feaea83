"""The suite can fail: a backend, a platform or a format that breaks a promise is found out by it."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from secrets import token_hex
from typing import Any

import openai
import pytest

from cloudistill.backends.backend import Answer, Request
from cloudistill.backends.openai import OpenAIBackend, errors, orders
from cloudistill.conformance import PlatformPromises, training
from cloudistill.conformance.formats import FormatPromises
from cloudistill.conformance.lessons import write
from cloudistill.core.errors import NotFound, PermissionDenied, PlatformError, ServiceTrouble, UsageError
from cloudistill.core.example import Example
from cloudistill.core.finding import Finding
from cloudistill.core.job import Job, JobSpec, JobStatus
from cloudistill.core.refs import FileRef, JobRef, ModelRef
from cloudistill.formats.openai_chat import OpenAIChat
from cloudistill.platforms import platform as room
from tests.conformance import test_ours
from tests.conformance.subjects import OpenAISubject


class PollsTwice(OpenAIBackend):
    def poll(self, ref: JobRef) -> Job:
        super().poll(ref)
        return super().poll(ref)


class OrdersTwice(OpenAIBackend):
    def submit(self, spec: JobSpec) -> Job:
        super().submit(spec)
        return super().submit(spec)


class OrdersAgainWhenInDoubt(OpenAIBackend):
    def submit(self, spec: JobSpec) -> Job:
        try:
            return super().submit(spec)
        except Exception:  # the mistake that is to be found
            return super().submit(spec)


class TakesEveryWordForFailure(OpenAIBackend):
    def poll(self, ref: JobRef) -> Job:
        job = super().poll(ref)
        return replace(job, status=JobStatus.FAILED) if job.status is JobStatus.UNKNOWN else job


class DoesNotAskWhoseJobItIs(OpenAIBackend):
    def poll(self, ref: JobRef) -> Job:
        return orders.to_job(self.client.fine_tuning.jobs.retrieve(ref.id), "GET")


class SendsEverythingAgain(OpenAIBackend):
    def upload(self, path: Path, *, fingerprint: str) -> FileRef:
        with path.open("rb") as stream:
            return FileRef("openai", self.client.files.create(file=stream, purpose="fine-tune").id)


class SendsHalf(OpenAIBackend):
    def upload(self, path: Path, *, fingerprint: str) -> FileRef:
        path.write_bytes(path.read_bytes()[:-1])
        return super().upload(path, fingerprint=fingerprint)


class ReadsOnePage(OpenAIBackend):
    def list(self) -> Iterator[Job]:
        return islice(super().list(), 100)


class TakesAPageForAnEmptyList(OpenAIBackend):
    def list(self) -> Iterator[Job]:
        try:
            yield from super().list()
        except PlatformError:
            return


class TakesRefusalForTheEnd(OpenAIBackend):
    def poll(self, ref: JobRef) -> Job:
        try:
            return super().poll(ref)
        except openai.NotFoundError:
            return Job(ref=ref, status=JobStatus.FAILED, native_status="gone")


class TakesAPageForTheEnd(OpenAIBackend):
    def poll(self, ref: JobRef) -> Job:
        try:
            return super().poll(ref)
        except (PlatformError, ValueError):
            return Job(ref=ref, status=JobStatus.FAILED, native_status="")


class CancelsBlindly(OpenAIBackend):
    def cancel(self, ref: JobRef) -> None:
        with suppress(openai.APIError, PlatformError):
            super().cancel(ref)


class RemovesBlindly(OpenAIBackend):
    def delete_model(self, ref: ModelRef) -> None:
        with suppress(openai.APIError, PlatformError):
            super().delete_model(ref)


class FindsByHalfAMarker(OpenAIBackend):
    def find(self, spec: JobSpec) -> Job | None:
        return next((job for job in self.list() if (job.marker or "")[:16] == spec.marker[:16]), None)


class FollowsRedirects(OpenAIBackend):
    def submit(self, spec: JobSpec) -> Job:
        try:
            return super().submit(spec)
        except openai.APIStatusError as error:
            if "location" in error.response.headers:
                self.client.fine_tuning.jobs.list()
            raise


class FindsNothingWrong(OpenAIBackend):
    def preflight(self, student: ModelRef | None = None) -> list[Finding]:
        return [found for found in super().preflight(student) if found.rule == "unreachable"]


class NeverCutsOff(OpenAIBackend):
    def generate(self, model: ModelRef, request: Request) -> Answer:
        return super().generate(model, replace(request, max_tokens=None))


class RepeatsTheKey(OpenAIBackend):
    def classify(self, error: Exception) -> PlatformError:
        return errors.classify(error)


class NamesAPayerOfItsOwnEachTime(OpenAIBackend):
    def payer(self) -> str:
        return token_hex(4)


class ShowsItsKey(OpenAIBackend):
    def __repr__(self) -> str:
        return f"ShowsItsKey({self.client.api_key})"


class CallsEverythingPassing(OpenAIBackend):
    def classify(self, error: Exception) -> PlatformError:
        return ServiceTrouble(str(error), platform="openai", outcome="refused")


class ForgetsTheMarker(OpenAIBackend):
    def find(self, spec: JobSpec) -> Job | None:
        return None


class DropsWhatItDoesNotKnow(OpenAIBackend):
    def accepts(self, spec: JobSpec) -> None:
        return None

    def submit(self, spec: JobSpec) -> Job:
        return super().submit(replace(spec, hyperparameters={}, native={}))


class CancelsNothing(OpenAIBackend):
    def cancel(self, ref: JobRef) -> None:
        return None


BROKEN: list[tuple[type[OpenAIBackend], str]] = [
    (PollsTwice, "test_poll_is_one_get"),
    (OrdersTwice, "test_submit_sends_exactly_one_create"),
    (OrdersAgainWhenInDoubt, "test_a_lost_answer_is_maybe_and_the_job_is_found"),
    (OrdersAgainWhenInDoubt, "test_a_create_is_sent_once_whatever_comes_back"),
    (TakesEveryWordForFailure, "test_an_unknown_status_word_is_kept_and_not_final"),
    (DoesNotAskWhoseJobItIs, "test_an_answer_about_another_job_is_unusable"),
    (SendsEverythingAgain, "test_a_second_upload_of_the_same_content_sends_nothing"),
    (SendsHalf, "test_the_bytes_stored_are_the_bytes_sent"),
    (ReadsOnePage, "test_list_pages_to_the_end"),
    (TakesAPageForAnEmptyList, "test_a_garbled_list_is_not_taken_for_an_empty_one"),
    (ShowsItsKey, "test_no_secret_is_in_its_repr_or_its_payer"),
    (CallsEverythingPassing, "test_a_refused_key_is_authentication_failed"),
    (CallsEverythingPassing, "test_a_lost_answer_is_maybe_and_the_job_is_found"),
    (CallsEverythingPassing, "test_an_exception_of_nobodys_is_named_and_not_repeated"),
    (ForgetsTheMarker, "test_a_job_submitted_once_is_found_by_its_marker"),
    (DropsWhatItDoesNotKnow, "test_what_the_vendor_has_no_place_for_is_refused_and_not_sent"),
    (CancelsNothing, "test_a_cancelled_job_ends_cancelled"),
    (TakesRefusalForTheEnd, "test_a_refusal_about_a_job_is_an_error_and_not_a_status"),
    (TakesAPageForTheEnd, "test_a_garbled_poll_is_unusable"),
    (FindsByHalfAMarker, "test_list_pages_to_the_end"),
    (FollowsRedirects, "test_a_redirect_is_not_followed"),
    (FindsNothingWrong, "test_a_preflight_whose_key_is_refused_says_so"),
    (NeverCutsOff, "test_an_answer_that_reached_the_limit_of_tokens_is_cut_off"),
    (RepeatsTheKey, "test_a_key_that_the_vendor_repeats_is_struck_out"),
    (NamesAPayerOfItsOwnEachTime, "test_it_says_who_pays"),
]


TRAINED = Job(
    ref=JobRef("openai", "ftjob-0"),
    status=JobStatus.SUCCEEDED,
    native_status="succeeded",
    model=ModelRef("openai", "ft:gpt-4.1-mini-2025-04-14:o::0"),
)


def keep(promise: Callable[..., None], **known: Any) -> None:
    """Run one promise with what it asks for."""
    promise(**{name: known[name] for name in inspect.signature(promise).parameters})


@pytest.fixture
def held(ours: Callable[..., OpenAISubject], tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Holds a backend to one promise of OpenAI's."""
    backends: list[OpenAIBackend] = []

    def hold(backend: type[OpenAIBackend], promise: str, suite: Any, **others: Any) -> None:
        subject, marker = ours(OpenAISubject), token_hex(16)
        subject.server.faults.clear()
        file = write(tmp_path / "train.jsonl", subject.student, marker)
        fingerprint = hashlib.sha256(file.read_bytes()).hexdigest()
        spec = JobSpec(run="r", marker=marker, student=subject.student, training=training.store(subject, file))
        subject.backend = backend()
        backends.append(subject.backend)
        known = {"file": file, "upload": lambda: training.store(subject, file, fingerprint), "spec": spec}
        known |= {"member": "native", "status": 500, "base": subject.student, "verb": "poll", "kind": NotFound}
        keep(getattr(suite, promise), subject=subject, **known | others)

    yield hold
    for backend in backends:
        backend.client.close()


@pytest.mark.parametrize(("kind", "promise"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
def test_a_backend_that_breaks_a_promise_is_found_out(
    held: Callable[..., None], kind: type[OpenAIBackend], promise: str
) -> None:
    held(OpenAIBackend, promise, test_ours.TestOpenAI())
    with pytest.raises((AssertionError, pytest.fail.Exception, PlatformError, ValueError)):
        held(kind, promise, test_ours.TestOpenAI())


def test_a_cancel_or_a_removal_that_is_refused_is_found_out(held: Callable[..., None]) -> None:
    cancelling, suite = "test_a_refusal_about_a_job_is_an_error_and_not_a_status", test_ours.TestOpenAI()
    removing = "test_a_removal_that_is_refused_is_not_taken_for_done"
    refused = {"verb": "cancel", "kind": PermissionDenied, "trained": TRAINED}
    for backend, promise in ((CancelsBlindly, cancelling), (RemovesBlindly, removing)):
        held(OpenAIBackend, promise, suite, **refused)
        with pytest.raises(pytest.fail.Exception):
            held(backend, promise, suite, **refused)


def test_an_ability_without_its_promises_is_found_out(held: Callable[..., None]) -> None:
    with pytest.raises(AssertionError):
        held(OpenAIBackend, "test_every_ability_it_has_is_held_to_its_promises", training.TrainsPromises())


FACTS = """
name = "acme"
title = "Acme"
format = "openai-chat"
polling = {first = 1, maximum = 2, factor = 1.5, jitter = 0.1, source = "s", checked = 2026-11-24}
limits = {source = "s", checked = 2026-11-24}
job_words = {words = {done = "succeeded", broken = "failed"}, source = "s", checked = 2026-11-24}
[models.m]
title = "M"
roles = ["student"]
context = 8000
source = "s"
checked = 2026-11-24
"""


class Acme(PlatformPromises):
    platform = "acme"


@pytest.mark.parametrize(
    ("right", "wrong", "promise"),
    [
        ('context = 8000\nsource = "s"', 'context = 8000\nsource = " "', "test_every_table_says_where_it_was_read"),
        ("context = 8000", "", "test_every_live_student_says_how_long_a_row_may_be"),
        ('broken = "failed"', 'broken = "cancelled"', "test_some_word_means_success_and_some_word_means_failure"),
        ("first = 1", "first = 9", "test_looking_begins_often_and_becomes_rarer"),
        ("context = 8000", 'context = 8000\nreplaced_by = ["n"]', "test_what_replaces_a_model_is_known"),
        ('"openai-chat"', '"no-such-format"', "test_its_format_is_known"),
    ],
)
def test_facts_that_break_a_promise_are_found_out(
    monkeypatch: pytest.MonkeyPatch, right: str, wrong: str, promise: str
) -> None:
    (name,) = [name for name in dir(Acme) if name.startswith(promise)]

    def hold(text: str) -> None:
        monkeypatch.setattr("cloudistill.conformance.facts.read", {"acme": text}.__getitem__)
        keep(getattr(Acme(), name), facts=room.parse(text, "acme.toml"))

    hold(FACTS)
    with pytest.raises((AssertionError, UsageError)):
        hold(FACTS.replace(right, wrong))


class Loses(OpenAIChat):
    def encode(self, example: Example) -> dict[str, Any]:
        return super().encode(example) | {"messages": super().encode(example)["messages"][-2:]}


class Swallows(OpenAIChat):
    def decode(self, record: dict[str, Any]) -> Example:
        return super().decode({key: value for key, value in record.items() if key in {"messages", "tools"}})


def test_a_format_that_loses_or_swallows_is_found_out() -> None:
    suite = FormatPromises()
    with pytest.raises(AssertionError):
        suite.test_it_carries_a_plain_lesson_and_a_question(Loses())
    with pytest.raises(pytest.fail.Exception):
        suite.test_a_member_nobody_knows_is_refused(Swallows())
