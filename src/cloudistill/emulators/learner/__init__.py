"""The small real learner that the emulated vendors train: a linear tool classifier and a linear span copier."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudistill.emulators.learner.features import Cells, Codes, Texts, Weights, code, codes, grams, phrases, stems
from cloudistill.emulators.learner.ranker import ABSENT, Slot, Untrained, assemble, blank, plain, slots, standing
from cloudistill.emulators.learner.spans import SPELLINGS, Spans
from cloudistill.emulators.lesson import CHARACTERS_A_TOKEN, Call, Lesson, Question, Reply, Shape

__all__ = ["Student", "Untrained", "fit"]

STEP = 2.0
STRANGERS = 0.1
CONSTANTS, MOST_CALLS = 30, 4
_EMPTY = np.array([], np.int64)


class Student:
    """A model fitted on lessons by `fit`. It answers without changing, so many threads may ask it at once.

    `losses` holds the mean log loss of all choices, epoch by epoch; `tokens` about how many tokens were read.
    """

    def __init__(self, lessons: Sequence[Lesson], capacity: int, rate: float) -> None:
        self.losses: tuple[float, ...] = ()
        self.tokens = 0
        self.choices = Choices(capacity, rate)
        self.copies = Copies(capacity, rate, self.choices)
        self._texts = Texts([lesson for lesson in lessons if not lesson.reply.calls])
        self._answered = any(lesson.question.results for lesson in lessons)

    def answer(self, question: Question) -> Reply:
        """Calls of tools on offer, or text; as the untuned base where lessons showed nothing of the kind."""
        strange = all(self.choices.number(tool.name) is None for tool in question.tools)
        if (question.tools and strange) or (question.results and not self._answered):
            return Untrained().answer(question)
        tools = self.choices.best(question, may_talk=len(self._texts) > 0)
        if not tools:
            return Reply(text=self._texts.nearest(question) or plain(question))
        said = Said(question, tools)
        return Reply(calls=tuple(Call(tool.name, self.copies.arguments(tool, said)) for tool in tools))


def fit(
    lessons: Iterable[Lesson],
    *,
    seed: int = 0,
    epochs: int = 3,
    learning_rate: float = 1.0,
    capacity: int = 2**18,
) -> Student:
    """Train a student; the same lessons and seed give the same student.

    Args:
        lessons: what to learn, held in memory; a few thousand.
        seed: decides the order in which lessons are read.
        epochs: how often each is read.
        learning_rate: a multiple of the usual step.
        capacity: hashed weights for the choice of tools, and as many again for arguments.
    """
    kept = list(lessons)
    student = Student(kept, capacity, STEP * learning_rate)
    order = np.random.default_rng(seed)
    student.choices.meet(kept)
    exercises = [_exercise(student, lesson) for lesson in kept]
    losses: list[float] = []
    for _ in range(epochs):
        turns = (exercises[int(i)] for i in order.permutation(len(kept)))
        seen = [loss for read in turns for loss in read(order)]
        losses.append(sum(seen) / max(len(seen), 1))
    student.losses = tuple(losses)
    student.tokens = epochs * sum(map(_length, kept)) // CHARACTERS_A_TOKEN
    return student


def _exercise(student: Student, lesson: Lesson) -> Callable[[np.random.Generator], Iterator[float]]:
    """One lesson, ready to be read again and again."""
    offered = {tool.name: tool for tool in lesson.question.tools}
    calls = [call for call in lesson.reply.calls if call.name in offered]
    tools = student.choices.exercise(lesson, [call.name for call in calls])
    said = Said(lesson.question, [offered[call.name] for call in calls])
    copies = [copy for call in calls for copy in student.copies.exercises(offered[call.name], call, said)]

    def read(order: np.random.Generator) -> Iterator[float]:
        yield from tools(order)
        for copy in copies:
            yield from copy()

    return read


def _length(lesson: Lesson) -> int:
    said = (lesson.question.text, lesson.question.context, *lesson.question.results, lesson.reply.text)
    return sum(map(len, said)) + sum(len(json.dumps(call.arguments)) for call in lesson.reply.calls)


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


class Said:
    """A question, taken apart once for all of its arguments."""

    def __init__(self, question: Question, tools: Iterable[Shape]) -> None:
        wanted = {slot.type for tool in tools for slot in slots(tool.parameters)}
        self.spans = Spans(question, lists=not wanted.isdisjoint(("strings", "numbers")))
        self.features = self.spans.features()
        self.phrases = phrases(question)
        self.stems = frozenset(stems(question.text))


@dataclass
class Habit:
    """What lessons showed of one slot: values not to be copied, how copies are spelled, whether it may be absent.

    It is settled when first asked, once every lesson has been noted.
    """

    values: Counter[str] = field(default_factory=Counter[str])
    spellings: Counter[int] = field(default_factory=Counter[int])
    absent: bool = False

    @cached_property
    def constants(self) -> list[Any]:
        """Values met at least twice."""
        return [json.loads(value) for value, times in self.values.most_common(CONSTANTS) if times > 1]

    @cached_property
    def spelling(self) -> int:
        """The place in `SPELLINGS` of the one that most copies had."""
        return max(range(len(SPELLINGS)), key=lambda i: (self.spellings[i], -i))


class Copies:
    """What to fill in: for each slot a linear ranker over copied spans and fixed values, absence among them."""

    def __init__(self, capacity: int, rate: float, choices: Choices) -> None:
        self._weights = Weights(capacity, rate)
        self._choices = choices
        self._habits: dict[str, Habit] = defaultdict(Habit)

    def arguments(self, tool: Shape, said: Said) -> dict[str, Any]:
        """The arguments of a call."""
        chosen = ((slot.path, self._value(self._key(tool, slot), slot, said)) for slot in slots(tool.parameters))
        return assemble((path, value) for path, value in chosen if value is not ABSENT)

    def exercises(self, tool: Shape, call: Call, said: Said) -> Iterator[Callable[[], Iterator[float]]]:
        """The slots of one call, each to be read again and again once every lesson has been seen."""
        for slot in slots(tool.parameters):
            key, value = self._key(tool, slot), slot.find(call.arguments)
            copied = said.spans.spelled(slot.type, value)
            self._note(self._habits[key], value, copied)
            yield self._reader(key, slot, said, value, copied)

    def _key(self, tool: Shape, slot: Slot) -> str:
        return f"{self._choices.number(tool.name)} {'.'.join(slot.path)}"

    @staticmethod
    def _note(habit: Habit, value: Any, copied: dict[int, NDArray[np.int64]]) -> None:
        if value is ABSENT:
            habit.absent = True
        elif not copied:
            habit.values[json.dumps(value, sort_keys=True)] += 1
        habit.spellings.update(copied.keys())

    def _reader(
        self, key: str, slot: Slot, said: Said, value: Any, copied: dict[int, NDArray[np.int64]]
    ) -> Callable[[], Iterator[float]]:
        def read() -> Iterator[float]:
            habit = self._habits[key]
            spans, fixed, choice = self._candidates(key, slot, said)
            marks = np.zeros(len(said.spans.kind), bool)
            marks[copied.get(habit.spelling, _EMPTY)] = True
            right = np.concatenate([marks[spans], np.array([_same(value, other) for _, other in fixed], bool)])
            if right.any() and not right.all():
                yield self._weights.learn(choice, right)

        return read

    def _value(self, key: str, slot: Slot, said: Said) -> Any:
        spans, fixed, choice = self._candidates(key, slot, said)
        if not choice:
            return blank(slot.type, ABSENT)
        best = int(np.argmax(self._weights.scores(choice)))
        if best >= len(spans):
            return fixed[best - len(spans)][1]
        value = said.spans.value(int(spans[best]))
        spelling = self._habits[key].spelling if key in self._habits else 0
        return SPELLINGS[spelling](value) if isinstance(value, str) else value

    def _candidates(
        self, key: str, slot: Slot, said: Said
    ) -> tuple[NDArray[np.int64], list[tuple[str, Any]], list[list[Cells]]]:
        """The spans and the fixed values that may fill a slot, and the cells that score them, in that order."""
        spans = _EMPTY if slot.options else said.spans.allowed(slot.type)
        fixed = self._fixed(key, slot)
        keys = codes([key, f"* {slot.path[-1]}", f"* {slot.type}"])
        groups: list[list[Cells]] = []
        if len(spans):
            near = said.spans.near(slot.path[-1])[:, None] + np.uint32(7)
            groups.append([self._weights.rows(np.hstack([said.features, near])[spans], keys)])
        if fixed:
            named = codes(
                f"{key} = {origin} {json.dumps(None if value is ABSENT else value)}" for origin, value in fixed
            )
            spoken = np.array([[code(f"{origin} {_spoken(value, said)}")] for origin, value in fixed], np.uint32)
            groups.append([self._weights.cells(said.phrases, named), self._weights.rows(spoken, keys)])
        return spans, fixed, groups

    def _fixed(self, key: str, slot: Slot) -> list[tuple[str, Any]]:
        habit = self._habits.get(key)
        fixed = [("option", option) for option in slot.options]
        if slot.schema.get("default") is not None:
            fixed.append(("default", slot.schema["default"]))
        if habit:
            fixed += [("constant", value) for value in habit.constants if value not in slot.options]
        if habit.absent if habit else not slot.required:
            fixed.append(("absent", ABSENT))
        return fixed


def _same(value: Any, other: Any) -> bool:
    if value is ABSENT or other is ABSENT:
        return value is other
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _spoken(value: Any, said: Said) -> str:
    """Whether the words of a value occur in the question."""
    if value is ABSENT or isinstance(value, bool):
        return str(value is ABSENT or value)
    wanted = stems(str(value))
    hits = sum(word in said.stems for word in wanted)
    return "all" if wanted and hits == len(wanted) else "some" if hits else "none"
