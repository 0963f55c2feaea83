"""What an emulated model sees and says, whatever the vendor's spelling: the learner's only vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Shape:
    """A tool as a model sees it: name, description and JSON Schema (lower-case types)."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call, arguments parsed."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the last user text, everything said before it, the tools on offer, and whether a tool has
    just answered (`results` holds its texts, latest turn only)."""

    text: str
    context: str = ""
    tools: tuple[Shape, ...] = ()
    results: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: calls, or text, or both."""

    text: str = ""
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Lesson:
    """A question and its right answer."""

    question: Question
    reply: Reply
