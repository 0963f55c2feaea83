"""What can be done at OpenAI beside training: hold a job, remove things, ask what is on offer; and what cannot."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from openai import OpenAI

from cloudistill.backends.openai import OpenAIBackend
from cloudistill.core.errors import InvalidRequest, NotFound, PermissionDenied, UnusableAnswer, UsageError
from cloudistill.core.job import JobStatus, Logs, Offer
from cloudistill.core.refs import FileRef, JobRef, ModelRef

from .vendors import STUDENTS, Canned, Vendor, close, openai_only, spec_for, trouble

TUNED = ModelRef("openai", "ft:gpt-4.1-mini-2025-04-14:me::1")
MINUTE = 60


def trained(vendor: Vendor) -> ModelRef:
    job = vendor.backend.submit(vendor.spec())
    vendor.world.clock.advance(60 * MINUTE)
    model = vendor.backend.poll(job.ref).model
    assert model is not None
    return model


@openai_only
class TestPauses:
    def test_a_job_is_held_and_goes_on(self, vendor: Vendor):
        job = vendor.backend.submit(vendor.spec())
        vendor.world.clock.advance(10 * MINUTE)
        vendor.backend.pause(job.ref)
        holding = vendor.backend.poll(job.ref)
        vendor.world.clock.advance(24 * 60 * MINUTE)
        held = vendor.backend.poll(job.ref)
        vendor.backend.resume(job.ref)
        seen = [holding, held, vendor.backend.poll(job.ref)]
        assert [job.native_status for job in seen] == ["pausing", "paused", "queued"]
        assert [job.status for job in seen] == [JobStatus.STOPPING, JobStatus.PAUSED, JobStatus.PENDING]
        vendor.world.clock.advance(60 * MINUTE)
        assert vendor.backend.poll(job.ref).status is JobStatus.SUCCEEDED

    @pytest.mark.parametrize("verb", ["pause", "resume"])
    def test_what_cannot_be_held_or_let_go_is_refused_in_openais_words(self, vendor: Vendor, verb: str):
        job = vendor.backend.submit(vendor.spec())
        error = trouble(vendor.backend, lambda: getattr(vendor.backend, verb)(job.ref))
        assert isinstance(error, InvalidRequest)
        assert "validating_files" in str(error)

    @pytest.mark.parametrize("verb", ["pause", "resume"])
    def test_a_page_in_place_of_the_job_is_unusable(self, vendor: Vendor, verb: str):
        vendor.server.fail(rf"/{verb}$", kind="html")
        error = trouble(vendor.backend, lambda: getattr(vendor.backend, verb)(JobRef("openai", "ftjob-1")))
        assert isinstance(error, UnusableAnswer)


@openai_only
class TestDeletes:
    def test_who_does_not_own_the_organisation_may_not_delete_a_model(
        self, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
    ):
        model = trained(vendor)
        monkeypatch.setattr(vendor.world.openai.models, "role", "reader")
        error = trouble(vendor.backend, lambda: vendor.backend.delete_model(model))
        assert isinstance(error, PermissionDenied)
        assert "insufficient permissions" in str(error)
        assert "owner of the organisation" in str(error)
        assert vendor.backend.offer(model).served

    def test_openais_own_models_are_not_ours_to_delete(self, vendor: Vendor):
        before = len(vendor.server.requests)
        with pytest.raises(UsageError, match="OpenAI's own model"):
            vendor.backend.delete_model(vendor.student)
        assert len(vendor.server.requests) == before


@pytest.mark.parametrize("answer", [{}, {"id": "x", "deleted": False}, b'"gone"', b"null"])
def test_a_deletion_that_is_not_confirmed_is_unusable(canned: Canned, canned_backend: OpenAIBackend, answer: Any):
    canned.answer = answer
    file = FileRef("openai", "file-1")
    assert isinstance(trouble(canned_backend, lambda: canned_backend.delete_file(file)), UnusableAnswer)
    assert isinstance(trouble(canned_backend, lambda: canned_backend.delete_model(TUNED)), UnusableAnswer)


def test_a_proxys_404_is_neither_a_deletion_nor_an_absence(canned: Canned, canned_backend: OpenAIBackend):
    canned.status, canned.answer, canned.headers = 404, b"<html>no route</html>", {"content-type": "text/html"}
    file = FileRef("openai", "file-1")
    for call in (lambda: canned_backend.delete_file(file), lambda: canned_backend.offer(TUNED)):
        assert isinstance(trouble(canned_backend, call), NotFound)
    assert [finding.rule for finding in canned_backend.preflight(STUDENTS["openai"])] == ["unreachable"]


@openai_only
class TestOffers:
    def test_a_served_base_has_its_last_day_and_a_fine_tune_none(self, vendor: Vendor):
        offer = vendor.backend.offer(vendor.student)
        assert (offer.served, offer.trains, offer.ends) == (True, None, date(2027, 1, 14))
        assert vendor.backend.offer(trained(vendor)) == Offer(served=True, says="no shutdown date announced")

    def test_what_is_not_served_is_an_answer_in_openais_words(self, vendor: Vendor):
        gone = vendor.backend.offer(ModelRef("openai", "gpt-4.1-nano-2025-04-14"))
        assert (gone.served, gone.trains) == (False, False)
        assert "has been deprecated" in gone.says

    def test_it_costs_one_get(self, vendor: Vendor):
        before = len(vendor.server.requests)
        vendor.backend.offer(vendor.student)
        vendor.backend.preflight(vendor.student)
        assert vendor.server.requests[before:] == [f"GET /v1/models/{vendor.student.id}"] * 2


def test_a_key_that_was_echoed_is_not_told(canned: Canned, canned_backend: OpenAIBackend):
    canned.status, canned.answer = 404, {"error": {"message": "nothing for sk-test", "code": "model_not_found"}}
    assert canned_backend.offer(TUNED).says == "nothing for [key]"


def test_words_stay_whole_where_a_client_holds_no_key_of_its_own(canned: Canned):
    canned.status, canned.answer = 404, {"error": {"message": "no such model", "code": "model_not_found"}}
    gate = {"Authorization": "Bearer of-the-gateway"}
    with OpenAI(base_url=f"{canned.url}/v1", api_key="", admin_api_key="none", default_headers=gate) as client:
        assert OpenAIBackend(client=client).offer(TUNED).says == "no such model"


@pytest.mark.parametrize("word", ["soon", "2027-13-01", 20270114, ["2027-01-14"]])
def test_a_day_that_cannot_be_read_is_quoted_and_not_guessed(
    canned: Canned, canned_backend: OpenAIBackend, word: object
):
    canned.answer = {"id": TUNED.id, "shutdown_date": word}
    offer = canned_backend.offer(TUNED)
    assert (offer.served, offer.ends) == (True, None)
    assert repr(word) in offer.says


@pytest.mark.parametrize("answer", [{}, {"id": "gpt-4.1"}, b'"ft"', b"<html>proxy</html>"])
def test_another_models_object_is_no_offer(canned: Canned, canned_backend: OpenAIBackend, answer: Any):
    canned.answer = answer
    assert isinstance(trouble(canned_backend, lambda: canned_backend.offer(TUNED)), UnusableAnswer)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"method": "native"}, "runs no teacher itself: use method 'sft'"),
        ({"teacher": ModelRef("openai", "gpt-4.1")}, "takes no teacher "),
        ({"teacher_max_tokens": 100}, "takes no teacher_max_tokens"),
        ({"logs": Logs(uri="s3://logs/")}, "takes no logs"),
    ],
)
def test_a_teacher_at_openai_is_refused_and_nothing_is_sent(
    canned: Canned, canned_backend: OpenAIBackend, members: dict[str, Any], words: str
):
    spec = spec_for("openai", **members)
    for call in (canned_backend.accepts, canned_backend.submit):
        with pytest.raises(UsageError, match=words):
            call(spec)
    assert canned.bodies == []


@openai_only
def test_threads_that_share_a_backend_share_its_client(vendor: Vendor, monkeypatch: pytest.MonkeyPatch):
    connect, made = OpenAIBackend._connect, list[OpenAI]()  # pyright: ignore[reportPrivateUsage]

    def slowly(backend: OpenAIBackend) -> OpenAI:
        time.sleep(0.05)
        made.append(connect(backend))
        return made[-1]

    monkeypatch.setattr(OpenAIBackend, "_connect", slowly)
    backend = OpenAIBackend()
    with ThreadPoolExecutor(8) as pool:
        offers = set(pool.map(backend.offer, [vendor.student] * 24))
    assert (len(offers), made) == (1, [backend.client])
    close(backend)
