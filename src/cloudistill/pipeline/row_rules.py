"""What a vendor refuses in a single row: reserved text, over-long rows, tools it does not take."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cloudistill.core.example import Example
from cloudistill.core.finding import Finding
from cloudistill.core.tokens import Counter, most
from cloudistill.platforms.model import Model
from cloudistill.platforms.platform import Platform, ReservedText


class RowRules:
    """The rules of one student, compiled once; `native_tools` tells whether rows hold the vendor's own tool fields."""

    def __init__(self, platform: Platform, model: Model | None, *, native_tools: bool, counter: Counter) -> None:
        self._limits = platform.limits
        self._model = model
        self._native_tools = native_tools
        self._counter = counter
        reserved = platform.reserved(model) if model else {}
        self._reserved = [(name, text, Search(text)) for name, text in reserved.items()]

    def broken(self, example: Example, line: bytes) -> Iterator[Finding]:
        """Every rule that the row breaks; `line` is its JSON text as it would be sent."""
        yield from self._reserved_text(line)
        yield from self._length(example, line)
        if self._native_tools:
            yield from self._tools(example)

    def uses_tools(self, example: Example) -> bool:
        """Whether the row would hold the vendor's own tool fields."""
        return self._native_tools and bool(example.tools or any(m.tool_calls for m in example.messages))

    def _reserved_text(self, line: bytes) -> Iterator[Finding]:
        for name, text, search in self._reserved:
            if found := search(line):
                message = f"holds {found!r}, which makes the whole training file fail. Reserved: {text.what}."
                yield Finding(rule=name, message=message, remedy="Reword it, or drop the row.", source=text.source)

    def _length(self, example: Example, line: bytes) -> Iterator[Finding]:
        limit = self._model and (self._model.max_tokens_per_example or self._model.context)
        if self._model is None or limit is None or most(example, line) <= limit:
            return
        tokens = self._counter.count(example)
        if tokens.most <= limit:
            return
        fate = _FATES.get(self._model.over_long or "", "refused")
        sure = tokens.least > limit
        message = (
            f"{'at least' if sure else 'about'} {tokens.least if sure else tokens.likely:,} tokens "
            f"({self._counter.how}), and rows above {limit:,} are {fate}."
        )
        yield Finding(
            rule="row-too-long" if sure else "row-may-be-too-long",
            message=message,
            remedy="Shorten or split the conversation.",
            source=self._model.source,
            level="error" if sure else "warning",
        )

    def _tools(self, example: Example) -> Iterator[Finding]:
        if self._model is not None and self._model.tools is False and self.uses_tools(example):
            message = f"holds tools, which {self._model.id} does not take in training rows."
            remedy = "Choose another student, or take the tools out."
            yield Finding(rule="tools-not-taken", message=message, remedy=remedy, source=self._model.source)
        count = self._limits.tool_count
        if count is not None and len(example.tools) > count:
            message = f"offers {len(example.tools)} tools; {count} is the most."
            yield Finding(rule="too-many-tools", message=message, remedy="Offer fewer.", source=self._limits.source)


_FATES = {"truncated": "cut at the end, where the answer is", "dropped": "dropped", "fails": "a failure of the job"}


class Search:
    """Looks for a reserved text in a line of JSON.

    Where the text is a choice of plain words, a line without them needs no regular expression, which is slow; and a
    line without a word's first byte need not be searched for the word.
    """

    def __init__(self, text: ReservedText) -> None:
        self._pattern = text.compiled()
        self._lower = bytes.lower if text.ignore_case else bytes
        words = [self._lower(word.encode()) for word in _plain_words(text.pattern)]
        self._words = [(word[:1], word) for word in words]

    def __call__(self, line: bytes) -> str | None:
        """What was found of it first."""
        if self._words and not self._may_hold(line):
            return None
        found = self._pattern.search(line.decode())
        return found[0] if found else None

    def _may_hold(self, line: bytes) -> bool:
        if not line.isascii() and (_ODD[0] in line or _ODD[1] in line or _ODD[2] in line):
            return True
        lowered = self._lower(line)
        return any(first in lowered and word in lowered for first, word in self._words)


def _plain_words(pattern: str) -> list[str]:
    """The words between the bars, if the pattern is nothing but ASCII words and bars."""
    words = [re.sub(r"\\(.)", r"\1", choice) for choice in pattern.split("|")]
    plain = pattern.isascii() and "|".join(map(re.escape, words)) == pattern
    return words if plain else []


_ODD = (b"\xc4", b"\xc5", b"\xaa")
"""Bytes of the letters outside ASCII that are i, s or k where case is ignored: U+0130, U+0131, U+017F, U+212A."""
