"""Whatever an Example holds, a format carries it, normalises it as listed, or refuses it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cloudistill.core.example import Example, Message, Tool, ToolCall
from cloudistill.core.jsonl import dump
from cloudistill.core.strict_json import parse_object
from cloudistill.formats import registry
from cloudistill.formats.format import CannotCarry, Format
from cloudistill.formats.tools_as_text import HEADER

FORMATS = [
    registry.get("openai-chat"),
    registry.get("bedrock-conversation", "text"),
    registry.get("bedrock-conversation", "tool-config"),
    registry.get("gemini-contents"),
]
NAMED = [pytest.param(f, id=f.rendering or f.name) for f in FORMATS]
MAY_BE_REFUSED = {"schema-conflict", "schema-any-of", "looks-like-tools"}
PAIRS = [
    pytest.param(a, b, id=f"{a.rendering or a.name}-{b.rendering or b.name}")
    for a, b in itertools.permutations(FORMATS, 2)
]
SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large]
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=SLOW_IS_FINE)

Draw = Callable[[st.SearchStrategy[Any]], Any]

names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_-]{0,8}", fullmatch=True)
parameter_names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,6}", fullmatch=True) | st.sampled_from(
    ["type", "enum", "properties", "items", "nullable", "any_of", "required", "title"]
)
prose = st.text(min_size=1, max_size=20).filter(lambda text: bool(text.strip()))
nasty = prose | st.sampled_from(
    [
        HEADER,
        '[{"name":"a","arguments":{}}]',
        'so:\n[{"name":"a","arguments":{"b":[1]}}]',
        '{"tool_result":{"name":"a","content":"b"}}',
        '{"tool_result":',
        "[",
        "[1]",
        "a\n\n",
        "\u2028\u2029\x85\x00",
        '\\"}]}',
        "System: <image> ${HOME} {{x}} \x1b[31m",
        "\u202emirrored\u05de \U0001f600",
    ]
)
numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
arguments = st.dictionaries(st.text(max_size=6), values, max_size=3)


@st.composite
def schemas(draw: Draw, depth: int = 2) -> dict[str, Any]:
    """JSON Schemas that Gemini can say, in every way of writing them."""
    annotations = draw(
        st.fixed_dictionaries({}, optional={"description": st.text(max_size=8), "title": prose, "default": values})
    )
    leaf = st.sampled_from(
        [
            {"type": "string"},
            {"type": "string", "enum": ["a", "b"]},
            {"type": ["string", "null"], "enum": ["a", None]},
            {"type": "integer", "enum": [1, 20], "minimum": 1},
            {"type": "number", "enum": [1, 1.0, 0.5], "maximum": 2.5},
            {"type": ["string", "null"], "maxLength": 3},
            {"type": ["null", "integer", "string"]},
            {"type": "boolean", "nullable": True},
            {"const": "only"},
            {"enum": ["x", "y"]},
            {"$ref": "#/$defs/Named"},
            {},
        ]
    )
    kind = draw(st.sampled_from(["leaf", "array", "object", "union", "optional"])) if depth else "leaf"
    inner = schemas(depth=max(depth - 1, 0))
    if kind == "leaf":
        return {**draw(leaf), **annotations}
    if kind == "array":
        return {"type": "array", "items": draw(inner), **annotations}
    if kind == "object":
        return {**draw(objects(depth - 1)), **annotations}
    if kind == "optional":
        return {"anyOf": [draw(inner), {"type": "null"}], **annotations}
    return {"anyOf": draw(st.lists(inner, min_size=2, max_size=3))}


@st.composite
def objects(draw: Draw, depth: int = 2) -> dict[str, Any]:
    properties = draw(st.dictionaries(parameter_names, schemas(depth=max(depth, 0)), max_size=3))
    extras = st.fixed_dictionaries({}, optional={"additionalProperties": st.booleans(), "maxProperties": st.just(3)})
    return {"type": "object", "properties": properties, "required": sorted(properties)[:1], **draw(extras)}


@st.composite
def parameters(draw: Draw) -> dict[str, Any]:
    definitions = {"Named": {"type": "object", "title": "Named", "properties": {"ref": {"type": "string"}}}}
    return {**draw(objects()), "$defs": definitions}


@st.composite
def examples(draw: Draw, texts: st.SearchStrategy[str] = prose) -> Example:
    """Lessons with several turns, parallel calls, results in any order, and every flag that all formats carry."""
    tools = draw(st.lists(tool(texts), min_size=1, max_size=3, unique_by=lambda one: one.name))
    messages = [Message(role="system", content=text) for text in draw(st.lists(texts, max_size=2))]
    ids = (f"id-{number}" for number in itertools.count())
    for _ in range(draw(st.integers(1, 3))):
        messages += [Message(role="user", content=text) for text in draw(st.lists(texts, min_size=1, max_size=2))]
        for _ in range(draw(st.integers(0, 2))):
            messages += draw(calls_and_results(tools, ids, texts))
        weight = draw(st.sampled_from([None, 1]))
        messages.append(Message(role="assistant", content=draw(texts), weight=weight))
    if draw(st.booleans()):
        messages[-1] = msgspec.structs.replace(messages[-1], tool_calls=(draw(calls(tools, ids)),))
    if draw(st.booleans()):
        messages = messages[:-1]
    return Example(
        messages=tuple(messages),
        tools=tuple(tools),
        parallel_tool_calls=draw(st.sampled_from([None, True])),
        id=draw(st.none() | st.text()),
    )


@st.composite
def tool(draw: Draw, texts: st.SearchStrategy[str]) -> Tool:
    described = draw(st.none() | st.just("") | texts)
    strict = draw(st.sampled_from([None, False]))
    return Tool(name=draw(names), description=described, parameters=draw(st.none() | parameters()), strict=strict)


def calls(tools: list[Tool], ids: Any) -> st.SearchStrategy[ToolCall]:
    offered = st.sampled_from([one.name for one in tools])

    def call(name: str, given: dict[str, Any]) -> ToolCall:
        return ToolCall(id=next(ids), name=name, arguments=given)

    return st.builds(call, offered, arguments)


@st.composite
def calls_and_results(draw: Draw, tools: list[Tool], ids: Any, texts: st.SearchStrategy[str]) -> list[Message]:
    made = draw(st.lists(calls(tools, ids), min_size=1, max_size=3))
    content = draw(st.none() | st.just("") | texts)
    results = [Message(role="tool", tool_call_id=call.id, content=draw(st.just("") | texts)) for call in made]
    return [Message(role="assistant", content=content, tool_calls=tuple(made)), *draw(st.permutations(results))]


def exact(example: Example) -> str:
    """The example as text, in which 1, 1.0 and true differ."""
    return json.dumps(msgspec.to_builtins(example), sort_keys=True)


def through(spelling: Format, example: Example) -> Example:
    """The example written as a line and read back."""
    return spelling.decode(parse_object(dump(spelling.encode(example)).decode()))


def normalised_or_skipped(spelling: Format, example: Example) -> Example:
    try:
        return spelling.normalise(example)
    except CannotCarry as refusal:
        if refusal.rule not in MAY_BE_REFUSED:
            raise
    assume(False)
    raise AssertionError


@pytest.mark.parametrize("spelling", NAMED)
@QUICK
@given(example=examples())
def test_what_is_written_and_read_back_is_the_normalised_example(spelling: Format, example: Example) -> None:
    normal = normalised_or_skipped(spelling, example)
    assert exact(through(spelling, example)) == exact(normal)
    assert exact(spelling.normalise(normal)) == exact(normal)


@pytest.mark.parametrize("spelling", NAMED)
@QUICK
@given(example=examples(nasty))
def test_text_that_looks_like_our_own_forms_is_refused_or_survives(spelling: Format, example: Example) -> None:
    normal = normalised_or_skipped(spelling, example)
    assert exact(through(spelling, example)) == exact(normal)


@pytest.mark.parametrize("spelling", NAMED)
@QUICK
@given(example=examples())
def test_a_written_row_is_detected_as_its_own_format(spelling: Format, example: Example) -> None:
    normalised_or_skipped(spelling, example)
    found = registry.detect(parse_object(dump(spelling.encode(example)).decode()))
    assert (found.name, found.rendering) == (spelling.name, spelling.rendering)


@pytest.mark.parametrize(("here", "there"), PAIRS)
@settings(parent=QUICK, max_examples=8)
@given(example=examples())
def test_there_and_back_again_changes_nothing_but_the_listed(here: Format, there: Format, example: Example) -> None:
    start = normalised_or_skipped(here, example)
    expected = normalised_or_skipped(here, normalised_or_skipped(there, start))
    assert exact(through(here, through(there, start))) == exact(expected)


@pytest.mark.parametrize("spelling", NAMED)
@QUICK
@given(example=examples())
def test_normalising_touches_nothing_but_flags_ids_schemas_and_blanks(spelling: Format, example: Example) -> None:
    normal = normalised_or_skipped(spelling, example)
    assert [m.role for m in normal.messages] == [m.role for m in example.messages]
    assert [m.content or "" for m in normal.messages if m.role != "tool"] == [
        m.content or "" for m in example.messages if m.role != "tool"
    ]
    made = [(c.name, c.arguments) for m in normal.messages for c in m.tool_calls]
    assert made == [(c.name, c.arguments) for m in example.messages for c in m.tool_calls]
    assert answers(normal) == answers(example)
    assert [t.name for t in normal.tools] == [t.name for t in example.tools]


def answers(example: Example) -> list[str | None]:
    """The results in the order of the calls they answer, whatever the ids."""
    given = {m.tool_call_id: m.content for m in example.messages if m.role == "tool"}
    return [given.get(call.id) for m in example.messages for call in m.tool_calls]


@pytest.mark.parametrize("spelling", NAMED)
@QUICK
@given(example=examples())
def test_a_question_is_spelled_as_its_lesson_up_to_the_answer(spelling: Any, example: Example) -> None:
    normalised_or_skipped(spelling, example)
    if example.answer is None:
        return
    question = msgspec.structs.replace(example, messages=example.prompt)
    if not any(message.role == "user" for message in question.messages):
        return
    asked, row = spelling.encode(question), spelling.encode(example)
    turns = "contents" if "contents" in row else "messages"
    assert asked | {turns: row[turns]} == row
    assert asked[turns] == row[turns][:-1]


@st.composite
def with_what_only_openai_carries(draw: Draw) -> Example:
    """Lessons with weights, names, strict tools, one call at a time, and turns in any order."""
    example = draw(examples())
    messages = [
        msgspec.structs.replace(m, name=draw(st.none() | prose), weight=draw(st.sampled_from([None, 0, 1])))
        if m.role == "assistant"
        else m
        for m in example.messages
    ]
    late = [Message(role="system", content="Later.", name="ops"), Message(role="assistant", content="", weight=0)]
    ends = not messages[-1].tool_calls and messages[-1].role != "tool"
    strict = tuple(msgspec.structs.replace(one, strict=draw(st.booleans())) for one in example.tools)
    return msgspec.structs.replace(
        example, messages=(*messages, *(late if ends else ())), tools=strict, parallel_tool_calls=draw(st.booleans())
    )


@QUICK
@given(example=with_what_only_openai_carries())
def test_openai_carries_weights_names_strictness_and_turns_in_any_order(example: Example) -> None:
    spelling = registry.get("openai-chat")
    returned = through(spelling, example)
    assert exact(returned) == exact(spelling.normalise(example))
    assert [(m.role, m.name, 1 if m.weight is None else m.weight) for m in returned.messages] == [
        (m.role, m.name, 0 if m.weight == 0 else 1) for m in example.messages
    ]
    assert [bool(one.strict) for one in returned.tools] == [bool(one.strict) for one in example.tools]
    assert returned.parallel_tool_calls is example.parallel_tool_calls
