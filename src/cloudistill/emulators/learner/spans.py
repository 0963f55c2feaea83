"""Every value that can be copied out of what was said, and what a ranker may know of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudistill.emulators.learner.features import Codes, code, codes, stems
from cloudistill.emulators.lesson import Question

LONGEST = (6, 3, 3)
TOKENS = (120, 90, 60)
LETTERS = tuple(8 * tokens for tokens in TOKENS)
KINDS = ("span", "number", "date", "dmy", "mdy", "quote", "sentence", "list", "numbers")
SPELLINGS: tuple[Callable[[str], str], ...] = (str, str.lower, str.upper, str.title)
_COPIED = {
    "string": {"span", "date", "dmy", "mdy", "quote", "sentence"},
    "integer": {"number"},
    "number": {"number"},
    "strings": {"list"},
    "numbers": {"numbers"},
    "any": {"span", "number", "quote"},
}
_TOKEN = re.compile(r"\w+(?:(?:[-./:@'\u2019+&]|,(?=\d{3}\b))\w+)*|[^\w\s]")
_NUMBER = re.compile(r"(\d[\d,]*(?:\.\d+)?)(?:[^\W\d]{0,3})$")
_QUOTED = re.compile(r"[\"\u201c]([^\"\u201c\u201d\n]+)[\"\u201d]|(?<!\w)['\u2018]([^'\n]+)['\u2019](?!\w)")
_SENTENCE = re.compile(r"[^\n.?!:]{3,}[^\s.?!:]")
_APART = re.compile(r",\s*(?:and\s+|or\s+)?|\s+(?:and|or)\s+|\s*[&;]\s*")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]*\.?"
_DATES = (
    ("date", re.compile(rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<m>{_MONTH}),?\s+(?P<y>\d{{4}})", re.I)),
    ("date", re.compile(rf"\b(?P<m>{_MONTH})\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y>\d{{4}})", re.I)),
    ("dmy", re.compile(r"\b(?P<d>\d{1,2})[/.](?P<m>\d{1,2})[/.](?P<y>\d{4})\b")),
    ("mdy", re.compile(r"\b(?P<m>\d{1,2})[/.](?P<d>\d{1,2})[/.](?P<y>\d{4})\b")),
)
_COUNT = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SPELLED = {word: n for n, word in enumerate(_COUNT)} | {"dozen": 12, "fifteen": 15, "twenty": 20, "thirty": 30}
_SCALE = {"hundred": 100, "thousand": 1_000, "k": 1_000, "million": 1_000_000, "billion": 1_000_000_000}


class Spans:
    """Everything in a question, its results and its context that could be copied into an argument."""

    def __init__(self, question: Question, *, lists: bool) -> None:
        results = "\n".join(question.results)
        parts = (question.text[: LETTERS[0]], results[: LETTERS[1]], question.context[-LETTERS[2] :])
        self._said = "\n".join(parts)
        self._tokens = list(self._cut(parts))
        self._starts = np.array([start for start, _, _ in self._tokens], np.int64)
        self._found: list[tuple[int, int, int]] = []
        self._values: dict[int, Any] = {}
        self._spans()
        numbers = self._numbers()
        self._dates()
        self._passages(parts[0])
        if lists:
            self._lists(numbers)
        self.first, self.last, self.kind = np.array(self._found, np.int32).reshape(-1, 3).T
        self._found = []
        edge = [(1, 1, 1, 0, 1)] * 3
        self._looks = np.array([*edge, *(_look(self._word(i)) for i in range(len(self._tokens))), *edge], np.uint32).T

    def value(self, index: int) -> Any:
        """The value of one candidate."""
        if index in self._values:
            return self._values[index]
        return self._between(int(self.first[index]), int(self.last[index]))

    def _cut(self, parts: tuple[str, ...]) -> Iterator[tuple[int, int, int]]:
        start = 0
        for source, part in enumerate(parts):
            for token in islice(_TOKEN.finditer(self._said, start, start + len(part)), TOKENS[source]):
                yield token.start(), token.end(), source
            start += len(part) + 1

    def _word(self, index: int) -> str:
        return self._between(index, index)

    def _between(self, first: int, last: int) -> str:
        return self._said[self._tokens[first][0] : self._tokens[last][1]]

    def _add(self, kind: str, first: int, last: int, value: Any = None) -> None:
        if value is not None:
            self._values[len(self._found)] = value
        self._found.append((first, last, KINDS.index(kind)))

    def _at(self, kind: str, start: int, end: int, value: Any) -> None:
        """Add a candidate by its place in the characters."""
        first = max(int(np.searchsorted(self._starts, start, "right")) - 1, 0)
        self._add(kind, first, max(int(np.searchsorted(self._starts, end)) - 1, first), value)

    def _spans(self) -> None:
        for i, (start, _, source) in enumerate(self._tokens):
            if not (self._said[start].isalnum() or self._said[start] in "#@$_+("):
                continue
            reach = 1 if source and self._said[start].islower() else LONGEST[source]
            for j in range(i, min(i + reach, len(self._tokens))):
                mark = self._said[self._tokens[j][0]]
                if self._tokens[j][2] != source or mark in "?!;":
                    break
                if mark.isalnum() or mark == "_":
                    self._add("span", i, j)

    def _numbers(self) -> list[tuple[int, int, int | float]]:
        row: list[tuple[int, int, int | float]] = []
        for i, (start, _, source) in enumerate(self._tokens):
            value = _number(self._word(i), self._said[max(start - 2, 0) : start])
            if value is None:
                continue
            self._add("number", i, i, value)
            scale = _SCALE.get(self._word(i + 1).lower()) if i + 1 < len(self._tokens) else None
            if scale:
                self._add("number", i, i + 1, value * scale)
            row.append((i, source, value))
        return row

    def _dates(self) -> None:
        for kind, pattern in _DATES:
            for found in pattern.finditer(self._said):
                month = found["m"][:3].lower()
                number = _MONTHS.index(month) + 1 if month in _MONTHS else int(found["m"])
                try:
                    day = date(int(found["y"]), number, int(found["d"]))
                except ValueError:
                    continue
                self._at(kind, *found.span(), day.isoformat())

    def _passages(self, asked: str) -> None:
        for found in _QUOTED.finditer(self._said):
            self._at("quote", *found.span(), found[1] or found[2])
        for found in _SENTENCE.finditer(asked):
            self._at("sentence", *found.span(), found[0].strip())
        if asked.strip():
            self._at("sentence", 0, len(asked), asked.strip())

    def _lists(self, numbers: list[tuple[int, int, int | float]]) -> None:
        """Every run of numbers, and every run of words as a list: parted at commas and `and`, or of one."""
        for a, (first, source, _) in enumerate(numbers[:40]):
            for b, (last, other, _) in enumerate(numbers[a : a + 8], a + 1):
                if source == other:
                    self._add("numbers", first, last, [value for _, _, value in numbers[a:b]])
        spans = [found for found in self._found if found[2] == 0 and self._tokens[found[0]][2] == 0]
        for first, last, _ in spans:
            self._add("list", first, last, _APART.split(self._between(first, last)))
        for first in sorted({found[0] for found in spans}):
            for last in range(first + LONGEST[0], min(first + 2 * LONGEST[0], len(self._tokens))):
                items = _APART.split(self._between(first, last))
                if items[2:] and self._word(last)[0].isalnum() and self._tokens[last][2] == 0:
                    self._add("list", first, last, items)

    def allowed(self, kind: str) -> NDArray[np.int64]:
        """The candidates that a slot of this type can take."""
        kinds = _COPIED.get(kind, set())
        fits = np.array([name in kinds for name in KINDS])[self.kind]
        places = np.flatnonzero(fits)
        if kind == "integer":
            return np.array([i for i in places if isinstance(self._values[int(i)], int)], np.int64)
        return places

    def spelled(self, kind: str, value: Any) -> dict[int, NDArray[np.int64]]:
        """For each of `SPELLINGS`, by its place, the candidates of this type that give `value` so spelled."""
        texts = [(i, self.value(i)) for i in self.allowed(kind).tolist()]
        if not isinstance(value, str):
            by = {0: [i for i, text in texts if text == value and not isinstance(value, bool)]}
        else:
            folded = value.casefold()
            alike = [(i, text) for i, text in texts if isinstance(text, str) and text.casefold() == folded]
            by = {n: [i for i, text in alike if spell(text) == value] for n, spell in enumerate(SPELLINGS)}
        return {n: np.array(same, np.int64) for n, same in by.items() if same}

    def features(self) -> Codes:
        """What a ranker may know of every candidate but the name of its slot: kind, shape, place and neighbours."""
        word, shape, exact, capital, _ = self._looks
        source = np.array([0] * 3 + [token[2] for token in self._tokens] + [0] * 3, np.uint32)
        a, b, kind = self.first + 3, self.last + 3, self.kind.astype(np.uint32)
        width = np.minimum(b - a, 8).astype(np.uint32)
        caps = capital[a - 1] * 8 + capital[a] * 4 + capital[b] * 2 + capital[b + 1]
        columns = [
            [kind, width],
            [kind, word[a - 1]],
            [kind, word[a - 1], word[a - 2]],
            [kind, word[a - 2]],
            [kind, word[a - 3]],
            [kind, word[b + 1]],
            [kind, word[b + 1], word[b + 2]],
            [word[a]],
            [word[b]],
            [shape[a], shape[b], width],
            [exact[a], width],
            [kind, caps],
            [kind, source[a]],
            [shape[a], self._turn(exact)[a], width],
            [word[a - 1], shape[a], width],
            [word[a - 1], word[b + 1]],
        ]
        return np.stack([_mix(i, column) for i, column in enumerate(columns)], axis=1)

    @staticmethod
    def _turn(exact: Codes) -> Codes:
        """For every token, how many before it have its exact shape."""
        counts: dict[int, int] = {}
        turns: list[int] = []
        for value in exact.tolist():
            counts[value] = counts.get(value, -1) + 1
            turns.append(min(counts[value], 5))
        return np.array(turns, np.uint32)

    def near(self, name: str) -> Codes:
        """Whether a word of `name` stands just before (1), just after (2) or on both sides (3) of each candidate."""
        hit = (self._looks[4][:, None] == codes(stems(name))).any(axis=1)
        a, b = self.first + 3, self.last + 3
        before, after = hit[a - 1] | hit[a - 2] | hit[a - 3], hit[b + 1] | hit[b + 2]
        return (before * 1 + after * 2).astype(np.uint32)


def _number(word: str, before: str) -> int | float | None:
    """The number that a word spells, negative behind a free-standing minus sign."""
    if word.lower() in _SPELLED:
        return _SPELLED[word.lower()]
    found = _NUMBER.match(word)
    if found is None:
        return None
    digits = found[1].replace(",", "")[:30]
    value = float(digits) if "." in digits else int(digits)
    return -value if before.endswith("-") and not before[:1].isalnum() else value


@lru_cache(maxsize=1 << 14)
def _look(word: str) -> tuple[int, int, int, int, int]:
    """A token in numbers: itself, its shape, its exact shape, whether it starts with a capital, its stem."""
    exact = re.sub(r"\d", "9", re.sub(r"[^\W\d_a-z]", "X", re.sub(r"[a-z]", "x", word[:40])))
    stem = (stems(word) or ("",))[0]
    return code(word.lower()), code(re.sub(r"(.)\1+", r"\1", exact)), code(exact[:12]), word[:1].isupper(), code(stem)


def _mix(salt: int, column: list[Any]) -> Codes:
    mixed = np.full(len(column[0]), salt + 1, np.uint32)
    for part in column:
        mixed = (mixed ^ part) * np.uint32(0x85EBCA6B)
        mixed ^= mixed >> np.uint32(15)
    return mixed
