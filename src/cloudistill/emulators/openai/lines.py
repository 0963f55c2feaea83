"""OpenAI's checks of a training file, done when the job runs, with its codes and words. Examples count from 1."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from typing import Any, cast

LEAST_EXAMPLES = 10
MOST_TOOLS = 128
LINE_KEYS = ("messages", "tools", "parallel_tool_calls", "functions")
MESSAGE_KEYS = {
    "system": ("role", "content", "name"),
    "user": ("role", "content", "name"),
    "assistant": ("role", "content", "name", "refusal", "audio", "tool_calls", "function_call", "weight"),
    "tool": ("role", "content", "tool_call_id"),
    "function": ("role", "content", "name"),
}
_SPECIAL_TOKEN = re.compile(r"<\|[a-z_]+\|>")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_PREFIX = {
    "invalid_file_format": "The job failed due to a file format error in the {role} file. Invalid file format. ",
    "invalid_training_file": "The job failed due to an invalid {role} file. Invalid file format. ",
    "invalid_n_examples": "",
}


class BadFile(Exception):
    """What fails the job: OpenAI's code and message, and the parameter that named the file."""

    def __init__(self, code: str, message: str, role: str) -> None:
        super().__init__(message)
        self.error = {
            "code": code,
            "message": _PREFIX[code].format(role=role) + message,
            "param": f"{role}_file",
        }


class _Broken(Exception):
    """A broken rule; `text` goes on after the words `Example 7`."""

    def __init__(self, text: str, code: str = "invalid_file_format", *, numbered: bool = True) -> None:
        super().__init__(text)
        self.text, self.code, self.numbered = text, code, numbered


def read(content: bytes, *, role: str = "training", least: int = LEAST_EXAMPLES) -> list[dict[str, Any]]:
    """The rows of a training (or `validation`) file. Raises BadFile at the first broken rule."""
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()
    if len(lines) < least:
        message = f"{role.capitalize()} file has {len(lines)} example(s), but must have at least {least} examples"
        raise BadFile("invalid_n_examples", message, role)
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(_row(line, number))
        except _Broken as broken:
            text = f"Example {number}{broken.text}" if broken.numbered else broken.text
            raise BadFile(broken.code, text, role) from None
    return rows


def _row(line: bytes, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line.decode())
    except (ValueError, RecursionError):
        raise _Broken(f" cannot be parsed as valid JSON (line {number})") from None
    return _example(_object(row, ""))


def _object(value: Any, where: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    raise _Broken(f"{where} is not a JSON object")


def _array(value: Any, words: str) -> list[Any]:
    if isinstance(value, list):
        return cast("list[Any]", value)
    raise _Broken(words)


def _example(row: dict[str, Any]) -> dict[str, Any]:
    if "messages" not in row:
        words = "Unexpected file format, expected either prompt/completion pairs or chat messages."
        raise _Broken(words, "invalid_training_file", numbered=False)
    _no_extra(row, LINE_KEYS, "")
    special = _SPECIAL_TOKEN.search(json.dumps(row["messages"], ensure_ascii=False))
    if special:
        raise _Broken(f" message contains an invalid token: `{special[0]}`")
    _messages(row["messages"], _tool_names(row))
    return row


def _no_extra(value: Any, allowed: Collection[str], where: str) -> dict[str, Any]:
    checked = _object(value, where)
    for key in checked:
        if key not in allowed:
            raise _Broken(f'{where} contains an extra "{key}"')
    return checked


def _tool_names(row: dict[str, Any]) -> set[str]:
    """The names on offer, after a look at each tool."""
    words = f' "tools" must be a list of at most {MOST_TOOLS} tools'
    functions, tools = (_array(row.get(key) or [], words) for key in ("functions", "tools"))
    if len(tools) + len(functions) > MOST_TOOLS:
        raise _Broken(words)
    for index, tool in enumerate(tools):
        _no_extra(tool, ("type", "function"), f", tools[{index}]")
        if tool.get("type") != "function":
            raise _Broken(f", tools[{index}] must have the type 'function'")
    if not isinstance(row.get("parallel_tool_calls", True), bool):
        raise _Broken(' "parallel_tool_calls" must be a boolean')
    return {_function(f, index) for index, f in enumerate([*(tool.get("function") for tool in tools), *functions])}


def _function(function: Any, index: int) -> str:
    where = f", tools[{index}].function"
    checked = _no_extra(function, ("name", "description", "parameters", "strict"), where)
    name, schema = checked.get("name"), checked.get("parameters") or {"type": "object"}
    if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name):
        raise _Broken(f"{where}.name does not match '^[a-zA-Z0-9_-]{{1,64}}$'")
    if _object(schema, f"{where}.parameters").get("type", "object") != "object":
        raise _Broken(f"{where}.parameters: schema must be a JSON Schema of 'type: \"object\"'")
    return name


def _messages(messages: Any, offered: set[str]) -> None:
    words = ' "messages" must be a list of at least one message'
    checked = _array(messages, words)
    if not checked:
        raise _Broken(words)
    waiting: set[str] = set()
    for number, value in enumerate(checked, 1):
        where = f", message {number}"
        message = _message(value, where)
        if message["role"] == "tool":
            if message.get("tool_call_id") not in waiting:
                raise _Broken(f"{where} answers no preceding 'tool_calls'")
            waiting.remove(message["tool_call_id"])
        elif waiting:
            raise _Broken(f"{where}: tool_call_ids without a response message: {', '.join(sorted(waiting))}")
        waiting |= _calls(message, offered, where)
    _taught(checked)


def _taught(messages: Sequence[dict[str, Any]]) -> None:
    """There must be something to learn, and it must come last."""
    if messages[-1]["role"] != "assistant":
        raise _Broken(": the last message must be from the assistant")
    if all(message.get("weight", 1) == 0 for message in messages if message["role"] == "assistant"):
        raise _Broken(" has no assistant message with a weight of 1")


def _message(value: Any, where: str) -> dict[str, Any]:
    message = _object(value, where)
    if "role" not in message:
        raise _Broken(f"{where} Discriminator 'role' is missing in value", "invalid_training_file")
    role = message["role"]
    if role not in MESSAGE_KEYS:
        known = ", ".join(MESSAGE_KEYS)
        raise _Broken(f"{where} Discriminator 'role' is {role!r}, expected one of {known}", "invalid_training_file")
    _no_extra(message, MESSAGE_KEYS[role], where)
    if message.get("weight", 1) not in (0, 1):
        raise _Broken(f"{where}: weight must be 0 or 1")
    speaks = role == "assistant" and (message.get("tool_calls") or message.get("function_call"))
    if not (speaks and message.get("content") is None):
        _content(message.get("content"), role, where)
    return message


def _content(content: Any, role: str, where: str) -> None:
    if isinstance(content, str):
        return
    parts = _array(content, f"{where}: content must be a string or a list of parts")
    kinds = ("text", "image_url") if role == "user" else ("text",)
    for part in parts:
        if _object(part, where).get("type") not in kinds:
            raise _Broken(f"{where}: a {role} message may hold parts of the type {' or '.join(kinds)} only")


def _calls(message: dict[str, Any], offered: set[str], where: str) -> set[str]:
    """The ids of a message's tool calls, after a look at each."""
    calls = _array(message.get("tool_calls") or [], f"{where}: tool_calls must be a list")
    for call in calls:
        _no_extra(call, ("id", "type", "function"), f"{where}, tool_calls")
        if not isinstance(call.get("id"), str) or call.get("type") != "function":
            raise _Broken(f"{where}: a tool call needs an id and the type 'function'")
        _called(call.get("function"), offered, where)
    if message.get("function_call"):
        _called(message["function_call"], offered, where)
    return {call["id"] for call in calls}


def _called(value: Any, offered: set[str], where: str) -> None:
    function = _no_extra(value, ("name", "arguments"), f"{where}, function")
    if function.get("name") not in offered:
        raise _Broken(f"{where} calls {function.get('name')!r}, which is not among the tools")
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        raise _Broken(f"{where}: function.arguments should be a valid string")
    try:
        parsed = json.loads(arguments)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise _Broken(f"{where}: function.arguments is not a valid JSON object")
