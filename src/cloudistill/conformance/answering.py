"""What a backend promises that answers questions, makes a student callable, or remembers how it was trained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest

from cloudistill.backends.backend import Answer, Answers, Deploys, Remembers, Request
from cloudistill.conformance.basics import WORDS, BackendPromises, refuse, trouble
from cloudistill.conformance.subject import Subject
from cloudistill.conformance.training import STEP, STEPS, TrainsPromises
from cloudistill.core.errors import InvalidRequest, NotFound, PlatformError, RateLimited, ServiceTrouble, UnusableAnswer
from cloudistill.core.example import Example, Message, Tool
from cloudistill.core.job import Deployment, Job, JobSpec, JobStatus
from cloudistill.core.refs import ModelRef
from cloudistill.pipeline.retry import once
from cloudistill.platforms.platform import load

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def question(tools: tuple[Tool, ...] = ()) -> Request:
    """One question that any model can answer somehow."""
    asked = Message(role="user", content="Where lies the town hall of Oslo?")
    return Request(example=Example(messages=(asked,), tools=tools))


class AnswersPromises(BackendPromises):
    """The promises of a backend that answers questions."""

    ability: ClassVar[type] = Answers

    @pytest.fixture
    def base(self, subject: Subject) -> ModelRef:
        """The untuned student, by the id under which it is called."""
        facts = load(subject.student.platform).model(subject.student.id)
        assert facts is not None
        return ModelRef(subject.student.platform, facts.called_as or facts.id)

    def test_a_question_gets_an_answer_and_what_it_cost(self, subject: Subject, base: ModelRef) -> None:
        answer: Answer = once(subject.backend, lambda: subject.backend.generate(base, question()))
        assert answer.message.role == "assistant"
        assert answer.content or answer.tool_calls
        assert answer.usage.input_tokens > 0
        assert answer.usage.output_tokens > 0
        assert answer.finish_reason
        assert not answer.cut_off

    def test_a_question_about_tools_is_answered_or_refused_before_it_is_sent(
        self, subject: Subject, base: ModelRef
    ) -> None:
        tool = Tool(name="find_hall", description="Where a town hall is.", parameters=PARAMETERS)
        before = len(subject.wire.requests)
        try:
            answer: Answer = once(subject.backend, lambda: subject.backend.generate(base, question((tool,))))
        except InvalidRequest:
            assert len(subject.wire.requests) == before
        else:
            assert answer.content or answer.tool_calls

    def test_a_question_is_one_request(self, subject: Subject, base: ModelRef) -> None:
        before = len(subject.wire.requests)
        once(subject.backend, lambda: subject.backend.generate(base, question()))
        assert len(subject.wire.requests) == before + 1

    @pytest.mark.parametrize("kind", [NotFound, RateLimited, ServiceTrouble])
    def test_a_refused_question_is_named_by_its_kind(
        self, subject: Subject, base: ModelRef, kind: type[PlatformError]
    ) -> None:
        refuse(subject, kind)
        error = trouble(subject, lambda: subject.backend.generate(base, question()))
        assert type(error) is kind
        assert WORDS in str(error)

    def test_an_answer_that_reached_the_limit_of_tokens_is_cut_off(self, subject: Subject, base: ModelRef) -> None:
        limited = replace(question(), max_tokens=1)
        answer: Answer = once(subject.backend, lambda: subject.backend.generate(base, limited))
        assert answer.cut_off

    def test_a_garbled_answer_is_unusable_not_an_answer(self, subject: Subject, base: ModelRef) -> None:
        subject.wire.fail("", kind="html")
        error = trouble(subject, lambda: subject.backend.generate(base, question()))
        assert isinstance(error, UnusableAnswer)

    def test_a_model_nobody_knows_is_refused(self, subject: Subject) -> None:
        unknown = ModelRef(subject.backend.platform, "no-such-model")
        error = trouble(subject, lambda: subject.backend.generate(unknown, question()))
        assert not error.retryable


class DeploysPromises(TrainsPromises):
    """The promises of a backend whose students must be deployed before they can be called."""

    ability: ClassVar[type] = Deploys

    def test_a_deployment_is_one_create_and_found_by_its_marker(
        self, subject: Subject, spec: JobSpec, trained: Job
    ) -> None:
        assert self._found(subject, spec, trained) is None
        before = len(subject.wire.requests)
        made: Deployment = once(subject.backend, lambda: subject.backend.deploy(spec, trained.model))
        (sent,) = subject.wire.requests[before:]
        assert sent.startswith("POST ")
        found = self._found(subject, spec, trained)
        assert found is not None
        assert found.ref == made.ref
        other = replace(spec, marker=spec.marker[::-1])
        assert self._found(subject, other, trained) is None

    def test_a_deployment_becomes_ready(self, subject: Subject, spec: JobSpec, trained: Job) -> None:
        made: Deployment = once(subject.backend, lambda: subject.backend.deploy(spec, trained.model))
        ref = made.ref
        for _ in range(STEPS):
            before = len(subject.wire.requests)
            made = once(subject.backend, lambda: subject.backend.poll_deployment(ref))
            assert len(subject.wire.requests) == before + 1
            if made.status.is_final:
                break
            subject.advance(STEP)
        assert (made.status, made.failure) == (JobStatus.SUCCEEDED, None)
        if isinstance(subject.backend, Answers):
            assert once(subject.backend, lambda: subject.backend.generate(made.ref, question())).content

    def test_a_lost_answer_leaves_a_deployment_that_is_found(
        self, subject: Subject, spec: JobSpec, trained: Job
    ) -> None:
        subject.wire.fail("", kind="drop-after")
        error = trouble(subject, lambda: subject.backend.deploy(spec, trained.model))
        assert (type(error), error.outcome) == (ServiceTrouble, "maybe")
        assert self._found(subject, spec, trained) is not None

    def _found(self, subject: Subject, spec: JobSpec, job: Job) -> Deployment | None:
        return once(subject.backend, lambda: subject.backend.find_deployment(spec, job.model))


class RemembersPromises(BackendPromises):
    """The promises of a backend that knows from the vendor how a student was trained."""

    ability: ClassVar[type] = Remembers

    def test_a_base_model_was_not_trained_by_us(self, subject: Subject) -> None:
        found: Any = once(subject.backend, lambda: subject.backend.rendering_of(subject.student))
        assert found is None
