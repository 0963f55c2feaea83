"""What a format promises: two functions that undo each other, and a refusal of everything that would be lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest

from cloudistill.core.example import Example, Message, Tool, ToolCall
from cloudistill.formats import registry
from cloudistill.formats.format import CannotCarry, Format

USER = Message(role="user", content="What is the weather in Oslo?")
SAID = Message(role="assistant", content="Grey, and 4 °C.")
TOOL = Tool(
    name="get_weather",
    description="The weather in a city.",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
CALL = Message(role="assistant", tool_calls=(ToolCall(id="call_0", name="get_weather", arguments={"city": "Oslo"}),))
RESULT = Message(role="tool", tool_call_id="call_0", content='{"sky": "grey"}')
PLAIN = Example(messages=(USER, SAID))
LESSONS = {
    "plain": PLAIN,
    "a question": Example(messages=(USER,)),
    "a system message": Example(messages=(Message(role="system", content="Be brief."), USER, SAID)),
    "several turns": Example(messages=(USER, SAID, Message(role="user", content="And in Lima?"), SAID)),
    "every sign": Example(messages=(Message(role="user", content='"\\ \u2028 😀\n<x>\t'), SAID)),
    "a tool on offer": Example(messages=(USER, SAID), tools=(TOOL,)),
    "a call": Example(messages=(USER, CALL), tools=(TOOL,)),
    "a call and its result": Example(messages=(USER, CALL, RESULT, SAID), tools=(TOOL,)),
    "one call at a time": Example(messages=(USER, CALL), tools=(TOOL,), parallel_tool_calls=False),
    "a turn that is not learnt": Example(
        messages=(USER, Message(role="assistant", content="Hm.", weight=0), USER, SAID)
    ),
    "a named participant": Example(messages=(Message(role="user", name="ann", content="Hello"), SAID)),
    "a strict tool": Example(messages=(USER, SAID), tools=(Tool(name="f", strict=True),)),
}


def refusal_of(call: Callable[[], object]) -> CannotCarry | None:
    """What `call` refuses, if it does; any other exception is a broken promise."""
    try:
        call()
    except CannotCarry as refusal:
        return refusal
    return None


class FormatPromises:
    """The promises of a format, in one of its renderings."""

    format: ClassVar[str]
    rendering: ClassVar[str | None] = None

    @pytest.fixture
    def spelling(self) -> Format:
        """The format as it is found by its name."""
        return registry.get(self.format, self.rendering)

    def test_it_is_found_by_its_name(self, spelling: Format) -> None:
        assert (spelling.name, spelling.rendering) == (self.format, self.rendering)

    def test_it_carries_a_plain_lesson_and_a_question(self, spelling: Format) -> None:
        for name in ("plain", "a question", "several turns", "every sign"):
            assert spelling.decode(spelling.encode(LESSONS[name])) == spelling.normalise(LESSONS[name])

    @pytest.mark.parametrize("name", LESSONS)
    def test_a_lesson_comes_back_as_it_was_or_is_refused_with_the_way_out(self, spelling: Format, name: str) -> None:
        lesson = LESSONS[name]
        if (refusal := refusal_of(lambda: spelling.encode(lesson))) is not None:
            assert all((refusal.rule, refusal.message, refusal.remedy))
            assert refusal_of(lambda: spelling.normalise(lesson)) is not None
            return
        record = spelling.encode(lesson)
        back = spelling.decode(record)
        assert back == spelling.normalise(lesson)
        assert spelling.normalise(back) == back
        assert spelling.encode(back) == record

    def test_its_rows_are_recognised(self, spelling: Format) -> None:
        assert registry.detect(spelling.encode(PLAIN)).name == self.format

    def test_a_member_nobody_knows_is_refused(self, spelling: Format) -> None:
        with pytest.raises(CannotCarry, match="stray"):
            spelling.decode(spelling.encode(PLAIN) | {"stray": 1})

    @pytest.mark.parametrize("change", ["empty", "number"])
    def test_a_row_that_is_malformed_is_refused_and_not_a_traceback(self, spelling: Format, change: str) -> None:
        record = spelling.encode(PLAIN)
        for member in record:
            broken = {key: value for key, value in record.items() if key != member}
            if change == "number":
                broken[member] = 7
            refusal = refusal_of(lambda broken=broken: spelling.decode(broken))
            assert refusal is None or refusal.remedy
