"""generateContent: what a base model or a tuned endpoint says, and what it refuses to be asked."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cloudistill.emulators.lesson import CHARACTERS_A_TOKEN, Question, Reply, Shape, tokens
from cloudistill.emulators.vertex.errors import GoogleError
from cloudistill.emulators.vertex.models import PublisherModel
from cloudistill.emulators.vertex.rows import faults_of_tools, faults_of_turns, question, shapes

Body = dict[str, Any]
_LEARN_MORE = "Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini"


def check_request(request: Body, model: PublisherModel, name: str) -> None:
    """Raises GoogleError for a request that Gemini would refuse."""
    contents = request.get("contents", [])
    if not contents:
        raise _unable("at least one contents field is required.")
    if any(part.keys() != {"text"} for part in request.get("systemInstruction", {}).get("parts", [])):
        raise _unable("system_instruction must only hold text.")
    for fault in (*faults_of_turns(contents), *faults_of_tools(request.get("tools", []))):
        raise _unable(fault)
    if not model.outspoken:
        return
    if contents[-1].get("role") == "model":
        raise _unable("multiturn requests must end with a user role or a function response.")
    if not request.get("generationConfig", {}).keys().isdisjoint({"frequencyPenalty", "presencePenalty"}):
        raise GoogleError("INVALID_ARGUMENT", f"Penalty is not enabled for {name}.")


def asked(request: Body) -> Question:
    """The question in a request, with the functions that may be called."""
    config = request.get("toolConfig", {}).get("functionCallingConfig", {})
    offered: tuple[Shape, ...] = () if config.get("mode") == "NONE" else shapes(request.get("tools", []))
    allowed = config.get("allowedFunctionNames")
    return question(request["contents"], tuple(shape for shape in offered if not allowed or shape.name in allowed))


def response(request: Body, reply: Reply, *, model_version: str, created: str) -> Body:
    """A GenerateContentResponse that says `reply`, cut where the request says so."""
    config = request.get("generationConfig", {})
    parts, finish = _parts(reply, config)
    said, heard = _count(parts), _count(request["contents"]) + _count(request.get("systemInstruction", {}))
    heard += _count(request.get("tools", []))
    digest = hashlib.sha256(json.dumps([request, created], sort_keys=True).encode()).hexdigest()
    return {
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": finish, "index": 0}],
        "usageMetadata": {
            "promptTokenCount": heard,
            "candidatesTokenCount": said,
            "totalTokenCount": heard + said,
            "trafficType": "ON_DEMAND",
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": heard}],
            "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": said}],
        },
        "modelVersion": model_version,
        "createTime": created,
        "responseId": digest[:24],
    }


def chunks(whole: Body) -> list[Body]:
    """The same answer as a stream: a part in each chunk, the end and the usage in the last."""
    candidate = whole["candidates"][0]
    about = {name: whole[name] for name in ("modelVersion", "createTime", "responseId")}
    parts = candidate["content"]["parts"]
    streamed = [
        {"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}], **about} for part in parts[:-1]
    ]
    last = candidate | {"content": {"role": "model", "parts": parts[-1:]}}
    return [*streamed, {**whole, "candidates": [last]}]


def _parts(reply: Reply, config: Body) -> tuple[list[Body], str]:
    text, finish = reply.text, "STOP"
    for mark in config.get("stopSequences", []):
        text = text.partition(mark)[0]
    calls = [{"functionCall": {"name": call.name, "args": call.arguments}} for call in reply.calls]
    limit = config.get("maxOutputTokens", 0)
    if limit and _count(calls) + tokens(text) > limit:
        text, calls, finish = text[: limit * CHARACTERS_A_TOKEN], [], "MAX_TOKENS"
    return [*([{"text": text}] if text or not calls else []), *calls], finish


def _count(value: Any) -> int:
    return tokens(json.dumps(value, ensure_ascii=False)) if value else 0


def _unable(why: str) -> GoogleError:
    return GoogleError("INVALID_ARGUMENT", f"Unable to submit request because {why} {_LEARN_MORE}")
