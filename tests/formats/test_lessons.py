"""The rules of any training row, on every platform alike."""

from __future__ import annotations

from typing import Any

import pytest

from cloudistill.core.example import Example, Message, Tool, ToolCall
from cloudistill.formats.dataset import lesson_findings

USER = Message(role="user", content="hi")
BOT = Message(role="assistant", content="hello")
CALL = Message(role="assistant", tool_calls=(ToolCall(id="c", name="f", arguments={}),))
RESULT = Message(role="tool", content="", tool_call_id="c")
TOOL = Tool(name="f")


def told(*messages: Message, **more: Any) -> Example:
    return Example(messages=messages, **more)


@pytest.mark.parametrize(
    ("rules", "example"),
    [
        ([], told(USER, BOT)),
        ([], told(USER, CALL, RESULT, BOT, tools=(TOOL,))),
        (["no-messages"], told()),
        (["no-answer"], told(USER)),
        (["no-user-message"], told(BOT)),
        (["last-turn-not-assistant"], told(USER, BOT, USER)),
        (["last-turn-not-assistant"], told(USER, CALL, RESULT, tools=(TOOL,))),
        (["empty-answer"], told(USER, Message(role="assistant"))),
        (["empty-answer"], told(USER, Message(role="assistant", content=" \n"))),
        (["empty-message"], told(USER, Message(role="assistant", content=""), USER, BOT)),
        (["empty-message"], told(Message(role="user", content=""), BOT)),
        (["empty-message"], told(Message(role="system", content=" "), USER, BOT)),
        (["unknown-tool"], told(USER, CALL)),
        (["duplicate-tool"], told(USER, BOT, tools=(TOOL, TOOL))),
        (["nothing-to-learn"], told(USER, Message(role="assistant", content="x", weight=0))),
        (["unknown-tool", "no-user-message", "last-turn-not-assistant"], told(CALL, RESULT)),
    ],
)
def test_a_row_that_teaches_nothing_breaks_its_rule(rules: list[str], example: Example) -> None:
    findings = lesson_findings(example)
    assert [finding.rule for finding in findings] == rules
    assert all(finding.remedy and finding.level == "error" for finding in findings)


def test_a_row_that_waits_for_its_teacher_is_fine_unless_an_answer_is_needed() -> None:
    assert lesson_findings(told(USER), needs_answer=False) == ()
    assert lesson_findings(told(USER, BOT, USER), needs_answer=False) == ()
    assert [f.rule for f in lesson_findings(told(), needs_answer=False)] == ["no-messages"]
