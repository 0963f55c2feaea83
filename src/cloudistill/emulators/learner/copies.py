"""What to fill in: a linear span copier for the arguments of calls."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudistill.emulators.learner.choices import Choices
from cloudistill.emulators.learner.features import Cells, Weights, code, codes, phrases, stems
from cloudistill.emulators.learner.ranker import ABSENT, Slot, assemble, blank, slots
from cloudistill.emulators.learner.spans import SPELLINGS, Spans
from cloudistill.emulators.lesson import Call, Question, Shape

CONSTANTS = 30
_EMPTY = np.array([], np.int64)


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
