"""Training and validation files: read, judged line by line, over-long lines dropped and counted."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from cloudistill.emulators.lesson import Lesson, tokens
from cloudistill.emulators.vertex.contract import read
from cloudistill.emulators.vertex.errors import GoogleError
from cloudistill.emulators.vertex.models import MAX_LINE_TOKENS, MAX_VALIDATION_LINES, PublisherModel
from cloudistill.emulators.vertex.rows import faults_of_tools, faults_of_turns, lessons

_SAMPLE, _BATCH = 10, 8


class DatasetError(Exception):
    """A file the service will not train on, in the words of the job's error."""


@dataclass
class Dataset:
    """What was read: lessons to learn, lines kept, their tokens, and the lines dropped for more tokens than `limit`."""

    limit: int = MAX_LINE_TOKENS
    lessons: list[Lesson] = field(default_factory=list[Lesson])
    examples: int = 0
    tokens: int = 0
    dropped: list[int] = field(default_factory=list[int])

    @property
    def steps(self) -> int:
        """Tuning steps in one epoch."""
        return max(1, self.examples // _BATCH)

    def stats(self, *, epochs: int) -> dict[str, Any]:
        """TuningDataStats."""
        truncated = {"totalTruncatedExampleCount": str(len(self.dropped))}
        return {"supervisedTuningDataStats": self._counted(epochs, "truncatedExampleIndices") | truncated}

    def _counted(self, epochs: int, indices: str) -> dict[str, Any]:
        """What either kind of tuning tells; `indices` is its word for the lines dropped, which count from 1."""
        stats: dict[str, Any] = {
            "tuningDatasetExampleCount": str(self.examples),
            "totalBillableTokenCount": str(self.tokens * epochs),
            "tuningStepCount": str(epochs * self.steps),
        }
        if self.dropped:
            stats[indices] = [str(index) for index in self.dropped[:_SAMPLE]]
            stats["droppedExampleReasons"] = [f"The example has more than {self.limit} tokens."] * len(stats[indices])
        return stats


def read_training(raw: bytes, model: PublisherModel) -> Dataset:
    """The lessons in a file. Raises DatasetError at the first line that can't be used."""
    lines = lines_of(raw)
    dataset = Dataset()
    for index, line in enumerate(lines, 1):
        parsed = _line(line, f"Dataset example {index} of {len(lines)}", model)
        size = tokens(line)
        if size > dataset.limit:
            dataset.dropped.append(index)
            continue
        dataset.examples += 1
        dataset.tokens += size
        dataset.lessons.extend(lessons(parsed))
    if not dataset.examples:
        raise DatasetError("The training dataset has no usable example.")
    return dataset


def check_validation(raw: bytes, model: PublisherModel) -> None:
    """Raises DatasetError unless every line could be trained on and there are not too many."""
    for where, line in validation_lines(raw):
        _line(line, where, model)


def validation_lines(raw: bytes) -> list[tuple[str, str]]:
    """Each line of a validation file with its place in words. Raises DatasetError if there are too many."""
    lines = lines_of(raw)
    if len(lines) > MAX_VALIDATION_LINES:
        text = f"The validation dataset has {len(lines)} examples; at most {MAX_VALIDATION_LINES} may be used."
        raise DatasetError(text)
    return [(f"Validation dataset example {index} of {len(lines)}", line) for index, line in enumerate(lines, 1)]


def lines_of(raw: bytes) -> list[str]:
    """The lines that hold something. Raises DatasetError for bytes that are no text."""
    try:
        return [line for line in raw.decode().split("\n") if line.strip()]
    except UnicodeDecodeError as error:
        raise DatasetError(f"The dataset is not UTF-8: byte {error.start} can't be decoded.") from error


def parsed(kind: str, line: str, where: str) -> dict[str, Any]:
    """A line as the message `kind`. Raises DatasetError that says where it stands."""
    try:
        return read(kind, json.loads(line))
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where} is not a JSON object: {error}. JSON: {line[:80]}") from error
    except GoogleError as error:
        raise DatasetError(f"{where} is not valid: {error.message} JSON: {line[:80]}") from error


def _line(line: str, where: str, model: PublisherModel) -> dict[str, Any]:
    found = parsed("TrainingLine", line, where)
    for fault in _faults(found, model):
        raise DatasetError(f"{where} {fault} JSON: {line[:80]}")
    return found


def _faults(line: dict[str, Any], model: PublisherModel) -> list[str]:
    contents = line.get("contents", [])
    if not contents or contents[-1].get("role") != "model":
        return ['must hold "contents" that end with a turn of the role "model".']
    parts = [part for content in contents for part in content.get("parts", [])]
    if not model.learns_calls and any("functionCall" in part for part in parts):
        text = (
            'contains an unsupported modality [function call] in the "parts" field, which is not supported by this '
            "model. The supported modalities are: [image, PDF document, audio, video]."
        )
        return [text]
    system = line.get("systemInstruction", {"parts": [{"text": ""}]}).get("parts", [])
    if any(part.keys() != {"text"} for part in system):
        return ["has a system instruction that holds more than text."]
    return [*faults_of_turns(contents), *faults_of_tools(line.get("tools", []))]
