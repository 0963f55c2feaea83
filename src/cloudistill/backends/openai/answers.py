"""A chat completion, from our question to our answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudistill.backends.backend import Answer, Request
from cloudistill.backends.common import spelling, unusable
from cloudistill.core.job import Usage
from cloudistill.core.refs import ModelRef
from cloudistill.formats.openai_chat import OpenAIChat
from cloudistill.platforms.platform import load

if TYPE_CHECKING:
    from openai import OpenAI


def answer(client: OpenAI, model: ModelRef, request: Request) -> Answer:
    """Ask `model`, and tell OpenAI not to keep the completion."""
    form = OpenAIChat()
    with spelling("openai", "not-sent"):
        prompt = form.encode(request.example)
    limits = {"max_completion_tokens": request.max_tokens, "temperature": request.temperature}
    prompt |= {name: value for name, value in limits.items() if value is not None}
    ask: Any = client.chat.completions.create
    said = ask(model=model.id, store=False, **prompt)
    choice = next(iter(getattr(said, "choices", None) or ()), None)
    if choice is None:
        raise unusable("openai", "POST /chat/completions", said)
    with spelling("openai", "refused"):
        message = form.decode_answer(choice.message.model_dump(exclude_none=True))
    return Answer(
        message=message,
        finish_reason=choice.finish_reason,
        cut_off=load("openai").means("cut-off", choice.finish_reason),
        usage=_usage(said),
        model=said.model,
        request_id=getattr(said, "_request_id", None),
    )


def _usage(said: Any) -> Usage:
    counted = said.usage
    return Usage(input_tokens=counted.prompt_tokens, output_tokens=counted.completion_tokens) if counted else Usage()
