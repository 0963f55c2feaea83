"""Bedrock conversations as a model sees them: training rows as lessons, Converse messages as questions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from cloudistill.emulators.bedrock.text import Form, calls_in, is_result, tools_in
from cloudistill.emulators.lesson import Call, Lesson, Question, Reply, Shape

Block = Mapping[str, Any]
Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing said: by the `user`, the `assistant` or a `tool`."""

    role: str
    text: str
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Course:
    """What a training file teaches: lessons, and the form its calls have as text (None: toolUse blocks).

    A distillation also has `rows`, what the student is trained on, and a verdict on each of the prompts. `held_out`
    holds the lessons of each validation file.
    """

    lessons: tuple[Lesson, ...]
    form: Form | None
    rows: tuple[Mapping[str, Any], ...] = ()
    verdicts: tuple[Mapping[str, Any], ...] = ()
    held_out: tuple[tuple[Lesson, ...], ...] = ()


def course(rows: Sequence[Mapping[str, Any]]) -> Course:
    """Checked rows as lessons. Text rows teach text: tools are read out of the system text, calls out of answers."""
    blocks = any("toolConfig" in row for row in rows)
    lessons = [lesson for row in rows for lesson in _lessons(row, blocks=blocks)]
    form = None if blocks else Form.of([text for row in rows for text in _answers(row)])
    return Course(tuple(lessons), form)


def question(messages: Messages, tools: tuple[Shape, ...], *, in_text: bool) -> Question:
    """What messages ask; `in_text`: calls and tool results are looked for in plain text."""
    return _question(turns(messages, in_text=in_text), tools)


def offered(tool_config: Mapping[str, Any] | None) -> tuple[Shape, ...]:
    """The tools of a toolConfig."""
    specs = [tool["toolSpec"] for tool in (tool_config or {}).get("tools", ()) if "toolSpec" in tool]
    return tuple(Shape(s["name"], s.get("description", ""), s["inputSchema"]["json"]) for s in specs)


def system_text(system: Sequence[Block] | None) -> str:
    """The text blocks of a system prompt."""
    return "\n".join(block["text"] for block in system or () if "text" in block)


def turns(messages: Messages, *, in_text: bool) -> Iterator[Turn]:
    """Messages in order of speech: the tool results of a user message come before its text."""
    called = False
    for message in messages:
        content: Sequence[Block] = message["content"]
        texts = [str(block["text"]) for block in content if "text" in block]
        if message["role"] == "assistant":
            turn = _assistant(content, "\n".join(texts), in_text=in_text)
            called = bool(turn.calls)
            yield turn
            continue
        results = [_result_text(block["toolResult"]) for block in content if "toolResult" in block]
        if in_text and called and all(is_result(text) for text in texts):
            results, texts = [*results, *texts], []
        yield from (Turn("tool", result) for result in results)
        if texts:
            yield Turn("user", "\n".join(texts))


def _assistant(content: Sequence[Block], text: str, *, in_text: bool) -> Turn:
    calls = tuple(Call(b["toolUse"]["name"], b["toolUse"]["input"]) for b in content if "toolUse" in b)
    if in_text and not calls and (found := calls_in(text)):
        return Turn("assistant", found.before, found.calls)
    return Turn("assistant", text, calls)


def _result_text(result: Mapping[str, Any]) -> str:
    parts = cast("Sequence[Block]", result["content"])
    return "\n".join(p["text"] if "text" in p else json.dumps(p.get("json"), ensure_ascii=False) for p in parts)


def _lessons(row: Mapping[str, Any], *, blocks: bool) -> Iterator[Lesson]:
    tools = offered(row.get("toolConfig")) if blocks else tools_in(system_text(row.get("system")))
    said = list(turns(row["messages"], in_text=bool(tools) and not blocks))
    for index, turn in enumerate(said):
        if turn.role == "assistant":
            yield Lesson(_question(said[:index], tools), Reply(turn.text, turn.calls))


def _question(said: Iterable[Turn], tools: tuple[Shape, ...]) -> Question:
    return Question.of(((turn.role, turn.text) for turn in said), tools)


def _answers(row: Mapping[str, Any]) -> Iterator[str]:
    for message in row["messages"]:
        if message["role"] == "assistant":
            yield "\n".join(block["text"] for block in message["content"])
