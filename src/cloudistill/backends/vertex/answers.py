"""A generateContent call, from our question to our answer."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pydantic

from cloudistill.backends.backend import Answer, Request, load_sdk
from cloudistill.backends.common import spelling, unusable
from cloudistill.backends.vertex import orders
from cloudistill.core.errors import InvalidRequest
from cloudistill.core.job import Usage
from cloudistill.core.refs import ModelRef
from cloudistill.formats.gemini_contents import GeminiContents
from cloudistill.platforms.platform import load

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.types import GenerateContentConfig, GenerateContentResponse


def answer(client: Client, model: ModelRef, request: Request) -> Answer:
    """Ask `model` by a client of its own location."""
    form = GeminiContents()
    with spelling("vertex", "not-sent"):
        prompt = form.encode(request.example)
    contents = prompt.pop("contents")
    config = _config(model, request, prompt)
    with quiet():
        said = client.models.generate_content(model=model.id, contents=contents, config=config)
    candidate = _candidate(said)
    reason = str(candidate.finish_reason.value) if candidate.finish_reason else ""
    with spelling("vertex", "refused"):
        message = form.decode_answer(_parts(candidate))
    return Answer(
        message=message,
        finish_reason=reason,
        cut_off=load("vertex").means("cut-off", reason),
        usage=_usage(said),
        model=said.model_version,
        request_id=said.response_id,
    )


def _config(model: ModelRef, request: Request, prompt: dict[str, Any]) -> GenerateContentConfig:
    types = load_sdk("google.genai.types", extra="vertex")
    members = prompt | {
        "maxOutputTokens": request.max_tokens,
        "temperature": request.temperature,
        "automaticFunctionCalling": {"disable": True},
    }
    if orders.location_of(model.id):  # a tuned student learnt to answer without thoughts
        members["thinkingConfig"] = {"thinkingLevel": "MINIMAL"}
    try:
        return types.GenerateContentConfig.model_validate(members)
    except pydantic.ValidationError as error:
        message = f"Google Vertex AI: the question cannot be spelled for {model}: {error}"
        raise InvalidRequest(message, platform="vertex", outcome="not-sent") from error


def _candidate(said: GenerateContentResponse) -> Any:
    if said.candidates:
        return said.candidates[0]
    feedback = said.prompt_feedback
    if feedback and feedback.block_reason:
        raise InvalidRequest(
            f"Google Vertex AI: the question was blocked: {feedback.block_reason.value} "
            f"{feedback.block_reason_message or ''}".rstrip(),
            platform="vertex",
            code=str(feedback.block_reason.value),
            outcome="refused",
        )
    raise unusable("vertex", "generateContent", said.model_dump(exclude_none=True, exclude={"sdk_http_response"}))


def _parts(candidate: Any) -> list[dict[str, Any]]:
    dumped: dict[str, Any] = candidate.model_dump(mode="json", by_alias=True, exclude_none=True, include={"content"})
    return dumped.get("content", {}).get("parts", [])


def _usage(said: GenerateContentResponse) -> Usage:
    counted = said.usage_metadata
    if counted is None:
        return Usage()
    answered = (counted.candidates_token_count or 0) + (counted.thoughts_token_count or 0)
    return Usage(input_tokens=counted.prompt_token_count or 0, output_tokens=answered)


@contextmanager
def quiet() -> Generator[None]:
    """Keep the SDK from warning that tuning is experimental, and of words it does not know: those we report."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The SDK's tuning implementation is experimental")
        warnings.filterwarnings("ignore", message=r".* is not a valid \w+$")
        yield
