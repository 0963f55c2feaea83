"""An OpenAI line that is read in C is the example that the careful reader makes of it."""

from __future__ import annotations

import json
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudistill.core.strict_json import parse_object
from cloudistill.formats import turns
from cloudistill.formats.format import CannotCarry
from cloudistill.formats.openai_chat import OpenAIChat
from cloudistill.formats.openai_rows import quickly

FUNCTION: dict[str, Any] = {"name": "look", "arguments": '{"x": [1, 1.0]}'}
CALL: dict[str, Any] = {"id": "c1", "type": "function", "function": FUNCTION}
TOOL: dict[str, Any] = {"name": "look", "description": "d", "parameters": {"type": "object"}, "strict": False}
ROW: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be brief.", "name": "ops"},
        {"role": "user", "content": "Hi \u00e9"},
        {"role": "assistant", "content": None, "tool_calls": [CALL], "weight": 0, "refusal": None},
        {"role": "tool", "tool_call_id": "c1", "content": "x"},
        {"role": "assistant", "content": "Done."},
    ],
    "tools": [{"type": "function", "function": TOOL}],
    "parallel_tool_calls": True,
    "id": "row",
}
UNUSUAL: list[Any] = [None, "", "x", 0, 1, True, 1.5, [], {}, ["x"], "{}", '{"a":1,"a":2}', "developer", "model", CALL]
KEYS = ["role", "content", "name", "weight", "tool_calls", "tool_call_id", "refusal", "audio", "strict", "x", "type"]


def carefully(line: bytes) -> str | None:
    try:
        example = OpenAIChat().decode(parse_object(line.decode()))
        turns.check(example.messages)
    except CannotCarry:
        return None
    return exact(example)


def exact(example: Any) -> str:
    return json.dumps(msgspec.to_builtins(example), sort_keys=True)


def containers(value: Any) -> list[Any]:
    """Every object and array in `value`."""
    if type(value) is dict:
        inner = list(cast("dict[str, Any]", value).values())
    elif type(value) is list:
        inner = cast("list[Any]", value)
    else:
        return []
    return [value, *(each for member in inner for each in containers(member))]


@st.composite
def rows(draw: Any) -> dict[str, Any]:
    """A usual row with one or two members changed, added or taken out, wherever they are."""
    row = json.loads(json.dumps(ROW))
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.sampled_from(containers(row)))
        unusual = json.loads(draw(st.sampled_from([json.dumps(value) for value in UNUSUAL])))
        if type(place) is list:
            cast("list[Any]", place).append(unusual)
            continue
        key = draw(st.sampled_from([*place, *KEYS]))
        if draw(st.booleans()):
            place[key] = unusual
        else:
            place.pop(key, None)
    return row


@settings(max_examples=400, deadline=None)
@given(row=rows())
def test_a_line_read_in_c_is_what_the_careful_reader_makes_of_it(row: dict[str, Any]) -> None:
    line = json.dumps(row).encode() + b"\n"
    example = quickly(line)
    assert example is None or exact(example) == carefully(line)


def test_a_usual_line_is_read_in_c() -> None:
    line = json.dumps(ROW, ensure_ascii=False).encode()
    example = quickly(line)
    assert example is not None
    assert exact(example) == carefully(line)


@pytest.mark.parametrize("line", [b"", b"{", b'{"messages":[]}{', b"[]"])
def test_what_is_no_row_is_left_to_the_careful_reader(line: bytes) -> None:
    assert quickly(line) is None
