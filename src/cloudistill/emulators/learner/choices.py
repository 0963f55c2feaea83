"""Which tools to call, or none: a linear classifier over the tools on offer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from cloudistill.emulators.learner.features import Cells, Codes, Weights, codes, grams
from cloudistill.emulators.learner.ranker import standing
from cloudistill.emulators.lesson import Lesson, Question, Shape

STRANGERS = 0.1
MOST_CALLS = 4


class Choices:
    """Which tools to call. Every tool met in the lessons is a class, numbered in the order of first appearance:
    its name is only the key to that number."""

    def __init__(self, capacity: int, rate: float) -> None:
        self._weights = Weights(capacity, rate)
        self._classes: dict[str, int] = {}
        self._most = 1

    def meet(self, lessons: Iterable[Lesson]) -> None:
        """Number the tools, and see how many are called at once."""
        for lesson in lessons:
            for tool in lesson.question.tools:
                self._classes.setdefault(tool.name, len(self._classes))
            self._most = max(self._most, min(len({call.name for call in lesson.reply.calls}), MOST_CALLS))

    def number(self, name: str) -> int | None:
        """The class of a tool, None for a stranger."""
        return self._classes.get(name)

    def exercise(self, lesson: Lesson, called: Sequence[str]) -> Callable[[np.random.Generator], Iterator[float]]:
        """The choice of tools in one lesson. Now and then a tool is taken for a stranger, so that what is true of
        any tool is learnt too."""
        question, offered = lesson.question, lesson.question.tools
        features = grams(question)
        marks = standing(question, [False] * len(offered))
        names = [self._classes[tool.name] for tool in offered]
        right = np.array([tool.name in called for tool in offered] + [not lesson.reply.calls])
        count = min(len(set(called)), self._most)

        def read(order: np.random.Generator) -> Iterator[float]:
            hidden = order.random(len(names)) < STRANGERS
            shown = [None if hide else name for name, hide in zip(names, hidden, strict=True)]
            if offered and right.any():
                yield self._weights.learn(self._among(features, marks, shown), right, all_of=True)
            if count and self._most > 1:
                yield self._weights.learn(self._counts(features), np.arange(1, self._most + 1) == count)

        return read

    def _among(self, features: Codes, marks: Codes, numbers: Sequence[int | None]) -> list[list[Cells]]:
        tools = self._weights.cells(features, codes(f"tool {number}" for number in numbers))
        nothing = self._weights.cells(features, codes(["nothing"]))
        return [[tools, self._weights.rows(marks, codes(["standing"]))], [nothing]]

    def _counts(self, features: Codes) -> list[list[Cells]]:
        return [[self._weights.cells(features, codes(f"calls {n}" for n in range(1, self._most + 1)))]]

    def best(self, question: Question, *, may_talk: bool) -> list[Shape]:
        """The tools to call, best first; none means text."""
        if not question.tools:
            return []
        numbers = [self.number(tool.name) for tool in question.tools]
        features = grams(question)
        marks = standing(question, [number is None for number in numbers])
        *scores, nothing = self._weights.scores(self._among(features, marks, numbers))
        if may_talk and nothing >= max(scores):
            return []
        count = 1 + int(np.argmax(self._weights.scores(self._counts(features)))) if self._most > 1 else 1
        ranked = sorted(range(len(scores)), key=lambda i: -scores[i])
        return [question.tools[i] for i in ranked[:count]]
