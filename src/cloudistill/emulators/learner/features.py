"""Text as hashed features: tables of weights that learn to choose by them, and texts found again by their likeness."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from cloudistill.emulators.lesson import Lesson, Question

Codes = NDArray[np.uint32]
Cells = NDArray[np.int64]
Group = Sequence[Cells]
"""Candidates of one kind: each member is one view of them, a row of cells for every candidate."""

TEXT_LIMIT, TAIL_LIMIT = 1_000, 400
MOST_TEXTS, TEXT_WIDTH = 4_000, 1_024
FAINT = 1e-3
_WORD, _LETTERS, _DIGITS = re.compile(r"\w+"), re.compile(r"[^\W\d_]+"), re.compile(r"\d+")
_SPREAD = np.uint32(2654435761)
_STOP = frozenset(
    _WORD.findall(
        "a an and any are as at be by can could do for from get give has have how i if in is it its me my need of on "
        "or please that the their this to us use used want was what when where which will with would you your"
    )
)


def code(text: str) -> int:
    """A 32-bit number for a string, the same in every process."""
    return zlib.crc32(text.encode("utf-8", "replace"))


def codes(texts: Iterable[str]) -> Codes:
    """One number for each string."""
    return np.fromiter(map(code, texts), np.uint32)


def words(text: str) -> list[str]:
    """The words of a text, lower-case."""
    return _WORD.findall(text.lower())


def _shapes(spoken: list[str]) -> list[str]:
    """Words with digits as their shapes, so that a number stands for any like it."""
    return [_DIGITS.sub("9", _LETTERS.sub("x", word)) if _DIGITS.search(word) else word for word in spoken]


def stems(text: str) -> tuple[str, ...]:
    """The different content words of a text, cut to five letters, in order; names are split at `_` and capitals."""
    return _stems(text[:TEXT_LIMIT])


@lru_cache(maxsize=1 << 12)
def _stems(text: str) -> tuple[str, ...]:
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text)
    return tuple(dict.fromkeys(word[:5] for word in words(parted) if word not in _STOP))


def phrases(question: Question) -> Codes:
    """Words and pairs of words: of the question, and of the end of what was said and found before it."""
    context, results = question.context[-TAIL_LIMIT:], " ".join(question.results)[:TAIL_LIMIT]
    said = [("", words(question.text[:TEXT_LIMIT])), ("c ", words(context)), ("r ", words(results))]
    found = [f"answered {bool(question.results)}"]
    for source, spoken in said:
        shapes = _shapes(spoken)
        found += [source + word for word in (*spoken, *shapes)]
        found += [f"{source}{left} {right}" for left, right in zip(["^", *shapes], [*shapes, "$"], strict=True)]
    return codes(dict.fromkeys(found))


def grams(question: Question) -> Codes:
    """`phrases`, and the three to five letter pieces of the question's words."""
    pieces = [piece for word in words(question.text[:TEXT_LIMIT]) for piece in _pieces(word)]
    return np.unique(np.concatenate([phrases(question), np.array(pieces, np.uint32)]))


@lru_cache(maxsize=1 << 14)
def _pieces(word: str) -> tuple[int, ...]:
    bounded = f"<{word[:20]}>"
    return tuple(code(bounded[i : i + n]) for n in (3, 4, 5) for i in range(len(bounded) - n + 1))


class Weights:
    """Weights for hashed (feature, key) pairs, learnt by AdaGrad on the log loss of choices among candidates."""

    def __init__(self, capacity: int, rate: float) -> None:
        bits = min(max(capacity - 1, 255).bit_length(), 28)
        self._shift = np.uint32(32 - bits)
        self._rate = rate
        self._weight = np.zeros(1 << bits, np.float32)
        self._square = np.ones(1 << bits, np.float32)

    def cells(self, features: Codes, keys: Codes) -> Cells:
        """The cells of every feature under every key, a row for each key."""
        return self._place(features[None, :] ^ keys[:, None])

    def rows(self, features: Codes, keys: Codes) -> Cells:
        """The cells of a matrix of features, a row for each candidate, under all of the keys."""
        crossed = features[:, :, None] ^ keys[None, None, :]
        return self._place(crossed.reshape(len(features), features.shape[1] * len(keys)))

    def _place(self, crossed: Codes) -> Cells:
        return ((crossed * _SPREAD) >> self._shift).astype(np.int64)

    def scores(self, choice: Sequence[Group]) -> NDArray[np.float64]:
        """A score for every candidate, group after group."""
        return np.concatenate([np.sum([self._view(view) for view in group], axis=0) for group in choice])

    def _view(self, cells: Cells) -> NDArray[np.float64]:
        return self._weight[cells].sum(axis=1, dtype=np.float64) / sqrt(cells.shape[1])

    def learn(self, choice: Sequence[Group], right: NDArray[np.bool_], *, all_of: bool = False) -> float:
        """Move towards the candidates that are right (any of them, or `all_of` them alike); the log loss before."""
        chances = np.maximum(softmax(self.scores(choice)), 1e-12)
        aim = right * (1.0 if all_of else chances)
        loss = -float(np.log(chances[right]).mean() if all_of else np.log(aim.sum()))
        aim /= aim.sum()
        start = 0
        for group in choice:
            pull = (chances - aim)[start : start + len(group[0])]
            start += len(pull)
            for view in group:
                self._step(view, pull)
        return loss

    def _step(self, cells: Cells, pull: NDArray[np.float64]) -> None:
        strong = np.abs(pull) > FAINT
        width = cells.shape[1]
        gradient = np.repeat((pull[strong] / sqrt(width)).astype(np.float32), width)
        where = cells[strong].ravel()
        np.add.at(self._square, where, gradient * gradient)
        np.add.at(self._weight, where, -self._rate * gradient / np.sqrt(self._square[where]))


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores as chances."""
    raised = np.exp(scores - scores.max())
    return raised / raised.sum()


class Texts:
    """The text answers of the lessons, found again by the likeness of their questions."""

    def __init__(self, lessons: Sequence[Lesson]) -> None:
        kept = lessons[:MOST_TEXTS]
        self._replies = [lesson.reply.text for lesson in kept]
        self._answered = np.array([bool(lesson.question.results) for lesson in kept], bool)
        counts = np.array([_bag(lesson.question) for lesson in kept], np.float32).reshape(-1, TEXT_WIDTH)
        self._rarity = np.log((1 + len(kept)) / (1 + (counts > 0).sum(axis=0))).astype(np.float32)
        self._rows = _unit(counts * self._rarity)

    def __len__(self) -> int:
        return len(self._replies)

    def nearest(self, question: Question) -> str:
        """The answer to the most similar question, among those that stand before or after a tool's result alike."""
        if not self._replies:
            return ""
        likeness = self._rows @ _unit(_bag(question)[None] * self._rarity)[0]
        alike = self._answered == bool(question.results)
        return self._replies[int(np.argmax(likeness + 2 * alike))]


def _bag(question: Question) -> NDArray[np.float32]:
    return np.bincount(grams(question) % TEXT_WIDTH, minlength=TEXT_WIDTH).astype(np.float32)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
