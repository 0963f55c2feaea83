"""How many tokens an example has: counted where the tokenizer is public and installed, else reckoned from bytes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
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
        """The tokens of one example; this takes about as long as reading it, or longer."""
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
        words = self._length(" ".join(_words(to_builtins(example.tools))))
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


def most(example: Example, line: bytes) -> int:
    """More tokens than this the example has not, by any count: none is shorter than a byte of its `line` of JSON."""
    return len(line) + PER_MESSAGE * len(example.messages)


def counter(tokenizer: str | None) -> Counter:
    """The best counter there is for a vendor whose tokenizer is `tokenizer`; None where that is not public."""
    encoding = _encoding(tokenizer) if tokenizer else None
    if tokenizer is None or encoding is None:
        return Reckoned()
    return Tokenized(tokenizer, encoding.encode_ordinary)


def _encoding(name: str) -> Any:
    try:
        return _built(import_module("bpe_openai"), name)
    except ModuleNotFoundError:  # the `tokens` extra is not installed
        return None


@cache
def _built(package: Any, name: str) -> Any:
    """The tokenizer, whose tables take a twentieth of a second to build."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of how it opens its vocabulary
        return package.get_encoding(name)


def _said(example: Example) -> Iterator[str]:
    for message in example.messages:
        if message.content:
            yield message.content
        for call in message.tool_calls:
            yield call.name
            yield dump(call.arguments).decode()


def _offered(example: Example) -> bytes:
    return dump(example.tools) if example.tools else b""


def _words(value: Any) -> list[str]:
    """What a reader of tool definitions must be told: their texts and the names of their arguments."""
    found: list[str] = []
    _gather(value, found)
    return found


def _gather(value: Any, found: list[str]) -> None:
    if type(value) is str:
        found.append(value)
    elif type(value) is dict:
        members = cast("dict[str, Any]", value)
        properties: Any = members.get("properties")
        found += cast("dict[str, Any]", properties) if type(properties) is dict else ()
        for inner in members.values():
            _gather(inner, found)
    elif type(value) in (list, tuple):
        for inner in cast("Iterable[Any]", value):
            _gather(inner, found)
