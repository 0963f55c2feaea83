"""Vertex's own distillation: where the ordered pair runs, and its members of the create request."""

from __future__ import annotations

from typing import Any

from cloudistill.backends.common import missing, native_pair
from cloudistill.core.job import JobSpec
from cloudistill.platforms.platform import load


def require_place(spec: JobSpec, location: str) -> None:
    """Refuse a location in which Vertex does not distil the order's pair."""
    pair, model = native_pair(spec), load("vertex").model(spec.student.id)
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
    own: dict[str, Any] = {"method": "DISTILLATION", "baseTeacherModel": native_pair(spec).teacher}
    return own | ({"outputUri": outputs} if outputs else {})
