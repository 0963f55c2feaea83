"""How many tokens an example has: counted where the tokenizer is public and installed, else reckoned from bytes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

from msgspec import to_builtins

from cloudistill.core.example import Example
from cloudistill.core.jsonl import dump

PIECE = 500_000  # characters
PER_MESSAGE = 4
"""What a turn's own markup costs, about."""


@dataclass(frozen=True, slots=True)
class Count:
    """Tokens of one example: surely `least`, `likely`, hardly more than `most`."""

    least: int
    likely: int
    most: int


class Counter(Protocol):
    """Counts examples; `how` says by what means, for a person to judge the figure by."""

    how: str

    def count(self, example: Example) -> Count:
        """The tokens of one example."""
        ...


class Tokenized:
    """Counts with a tokenizer.

    How a vendor writes tool definitions is not public: they likely cost what their JSON does, and surely no
    less than the words in them.
    """

    def __init__(self, name: str, encode: Callable[[str], list[int]]) -> None:
        self.how = f"counted with {name}; tool definitions as their JSON"
        self._encode = encode

    def count(self, example: Example) -> Count:
        """The tokens of one example."""
        said = sum(self._length(text) for text in _said(example))
        words = self._length(" ".join(word for tool in example.tools for word in _words(to_builtins(tool))))
        offered = self._length(_offered(example).decode())
        likely = said + offered + PER_MESSAGE * len(example.messages)
        return Count(said + min(words, offered), likely, likely)

    def _length(self, text: str) -> int:
        """The tokens of `text`, in pieces: tokenizers refuse very long texts."""
        return sum(len(self._encode(text[start : start + PIECE])) for start in range(0, len(text), PIECE))


class Reckoned:
    """Estimates from the length of the text: four bytes a token, give or take."""

    how = "an estimate: bytes / 4, between bytes / 6 and bytes / 3"

    def count(self, example: Example) -> Count:
        """The tokens that text of this length usually has."""
        length = sum(len(text.encode()) for text in _said(example)) + len(_offered(example))
        markup = PER_MESSAGE * len(example.messages)
        return Count(length // 6, length // 4 + markup, length // 3 + markup)


def counter(tokenizer: str | None) -> Counter:
    """The best counter there is for a vendor whose tokenizer is `tokenizer`; None where that is not public."""
    encoding = _encoding(tokenizer) if tokenizer else None
    if tokenizer is None or encoding is None:
        return Reckoned()
    return Tokenized(tokenizer, encoding.encode_ordinary)


def _encoding(name: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of how it opens its vocabulary
            return import_module("bpe_openai").get_encoding(name)
    except ModuleNotFoundError:  # the `tokens` extra is not installed
        return None


def _said(example: Example) -> Iterator[str]:
    for message in example.messages:
        if message.content:
            yield message.content
        for call in message.tool_calls:
            yield call.name
            yield dump(call.arguments).decode()


def _offered(example: Example) -> bytes:
    return dump(example.tools) if example.tools else b""


def _words(value: Any) -> Iterator[str]:
    """What a reader of a tool definition must be told: its texts and the names of its arguments."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        properties: Any = members.get("properties")
        yield from cast("dict[str, Any]", properties) if isinstance(properties, dict) else ()
        for inner in members.values():
            yield from _words(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _words(inner)
