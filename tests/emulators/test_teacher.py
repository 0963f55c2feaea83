"""The base models' teacher: whose answer is given, what is spoilt, and one question however it is spelled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudistill.emulators import chat_lines
from cloudistill.emulators.bedrock import rows as bedrock
from cloudistill.emulators.lesson import Call, Question, Reply, Shape
from cloudistill.emulators.teacher import KEY, UNTRAINED, Teacher
from cloudistill.emulators.vertex import rows as vertex

JSON = dict[str, Any]
TOOL = Shape("track_order", "Find out where an order is.", {"type": "object", "properties": {}})
QUESTIONS = [Question(f"where is {number}", tools=(TOOL,)) for number in range(200)]


def teacher(folder: Path, faults: float = 0.0) -> Teacher:
    call = {"id": "c", "type": "function", "function": {"name": "track_order", "arguments": '{"to": "Leeds", "n": 2}'}}
    answer = {"role": "assistant", "content": "I am looking.", "tool_calls": [call]}
    rows = [{"messages": [{"role": "user", "content": asked.text}, answer]} for asked in QUESTIONS]
    path = folder / "key.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Teacher.read(path, faults=faults)


RIGHT = Reply("I am looking.", (Call("track_order", {"to": "Leeds", "n": 2}),))
SPOILT = Reply("I am l", (Call("track_order", {"to": "leeds", "n": 2}),))


@pytest.mark.parametrize(("share", "reply"), [(0, RIGHT), (1, SPOILT)])
def test_a_share_of_none_spoils_no_answer_and_a_share_of_one_all(tmp_path: Path, share: float, reply: Reply) -> None:
    model = teacher(tmp_path, share)
    assert {repr(model.answer(asked)) for asked in QUESTIONS} == {repr((reply, KEY))}


def spoilt(folder: Path, share: float) -> set[str]:
    model = teacher(folder, share)
    return {asked.text for asked in QUESTIONS if model.answer(asked)[0] == SPOILT}


def test_a_share_of_the_answers_is_spoilt_and_the_same_ones_every_time(tmp_path: Path) -> None:
    once, again = spoilt(tmp_path, 0.3), spoilt(tmp_path, 0.3)
    assert once == again
    assert 0.2 < len(once) / len(QUESTIONS) < 0.4


def test_a_larger_share_spoils_the_same_answers_and_more(tmp_path: Path) -> None:
    assert spoilt(tmp_path, 0.2) < spoilt(tmp_path, 0.6)


def test_calls_of_tools_that_are_not_on_offer_are_not_made(tmp_path: Path) -> None:
    assert teacher(tmp_path).answer(Question("where is 1")) == (Reply("I am looking."), KEY)


def test_what_is_not_in_the_key_is_answered_untrained(tmp_path: Path) -> None:
    for model in (teacher(tmp_path), Teacher.read(None)):
        reply, by = model.answer(Question("who are you?"))
        assert (by, bool(reply.text)) == (UNTRAINED, True)


ASKED, TOLD, MORE = "Where is A1?", '{"state": "packed"}', "And B2?"


def openai_messages() -> list[JSON]:
    call = {"id": "c", "type": "function", "function": {"name": "track_order", "arguments": "{}"}}
    return [
        {"role": "system", "content": "You are the desk."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi!"},
        {"role": "user", "content": ASKED},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": TOLD},
        {"role": "assistant", "content": "It is packed."},
        {"role": "user", "content": MORE},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": TOLD},
    ]


def bedrock_messages() -> list[JSON]:
    use: JSON = {"role": "assistant", "content": [{"toolUse": {"toolUseId": "c", "name": "track_order", "input": {}}}]}
    told = {"toolUseId": "c", "content": [{"json": json.loads(TOLD)}]}
    result: JSON = {"role": "user", "content": [{"toolResult": told}]}
    said = [("user", "Hello"), ("assistant", "Hi!"), ("user", ASKED), ("assistant", "It is packed."), ("user", MORE)]
    turns: list[JSON] = [{"role": role, "content": [{"text": text}]} for role, text in said]
    return [*turns[:3], use, result, *turns[3:], use, result]


def vertex_contents() -> list[JSON]:
    call: JSON = {"role": "model", "parts": [{"functionCall": {"name": "track_order", "args": {}}}]}
    told = {"name": "track_order", "response": json.loads(TOLD)}
    result: JSON = {"role": "user", "parts": [{"functionResponse": told}]}
    said = [("user", "Hello"), ("model", "Hi!"), ("user", ASKED), ("model", "It is packed."), ("user", MORE)]
    turns: list[JSON] = [{"role": role, "parts": [{"text": text}]} for role, text in said]
    return [*turns[:3], call, result, *turns[3:], call, result]


@pytest.mark.parametrize("length", [2, 4, 6, 8, 10], ids="{} messages".format)
def test_a_conversation_is_the_same_question_however_the_vendor_spells_it(length: int) -> None:
    spelled = chat_lines.question(openai_messages()[:length], ())
    assert bedrock.question(bedrock_messages()[: length - 1], (), in_text=False) == spelled
    assert vertex.question(vertex_contents()[: length - 1], ()) == spelled


def test_the_whole_conversation_is_its_last_request_what_came_before_and_what_the_tool_said() -> None:
    before = "\n".join(["Hello", "Hi!", ASKED, TOLD, "It is packed."])
    assert chat_lines.question(openai_messages(), ()) == Question(MORE, before, (), (TOLD,))
