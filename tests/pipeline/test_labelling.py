"""The teacher is paid for each question once: answers survive whatever stops the asking."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cloudistill.backends.backend import Answer
from cloudistill.core.errors import AuthenticationFailed, InvalidRequest, RunConflict, ServiceTrouble
from cloudistill.core.example import Message
from cloudistill.core.refs import ModelRef
from cloudistill.formats.dataset import Dataset
from cloudistill.pipeline.labelling import Labelled, Labels, label
from cloudistill.pipeline.retry import Patience
from tests.conftest import rows_of
from tests.pipeline import acme

TEACHER = ModelRef.parse("acme:teacher")
Lessons = Callable[..., Path]


@dataclass
class Acme(acme.Backend):
    """A teacher that says "yes", after the troubles it is told to raise first."""

    asked: int = 0
    troubles: list[Exception] = field(default_factory=list[Exception])
    cut_below: int = 0

    def generate(self, model: ModelRef, request: Any) -> Answer:
        self.asked += 1
        if self.troubles:
            raise self.troubles.pop(0)
        short = request.max_tokens < self.cut_below
        said = Message(role="assistant", content="yes")
        return Answer(message=said, finish_reason="length" if short else "stop", cut_off=short)


def asked(data: Path, acme: Acme, folder: Path, max_tokens: int = 100) -> Labelled:
    patience = Patience(total=5, sleep=lambda _seconds: None)
    return label(Dataset(data), TEACHER, acme, folder / "answers.jsonl", max_tokens=max_tokens, patience=patience)


def test_every_question_is_asked_once_whatever_the_number_of_runs(lessons: Lessons, tmp_path: Path) -> None:
    acme, data = Acme(), lessons(12, answered=False)
    first, second = (list(asked(data, acme, tmp_path).rows()) for _ in range(2))
    assert acme.asked == len({str(row.example) for row in first}) <= 12
    assert [row.example for row in first] == [row.example for row in second]
    assert all(row.example and row.example.answer for row in first)


def test_answers_are_readable_by_their_owner_alone(lessons: Lessons, tmp_path: Path) -> None:
    asked(lessons(4, answered=False), Acme(), tmp_path)
    assert stat.S_IMODE((tmp_path / "answers.jsonl").stat().st_mode) == 0o600


def test_what_was_paid_is_kept_when_the_asking_stops(lessons: Lessons, tmp_path: Path) -> None:
    acme, data = Acme(troubles=[AuthenticationFailed("no", platform="acme")]), lessons(12, answered=False)
    with pytest.raises(AuthenticationFailed):
        asked(data, acme, tmp_path)
    kept = len(rows_of(tmp_path / "answers.jsonl"))
    assert kept == acme.asked - 1
    asked(data, acme, tmp_path)
    assert acme.asked == 1 + len(rows_of(tmp_path / "answers.jsonl"))


def test_a_line_torn_by_a_crash_costs_that_question_alone(lessons: Lessons, tmp_path: Path) -> None:
    acme, data = Acme(), lessons(12, answered=False)
    asked(data, acme, tmp_path)
    answers = tmp_path / "answers.jsonl"
    before = acme.asked
    answers.write_bytes(answers.read_bytes()[:-20])
    asked(data, acme, tmp_path)
    asked(data, acme, tmp_path)
    assert acme.asked == before + 1


def test_passing_trouble_is_waited_out(lessons: Lessons, tmp_path: Path) -> None:
    acme = Acme(troubles=[ServiceTrouble("busy", platform="acme", retry_after=1.0)] * 2)
    rows = list(asked(lessons(6, answered=False), acme, tmp_path).rows())
    assert all(row.example is not None for row in rows)


def test_a_question_the_teacher_refuses_refuses_its_row(lessons: Lessons, tmp_path: Path) -> None:
    acme = Acme(troubles=[InvalidRequest("too rude", platform="acme")])
    rows = list(asked(lessons(6, answered=False), acme, tmp_path).rows())
    refused = [row for row in rows if row.example is None]
    assert len(refused) == 1
    assert refused[0].findings[0].rule == "teacher-gave-no-answer"
    assert "too rude" in refused[0].findings[0].message


def test_a_cut_off_answer_is_no_lesson_and_is_asked_again_with_more_room(lessons: Lessons, tmp_path: Path) -> None:
    acme, data = Acme(cut_below=500), lessons(6, answered=False)
    assert all(row.example is None for row in asked(data, acme, tmp_path).rows())
    before = acme.asked
    assert all(row.example is None for row in asked(data, acme, tmp_path).rows())
    assert acme.asked == before
    assert all(row.example is not None for row in asked(data, acme, tmp_path, max_tokens=500).rows())


def test_two_processes_do_not_ask_the_same_questions(lessons: Lessons, tmp_path: Path) -> None:
    data, outer = lessons(6, answered=False), Acme()

    class Nosy(Acme):
        def generate(self, model: ModelRef, request: Any) -> Answer:
            with pytest.raises(RunConflict, match="another process"):
                asked(data, outer, tmp_path)
            return super().generate(model, request)

    asked(data, Nosy(), tmp_path)
    assert outer.asked == 0


def test_answers_that_are_there_are_left_alone(lessons: Lessons, tmp_path: Path) -> None:
    acme, data = Acme(), lessons(6)
    assert [row.example for row in asked(data, acme, tmp_path).rows()] == [row.example for row in Dataset(data).rows()]
    assert acme.asked == 0
    assert Labels(TEACHER, tmp_path / "none").lacks("digest", 1)
