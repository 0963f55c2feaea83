"""Distillation's files: prompts judged line by line and answered by the teacher, and what Google tells of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cloudistill.emulators import chat_lines
from cloudistill.emulators.lesson import Lesson, Question, tokens
from cloudistill.emulators.teacher import Teacher
from cloudistill.emulators.vertex.dataset import Dataset, DatasetError, lines_of, parsed, validation_lines
from cloudistill.emulators.vertex.models import PublisherModel
from cloudistill.emulators.vertex.rows import faults_of_turns, question

Body = dict[str, Any]
_OPEN_TOKENS, _GEMINI_TOKENS, _GEMINI_ROWS, _GEMINI_BYTES = 8_192, 8_000, 50_000, 10**9
_TOO_LONG_SHARE, _VALIDATION_SHARE = 0.1, 0.25


@dataclass
class Prompts(Dataset):
    """What the teacher was asked: lessons hold its answers, `labelled` the lines an open model's job leaves behind."""

    limit: int = _OPEN_TOKENS
    labelled: list[Body] = field(default_factory=list[Body])

    def stats(self, *, epochs: int) -> Body:
        """TuningDataStats: prompts alone are counted, not the teacher's answers."""
        counted = self._counted(epochs, "droppedExampleIndices")
        return {"distillationDataStats": {"trainingDatasetStats": counted}}


def read_prompts(raw: bytes, model: PublisherModel, teacher: Teacher) -> Prompts:
    """The prompts of a file with the teacher's answers. Raises DatasetError for a file that the service won't take."""
    lines, found = lines_of(raw), Prompts(limit=_OPEN_TOKENS if model.weights else _GEMINI_TOKENS)
    if not model.weights and (len(lines) > _GEMINI_ROWS or len(raw) > _GEMINI_BYTES):
        raise DatasetError(
            f"The prompt dataset has {len(lines)} examples; at most {_GEMINI_ROWS} and 1 GB may be used."
        )
    for index, line in enumerate(lines, 1):
        prompt, size = _prompt(line, f"Dataset example {index} of {len(lines)}", model), tokens(line)
        if size > found.limit:
            found.dropped.append(index)
            continue
        reply, _ = teacher.answer(prompt.asked)
        found.examples += 1
        found.tokens += size
        found.lessons.append(Lesson(prompt.asked, reply))
        found.labelled.append({"messages": [*prompt.messages, {"role": "assistant", "content": reply.text}]})
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
    lines = validation_lines(raw)
    if model.weights and len(raw) > _VALIDATION_SHARE * len(training):
        raise DatasetError("The validation dataset is larger than 25 percent of the training dataset.")
    for where, line in lines:
        if not _prompt(line, where, model).answered and model.weights:
            raise DatasetError(f"{where} must end with an answer of the role assistant. JSON: {line[:80]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prompt:
    """What a line asks of the teacher; of an open model's line the chat `messages` too. An answer is left out."""

    asked: Question
    answered: bool
    messages: list[Body] = field(default_factory=list[Body])


def _prompt(line: str, where: str, model: PublisherModel) -> _Prompt:
    return _open_prompt(line, where) if model.weights else _gemini_prompt(line, where)


def _open_prompt(line: str, where: str) -> _Prompt:
    said = _messages(parsed("OpenLine", line, where))
    messages = _asked(said)
    _refuse(_faults_of_messages(messages), line, where)
    asked = chat_lines.question(messages, ())
    return _Prompt(asked=asked, answered=len(messages) < len(said), messages=messages)


def _gemini_prompt(line: str, where: str) -> _Prompt:
    read = parsed("TrainingLine", line, where)
    said: list[Body] = read.get("contents", [])
    contents = _asked(said)
    _refuse(_faults_of_contents(contents, read.get("tools", [])), line, where)
    return _Prompt(asked=question(contents, ()), answered=len(contents) < len(said))


def _asked(turns: list[Body]) -> list[Body]:
    while turns and turns[-1].get("role") in {"assistant", "model"}:
        turns = turns[:-1]
    return turns


def _refuse(faults: Iterator[str], line: str, where: str) -> None:
    for fault in faults:
        raise DatasetError(f"{where} {fault} JSON: {line[:80]}")


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
