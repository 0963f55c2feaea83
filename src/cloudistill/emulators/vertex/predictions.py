"""generateContent and its stream, on publisher models and on tuned endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudistill.emulators.lesson import Reply
from cloudistill.emulators.server import ANSWERED_BY
from cloudistill.emulators.teacher import STUDENT, Teacher
from cloudistill.emulators.vertex.answers import asked, check_request, chunks, response
from cloudistill.emulators.vertex.call import PROJECT, Call, Rule
from cloudistill.emulators.vertex.contract import parse, read
from cloudistill.emulators.vertex.errors import GoogleError, no_such_model
from cloudistill.emulators.vertex.jobs import stamp
from cloudistill.emulators.vertex.ledger import Ledger
from cloudistill.emulators.vertex.models import PublisherModel, alive, served_at

Body = dict[str, Any]
_PREDICT = "aiplatform.endpoints.predict"


class PredictionService:
    """Base models answer from the teacher's key, else untrained; endpoints answer with their students."""

    def __init__(self, ledger: Ledger, teacher: Teacher) -> None:
        self._ledger, self._teacher = ledger, teacher

    def rules(self) -> Iterator[Rule]:
        """Its methods."""
        for path, generate, stream in (
            ("publishers/google/models/{id}", self.ask_model, self.stream_model),
            ("endpoints/{id}", self.ask_endpoint, self.stream_endpoint),
        ):
            yield Rule("POST", f"{path}:generateContent", _PREDICT, generate)
            yield Rule("POST", f"{path}:streamGenerateContent", _PREDICT, stream)

    def ask_model(self, call: Call) -> Body:
        """A base model's answer."""
        model = alive(call.id, call.now)
        if model is None or not served_at(model, call.location):
            raise no_such_model(f"projects/{PROJECT}/locations/{call.location}/publishers/google/models/{call.id}")
        request = _request(call, model, call.id)
        reply, call.headers[ANSWERED_BY] = self._teacher.answer(asked(request))
        return _said(call, request, reply, call.id)

    def ask_endpoint(self, call: Call) -> Body:
        """A student's answer; its endpoint is known at its own location alone."""
        name = f"{call.parent}/endpoints/{call.id}"
        job, epoch = self._ledger.endpoint(name, call.now)
        if self._ledger.is_undeployed(name, call.now) or alive(job.base, call.now) is None:
            raise GoogleError("FAILED_PRECONDITION", f"Endpoint {name} has no model deployed that can be used.")
        request = _request(call, job.model, job.base)
        call.headers[ANSWERED_BY] = STUDENT
        return _said(call, request, job.student(epoch).answer(asked(request)), job.base)

    def stream_model(self, call: Call) -> list[Body]:
        """The same in chunks."""
        return chunks(self.ask_model(call))

    def stream_endpoint(self, call: Call) -> list[Body]:
        """The same in chunks."""
        return chunks(self.ask_endpoint(call))


def _request(call: Call, model: PublisherModel, name: str) -> Body:
    request = read("GenerateContentRequest", parse(call.body), version=call.version)
    check_request(request, model, name)
    return request


def _said(call: Call, request: Body, reply: Reply, version: str) -> Body:
    return response(request, reply, model_version=version, created=stamp(call.now))
