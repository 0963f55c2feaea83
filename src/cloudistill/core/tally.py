"""How many tokens a file of examples has, from a sample of them: the figure, and bounds that allow for the sample."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from random import Random

from cloudistill.core.example import Example
from cloudistill.core.tokens import Count, Counter

WHOLE = 30
"""So many examples are all counted; after them the n-th with a chance of WHOLE / n, or more."""
DRAWN = 80
"""So many, at the least, are drawn from all over the file, the longer the likelier."""
ERRORS = 4
"""How many standard errors the bounds allow for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Tokens of many examples: `total` is likely, `least` and `most` are its bounds; `how` they were counted.

    `longest` is what the example with the longest line has.
    """

    total: int
    least: int
    most: int
    longest: int
    how: str

    def __str__(self) -> str:
        return f"about {self.total:,} tokens, {self.longest:,} in the longest row ({self.how})"


@dataclass(frozen=True, slots=True)
class _Drawn:
    """An example of the sample: the bytes of its line, its tokens, and how likely it was to be drawn."""

    size: int
    count: Count
    chance: float


class Tally:
    """Counts the first examples and some of the rest, drawn by lot; those left out go by their bytes.

    Counting takes longer than all the rest of a check, and a few hundred rows tell the tokens a byte has. The lots are
    the same every time.
    """

    def __init__(self, counter: Counter, *, expected: int) -> None:
        """`expected` is about how many bytes the lines have together: it sets how many rows are drawn."""
        self._counter, self._expected = counter, max(1, expected)
        self._lots = Random(0)  # noqa: S311 - no secret depends on it
        self._rows = self._size = self._longest_size = 0
        self._longest: Example | None = None
        self._sample: list[_Drawn] = []

    def add(self, example: Example, size: int) -> None:
        """Take one more example, whose line has `size` bytes."""
        self._rows += 1
        self._size += size
        if size > self._longest_size:
            self._longest_size, self._longest = size, example
        chance = min(1.0, max(WHOLE / self._rows, DRAWN * size / self._expected))
        if self._lots.random() < chance:
            self._sample.append(_Drawn(size, self._counter.count(example), chance))

    def tokens(self) -> Tokens:
        """The tokens of all examples so far."""
        least, below = self._estimate([drawn.count.least for drawn in self._sample])
        likely, error = self._estimate([drawn.count.likely for drawn in self._sample])
        most, above = self._estimate([drawn.count.most for drawn in self._sample])
        return Tokens(
            total=round(likely),
            least=max(0, round(least - ERRORS * below)),
            most=round(most + ERRORS * above),
            longest=self._counter.count(self._longest).likely if self._longest else 0,
            how=self._how(ERRORS * error / likely if likely else 0.0),
        )

    def _how(self, error: float) -> str:
        if len(self._sample) == self._rows:
            return self._counter.how
        return f"{self._counter.how}; from {len(self._sample):,} of {self._rows:,} rows, give or take {error:.1%}"

    def _estimate(self, tokens: list[int]) -> tuple[float, float]:
        """The tokens of all examples, given those of the sample, and the standard error: a ratio estimate.

        What was left out is taken to differ no less than what was drawn and might have been left out.
        """
        drawn = list(zip(self._sample, tokens, strict=True))
        size = sum(of.size / of.chance for of in self._sample)
        ratio = sum(count / of.chance for of, count in drawn) / size if size else 0.0
        squares = [((count - ratio * of.size) ** 2, of.chance) for of, count in drawn]
        drawing = sum((1 - chance) * square / chance**2 for square, chance in squares)
        like_the_rest = [square for square, chance in squares if chance < 1]
        if len(like_the_rest) < WHOLE:
            like_the_rest = [square for square, _ in squares]
        left_out = (self._rows - len(drawn)) * sum(like_the_rest) / max(1, len(like_the_rest))
        return ratio * self._size, sqrt(max(drawing, left_out))
