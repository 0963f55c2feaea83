"""Tools, calls and tool results written as JSON inside plain text, found by scanning, whatever stands around them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from cloudistill.emulators.lesson import Call, Reply, Shape

SCHEMA_KEYS = ("parameters", "inputSchema")
ARGUMENT_KEYS = ("arguments", "parameters")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Found:
    """Calls found in a text: what stood before them, whether they were an array, and the key of the arguments."""

    before: str
    calls: tuple[Call, ...]
    array: bool
    key: str


@dataclass(frozen=True, slots=True)
class Form:
    """How a student was taught to write its calls: always an array or a bare object for one, and the arguments' key."""

    array: bool = True
    key: str = "arguments"

    @classmethod
    def of(cls, answers: Sequence[str]) -> Form:
        """The form most of the answers have; arrays of one count for the array, longer ones for neither."""
        found = [calls for answer in answers if (calls := calls_in(answer))]
        keys = Counter(calls.key for calls in found)
        arrays = Counter(calls.array for calls in found if len(calls.calls) == 1)
        return cls(_commonest(arrays, default=True), _commonest(keys, default="arguments"))

    def write(self, reply: Reply) -> str:
        """A reply as text: prose, then the calls as JSON."""
        calls = [{"name": call.name, self.key: call.arguments} for call in reply.calls]
        said = calls if self.array or len(calls) > 1 else next(iter(calls), None)
        parts = [reply.text, json.dumps(said, ensure_ascii=False) if calls else ""]
        return "\n".join(part for part in parts if part)


def tools_in(text: str) -> tuple[Shape, ...]:
    """The first JSON array of tool definitions in `text`."""
    for _, _, value in _values(text, "["):
        tools = [_tool(item) for item in value]
        if tools and all(tools):
            return tuple(tool for tool in tools if tool)
    return ()


def calls_in(text: str) -> Found | None:
    """The calls a text ends with: an object, or an array of objects, that name a tool and its arguments."""
    for start, end, value in _values(text, "[{"):
        items = listed(value)
        keys = [_argument_key(item) for item in items]
        if items and all(keys) and not text[end:].strip():
            calls = tuple(Call(item["name"], item[key]) for item, key in zip(items, keys, strict=True))
            return Found(text[:start].strip(), calls, isinstance(value, list), str(keys[0]))
    return None


def is_result(text: str) -> bool:
    """Whether a user's text holds a JSON object or array: straight after a call, a tool speaking and not a person."""
    return any(True for _ in _values(text, "[{"))


def as_object(value: Any) -> dict[str, Any]:
    """A JSON object as it is, anything else as an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """A JSON array as it is, anything else as the only item of one."""
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _values(text: str, openers: str) -> Iterator[tuple[int, int, Any]]:
    """Every outermost JSON value of `text` that begins with one of `openers`: start, end, value."""
    at = 0
    while starts := [place for opener in openers if (place := text.find(opener, at)) >= 0]:
        at = min(starts)
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        yield at, end, value
        at = end


def _tool(item: Any) -> Shape | None:
    tool = as_object(item)
    for wrapper in ("toolSpec", "function"):
        tool = as_object(tool.get(wrapper)) or tool
    schema = next((as_object(tool[key]) for key in SCHEMA_KEYS if isinstance(tool.get(key), dict)), None)
    if not isinstance(tool.get("name"), str) or schema is None:
        return None
    return Shape(tool["name"], str(tool.get("description", "")), as_object(schema.get("json")) or schema)


def _argument_key(item: Any) -> str | None:
    call = as_object(item)
    found = (key for key in ARGUMENT_KEYS if isinstance(call.get(key), dict))
    return next(found, None) if isinstance(call.get("name"), str) else None


def _commonest(counts: Counter[Any], *, default: Any) -> Any:
    return counts.most_common(1)[0][0] if counts else default
