"""The `openai-chat` format: lines of OpenAI's supervised fine-tuning files, and chat-completions messages."""

from __future__ import annotations

import re
from typing import Any, cast

from msgspec.structs import replace

from cloudistill.core.example import Example, Message, Role, Tool, ToolCall
from cloudistill.core.jsonl import dump
from cloudistill.core.strict_json import Broken, parse_object
from cloudistill.formats import reading, turns
from cloudistill.formats.format import CannotCarry
from cloudistill.formats.normalisations import OPENAI

SOURCE = "https://platform.openai.com/docs/guides/supervised-fine-tuning"
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_LINE = frozenset({"messages", "tools", "parallel_tool_calls", "functions", "id", "metadata"})
_CALL = frozenset({"id", "type", "function"})
_FUNCTION_CALL = frozenset({"name", "arguments"})
_TOOL = frozenset({"type", "function"})
_FUNCTION = frozenset({"name", "description", "parameters", "strict"})
_PART = frozenset({"type", "text"})
_COMMON = frozenset({"role", "content", "name"})
_MEMBERS = {
    "system": _COMMON,
    "developer": _COMMON,
    "user": _COMMON,
    "assistant": _COMMON | {"tool_calls", "weight", "refusal", "audio", "function_call", "annotations"},
    "tool": frozenset({"role", "content", "tool_call_id"}),
}
_UNUSABLE = {
    "refusal": ("refusal", "The student would learn to refuse: delete the row, or write the answer as content."),
    "audio": ("not-text", "Only text is carried: delete the row, or write what was said as content."),
    "function_call": ("deprecated", "Write it as `tool_calls`, and `functions` as `tools`."),
}


class OpenAIChat:
    """OpenAI's training lines; carries everything an Example has but its id and metadata."""

    name = OPENAI
    rendering: str | None = None

    def normalise(self, example: Example) -> Example:
        """The example without its id and default flags.

        Raises:
            CannotCarry: metadata, names that OpenAI refuses, or turns that do not fit together.
        """
        turns.check(example.messages)
        turns.check_names(example, _NAME, says="1 to 64 letters, digits, '_' or '-'", source=SOURCE)
        return replace(
            turns.bare(example),
            messages=tuple(replace(m, weight=None) if m.weight == 1 else m for m in example.messages),
            tools=tuple(replace(t, strict=None) if t.strict is False else t for t in example.tools),
        )

    def encode(self, example: Example) -> dict[str, Any]:
        """The training line. Raises CannotCarry as `normalise` does."""
        normal = self.normalise(example)
        line: dict[str, Any] = {"messages": [_spelt_message(message) for message in normal.messages]}
        if normal.tools:
            line["tools"] = [_spelt_tool(tool) for tool in normal.tools]
        if normal.parallel_tool_calls is not None:
            line["parallel_tool_calls"] = normal.parallel_tool_calls
        return line

    def decode(self, record: dict[str, Any]) -> Example:
        """The example of one line.

        Raises:
            CannotCarry: anything unknown, malformed, deprecated, or not text. Whether results answer calls is
                the whole conversation's business: `turns.check` says.
        """
        line = reading.members(record, _LINE, "the row")
        if "functions" in line:
            raise CannotCarry("deprecated", "the row uses `functions`.", "Write them as `tools`.", source=SOURCE)
        messages = reading.array(reading.needed(line, "messages", "the row"), "messages")
        parallel = line.get("parallel_tool_calls")
        return Example(
            messages=tuple(_message(m, f"messages[{i}]") for i, m in enumerate(messages)),
            tools=tuple(_tool(t, f"tools[{i}]") for i, t in enumerate(reading.array(line.get("tools", []), "tools"))),
            parallel_tool_calls=None if parallel is None else reading.flag(parallel, "parallel_tool_calls"),
            id=reading.text_or_none(line, "id", "the row"),
            metadata=reading.obj(line.get("metadata", {}), "metadata"),
        )

    def decode_answer(self, message: dict[str, Any]) -> Message:
        """The message of a chat completion; members we have no word for are ignored.

        Raises:
            CannotCarry: a refusal, or calls whose arguments are not a JSON object.
        """
        if message.get("refusal"):
            raise CannotCarry("refusal", f"the model refused: {message['refusal']!r}", "Ask differently.")
        return _message({key: message.get(key) for key in ("role", "content", "tool_calls")}, "the answer")


def _message(value: Any, where: str) -> Message:
    role = reading.needed_text(reading.obj(value, where), "role", where)
    if role not in _MEMBERS:
        raise _bad_role(role, where)
    message = reading.members(value, _MEMBERS[role], where)
    if message.get("annotations"):
        raise CannotCarry("extra", f"{where} has annotations.", "Delete them: only text and calls are learnt.")
    for member, (rule, remedy) in _UNUSABLE.items():
        if member in message:
            raise CannotCarry(rule, f"{where} has {member!r}.", remedy, source=SOURCE)
    content = message.get("content")
    if content is None and role != "assistant":
        raise CannotCarry("missing", f"{where}: the {role} message has no content.", "Add its text.", source=SOURCE)
    calls = reading.array(message.get("tool_calls", []), f"{where}.tool_calls")
    return Message(
        role="system" if role == "developer" else cast("Role", role),
        content=content if content is None or type(content) is str else _joined(content, f"{where}.content"),
        tool_calls=tuple(_call(call, f"{where}.tool_calls[{i}]") for i, call in enumerate(calls)),
        tool_call_id=reading.needed_text(message, "tool_call_id", where) if role == "tool" else None,
        name=reading.text_or_none(message, "name", where),
        weight=_weight(message["weight"], where) if "weight" in message else None,
    )


def _bad_role(role: str, where: str) -> CannotCarry:
    if role == "function":
        return CannotCarry(
            "deprecated", f"{where}: the role 'function' is deprecated.", "Write a `tool` message.", source=SOURCE
        )
    remedy = "It must be system, user, assistant or tool."
    if role == "model":
        remedy += " 'model' is Gemini's word for assistant."
    return CannotCarry("unknown-role", f"{where}: the role {role!r} is unknown.", remedy, source=SOURCE)


def _joined(content: Any, where: str) -> str:
    parts = reading.array(content, where)
    return "\n".join(_part(part, f"{where}[{i}]") for i, part in enumerate(parts))


def _part(value: Any, where: str) -> str:
    kind = reading.obj(value, where).get("type")
    if kind == "refusal":
        rule, remedy = _UNUSABLE["refusal"]
        raise CannotCarry(rule, f"{where} is a refusal.", remedy, source=SOURCE)
    if kind != "text":
        raise CannotCarry(
            "not-text",
            f"{where} is a part of type {kind!r}.",
            "Only text is carried: delete the row, or describe the part in words.",
        )
    part = reading.members(value, _PART, where)
    return reading.needed_text(part, "text", where)


def _weight(value: Any, where: str) -> Any:
    if type(value) is not int or value not in (0, 1):
        raise CannotCarry("weight", f"{where}.weight is {value!r}.", "It must be 0 or 1.", source=SOURCE)
    return value


def _typed_function(value: Any, known: frozenset[str], where: str) -> dict[str, Any]:
    outer = reading.members(value, known, where)
    if outer.get("type") != "function":
        raise CannotCarry(
            "tool-type",
            f"{where}.type is {outer.get('type')!r}.",
            "Only functions are carried: set it to 'function'.",
            source=SOURCE,
        )
    reading.needed(outer, "function", where)
    return outer


def _call(value: Any, where: str) -> ToolCall:
    call = _typed_function(value, _CALL, where)
    function = reading.members(call["function"], _FUNCTION_CALL, f"{where}.function")
    return ToolCall(
        id=reading.needed_text(call, "id", where),
        name=reading.needed_text(function, "name", f"{where}.function"),
        arguments=_arguments(reading.needed(function, "arguments", f"{where}.function"), f"{where}.function.arguments"),
    )


def _arguments(value: Any, where: str) -> dict[str, Any]:
    if type(value) is not str:
        raise CannotCarry(
            "arguments-not-a-string",
            f"{where} is not a string.",
            "Write the JSON object as a string, as the API returns it.",
            source=SOURCE,
        )
    try:
        return parse_object(value)
    except Broken as broken:
        raise CannotCarry(
            "arguments-not-an-object",
            f"{where} does not hold a JSON object: {broken.rule}, {broken.message}",
            "Write one JSON object in the string, {} for no arguments.",
            source=SOURCE,
        ) from broken


def _tool(value: Any, where: str) -> Tool:
    outer = _typed_function(value, _TOOL, where)
    where = f"{where}.function"
    function = reading.members(outer["function"], _FUNCTION, where)
    parameters = function.get("parameters")
    return Tool(
        name=reading.needed_text(function, "name", where),
        description=reading.text_or_none(function, "description", where),
        parameters=None if parameters is None else reading.obj(parameters, f"{where}.parameters"),
        strict=reading.flag(function["strict"], f"{where}.strict") if "strict" in function else None,
    )


def _spelt_message(message: Message) -> dict[str, Any]:
    spelt: dict[str, Any] = {"role": message.role}
    for member in ("content", "name", "weight", "tool_call_id"):
        value = getattr(message, member)
        if value is not None:
            spelt[member] = value
    if message.tool_calls:
        spelt["tool_calls"] = [_spelt_call(call) for call in message.tool_calls]
    return spelt


def _spelt_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": dump(call.arguments).decode()}
    return {"id": call.id, "type": "function", "function": function}


def _spelt_tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    for member in ("description", "parameters", "strict"):
        value = getattr(tool, member)
        if value is not None:
            function[member] = value
    return {"type": "function", "function": function}
