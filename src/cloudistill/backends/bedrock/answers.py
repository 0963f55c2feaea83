"""A Converse call, from our question to our answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudistill.backends.backend import Answer, Request
from cloudistill.backends.common import spelling, unusable
from cloudistill.core.errors import UsageError
from cloudistill.core.job import Usage
from cloudistill.core.refs import ModelRef
from cloudistill.formats.bedrock_conversation import BedrockConversation
from cloudistill.platforms.platform import load

DEFAULT_MAX_TOKENS = 1024


def answer(runtime: Any, model: ModelRef, request: Request) -> Answer:
    """Ask `model`.

    Raises:
        UsageError: the model is not deployed, or the question holds what Converse cannot take.
    """
    if ":custom-model/" in model.id:
        raise UsageError(f"{model} cannot be called: deploy it first, and call the deployment")
    facts = load("bedrock")
    most = facts.limits.temperature_maximum
    if request.temperature is not None and most is not None and request.temperature > most:
        raise UsageError(f"temperature {request.temperature} is above {most:g}, the most that Converse takes")
    form = _form(request)
    with spelling("bedrock", "not-sent"):
        prompt = form.encode(request.example)
    del prompt["schemaVersion"]
    # without a limit Bedrock reserves the model's longest answer from the account's quota
    limits: dict[str, Any] = {"maxTokens": request.max_tokens or DEFAULT_MAX_TOKENS}
    if request.temperature is not None:
        limits["temperature"] = request.temperature
    said = runtime.converse(modelId=model.id, inferenceConfig=limits, **prompt)
    content = said.get("output", {}).get("message", {}).get("content")
    if content is None:
        raise unusable("bedrock", "Converse", said, request_id=request_id(said))
    with spelling("bedrock", "refused"):
        message = form.decode_answer(content, offered=bool(request.example.tools))
    usage = said.get("usage", {})
    return Answer(
        message=message,
        finish_reason=said.get("stopReason", ""),
        cut_off=facts.means("cut-off", said.get("stopReason")),
        usage=Usage(input_tokens=usage.get("inputTokens", 0), output_tokens=usage.get("outputTokens", 0)),
        model=model.id,
        request_id=request_id(said),
    )


def _form(request: Request) -> BedrockConversation:
    """How tools are spelled: as the student was trained to see them; base models take Converse's own blocks."""
    match request.rendering:
        case "text":
            return BedrockConversation("text")
        case None | "tool-config":
            return BedrockConversation("tool-config")
        case other:
            raise UsageError(f"Bedrock knows no rendering {other!r}; it is text or tool-config")


def request_id(answer: Mapping[str, Any]) -> str | None:
    """AWS's id of the request, for its support."""
    return answer.get("ResponseMetadata", {}).get("RequestId")
