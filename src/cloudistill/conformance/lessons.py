"""The lessons of the suite, written as the platform wants them."""

from __future__ import annotations

from pathlib import Path

from cloudistill.core.example import Example, Message
from cloudistill.core.jsonl import dump
from cloudistill.core.refs import ModelRef
from cloudistill.formats import registry
from cloudistill.formats.format import Format
from cloudistill.platforms.platform import load

CITIES = ("Oslo", "Lima", "Cairo", "Hanoi", "Quito", "Accra", "Dhaka", "Sofia", "Tunis", "Minsk", "Paris", "Delhi")


def lessons(marker: str, fewest: int) -> list[Example]:
    """At least `fewest` lessons; the marker in one makes the file its test's own."""
    cities = [*CITIES, f"{marker[:8]}ville", *(f"City {number}" for number in range(fewest))]
    return [_lesson(city) for city in cities]


def _lesson(city: str) -> Example:
    asked = Message(role="user", content=f"Where lies the town hall of {city}?")
    return Example(messages=(asked, Message(role="assistant", content=f"In {city}.")))


def write(path: Path, student: ModelRef, marker: str) -> Path:
    """A training file for `student`, at `path`."""
    facts = load(student.platform)
    model = facts.model(student.id)
    spelling = registry.get(facts.format, model.rendering if model else None)
    return _written(path, spelling, lessons(marker, (model.min_rows if model else None) or 0))


def write_prompts(path: Path, teacher: ModelRef, student: ModelRef, marker: str) -> Path:
    """A file of questions for `teacher`, at `path`."""
    facts = load(student.platform)
    pair = facts.pair(teacher.id, student.id)
    assert pair is not None, f"{teacher} and {student} are no pair of the platform's facts"
    spelling = registry.get(pair.format or facts.format, pair.rendering)
    asked = [Example(messages=lesson.prompt) for lesson in lessons(marker, pair.min_rows or 0)]
    return _written(path, spelling, asked)


def _written(path: Path, spelling: Format, examples: list[Example]) -> Path:
    path.write_bytes(b"".join(dump(spelling.encode(example)) + b"\n" for example in examples))
    return path
