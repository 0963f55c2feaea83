"""What makes an example a lesson: something is asked, something is answered, with tools that are on offer."""

from __future__ import annotations

from collections.abc import Iterator

from cloudistill.core.example import Example, Message
from cloudistill.core.finding import Finding

Broken = tuple[str, str, str]


def lesson_findings(example: Example, *, needs_answer: bool = True) -> tuple[Finding, ...]:
    """The rules of any training row that `example` breaks, on every platform alike; line and file are not set.

    With `needs_answer` False a row that still waits for its teacher is fine.
    """
    broken = [*_of_tools(example), *_of_messages(example), *(_of_answer(example) if needs_answer else ())]
    return tuple([Finding(rule=rule, message=message, remedy=remedy) for rule, message, remedy in broken])


def _of_tools(example: Example) -> Iterator[Broken]:
    offered: set[str] = set()
    for tool in example.tools:
        if tool.name in offered:
            yield "duplicate-tool", f"the tool {tool.name!r} is offered twice.", "Keep one of them, or rename one."
        offered.add(tool.name)
    for name in dict.fromkeys([call.name for message in example.messages for call in message.tool_calls]):
        if name not in offered:
            yield (
                "unknown-tool",
                f"the tool {name!r} is called but not offered.",
                "Add it to the tools, or mend the call.",
            )


def _of_messages(example: Example) -> Iterator[Broken]:
    if not example.messages:
        yield "no-messages", "the row has no messages.", "Add the conversation, or delete the row."
        return
    if "user" not in [message.role for message in example.messages]:
        yield "no-user-message", "nobody asks anything: there is no user message.", "Add the user's message."
    for index, message in enumerate(example.messages):
        content = message.content
        if (not content or content.isspace()) and not message.tool_calls and message.role != "tool":
            yield _blank(index, message, last=index == len(example.messages) - 1)
    weights = [message.weight for message in example.messages if message.role == "assistant"]
    if weights and set(weights) == {0}:
        yield "nothing-to-learn", "every assistant message has weight 0.", "Give the answer the weight 1."


def _blank(index: int, message: Message, *, last: bool) -> Broken:
    where = f"messages[{index}]"
    if message.role != "assistant":
        return "empty-message", f"{where}: the {message.role} message is blank.", "Fill it, or delete it."
    rule = "empty-answer" if last else "empty-message"
    return rule, f"{where}: the assistant says nothing and calls nothing.", "Fill it, or delete the row."


def _of_answer(example: Example) -> Iterator[Broken]:
    if not example.messages or example.answer is not None:
        return
    if any(message.role == "assistant" for message in example.messages):
        role = example.messages[-1].role
        yield (
            "last-turn-not-assistant",
            f"the row ends with a message of the {role}.",
            "End it with the assistant's answer, or let a teacher write it (--teacher PLATFORM:MODEL).",
        )
    else:
        yield (
            "no-answer",
            "the row has no answer.",
            "Add the assistant's message, or let a teacher write it (--teacher PLATFORM:MODEL).",
        )
