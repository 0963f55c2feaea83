"""A question as a person or a program puts it, made one of ours, and asked of a student as it was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudistill.backends.backend import Answers, Remembers
from cloudistill.core.errors import UsageError
from cloudistill.core.example import Message, Tool
from cloudistill.core.refs import ModelRef
from cloudistill.formats import registry
from cloudistill.formats.format import CannotCarry
from cloudistill.pipeline.retry import once
from cloudistill.pipeline.store import Store


def asked(text: str | None, system: str | None, messages: Sequence[Message | Mapping[str, Any]]) -> list[Message]:
    """The conversation so far: system text, messages, and the last user text."""
    given = [m if isinstance(m, Message) else _decoded({"messages": [m]}).messages[0] for m in messages]
    first = [Message(role="system", content=system)] if system else []
    last = [Message(role="user", content=text)] if text else []
    if not (given or last):
        raise UsageError("there is nothing to ask: give a text, or messages")
    return [*first, *given, *last]


def offered(tools: Sequence[Tool | Mapping[str, Any]]) -> list[Tool]:
    """Tools, ours or OpenAI-shaped."""
    return [
        tool if isinstance(tool, Tool) else _decoded({"messages": [], "tools": [dict(tool)]}).tools[0] for tool in tools
    ]


def _decoded(record: dict[str, Any]) -> Any:
    try:
        return registry.get("openai-chat").decode(record)
    except CannotCarry as error:
        raise UsageError(f"{error} {error.remedy}") from error


def trained_as(model: ModelRef, backend: Answers, store: Store | None) -> str | None:
    """The rendering the student was trained with: the run store knows, else the vendor's tags."""
    maker = (store or Store()).maker(str(model))
    if maker is not None:
        return maker.order["rendering"]
    if isinstance(backend, Remembers):
        return once(backend, lambda: backend.rendering_of(model))
    return None
