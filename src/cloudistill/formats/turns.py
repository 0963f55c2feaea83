"""Rules of turns that every format needs: results answer calls, members stand where they belong, ids by position."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from cloudistill.core.example import Example, Message, Tool, ToolCall
from cloudistill.formats.format import CannotCarry


def check(messages: Sequence[Message]) -> None:
    """Refuse calls and results that do not belong together, and members on a role that has no use for them.

    Raises:
        CannotCarry: `duplicate-call-id`, `unknown-call`, `unanswered-call`, `misplaced` or `missing`.
    """
    owed: set[str] = set()
    for index, message in enumerate(messages):
        _check_members(message, index)
        if message.role == "tool":
            if message.tool_call_id not in owed:
                raise unknown_call(message.tool_call_id, f"messages[{index}]")
            owed.remove(message.tool_call_id)
        elif owed:
            raise _unanswered(owed, f"before messages[{index}]")
        elif message.tool_calls:
            owed = _owed(message.tool_calls, index)
    if owed and messages[-1].role == "tool":
        raise _unanswered(owed, "at the end")


def _check_members(message: Message, index: int) -> None:
    role = message.role
    if role != "assistant":
        if message.tool_calls:
            raise _misplaced(index, role, "tool_calls")
        if message.weight is not None:
            raise _misplaced(index, role, "weight")
        if message.content is None:
            raise CannotCarry("missing", f"messages[{index}]: the {role} message has no content.", "Add its text.")
    if role != "tool" and message.tool_call_id is not None:
        raise _misplaced(index, role, "tool_call_id")
    if role == "tool" and message.name is not None:
        raise _misplaced(index, role, "name", "Delete it: the id says it.")


def _misplaced(index: int, role: str, member: str, remedy: str = "Delete it.") -> CannotCarry:
    return CannotCarry("misplaced", f"messages[{index}]: {role} messages have no {member!r}.", remedy)


def unknown_call(name: str | None, where: str) -> CannotCarry:
    """The refusal of a tool result that answers no open call."""
    return CannotCarry(
        "unknown-call",
        f"{where}: a tool result answers {name!r}, and no call of the turn before it is open under that name.",
        "Put each result behind the assistant message that makes the call, once.",
    )


def _unanswered(owed: set[str], where: str) -> CannotCarry:
    return CannotCarry(
        "unanswered-call",
        f"the call {min(owed)!r} has no result {where}.",
        "Add a tool message for every call before the conversation goes on.",
    )


def _owed(calls: Sequence[ToolCall], index: int) -> set[str]:
    owed = {call.id for call in calls}
    if len(owed) != len(calls):
        raise duplicate_call_id(f"messages[{index}]")
    return owed


def duplicate_call_id(where: str) -> CannotCarry:
    """The refusal of one turn with two calls of the same id."""
    return CannotCarry("duplicate-call-id", f"{where}: two calls have the same id.", "Give each call its own id.")


def bare(example: Example) -> Example:
    """The example without its id; its metadata has no place in any vendor's line, so it is refused."""
    if example.metadata:
        raise CannotCarry(
            "metadata",
            f"the example has metadata ({', '.join(sorted(example.metadata)[:3])}), which no training line holds.",
            "Delete it, or keep it in a file of its own by line number.",
        )
    return replace(example, id=None) if example.id is not None else example


def check_names(example: Example, pattern: re.Pattern[str], *, says: str, source: str) -> None:
    """Refuse tools and calls whose name the vendor's `pattern` does not allow."""
    names = [tool.name for tool in example.tools]
    for message in example.messages:
        if message.tool_calls:
            names += [call.name for call in message.tool_calls]
    for name in names:
        if not pattern.fullmatch(name):
            raise CannotCarry(
                "tool-name", f"the tool name {name!r} is not {says}.", "Rename the tool everywhere.", source=source
            )


def alternating(messages: Sequence[Message]) -> list[Message]:
    """The messages in the form of vendors whose turns alternate: ids by position, results in order of calls.

    Raises:
        CannotCarry: as `check` does, and `late-system`, `first-turn`, `adjacent-assistant`, `weight-zero`,
            `participant-name` or `empty-message`.
    """
    check(messages)
    _check_order(messages)
    return _renumbered(messages)


def _check_order(messages: Sequence[Message]) -> None:
    before = "system"
    for index, message in enumerate(messages):
        role = message.role
        if role == "system" and before != "system":
            raise CannotCarry(
                "late-system",
                f"messages[{index}]: a system message after the conversation has begun.",
                "Move it to the front, or make it part of a user message.",
            )
        if role == "assistant" and before == "system":
            raise CannotCarry(
                "first-turn", f"messages[{index}]: the conversation begins with the assistant.", "Begin with the user."
            )
        if role == before == "assistant":
            raise CannotCarry(
                "adjacent-assistant",
                f"messages[{index}]: two assistant messages in a row, where turns alternate.",
                "Join the two into one message.",
            )
        before = role


def _plain(message: Message, index: int) -> Message:
    if message.weight == 0:
        raise CannotCarry(
            "weight-zero",
            f"messages[{index}]: only OpenAI can keep an assistant turn out of the loss (weight 0).",
            "Delete the weight, or train on OpenAI.",
        )
    if message.name is not None:
        raise CannotCarry(
            "participant-name",
            f"messages[{index}]: only OpenAI has a name ({message.name!r}) beside the role.",
            "Delete it, or write it into the text.",
        )
    content = message.content
    if message.tool_calls and not content:
        content = None
    elif not (content and content.strip()):
        raise CannotCarry(
            "empty-message",
            f"messages[{index}]: the {message.role} message is blank, which the vendor refuses.",
            "Delete the message, or fill it.",
        )
    if content is message.content and message.weight is None:
        return message
    return replace(message, content=content, weight=None)


def _renumbered(messages: Iterable[Message]) -> list[Message]:
    done: list[Message] = []
    results: list[Message] = []
    order: dict[str, int] = {}
    count = 0
    for index, message in enumerate(messages):
        if message.role == "tool":
            results.append(message)
            continue
        if results:
            done += _ordered(results, order)
            results = []
        done.append(_plain(message, index))
        if message.tool_calls:
            order = {call.id: count + place for place, call in enumerate(message.tool_calls)}
            done[-1] = _numbered(done[-1], count)
            count += len(order)
    return done + _ordered(results, order)


def _numbered(message: Message, count: int) -> Message:
    calls = [
        ToolCall(id=f"call_{count + place}", name=call.name, arguments=call.arguments)
        for place, call in enumerate(message.tool_calls)
    ]
    return replace(message, tool_calls=tuple(calls))


def _ordered(results: list[Message], order: dict[str, int]) -> list[Message]:
    results = sorted(results, key=lambda result: order[str(result.tool_call_id)])
    return [replace(result, tool_call_id=f"call_{order[str(result.tool_call_id)]}") for result in results]


Made = tuple[str, dict[str, Any], str | None]
"""A call as a vendor says it: name, arguments, and its id where it has one."""


class Numbering:
    """Names calls by position while a row is read, and finds the call that a result answers."""

    def __init__(self) -> None:
        self._count = 0
        self._open: list[tuple[str, str | None, str]] = []

    def calls(self, made: Sequence[Made], where: str) -> tuple[ToolCall, ...]:
        """The calls of one turn, ids by position."""
        ids = [vendor_id for _, _, vendor_id in made if vendor_id is not None]
        if len(set(ids)) != len(ids):
            raise duplicate_call_id(where)
        calls = tuple(
            ToolCall(id=f"call_{self._count + place}", name=name, arguments=arguments)
            for place, (name, arguments, _) in enumerate(made)
        )
        self._count += len(calls)
        self._open = [(call.name, vendor_id, call.id) for call, (_, _, vendor_id) in zip(calls, made, strict=True)]
        return calls

    def answered(self, where: str, *, name: str | None = None, vendor_id: str | None = None) -> str:
        """Our id of the open call of the last turn that has this vendor's id, or else this name."""
        for call in self._open:
            if vendor_id == call[1] if vendor_id is not None and call[1] is not None else name == call[0]:
                self._open.remove(call)
                return call[2]
        raise unknown_call(vendor_id or name, where)


def plain_tool(tool: Tool) -> Tool:
    """A tool in the form of vendors without strict schemas. Raises CannotCarry (`strict`) if it asks for one."""
    if tool.strict:
        raise CannotCarry(
            "strict",
            f"the tool {tool.name!r} is strict, which only OpenAI carries.",
            "Delete `strict`, or train on OpenAI.",
        )
    if tool.strict is None and tool.description != "":
        return tool
    return replace(tool, strict=None, description=tool.description or None)


def by_speaker(messages: Sequence[Message]) -> list[tuple[bool, list[Message]]]:
    """The turns of vendors that let two sides speak in turn: whether it is the assistant's, and its messages.

    System messages stand elsewhere in such formats and are left out.
    """
    turns: list[tuple[bool, list[Message]]] = []
    for message in messages:
        if message.role == "system":
            continue
        assistants = message.role == "assistant"
        if not turns or turns[-1][0] != assistants:
            turns.append((assistants, []))
        turns[-1][1].append(message)
    return turns


def called(messages: Sequence[Message]) -> dict[str, str]:
    """Which tool each call id names, for formats whose results name the tool."""
    return {call.id: call.name for message in messages if message.tool_calls for call in message.tool_calls}
