"""The files a finished job leaves in S3: losses by step, and of a distillation what became of its prompts."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cloudistill.emulators.bedrock.jobs import CustomModel
from cloudistill.emulators.learner import Student
from cloudistill.emulators.lesson import Lesson

SAMPLE = 20
TRAINING = "training_artifacts/step_wise_training_metrics.csv"
VALIDATION = "validation_artifacts/post_fine_tuning_validation/validation/validation_metrics.csv"
PROMPTS = "distillation_artifacts/prompt_insights/prompt_insights.jsonl"
SYNTHETIC = "distillation_artifacts/synthetic_data/sample.jsonl"


def files(model: CustomModel) -> dict[str, str]:
    """Name and text of each; the names of a distillation's two are this emulator's, AWS tells none."""
    losses = list(enumerate(model.student.losses))
    made = {TRAINING: _csv("training_loss", losses)}
    if model.validation:
        mean = sum(model.validation) / len(model.validation)
        made[VALIDATION] = _csv("validation_loss", [(losses[-1][0], mean)])
    if model.course.verdicts:
        made[PROMPTS] = _lines(model.course.verdicts)
        made[SYNTHETIC] = _lines(model.course.rows[:SAMPLE])
    return made


def wrong_share(student: Student, lessons: Sequence[Lesson]) -> float:
    """The share of lessons, 0 to 1, that a student answers otherwise: the loss on validation rows."""
    missed = sum(student.answer(lesson.question) != lesson.reply for lesson in lessons)
    return missed / len(lessons)


def _csv(loss: str, steps: Sequence[tuple[int, float]]) -> str:
    """One step an epoch, counted from 0."""
    rows = [f"{step},{step + 1},{value:.6f},{math.exp(min(value, 50)):.6f}" for step, value in steps]
    return "\n".join((f"step_number,epoch_number,{loss},perplexity", *rows)) + "\n"


def _lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
