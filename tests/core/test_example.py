"""An Example knows its prompt and its answer."""

from __future__ import annotations

import msgspec

from cloudistill.core.example import Example, Message, Tool, ToolCall

SYSTEM = Message(role="system", content="Be brief.")
USER = Message(role="user", content="hi")
BOT = Message(role="assistant", content="hello")


def test_the_answer_is_the_assistants_last_turn() -> None:
    example = Example(messages=(SYSTEM, USER, BOT))
    assert example.answer is BOT
    assert example.prompt == (SYSTEM, USER)


def test_an_example_that_waits_for_its_teacher_is_all_prompt() -> None:
    for messages in ((), (USER,), (USER, BOT, USER)):
        assert Example(messages=messages).answer is None
        assert Example(messages=messages).prompt == messages


def test_answering_replaces_the_answer_or_adds_it_and_keeps_the_rest() -> None:
    asked = Example(messages=(USER,), tools=(Tool(name="f"),), id="x", metadata={"a": 1})
    answered = asked.answered_by(BOT)
    assert answered.messages == (USER, BOT)
    better = Message(role="assistant", tool_calls=(ToolCall(id="c", name="f", arguments={}),))
    assert answered.answered_by(better) == msgspec.structs.replace(asked, messages=(USER, better))
    assert asked.messages == (USER,)


def test_defaults_are_not_written_out() -> None:
    assert msgspec.json.encode(Example(messages=(USER,))) == b'{"messages":[{"role":"user","content":"hi"}]}'
