"""Distillation's files: prompts judged line by line and answered by the teacher, and what Google tells of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cloudistill.emulators import chat_lines
from cloudistill.emulators.lesson import Lesson, Question, tokens
from cloudistill.emulators.teacher import Teacher
from cloudistill.emulators.vertex.dataset import Dataset, DatasetError, lines_of, parsed
from cloudistill.emulators.vertex.models import MAX_VALIDATION_LINES, PublisherModel
from cloudistill.emulators.vertex.rows import faults_of_turns, question

Body = dict[str, Any]
_SAMPLE = 10
_OPEN_TOKENS, _GEMINI_TOKENS, _GEMINI_ROWS, _GEMINI_BYTES = 8_192, 8_000, 50_000, 10**9
_TOO_LONG_SHARE, _VALIDATION_SHARE = 0.1, 0.25


@dataclass
class Prompts(Dataset):
    """What the teacher was asked: lessons hold its answers, `labelled` the lines an open model's job leaves behind."""

    limit: int = _OPEN_TOKENS
    labelled: list[Body] = field(default_factory=list[Body])

    def stats(self, *, epochs: int) -> Body:
        """TuningDataStats: prompts alone are counted, not the teacher's answers."""
        stats: Body = {
            "tuningDatasetExampleCount": str(self.examples),
            "totalBillableTokenCount": str(self.tokens * epochs),
            "tuningStepCount": str(epochs * self.steps),
        }
        if self.dropped:
            stats["droppedExampleIndices"] = [str(index) for index in self.dropped[:_SAMPLE]]
            reason = f"The example has more than {self.limit} tokens."
            stats["droppedExampleReasons"] = [reason] * len(stats["droppedExampleIndices"])
        return {"distillationDataStats": {"trainingDatasetStats": stats}}


def read_prompts(raw: bytes, model: PublisherModel, teacher: Teacher) -> Prompts:
    """The prompts of a file with the teacher's answers. Raises DatasetError for a file that the service won't take."""
    lines, found = lines_of(raw), Prompts(limit=_OPEN_TOKENS if model.weights else _GEMINI_TOKENS)
    if not model.weights and (len(lines) > _GEMINI_ROWS or len(raw) > _GEMINI_BYTES):
        raise DatasetError(
            f"The prompt dataset has {len(lines)} examples; at most {_GEMINI_ROWS} and 1 GB may be used."
        )
    for index, line in enumerate(lines, 1):
        messages, asked = _prompt(line, f"Dataset example {index} of {len(lines)}", model)
        if tokens(line) > found.limit:
            found.dropped.append(index)
            continue
        reply, _ = teacher.answer(asked)
        found.examples += 1
        found.tokens += tokens(line)
        found.lessons.append(Lesson(asked, reply))
        found.labelled.append({"messages": [*messages, {"role": "assistant", "content": reply.text}]})
    _check_whole(found, len(lines), model)
    return found


def _check_whole(found: Prompts, lines: int, model: PublisherModel) -> None:
    if not model.weights and len(found.dropped) > _TOO_LONG_SHARE * lines:
        raise DatasetError(
            f"{len(found.dropped)} of {lines} examples have more than {found.limit} tokens; at most 10 percent may."
        )
    if not found.examples:
        raise DatasetError("The prompt dataset has no usable example.")


def check_validation(raw: bytes, training: bytes, model: PublisherModel) -> None:
    """Raises DatasetError for a validation file that is too large for its training file, or lacks answers."""
    lines = lines_of(raw)
    if len(lines) > MAX_VALIDATION_LINES:
        text = f"The validation dataset has {len(lines)} examples; at most {MAX_VALIDATION_LINES} may be used."
        raise DatasetError(text)
    if model.weights and len(raw) > _VALIDATION_SHARE * len(training):
        raise DatasetError("The validation dataset is larger than 25 percent of the training dataset.")
    for index, line in enumerate(lines, 1):
        where = f"Validation dataset example {index} of {len(lines)}"
        messages, _ = _prompt(line, where, model)
        if model.weights and len(messages) == len(_messages(json.loads(line))):
            raise DatasetError(f"{where} must end with an answer of the role assistant. JSON: {line[:80]}")


def _prompt(line: str, where: str, model: PublisherModel) -> tuple[list[Body], Question]:
    """The prompt in a line, an answer at its end left out, as chat messages and as the teacher sees it."""
    read = parsed("OpenLine" if model.weights else "TrainingLine", line, where)
    turns = _messages(read) if model.weights else read.get("contents", [])
    while turns and turns[-1].get("role") in {"assistant", "model"}:
        turns = turns[:-1]
    faults = _faults_of_messages(turns) if model.weights else _faults_of_contents(turns, read.get("tools", []))
    for fault in faults:
        raise DatasetError(f"{where} {fault} JSON: {line[:80]}")
    if model.weights:
        return turns, chat_lines.question(turns, ())
    return [], question(turns, ())


def _messages(line: Body) -> list[Body]:
    if "prompt" in line:
        answer = [{"role": "assistant", "content": line["completion"]}] if line.get("completion") else []
        return [{"role": "user", "content": line["prompt"]}, *answer]
    return line.get("messages", [])


def _faults_of_messages(messages: list[Body]) -> Iterator[str]:
    if any(message.get("role") not in {"system", "user", "assistant"} for message in messages):
        yield "has a role that is none of system, user, assistant."
    if not all(message.get("content") for message in messages):
        yield "has a message without content."
    if not messages or messages[-1].get("role") != "user":
        yield 'must hold "messages" or a "prompt" with a last turn of the user.'


def _faults_of_contents(contents: list[Body], tools: list[Body]) -> Iterator[str]:
    parts = [part for content in contents for part in content.get("parts", [])]
    other = sorted({name for part in parts for name in part} - {"text"}) + ["tools"] * bool(tools)
    if other:
        yield f"contains an unsupported modality {other}: distillation takes text only, without function calls."
    if not contents or contents[-1].get("role", "user") != "user":
        yield 'must hold "contents" with a last turn of the role "user".'
    yield from faults_of_turns(contents)
