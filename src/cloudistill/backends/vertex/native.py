"""Vertex's own distillation: the pair that was ordered, where it runs, and its members of the create request."""

from __future__ import annotations

from typing import Any

from cloudistill.backends.common import missing
from cloudistill.core.errors import UsageError
from cloudistill.core.job import JobSpec
from cloudistill.platforms.platform import Pair, load

INSTEAD = "Or use the method sft, which learns from any teacher's answers."


def pair_of(spec: JobSpec) -> Pair:
    """The facts about teacher and student together; whether the pair is still live is for who knows the date.

    Raises:
        UsageError: Vertex never distilled the one into the other.
    """
    teacher, student = spec.teacher, spec.student
    if teacher is None:
        raise UsageError(f"the method native needs a teacher for {student}: name one that Vertex has")
    if teacher.platform != student.platform:
        raise UsageError(f"Vertex cannot ask {teacher}: name a teacher of Vertex's. {INSTEAD}")
    known = load("vertex")
    pair = known.pair(teacher.id, student.id)
    if pair is None:
        named = ", ".join(pair.teacher for pair in known.pairs if pair.student == student.id)
        words = f"its teachers for that are or were {named}" if named else "nor any other into it"
        raise UsageError(f"Vertex does not distil {teacher.id} into {student.id}; {words}. {INSTEAD}")
    return pair


def require_place(spec: JobSpec, location: str) -> None:
    """Refuse a location in which Vertex does not distil the order's pair."""
    pair, model = pair_of(spec), load("vertex").model(spec.student.id)
    places = (model.regions if model else ()) or (pair.region,)
    if location not in places:
        raise missing(
            "pair-not-in-region",
            f"Vertex distils {pair.teacher} into {pair.student} in {', '.join(places)}, not in {location}.",
            f"Set GOOGLE_CLOUD_LOCATION={pair.region}{'' if is_open(pair.student) else ', or use --method sft'}.",
        )


def is_open(student: str) -> bool:
    """Whether the weights are handed over, into an output folder: Google names such models publisher/family@version."""
    return "/" in student and "@" in student and not student.startswith("projects/")


def members(spec: JobSpec, outputs: str) -> dict[str, Any]:
    """What a distillation's request holds beside the files; `outputs` is the folder for open weights, else empty.

    Raises:
        UsageError: Vertex never distilled this pair.
    """
    own: dict[str, Any] = {"method": "DISTILLATION", "baseTeacherModel": pair_of(spec).teacher}
    return own | ({"outputUri": outputs} if outputs else {})
