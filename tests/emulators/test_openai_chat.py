"""The emulated Chat Completions, asked by the stock SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from cloudistill.emulators.clock import Clock
from cloudistill.emulators.openai import OpenAIEmulator
from cloudistill.emulators.teacher import Teacher

BASE = "gpt-4.1-mini-2025-04-14"
TALK = "Tell me about your opening hours, please."
HOURS = "We are open from nine to five, every day of the week."
ORDER = "Where are A1 and B2?"
ASK: list[Any] = [{"role": "user", "content": ORDER}]
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "find", "parameters": {"type": "object", "properties": {"order": {"type": "string"}}}},
}


def calls(*orders: str) -> dict[str, Any]:
    made = [
        {"id": f"c{n}", "type": "function", "function": {"name": "find", "arguments": json.dumps({"order": order})}}
        for n, order in enumerate(orders)
    ]
    return {"role": "assistant", "tool_calls": made}


def results(*names: str) -> list[dict[str, Any]]:
    return [{"role": "tool", "tool_call_id": name, "content": "on its way"} for name in names]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        {"messages": [*ASK, calls("A1", "B2"), *results("c0", "c1"), {"role": "assistant", "content": "Both come."}]},
        {"messages": [{"role": "user", "content": TALK}, {"role": "assistant", "content": HOURS}]},
    ]
    path = tmp_path_factory.mktemp("key") / "key.jsonl"
    path.write_text("".join(json.dumps({**row, "tools": [TOOL]}) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def client(key: Path) -> Iterator[OpenAI]:
    clock = Clock(datetime(2026, 11, 24, 9, tzinfo=UTC))
    emulator = OpenAIEmulator(clock=clock, teacher=Teacher.read(key))
    emulator.start()
    where = emulator.environment
    with OpenAI(base_url=where["OPENAI_BASE_URL"], api_key=where["OPENAI_API_KEY"], max_retries=0) as sdk:
        yield sdk
    emulator.stop()


def ask(client: OpenAI, **wanted: Any) -> Any:
    order: dict[str, Any] = {"model": BASE, "messages": ASK, "tools": [TOOL], **wanted}
    create: Any = client.chat.completions.create
    return create(**order)


def say(client: OpenAI, **wanted: Any) -> Any:
    order: dict[str, Any] = {"model": BASE, "messages": [{"role": "user", "content": TALK}], **wanted}
    create: Any = client.chat.completions.create
    return create(**order)


def test_a_base_model_answers_from_the_key_and_says_so(client: OpenAI) -> None:
    answered = client.chat.completions.with_raw_response.create(model=BASE, messages=ASK, tools=[TOOL])  # pyright: ignore[reportArgumentType]
    assert answered.headers["x-emulated-by"] == "teacher-key"
    answer: Any = answered.parse()
    assert answer.system_fingerprint == "fp_emulated_teacher-key"
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.content is None
    made = answer.choices[0].message.tool_calls
    assert [json.loads(call.function.arguments) for call in made] == [{"order": "A1"}, {"order": "B2"}]
    assert len({call.id for call in made}) == 2
    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > usage.prompt_tokens > 0


def test_what_is_not_in_the_key_is_answered_untrained(client: OpenAI) -> None:
    answered = client.chat.completions.with_raw_response.create(
        model=BASE, messages=[{"role": "user", "content": "Anything else?"}]
    )
    assert answered.headers["x-emulated-by"] == "untrained"


def test_the_same_question_gets_the_same_answer(client: OpenAI) -> None:
    assert ask(client).model_dump(exclude={"created"}) == ask(client).model_dump(exclude={"created"})


def test_a_tools_result_is_answered(client: OpenAI) -> None:
    answer = ask(client, messages=[*ASK, calls("A1", "B2"), *results("c0", "c1")])
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Both come.", "stop")


def test_an_answer_given_back_as_it_came_is_taken(client: OpenAI) -> None:
    said = ask(client).choices[0].message
    answer = ask(client, messages=[*ASK, said.model_dump(), *results(*(call.id for call in said.tool_calls))])
    assert answer.choices[0].message.content == "Both come."


def test_without_parallel_calls_there_is_one_call(client: OpenAI) -> None:
    assert len(ask(client, parallel_tool_calls=False).choices[0].message.tool_calls) == 1


def test_a_tool_that_is_not_on_offer_is_not_called(client: OpenAI) -> None:
    other = {"type": "function", "function": {"name": "other"}}
    for answer in (ask(client, tools=[other]), ask(client, tool_choice="none")):
        assert not answer.choices[0].message.tool_calls


def test_an_alias_answers_as_its_snapshot(client: OpenAI) -> None:
    assert say(client, model="gpt-4.1-mini").model == BASE


def test_text_is_cut_at_the_limit_and_at_a_stop_word(client: OpenAI) -> None:
    cut = say(client, max_completion_tokens=3)
    assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == (HOURS[:12], "length")
    assert cut.usage.completion_tokens == 3
    stopped = say(client, stop=[", every"])
    assert stopped.choices[0].message.content == "We are open from nine to five"
    assert stopped.choices[0].finish_reason == "stop"


def test_a_call_that_is_cut_is_broken_json(client: OpenAI) -> None:
    choice = ask(client, max_tokens=3).choices[0]
    assert choice.finish_reason == "length"
    assert choice.message.tool_calls[0].function.arguments == '{"order"'


def test_a_streamed_answer_is_the_answer(client: OpenAI) -> None:
    for send in (ask, say):
        whole = send(client)
        chunks = list(send(client, stream=True, stream_options={"include_usage": True}))
        *spoken, last = chunks
        assert (last.choices, last.usage) == ([], whole.usage)
        assert [chunk.choices[0].finish_reason for chunk in spoken if chunk.choices[0].finish_reason] == [
            whole.choices[0].finish_reason
        ]
        deltas = [chunk.choices[0].delta for chunk in spoken]
        assert "".join(delta.content or "" for delta in deltas) == (whole.choices[0].message.content or "")
        parts = [part for delta in deltas for part in delta.tool_calls or ()]
        made: list[Any] = whole.choices[0].message.tool_calls or []
        assert [part.id for part in parts if part.id] == [call.id for call in made]
        for index, call in enumerate(made):
            pieces = [part.function.arguments for part in parts if part.index == index]
            assert "".join(pieces) == call.function.arguments


def test_a_stream_without_usage_has_none(client: OpenAI) -> None:
    assert all(chunk.usage is None and chunk.choices for chunk in say(client, stream=True))


def test_several_choices_are_alike(client: OpenAI) -> None:
    answer = say(client, n=2)
    assert [choice.message.content for choice in answer.choices] == [HOURS, HOURS]


REFUSED: list[tuple[dict[str, Any], str | None, str | None]] = [
    ({"extra_body": {"top_k": 3}}, "unknown_parameter", "top_k"),
    ({"model": 3}, "invalid_type", "model"),
    ({"temperature": 2.1}, "decimal_above_max_value", "temperature"),
    ({"top_p": "1"}, "invalid_type", "top_p"),
    ({"max_tokens": 0}, "integer_below_min_value", "max_tokens"),
    ({"n": 129}, "integer_above_max_value", "n"),
    ({"stop": ["a"] * 5}, None, "stop"),
    ({"logprobs": True}, "unsupported_value", "logprobs"),
    ({"functions": []}, "unsupported_parameter", "functions"),
    ({"response_format": {"type": "json_object"}}, None, "response_format"),
    ({"stream_options": {"include_usage": True}}, None, "stream_options"),
    ({"reasoning_effort": "low"}, None, None),
    ({"metadata": {"a": 1}}, "invalid_type", "metadata.a"),
    ({"tool_choice": "required"}, "unsupported_value", "tool_choice"),
    ({"tools": [], "tool_choice": "auto"}, None, "tool_choice"),
    ({"tools": [], "parallel_tool_calls": True}, None, "parallel_tool_calls"),
    ({"tools": [TOOL] * 129}, "array_above_max_length", "tools"),
    ({"tools": [{"type": "web"}]}, "invalid_value", "tools[0].type"),
    ({"tools": [{**TOOL, "x": 1}]}, "unknown_parameter", "tools[0].x"),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "invalid_value", "tools[0].function.name"),
    (
        {"tools": [{"type": "function", "function": {"name": "a", "parameters": {"type": "array"}}}]},
        "invalid_function_parameters",
        "tools[0].function.parameters",
    ),
    ({"messages": []}, "empty_array", "messages"),
    ({"messages": [{"content": "x"}]}, "missing_required_parameter", "messages[0].role"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "invalid_value", "messages[0].role"),
    ({"messages": [{"role": "user", "content": None}]}, None, "messages[0].content"),
    ({"messages": [{"role": "user", "content": "x", "weight": 1}]}, "unknown_parameter", "messages[0].weight"),
    ({"messages": [*ASK, *results("c0")]}, None, "messages[1].role"),
    ({"messages": [*ASK, calls("A1"), *results("c9")]}, None, "messages[2].role"),
    ({"messages": [*ASK, calls("A1")]}, None, "messages"),
    ({"messages": [*ASK, calls("A1", "B2"), *results("c0"), *ASK]}, None, "messages[3]"),
    ({"messages": [{"role": "user", "content": [{"type": "audio"}]}]}, "invalid_value", "messages[0].content[0].type"),
    (
        {"model": "gpt-4o-2024-08-06", "messages": [{"role": "user", "content": "x" * 520_000}]},
        "context_length_exceeded",
        "messages",
    ),
    ({"model": "gpt-6-luna"}, None, "tools"),
    ({"model": "gpt-6-astra", "reasoning_effort": "none"}, None, "tools"),
    ({"model": "gpt-5.6-luna", "max_tokens": 5}, "unsupported_parameter", "max_tokens"),
    ({"model": "gpt-5.6-luna", "temperature": 0}, "unsupported_parameter", "temperature"),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "code", "param"), REFUSED)
def test_a_question_is_refused(client: OpenAI, wanted: dict[str, Any], code: str | None, param: str | None) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, **wanted)
    assert (caught.value.code, caught.value.param) == (code, param)


@pytest.mark.parametrize(("model", "words"), [("gpt-9", "does not exist"), ("gpt-3.5-turbo", "has been deprecated")])
def test_a_model_that_is_unknown_or_gone_is_not_found(client: OpenAI, model: str, words: str) -> None:
    with pytest.raises(openai.NotFoundError, match=words) as caught:
        say(client, model=model)
    assert caught.value.code == "model_not_found"


def test_newer_models_take_tools_where_the_documents_say_so(client: OpenAI) -> None:
    assert ask(client, model="gpt-6-luna", reasoning_effort="none", temperature=0).choices[0].message.tool_calls
    assert ask(client, model="gpt-5.6-luna", max_completion_tokens=99).choices[0].message.tool_calls
