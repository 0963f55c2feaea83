"""OpenAI chat lines as lessons, read the way OpenAI's documents describe them (the teacher's key is one such file)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloudistill.emulators.lesson import Call, Lesson, Question, Reply, Shape

Messages = Sequence[Mapping[str, Any]]


def lessons(row: Mapping[str, Any]) -> Iterator[Lesson]:
    """Every assistant turn of one line that carries weight, each with what came before it."""
    old = [{"function": function} for function in row.get("functions") or ()]
    tools = shapes([*(row.get("tools") or ()), *old])
    messages: Messages = row["messages"]
    for index, message in enumerate(messages):
        if message["role"] == "assistant" and message.get("weight", 1) != 0:
            yield Lesson(question(messages[:index], tools), reply(message))


def shapes(tools: Sequence[Mapping[str, Any]]) -> tuple[Shape, ...]:
    """The tools on offer."""
    functions = [tool["function"] for tool in tools]
    return tuple(
        Shape(f["name"], f.get("description") or "", f.get("parameters") or {"type": "object", "properties": {}})
        for f in functions
    )


def question(messages: Messages, tools: tuple[Shape, ...]) -> Question:
    """What a conversation asks; its instructions are no part of that."""
    spoken = [m for m in messages if m["role"] not in ("system", "developer")]
    turns = (("tool" if m["role"] == "function" else m["role"], text(m.get("content"))) for m in spoken)
    return Question.of(turns, tools)


def reply(message: Mapping[str, Any]) -> Reply:
    """An assistant message."""
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    calls += [message["function_call"]] if message.get("function_call") else []
    return Reply(
        text(message.get("content")), tuple(Call(call["name"], json.loads(call["arguments"])) for call in calls)
    )


def text(content: Any) -> str:
    """Content as plain text: a string, a list of text parts, or nothing."""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content or ())
