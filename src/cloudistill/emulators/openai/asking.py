"""The body of `POST /chat/completions`, checked member by member as OpenAI checks it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudistill.emulators.openai.api import (
    Asked,
    Refusal,
    a_boolean,
    a_number,
    a_string,
    an_array,
    an_integer,
    an_object,
    metadata,
    missing,
    one_of,
    only,
    wrong_type,
)
from cloudistill.emulators.openai.models import Base, Models, Tuned, base_of

MOST_TOOLS, MOST_STOPS, MOST_CHOICES, TUNED_CONTEXT = 128, 4, 128, 128_000
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
_NOT_HERE = (
    "audio",
    "function_call",
    "functions",
    "logit_bias",
    "moderation",
    "prediction",
    "top_logprobs",
    "web_search_options",
)
_ROLES = {
    "system": ("role", "content", "name"),
    "developer": ("role", "content", "name"),
    "user": ("role", "content", "name"),
    "assistant": ("role", "content", "name", "refusal", "annotations", "audio", "tool_calls", "function_call"),
    "tool": ("role", "content", "tool_call_id"),
}
Check = Callable[[Any, str], object]


def _texts(value: Any, param: str) -> None:
    texts = [value] if isinstance(value, str) else an_array(value, param)
    for text in texts:
        a_string(text, param)
    if len(texts) > MOST_STOPS:
        raise Refusal(f"Invalid '{param}': array too long. Expected at most {MOST_STOPS}.", param=param)


def _only_text(value: Any, param: str) -> None:
    if value not in ({"type": "text"}, ["text"]):
        raise Refusal(f"This emulated API answers in plain text and tool calls only, not {value!r}.", param=param)


def _choice(value: Any, param: str) -> None:
    if value not in ("auto", "none"):
        message = f"This emulated API cannot force a call; '{param}' may be 'auto' or 'none'."
        raise Refusal(message, code="unsupported_value", param=param)


def _false(value: Any, param: str) -> None:
    if a_boolean(value, param):
        raise Refusal(f"This emulated API has no '{param}'.", code="unsupported_value", param=param)


_CHECKS: Mapping[str, Check] = {
    "model": a_string,
    "messages": an_array,
    "tools": an_array,
    "tool_choice": _choice,
    "parallel_tool_calls": a_boolean,
    "max_tokens": lambda v, p: an_integer(v, p, 1, 2**31),
    "max_completion_tokens": lambda v, p: an_integer(v, p, 1, 2**31),
    "temperature": lambda v, p: a_number(v, p, 0, 2),
    "top_p": lambda v, p: a_number(v, p, 0, 1),
    "frequency_penalty": lambda v, p: a_number(v, p, -2, 2),
    "presence_penalty": lambda v, p: a_number(v, p, -2, 2),
    "n": lambda v, p: an_integer(v, p, 1, MOST_CHOICES),
    "seed": lambda v, p: an_integer(v, p, -(2**63), 2**63 - 1),
    "stop": _texts,
    "stream": a_boolean,
    "stream_options": an_object,
    "store": a_boolean,
    "metadata": lambda v, _: metadata(v),
    "user": a_string,
    "safety_identifier": a_string,
    "prompt_cache_key": a_string,
    "prompt_cache_retention": a_string,
    "prompt_cache_options": an_object,
    "reasoning_effort": lambda v, p: one_of(v, p, _EFFORTS),
    "verbosity": lambda v, p: one_of(v, p, ("low", "medium", "high")),
    "service_tier": lambda v, p: one_of(v, p, ("auto", "default", "flex", "scale", "priority", "fast")),
    "response_format": _only_text,
    "modalities": _only_text,
    "logprobs": _false,
}


@dataclass(frozen=True, slots=True)
class Request:
    """A question that OpenAI would take."""

    model: Base | Tuned
    body: dict[str, Any]

    @property
    def answers_as(self) -> str:
        """The model named in the answer: an alias answers as its snapshot."""
        return (self.model.snapshot if isinstance(self.model, Base) else None) or self.model.id

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation; `developer` is today's word for `system`."""
        return [{**m, "role": "system" if m["role"] == "developer" else m["role"]} for m in self.body["messages"]]

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The tools on offer."""
        return [] if self.body.get("tool_choice") == "none" else self.body.get("tools") or []

    @property
    def limit(self) -> int | None:
        """The most tokens that may be answered."""
        return self.body.get("max_completion_tokens") or self.body.get("max_tokens")


def read(asked: Asked, models: Models) -> Request:
    """The question in `asked`. Raises Refusal."""
    sent = asked.body((*_CHECKS, *_NOT_HERE), ("model", "messages"))
    body = {name: value for name, value in sent.items() if value is not None}
    for name, value in body.items():
        if name in _NOT_HERE:
            raise Refusal(f"This emulated API has no '{name}'.", code="unsupported_parameter", param=name)
        _CHECKS[name](value, name)
    model = models.get(body["model"])
    _suits(base_of(model), body)
    _tools(body)
    _messages(body["messages"])
    return Request(model, body)


def _suits(base: Base, body: Mapping[str, Any]) -> None:
    """What one kind of model takes and the other refuses."""
    if not base.reasons:
        if "reasoning_effort" in body:
            raise Refusal("Unrecognized request argument supplied: reasoning_effort")
        return
    thinks = body.get("reasoning_effort") != "none"
    if "max_tokens" in body:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise Refusal(message, code="unsupported_parameter", param="max_tokens")
    for name in ("temperature", "top_p"):
        if thinks and name in body:
            message = f"Unsupported parameter: '{name}' is not supported with this model."
            raise Refusal(message, code="unsupported_parameter", param=name)
    if "tools" in body and (base.chat_tools == "never" or (base.chat_tools == "without-reasoning" and thinks)):
        message = (
            f"Function tools are not supported for {base.id} in /v1/chat/completions. Please use /v1/responses instead."
        )
        raise Refusal(message, param="tools")


def _tools(body: Mapping[str, Any]) -> None:
    tools: Sequence[Any] = body.get("tools", [])
    for name in ("tool_choice", "parallel_tool_calls"):
        if name in body and not tools:
            raise Refusal(
                f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.", param=name
            )
    if "stream_options" in body and not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Refusal(message, param="stream_options")
    if len(tools) > MOST_TOOLS:
        message = f"Invalid 'tools': array too long. Expected an array with maximum length {MOST_TOOLS}."
        raise Refusal(message, code="array_above_max_length", param="tools")
    for index, tool in enumerate(tools):
        _tool(tool, f"tools[{index}]")


def _tool(tool: Any, where: str) -> None:
    only(an_object(tool, where), ("type", "function"), where)
    one_of(tool.get("type"), f"{where}.type", ("function",))
    function = an_object(tool.get("function"), f"{where}.function")
    only(function, ("name", "description", "parameters", "strict"), f"{where}.function")
    name, schema = function.get("name"), function.get("parameters") or {"type": "object"}
    if not _NAME.fullmatch(a_string(name, f"{where}.function.name")):
        message = (
            f"Invalid '{where}.function.name': string does not match pattern. "
            "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
        )
        raise Refusal(message, code="invalid_value", param=f"{where}.function.name")
    kind = an_object(schema, f"{where}.function.parameters").get("type", "None")
    if kind != "object":
        wanted = f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."
        message = f"Invalid schema for function '{name}': {wanted}"
        raise Refusal(message, code="invalid_function_parameters", param=f"{where}.function.parameters")


def _messages(messages: Sequence[Any]) -> None:
    if not messages:
        message = (
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        raise Refusal(message, code="empty_array", param="messages")
    waiting: list[str] = []
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        _message(message, where)
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                words = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
                raise Refusal(f"Invalid parameter: {words}", param=f"{where}.role")
            waiting.remove(message["tool_call_id"])
        elif waiting:
            raise _unanswered(waiting, where)
        waiting += [call["id"] for call in message.get("tool_calls") or ()]
    if waiting:
        raise _unanswered(waiting, "messages")


def _unanswered(waiting: Sequence[str], where: str) -> Refusal:
    message = (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        f"The following tool_call_ids did not have response messages: {', '.join(waiting)}"
    )
    return Refusal(message, param=where)


def _message(message: Any, where: str) -> None:
    role = an_object(message, where).get("role")
    if role is None:
        raise missing(f"{where}.role")
    only(message, _ROLES[one_of(role, f"{where}.role", tuple(_ROLES))], where)
    for name in ("audio", "function_call"):
        if message.get(name) is not None:
            raise Refusal(f"This emulated API has no '{name}'.", code="unsupported_parameter", param=f"{where}.{name}")
    calls = an_array(message.get("tool_calls") or [], f"{where}.tool_calls")
    for index, call in enumerate(calls):
        _call(call, f"{where}.tool_calls[{index}]")
    content = message.get("content")
    if content is None and not calls:
        words = "Invalid value for 'content': expected a string, got null."
        raise Refusal(words, param=f"{where}.content")
    for index, part in enumerate([] if content is None or isinstance(content, str) else an_array(content, where)):
        kind = an_object(part, f"{where}.content[{index}]").get("type")
        one_of(kind, f"{where}.content[{index}].type", ("text", "image_url") if role == "user" else ("text",))
    if role == "tool":
        a_string(message.get("tool_call_id"), f"{where}.tool_call_id")


def _call(call: Any, where: str) -> None:
    only(an_object(call, where), ("id", "type", "function"), where)
    a_string(call.get("id"), f"{where}.id")
    one_of(call.get("type"), f"{where}.type", ("function",))
    function = an_object(call.get("function"), f"{where}.function")
    only(function, ("name", "arguments"), f"{where}.function")
    a_string(function.get("name"), f"{where}.function.name")
    if not isinstance(function.get("arguments"), str):
        raise wrong_type(f"{where}.function.arguments", "a string", function.get("arguments"))
