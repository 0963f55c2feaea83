"""The small real learner that the emulated vendors train: a linear tool classifier and a linear span copier."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from cloudistill.emulators.learner.choices import Choices
from cloudistill.emulators.learner.copies import Copies, Said
from cloudistill.emulators.learner.features import Texts
from cloudistill.emulators.learner.ranker import Untrained, plain
from cloudistill.emulators.lesson import Call, Lesson, Question, Reply

__all__ = ["Student", "Untrained", "fit"]

STEP = 2.0


class Student:
    """A model fitted on lessons by `fit`. It answers without changing, so many threads may ask it at once.

    `losses` holds the mean log loss of all choices, epoch by epoch.
    """

    def __init__(self, lessons: Sequence[Lesson], capacity: int, rate: float) -> None:
        self.losses: tuple[float, ...] = ()
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
        calls = [Call(tool.name, self.copies.arguments(tool, said)) for tool in tools]
        return Reply(calls=tuple(sorted(calls, key=lambda call: _place(call, question.text))))


def _place(call: Call, text: str) -> int:
    """Where in `text` the first of a call's arguments stands; the end if none does."""
    found = [text.find(str(value)) for value in call.arguments.values() if value]
    return min((place for place in found if place >= 0), default=len(text))


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
