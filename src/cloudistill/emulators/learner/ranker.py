"""Tools and the slots of their arguments, and the untuned base that fills them without having learnt anything."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Any, cast

import numpy as np

from cloudistill.emulators.learner.features import TAIL_LIMIT, Codes, codes, stems
from cloudistill.emulators.learner.spans import KINDS, Spans
from cloudistill.emulators.lesson import Call, Question, Reply

_EXACT = re.compile(r"(?i)(^|_)(id|ids|number|no|code|sku|order|ticket|ref|reference)$")

ABSENT = object()


@dataclass(frozen=True, slots=True)
class Slot:
    """One argument to fill: the path to it (two steps inside an object), its schema, and whether it must be there."""

    path: tuple[str, ...]
    schema: Mapping[str, Any]
    required: bool

    @property
    def type(self) -> str:
        """`string integer number boolean strings numbers` or, for anything else, `any object array`."""
        kind = _type(self.schema)
        if kind != "array":
            return kind
        return {"string": "strings", "integer": "numbers", "number": "numbers"}.get(
            _type(self.schema.get("items")), kind
        )

    def find(self, arguments: Any) -> Any:
        """The value of this slot in a call's arguments, or `ABSENT`."""
        for step in self.path:
            arguments = _mapping(arguments).get(step, ABSENT)
        return arguments

    @property
    def options(self) -> list[Any]:
        """The values the schema itself names."""
        options = self.schema.get("enum")
        named = cast("list[Any]", options) if isinstance(options, list) else []
        return named or ([True, False] if self.type == "boolean" else [])


def slots(parameters: Any, above: tuple[str, ...] = (), *, required: bool = True) -> Iterator[Slot]:
    """The slots of an object schema; the properties of an object inside it are slots of their own, one level deep."""
    listed = _mapping(parameters).get("required")
    must = cast("list[str]", listed) if isinstance(listed, list) else []
    for name, schema in properties(parameters).items():
        needed = required and name in must
        if properties(schema) and not above:
            yield from slots(schema, (name,), required=needed)
        else:
            yield Slot((*above, name), _mapping(schema), needed)


def assemble(filled: Iterable[tuple[tuple[str, ...], Any]]) -> dict[str, Any]:
    """Arguments from the values of slots."""
    arguments: dict[str, Any] = {}
    for (*above, name), value in filled:
        inside = arguments
        for step in above:
            inside = inside.setdefault(step, {})
        inside[name] = value
    return arguments


def blank(kind: str, otherwise: Any) -> Any:
    """The empty object or list, for slots of those types."""
    empty: dict[str, Any] = {"object": {}, "array": []}
    return empty.get(kind, otherwise)


def properties(schema: Any) -> Mapping[str, Any]:
    """The properties of an object schema; none of anything else."""
    return _mapping(_mapping(schema).get("properties"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _type(schema: Any) -> str:
    kind = _mapping(schema).get("type", "any")
    named = cast("list[str]", kind) if isinstance(kind, list) else [kind]
    return next((str(name) for name in named if name != "null"), "any")


def overlaps(question: Question, named: Sequence[bool]) -> tuple[list[float], list[int]]:
    """For each tool on offer: how well its words fit the request, and how many of them it has.

    A word that few tools share weighs more. The words of a tool's own name count where `named` says so.
    """
    asked = stems(question.text) or stems(question.context[-TAIL_LIMIT:])
    known = [
        dict.fromkeys(stems(tool.description) + stems(" ".join(properties(tool.parameters))) + stems(tool.name) * use)
        for tool, use in zip(question.tools, named, strict=True)
    ]
    spread = Counter(word for tool in known for word in tool)
    shared = [[word for word in asked if word in tool] for tool in known]
    fits = [
        sum(log(1 + len(known) / spread[word]) for word in hits) / sqrt(4 + len(tool))
        for hits, tool in zip(shared, known, strict=True)
    ]
    return fits, [len(hits) for hits in shared]


def standing(question: Question, named: Sequence[bool]) -> Codes:
    """How each tool compares with the others on offer, and whether one has just answered, in features that say
    nothing of which tool it is."""
    fits, shared = overlaps(question, named)
    best, kind = max(fits, default=0) or 1.0, "tool after a result" if question.results else "tool"
    marks = [
        (f"rank {min(sum(other > fit for other in fits), 3)}", f"shares {min(n, 5)}", f"of best {int(4 * fit / best)}")
        for fit, n in zip(fits, shared, strict=True)
    ]
    return np.array([codes([kind, *mark]) for mark in marks], np.uint32).reshape(len(marks), 4)


class Untrained:
    """The untuned base: it picks the tool that shares most words with the request and copies what looks right."""

    def answer(self, question: Question) -> Reply:
        """A call of the best-fitting tool; text if a tool has just answered or none fits."""
        fits, _ = overlaps(question, [True] * len(question.tools))
        if question.results or max(fits, default=0) == 0:
            return Reply(text=plain(question))
        tool = question.tools[int(np.argmax(fits))]
        return Reply(calls=(Call(tool.name, guess(tool.parameters, question)),))


def plain(question: Question) -> str:
    """A short text without any learning: what the tool said, or what was asked."""
    if question.results:
        return f"Here is what I found: {question.results[-1][:200]}"
    asked = " ".join(question.text.split()[:20])
    return f"You asked: {asked}" if asked else "How can I help?"


def guess(parameters: Any, question: Question) -> dict[str, Any]:
    """The required arguments, each by general rules."""
    spans = Spans(question, lists=True)
    taken: set[int] = set()
    found = [(slot.path, _guess(slot, spans, question, taken)) for slot in slots(parameters) if slot.required]
    return assemble((path, value) for path, value in found if value is not None)


def _guess(slot: Slot, spans: Spans, question: Question, taken: set[int]) -> Any:
    name, said = slot.path[-1], question.text.lower()
    if slot.type == "boolean":
        return slot.schema.get("default", not set(stems(name)).isdisjoint(stems(question.text)))
    if slot.options:
        spoken = (option for option in slot.options if str(option).lower().replace("_", " ") in said)
        return next(spoken, slot.schema.get("default", slot.options[0]))
    places = [int(i) for i in spans.allowed(slot.type)]
    if not places:
        return slot.schema.get("default", blank(slot.type, question.text[:200] if slot.type == "string" else None))
    near = spans.near(name)
    looks = {i: _looks(name, spans, i, int(near[i])) - 3 * (int(spans.first[i]) in taken) for i in places}
    best = max(places, key=lambda i: looks[i])
    taken.add(int(spans.first[best]))
    return spans.value(best)


def _looks(name: str, spans: Spans, index: int, near: int) -> float:
    """How much a candidate looks like an argument of that name, by fixed weights."""
    value, kind = spans.value(index), KINDS[int(spans.kind[index])]
    score = (0.0, 2.0, 1.0, 2.5)[near] - 0.2 * int(spans.last[index] - spans.first[index])
    if not isinstance(value, str):
        return score
    score += {"quote": 1.5, "sentence": -1.0}.get(kind, 0.0) + (kind in {"date", "dmy", "mdy"}) * (
        2 * ("date" in name) - 1
    )
    score += 3 * (bool(_EXACT.search(name)) and " " not in value and any(c.isdigit() for c in value))
    score += 4 * ("mail" in name and "@" in value and " " not in value)
    return score + (0.8 if value[:1].isupper() and spans.first[index] > 0 else 0.0)
