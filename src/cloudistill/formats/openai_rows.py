"""The usual `openai-chat` line as types: read in C, and left to the careful reader where it is anything else."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from cloudistill.core import jsonl
from cloudistill.core.example import Example, Message, Tool, ToolCall
from cloudistill.core.strict_json import Broken, Quick, parse_object
from cloudistill.formats import turns
from cloudistill.formats.format import CannotCarry

_Absent = None | UnsetType


class _Wire(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A member that was not there is not written either, nor made null: `Quick` needs that."""


class _Said(_Wire, frozen=True, tag_field="role"):
    content: str


class _System(_Said, frozen=True, tag="system"):
    name: str | _Absent = UNSET


class _User(_Said, frozen=True, tag="user"):
    name: str | _Absent = UNSET


class _Result(_Said, frozen=True, tag="tool"):
    tool_call_id: str


class _Function(_Wire, frozen=True):
    name: str
    arguments: str


class _Call(_Wire, frozen=True):
    id: str
    type: Literal["function"]
    function: _Function


class _Assistant(_Wire, frozen=True, tag_field="role", tag="assistant"):
    content: str | _Absent = UNSET
    tool_calls: list[_Call] | _Absent = UNSET
    name: str | _Absent = UNSET
    weight: Literal[0, 1] | _Absent = UNSET
    refusal: _Absent = UNSET


class _Tool(_Wire, frozen=True):
    type: Literal["function"]
    function: Tool


class _Row(_Wire, frozen=True):
    messages: list[_System | _User | _Assistant | _Result]
    tools: list[_Tool] | _Absent = UNSET
    parallel_tool_calls: bool | _Absent = UNSET
    id: str | _Absent = UNSET


_quick = Quick(_Row)


def quickly(line: bytes | None) -> Example | None:
    """The example of a line that has nothing unusual in it; None where the careful reader must look."""
    row = jsonl.quickly(line, _quick)
    if row is None:
        return None
    try:
        messages = tuple([_message(said) for said in row.messages])
        turns.check(messages)
    except (Broken, CannotCarry):
        return None
    return Example(
        messages=messages,
        tools=tuple([tool.function for tool in row.tools or ()]),
        parallel_tool_calls=_given(row.parallel_tool_calls),
        id=_given(row.id),
    )


def _given(value: Any) -> Any:
    return None if value is UNSET else value


def _message(said: _System | _User | _Assistant | _Result) -> Message:
    match said:
        case _User():
            return Message(role="user", content=said.content, name=_given(said.name))
        case _Assistant():
            return Message(
                role="assistant",
                content=_given(said.content),
                tool_calls=tuple([_call(call) for call in said.tool_calls or ()]),
                name=_given(said.name),
                weight=_given(said.weight),
            )
        case _Result():
            return Message(role="tool", content=said.content, tool_call_id=said.tool_call_id)
        case _System():
            return Message(role="system", content=said.content, name=_given(said.name))


def _call(call: _Call) -> ToolCall:
    return ToolCall(id=call.id, name=call.function.name, arguments=parse_object(call.function.arguments))
