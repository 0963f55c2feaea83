"""What a backend promises about what the vendor keeps and offers: removal that is final, availability that is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from cloudistill.backends.backend import Answers, Deletes, Offers
from cloudistill.conformance.answering import question
from cloudistill.conformance.basics import BackendPromises, refuse, trouble
from cloudistill.conformance.subject import Subject
from cloudistill.conformance.training import TrainsPromises
from cloudistill.core.errors import CloudistillError, PermissionDenied, UsageError
from cloudistill.core.job import Job, Offer
from cloudistill.core.refs import FileRef, ModelRef
from cloudistill.pipeline.retry import once


class DeletesPromises(TrainsPromises):
    """The promises of a backend that removes what it stored or trained."""

    ability: ClassVar[type] = Deletes

    def test_a_deleted_file_is_gone_and_may_be_sent_again(
        self, subject: Subject, upload: Callable[[], FileRef]
    ) -> None:
        ref = upload()
        once(subject.backend, lambda: subject.backend.delete_file(ref))
        assert subject.stored(ref) is None
        assert subject.stored(upload()) is not None

    def test_what_is_gone_already_is_no_error(
        self, subject: Subject, upload: Callable[[], FileRef], trained: Job
    ) -> None:
        ref = upload()
        for _ in range(2):
            once(subject.backend, lambda: subject.backend.delete_file(ref))
        for _ in range(2):
            once(subject.backend, lambda: subject.backend.delete_model(trained.model))

    def test_a_removal_that_is_refused_is_not_taken_for_done(self, subject: Subject, trained: Job) -> None:
        refuse(subject, PermissionDenied, times=20)
        error = trouble(subject, lambda: subject.backend.delete_model(trained.model))
        assert type(error) is PermissionDenied

    def test_a_deleted_model_answers_no_more(self, subject: Subject, trained: Job) -> None:
        once(subject.backend, lambda: subject.backend.delete_model(trained.model))
        if isinstance(subject.backend, Answers):
            with pytest.raises(CloudistillError) as caught:
                once(subject.backend, lambda: subject.backend.generate(trained.model, question()))
            assert not caught.value.retryable

    def test_the_vendors_own_models_are_not_removed(self, subject: Subject) -> None:
        with pytest.raises(UsageError):
            subject.backend.delete_model(subject.student)


class OffersPromises(BackendPromises):
    """The promises of a backend that asks the service what it offers."""

    ability: ClassVar[type] = Offers

    def test_what_is_offered_is_said_without_an_order(self, subject: Subject) -> None:
        before = len(subject.wire.requests)
        offer = self._offer(subject, subject.student)
        assert offer.served
        assert offer.trains is not False
        assert all(sent.startswith("GET ") for sent in subject.wire.requests[before:])

    def test_a_model_nobody_knows_is_not_served(self, subject: Subject) -> None:
        offer = self._offer(subject, ModelRef(subject.backend.platform, "no-such-model"))
        assert not offer.served

    def test_a_garbled_answer_is_no_absence(self, subject: Subject) -> None:
        subject.wire.fail("", kind="html")
        assert trouble(subject, lambda: subject.backend.offer(subject.student)).retryable

    def _offer(self, subject: Subject, model: ModelRef) -> Offer:
        found: Any = once(subject.backend, lambda: subject.backend.offer(model))
        assert isinstance(found, Offer)
        return found
