"""What becomes of an order when something goes wrong: refused, not sent, or a doubt that looking settles."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from cloudistill.conformance.basics import WORDS, BackendPromises, refuse, trouble
from cloudistill.conformance.subject import Subject
from cloudistill.core.errors import (
    AuthenticationFailed,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PlatformError,
    RateLimited,
    ServiceTrouble,
    UnusableAnswer,
)
from cloudistill.core.job import JobSpec
from cloudistill.core.refs import ModelRef
from cloudistill.pipeline.retry import once

HTML = {"content-type": "text/html"}


class DoubtPromises(BackendPromises):
    """The part of `TrainsPromises` that is about faults."""

    @pytest.mark.parametrize(
        "kind", [AuthenticationFailed, PermissionDenied, NotFound, InvalidRequest, RateLimited, ServiceTrouble]
    )
    def test_a_refusal_is_named_by_its_kind_in_the_vendors_words(
        self, subject: Subject, spec: JobSpec, kind: type[PlatformError]
    ) -> None:
        said = refuse(subject, kind)
        error = trouble(subject, lambda: subject.backend.submit(spec))
        assert (type(error), error.status) == (kind, said.status)
        assert WORDS in str(error)
        assert error.outcome == ("maybe" if kind is ServiceTrouble else "refused")

    def test_an_order_for_a_model_nobody_knows_is_refused(self, subject: Subject, spec: JobSpec) -> None:
        unknown = replace(spec, student=ModelRef(spec.student.platform, "no-such-model"))
        error = trouble(subject, lambda: subject.backend.submit(unknown))
        assert (error.outcome, error.retryable) == ("refused", False)
        assert error.status in (400, 404)

    def test_a_refused_key_is_authentication_failed(self, subject: Subject, spec: JobSpec) -> None:
        job = once(subject.backend, lambda: subject.backend.submit(spec))
        refuse(subject, AuthenticationFailed)
        error = trouble(subject, lambda: subject.backend.poll(job.ref))
        assert type(error) is AuthenticationFailed
        assert not error.retryable

    def test_a_key_that_the_vendor_repeats_is_struck_out(self, subject: Subject, spec: JobSpec) -> None:
        refuse(subject, AuthenticationFailed, f"{WORDS}, {subject.secret}")
        assert WORDS in str(trouble(subject, lambda: subject.backend.submit(spec)))

    @pytest.mark.parametrize(("header", "seconds"), [("17", 17.0), ("-5", 0.0), ("date", 60.0), ("soon", None)])
    def test_too_many_requests_says_when_to_ask_again(
        self, subject: Subject, spec: JobSpec, header: str, seconds: float | None
    ) -> None:
        in_a_minute = datetime.now(UTC) + timedelta(seconds=60)
        value = format_datetime(in_a_minute, usegmt=True) if header == "date" else header
        refuse(subject, RateLimited, headers={"Retry-After": value})
        error = trouble(subject, lambda: subject.backend.submit(spec))
        assert (type(error), error.retryable) == (RateLimited, True)
        assert error.retry_after == (seconds if seconds is None else pytest.approx(seconds, abs=10))

    @pytest.mark.parametrize("status", [400, 408, 409, 425, 429, 500, 502])
    def test_a_proxys_error_page_settles_nothing(self, subject: Subject, spec: JobSpec, status: int) -> None:
        subject.wire.fail("", status=status, body=b"<html>gateway</html>", headers=HTML)
        error = trouble(subject, lambda: subject.backend.submit(spec))
        assert (error.outcome, error.status) == ("maybe", status)

    def test_a_lost_answer_is_maybe_and_the_job_is_found(self, subject: Subject, spec: JobSpec) -> None:
        subject.wire.fail("", kind="drop-after")
        error = trouble(subject, lambda: subject.backend.submit(spec))
        assert (type(error), error.outcome) == (ServiceTrouble, "maybe")
        assert once(subject.backend, lambda: subject.backend.find(spec)) is not None

    def test_a_request_nobody_took_up_is_maybe_as_well(self, subject: Subject, spec: JobSpec) -> None:
        subject.wire.fail("", kind="drop-before")
        error = trouble(subject, lambda: subject.backend.submit(spec))
        assert (type(error), error.outcome) == (ServiceTrouble, "maybe")
        assert once(subject.backend, lambda: subject.backend.find(spec)) is None

    def test_an_address_where_nobody_listens_means_not_sent(self, subject: Subject, spec: JobSpec) -> None:
        broken = subject.elsewhere("http://127.0.0.1:9")
        with pytest.raises(ServiceTrouble) as caught:
            once(broken, lambda: broken.submit(spec))
        assert caught.value.outcome == "not-sent"

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_create_is_sent_once_whatever_comes_back(self, subject: Subject, spec: JobSpec, status: int) -> None:
        before = len(subject.wire.requests)
        subject.wire.fail("", status=status, body=b"{}")
        trouble(subject, lambda: subject.backend.submit(spec))
        assert len(subject.wire.requests) == before + 1

    @pytest.mark.parametrize("status", [302, 307])
    def test_a_redirect_is_not_followed(self, subject: Subject, spec: JobSpec, status: int) -> None:
        once(subject.backend, lambda: next(subject.backend.list(), None))
        before, place = len(subject.wire.requests), subject.wire.requests[-1].partition(" ")[2]
        subject.wire.fail("", status=status, headers={"Location": place})
        trouble(subject, lambda: subject.backend.submit(spec))
        assert len(subject.wire.requests) == before + 1

    def test_a_garbled_success_is_unusable_not_success(self, subject: Subject, spec: JobSpec) -> None:
        subject.wire.fail("", kind="html")
        error = trouble(subject, lambda: subject.backend.submit(spec))
        assert (type(error), error.outcome) == (UnusableAnswer, "maybe")

    @pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"object": "list"}', b"null"], ids=repr)
    def test_a_success_without_an_id_is_never_a_job(self, subject: Subject, spec: JobSpec, body: bytes) -> None:
        subject.wire.fail("", status=200, body=body)
        error = trouble(subject, lambda: subject.backend.submit(spec))
        assert (type(error), error.outcome) == (UnusableAnswer, "maybe")

    def test_a_garbled_list_is_not_taken_for_an_empty_one(self, subject: Subject) -> None:
        subject.wire.fail("", kind="html")
        assert isinstance(trouble(subject, lambda: [*subject.backend.list()]), UnusableAnswer)

    @pytest.mark.parametrize(("verb", "kind"), [("poll", NotFound), ("cancel", PermissionDenied)])
    def test_a_refusal_about_a_job_is_an_error_and_not_a_status(
        self, subject: Subject, spec: JobSpec, verb: str, kind: type[PlatformError]
    ) -> None:
        ref = once(subject.backend, lambda: subject.backend.submit(spec)).ref
        refuse(subject, kind)
        assert type(trouble(subject, lambda: getattr(subject.backend, verb)(ref))) is kind

    def test_a_garbled_poll_is_unusable(self, subject: Subject, spec: JobSpec) -> None:
        ref = once(subject.backend, lambda: subject.backend.submit(spec)).ref
        subject.wire.fail("", kind="html")
        assert isinstance(trouble(subject, lambda: subject.backend.poll(ref)), UnusableAnswer)

    def test_a_failed_poll_is_not_a_failed_job(self, subject: Subject, spec: JobSpec) -> None:
        job = once(subject.backend, lambda: subject.backend.submit(spec))
        refuse(subject, ServiceTrouble)
        assert trouble(subject, lambda: subject.backend.poll(job.ref)).retryable
        assert not once(subject.backend, lambda: subject.backend.poll(job.ref)).status.is_final
