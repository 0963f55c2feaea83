"""Tools, calls and results written as JSON inside plain text, and found there again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from cloudistill.core.example import Tool, ToolCall
from cloudistill.core.jsonl import dump
from cloudistill.core.strict_json import Broken, parse
from cloudistill.formats import reading
from cloudistill.formats.format import CannotCarry

HEADER = "## Tools you can call (JSON)"
_HOW = (
    'To call tools, answer with a JSON array of {"name": …, "arguments": {…}} objects, one for each call, and nothing '
    'else. Each result comes back as {"tool_result": {"name": …, "content": …}}. Otherwise answer in plain text.'
)
_ONE = " Make at most one call at a time."
_RESULT = '{"tool_result":'
_TOOL = frozenset({"name", "description", "parameters"})

Call = tuple[str, dict[str, Any]]


def tools_text(tools: Sequence[Tool], *, one_call: bool) -> str:
    """What is said of the tools in the system text."""
    return f"{HEADER}\n{dump([*tools]).decode()}\n{_HOW}{_ONE if one_call else ''}"


def tools_of(text: str) -> tuple[str, tuple[Tool, ...], bool | None] | None:
    """The text before the tools, the tools, and `parallel_tool_calls`; None if the text offers no tools.

    Raises:
        CannotCarry: `tools-text`: the header is there, and what follows is not what we write.
    """
    before, header, after = text.partition(HEADER)
    if not header:
        return None
    array, _, how = after.removeprefix("\n").partition("\n")
    if how not in (_HOW, _HOW + _ONE):
        raise _garbled("the instruction after the tools is not the one that was written")
    try:
        offered = parse(array)
    except Broken as broken:
        raise _garbled(broken.message) from broken
    tools = tuple(_tool(tool, f"tools[{i}]") for i, tool in enumerate(reading.array(offered, "tools")))
    return before, tools, None if how == _HOW else False


def _garbled(why: str) -> CannotCarry:
    return CannotCarry(
        "tools-text",
        f"the system text offers tools under {HEADER!r}, but they cannot be read: {why}",
        "Convert the row again from its source.",
    )


def _tool(value: Any, where: str) -> Tool:
    tool = reading.members(value, _TOOL, where)
    return Tool(
        name=reading.needed_text(tool, "name", where),
        description=reading.text_or_none(tool, "description", where),
        parameters=reading.obj(reading.needed(tool, "parameters", where), f"{where}.parameters"),
    )


def calls_text(content: str | None, calls: Sequence[ToolCall]) -> str:
    """An assistant turn: its text, if any, then the calls as a JSON array on a line of its own."""
    array = dump([{"name": call.name, "arguments": call.arguments} for call in calls]).decode()
    return array if content is None else f"{content}\n{array}"


def calls_of(text: str) -> tuple[str | None, list[Call]] | None:
    """The text before the calls and the calls, if the text, or its last line, is a JSON array of calls."""
    whole = text.strip()
    if not whole.endswith("]"):
        return None
    calls = _calls(whole) if whole.startswith("[") else None
    if calls:
        return None, calls
    before, line_end, last = text.rstrip().rpartition("\n")
    calls = _calls(last) if line_end and last.lstrip().startswith("[") else None
    return (before, calls) if calls else None


def _calls(text: str) -> list[Call] | None:
    try:
        value = parse(text)
    except Broken:
        return None
    calls = [_call(item) for item in cast("list[Any]", value)]
    return [call for call in calls if call] if all(calls) else None


def _call(item: Any) -> Call | None:
    if type(item) is not dict:
        return None
    call = cast("dict[str, Any]", item)
    if call.keys() != {"name", "arguments"} or type(call["name"]) is not str or type(call["arguments"]) is not dict:
        return None
    return call["name"], cast("dict[str, Any]", call["arguments"])


def result_text(name: str, content: str) -> str:
    """A tool result as the user's turn says it."""
    return dump({"tool_result": {"name": name, "content": content}}).decode()


def result_of(text: str) -> tuple[str, str] | None:
    """The tool's name and the result, if the text is one."""
    if not text.startswith(_RESULT):
        return None
    try:
        value = parse(text)
    except Broken:
        return None
    result = value["tool_result"]
    if value.keys() != {"tool_result"} or type(result) is not dict:
        return None
    said = cast("dict[str, Any]", result)
    if said.keys() != {"name", "content"} or not all(type(member) is str for member in said.values()):
        return None
    return said["name"], said["content"]
