"""What an emulated model sees and says, whatever the vendor's spelling: the learner's only vocabulary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

CHARACTERS_A_TOKEN = 4
"""The emulators' rough count of tokens, the same for every vendor."""


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

    @classmethod
    def of(cls, turns: Iterable[tuple[str, str]], tools: tuple[Shape, ...]) -> Question:
        """What a conversation asks; `turns` are who spoke (`user`, `tool`, or else a model) and what was said."""
        said = list(turns)
        last = max((i for i, (who, _) in enumerate(said) if who == "user"), default=-1)
        before = "\n".join(text for _, text in said[: max(last, 0)] if text)
        results = tuple(text for who, text in said[last + 1 :] if who == "tool")
        return cls(said[last][1] if last >= 0 else "", before, tools, results)


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


def tokens(text: str) -> int:
    """About how many tokens a text has."""
    return -(-len(text) // CHARACTERS_A_TOKEN)
