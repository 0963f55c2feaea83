"""The rules OpenAI holds training files against, each in its codes and words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudistill.emulators.chat_lines import lessons
from cloudistill.emulators.openai.lines import BadFile, read

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "bfcl-train.openai.jsonl"
USER: dict[str, Any] = {"role": "user", "content": "Where is A1?"}
BYE: dict[str, Any] = {"role": "assistant", "content": "There."}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}


def call(arguments: Any = "{}", name: str = "find") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": function}]}


def result(name: str = "c1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": name, "content": "42"}


def talk(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"messages": list(messages), "tools": [TOOL], **more}


def file(*lines: Any) -> bytes:
    return b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)


GOOD = talk(USER, call(), result(), BYE)


def broken(line: Any) -> dict[str, str]:
    with pytest.raises(BadFile) as caught:
        read(file(*[GOOD] * 9, line))
    return caught.value.error


@pytest.mark.parametrize(
    "line",
    [
        GOOD,
        talk(USER, call()),
        talk({"role": "system", "content": "Be brief."}, USER, {**BYE, "weight": 0}, USER, {**BYE, "weight": 1}),
        talk({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}, BYE),
        talk(USER, {**call(), "content": None}, parallel_tool_calls=True),
        {"messages": [USER, BYE]},
    ],
)
def test_what_the_documents_allow_is_taken(line: dict[str, Any]) -> None:
    assert read(file(*[GOOD] * 9, line))[-1] == line


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "Example 10 cannot be parsed as valid JSON (line 10)"),
        (b"", "Example 10 cannot be parsed as valid JSON (line 10)"),
        (b"\xff", "Example 10 cannot be parsed as valid JSON (line 10)"),
        ([1], "Example 10 is not a JSON object"),
        (talk(USER, BYE, weight=1), 'Example 10 contains an extra "weight"'),
        (talk(USER, {**BYE, "id": "m"}), 'Example 10, message 2 contains an extra "id"'),
        (talk({**USER, "weight": 0}, BYE), 'Example 10, message 1 contains an extra "weight"'),
        (talk(USER, {**BYE, "weight": 2}), "weight must be 0 or 1"),
        (talk(USER, {**BYE, "weight": 0}), "no assistant message with a weight of 1"),
        (talk(USER), "the last message must be from the assistant"),
        (talk(), "at least one message"),
        (talk("hello"), "Example 10, message 1 is not a JSON object"),
        (talk(USER, {"role": "assistant"}), "content must be a string"),
        (talk(USER, {"role": "assistant", "content": [{"type": "image_url"}]}), "parts of the type text only"),
        (talk(USER, call({})), "function.arguments should be a valid string"),
        (talk(USER, call("{'a': 1}")), "function.arguments is not a valid JSON object"),
        (talk(USER, call("[1]")), "function.arguments is not a valid JSON object"),
        (talk(USER, call(name="lose")), "calls 'lose', which is not among the tools"),
        ({"messages": [USER, call()]}, "calls 'find', which is not among the tools"),
        (talk(USER, call(), USER, BYE), "tool_call_ids without a response message: c1"),
        (talk(USER, call(), result("c2"), BYE), "Example 10, message 3 answers no preceding 'tool_calls'"),
        (talk(USER, result(), BYE), "Example 10, message 2 answers no preceding 'tool_calls'"),
        (talk({**USER, "content": "<|fim_suffix|>"}, BYE), "message contains an invalid token: `<|fim_suffix|>`"),
        (talk(USER, BYE, tools=[TOOL] * 129), "at most 128 tools"),
        (talk(USER, BYE, tools=[{"type": "function", "function": {"name": "a b"}}]), "does not match"),
        (talk(USER, BYE, tools=[{"type": "web"}]), "must have the type 'function'"),
        (talk(USER, BYE, parallel_tool_calls="no"), "must be a boolean"),
    ],
)
def test_a_broken_line_fails_the_file_format(line: Any, words: str) -> None:
    error = broken(line)
    assert (error["code"], error["param"]) == ("invalid_file_format", "training_file")
    assert error["message"].startswith(
        "The job failed due to a file format error in the training file. Invalid file format. Example 10"
    )
    assert words in error["message"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (talk(USER, {"content": "x"}), "Example 10, message 2 Discriminator 'role' is missing in value"),
        (talk({"role": "developer", "content": "x"}, BYE), "Discriminator 'role' is 'developer'"),
        ({"prompt": "a", "completion": "b"}, "Unexpected file format, expected either prompt/completion pairs or"),
    ],
)
def test_a_line_of_another_kind_is_an_invalid_training_file(line: Any, words: str) -> None:
    error = broken(line)
    assert error["code"] == "invalid_training_file"
    assert words in error["message"]


def test_too_few_examples_are_counted() -> None:
    with pytest.raises(BadFile) as caught:
        read(file(*[GOOD] * 9))
    assert caught.value.error["code"] == "invalid_n_examples"
    assert len(read(file(*[GOOD] * 10))) == 10


def test_a_validation_file_is_named_and_needs_no_ten_examples() -> None:
    assert len(read(file(GOOD), role="validation", least=1)) == 1
    with pytest.raises(BadFile) as caught:
        read(file({}), role="validation", least=1)
    assert caught.value.error["param"] == "validation_file"


def test_the_deprecated_functions_are_read_as_tools() -> None:
    old = {"name": "find", "arguments": '{"id": "A1"}'}
    line = {
        "messages": [USER, {"role": "assistant", "function_call": old}],
        "functions": [TOOL["function"]],
    }
    (lesson,) = lessons(read(file(*[line] * 10))[0])
    assert [shape.name for shape in lesson.question.tools] == ["find"]
    assert [(call.name, call.arguments) for call in lesson.reply.calls] == [("find", {"id": "A1"})]


@pytest.mark.skipif(not DATA.exists(), reason=f"the real rows are not at {DATA}")
def test_real_rows_are_taken() -> None:
    assert len(read(DATA.read_bytes())) == 1_411
