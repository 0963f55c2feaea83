"""OpenAI's Chat Completions: a fine-tune answers with its student, a base model from the teacher's key, saying so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from cloudistill.emulators.chat_lines import question, shapes
from cloudistill.emulators.clock import Clock
from cloudistill.emulators.lesson import CHARACTERS_A_TOKEN, Reply, tokens
from cloudistill.emulators.openai.api import Asked, Refusal
from cloudistill.emulators.openai.asking import TUNED_CONTEXT, Request, read
from cloudistill.emulators.openai.models import Models, Tuned, base_of
from cloudistill.emulators.server import ANSWERED_BY
from cloudistill.emulators.teacher import STUDENT, Teacher

PIECE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back: text, calls as the API spells them, why it ended, and who spoke."""

    id: str
    by: str
    text: str
    calls: list[dict[str, Any]]
    finish: str
    usage: dict[str, int]

    def message(self) -> dict[str, Any]:
        """The assistant message."""
        spoken = {"role": "assistant", "content": self.text or (None if self.calls else ""), "refusal": None}
        return spoken | ({"tool_calls": self.calls} if self.calls else {})


class Chat:
    """Answers questions; the same question to the same model gets the same answer."""

    def __init__(self, clock: Clock, teacher: Teacher, models: Models) -> None:
        self._clock, self._teacher, self._models = clock, teacher, models

    def complete(self, asked: Asked) -> Response:
        """POST /chat/completions."""
        request = read(asked, self._models)
        prompt = tokens(json.dumps([request.messages, request.body.get("tools", [])]))
        _fits(request, prompt)
        reply, by = self._reply(request)
        answer = _answer(request, reply, by, prompt)
        head = {
            "id": answer.id,
            "object": "chat.completion",
            "created": int(self._clock.now().timestamp()),
            "model": request.answers_as,
            "service_tier": "default",
            "system_fingerprint": f"fp_emulated_{by}",
        }
        headers = {ANSWERED_BY: by}
        if request.body.get("stream"):
            chunks = _stream(head | {"object": "chat.completion.chunk"}, request, answer)
            return StreamingResponse(chunks, media_type="text/event-stream", headers=headers)
        choice = {"logprobs": None, "message": answer.message(), "finish_reason": answer.finish}
        choices = [{"index": index, **choice} for index in range(request.body.get("n", 1))]
        return JSONResponse({**head, "choices": choices, "usage": answer.usage}, headers=headers)

    def _reply(self, request: Request) -> tuple[Reply, str]:
        asked = question(request.messages, shapes(request.tools))
        if isinstance(request.model, Tuned):
            return request.model.student().answer(asked), STUDENT
        return self._teacher.answer(asked)


def _fits(request: Request, prompt: int) -> None:
    """A fine-tune's context is shorter than its base's."""
    context = base_of(request.model).context
    most = min(context, TUNED_CONTEXT) if isinstance(request.model, Tuned) else context
    if prompt > most:
        message = (
            f"This model's maximum context length is {most} tokens. "
            f"However, your messages resulted in {prompt} tokens. Please reduce the length of the messages."
        )
        raise Refusal(message, code="context_length_exceeded", param="messages")


def _answer(request: Request, reply: Reply, by: str, prompt: int) -> Answer:
    """`reply` as the API sends it: stopped, cut to the limit, counted."""
    source = hashlib.sha256(json.dumps([request.model.id, request.messages, request.tools]).encode()).hexdigest()
    kept = reply.calls[:1] if request.body.get("parallel_tool_calls") is False else reply.calls
    calls = [
        _spelled(f"{source} {index}", call.name, json.dumps(call.arguments, ensure_ascii=False))
        for index, call in enumerate(kept)
    ]
    text = _stopped(reply.text, request.body.get("stop"))
    left = None if request.limit is None else request.limit * CHARACTERS_A_TOKEN
    finish = "tool_calls" if calls else "stop"
    if left is not None and len(text) + sum(_length(call) for call in calls) > left:
        finish, text, calls = "length", text[:left], list(_cut(calls, left - len(text)))
    completion = tokens(text + "".join(call["function"]["name"] + call["function"]["arguments"] for call in calls))
    completion *= request.body.get("n", 1)
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return Answer(id=f"chatcmpl-{source[:29]}", by=by, text=text, calls=calls, finish=finish, usage=usage)


def _spelled(source: str, name: str, arguments: str) -> dict[str, Any]:
    digest = hashlib.sha256(f"{source} {name} {arguments}".encode()).hexdigest()
    return {"id": f"call_{digest[:24]}", "type": "function", "function": {"name": name, "arguments": arguments}}


def _length(call: Mapping[str, Any]) -> int:
    return len(call["function"]["name"]) + len(call["function"]["arguments"])


def _cut(calls: list[dict[str, Any]], left: int) -> Iterator[dict[str, Any]]:
    """The calls that `left` characters hold; the last one's arguments may break off, and no longer be JSON."""
    for call in calls:
        function = call["function"]
        left -= len(function["name"])
        if left <= 0:
            return
        yield {**call, "function": {**function, "arguments": function["arguments"][:left]}}
        left -= len(function["arguments"])


def _stopped(text: str, stop: str | list[str] | None) -> str:
    """`text` up to the first stop sequence."""
    found = [text.find(word) for word in ([stop] if isinstance(stop, str) else stop or []) if word in text]
    return text[: min(found)] if found else text


def _stream(head: Mapping[str, Any], request: Request, answer: Answer) -> Iterator[str]:
    """The answer as server-sent events: the role, text and arguments in pieces, the end, and usage if asked for."""
    options: dict[str, Any] = request.body.get("stream_options", {})
    counted = bool(options.get("include_usage"))
    empty: dict[str, Any] = {"usage": None} if counted else {}
    for index in range(request.body.get("n", 1)):
        for delta in _deltas(answer):
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
            yield _event({**head, "choices": [choice], **empty})
        ended: dict[str, Any] = {"index": index, "delta": {}, "logprobs": None, "finish_reason": answer.finish}
        yield _event({**head, "choices": [ended], **empty})
    if counted:
        yield _event({**head, "choices": [], "usage": answer.usage})
    yield "data: [DONE]\n\n"


def _deltas(answer: Answer) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": None if answer.calls and not answer.text else "", "refusal": None}
    yield from ({"content": piece} for piece in _pieces(answer.text))
    for index, call in enumerate(answer.calls):
        opened = {**call, "function": {**call["function"], "arguments": ""}}
        yield {"tool_calls": [{"index": index, **opened}]}
        for piece in _pieces(call["function"]["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _pieces(text: str) -> list[str]:
    return [text[start : start + PIECE] for start in range(0, len(text), PIECE)]


def _event(chunk: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(chunk)}\n\n"
