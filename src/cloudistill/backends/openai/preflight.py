"""Everything that would fail later at OpenAI, asked before it costs anything."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from cloudistill.backends.common import Findings, probe
from cloudistill.core.errors import AuthenticationFailed, PermissionDenied
from cloudistill.core.finding import Finding
from cloudistill.core.job import Offer
from cloudistill.core.refs import ModelRef
from cloudistill.platforms.platform import load

if TYPE_CHECKING:
    from cloudistill.backends.openai import OpenAIBackend


def findings(backend: OpenAIBackend, student: ModelRef | None) -> Findings:
    """The key, and whether the student's base is served and until when, in OpenAI's own words."""
    seen: list[Offer] = []
    found = probe(
        backend,
        lambda: seen.append(backend.offer(student)) if student else backend.served(),
        {
            AuthenticationFailed: (
                "credentials-refused",
                "Set OPENAI_API_KEY to a key that is valid at this endpoint.",
            ),
            PermissionDenied: (
                "permission-denied",
                "Ask the organisation's owner for access to models and fine-tuning.",
            ),
        },
    )
    return found + [finding for offer in seen if student for finding in _about(student, offer)]


def _about(student: ModelRef, offer: Offer) -> Findings:
    if not offer.served:
        remedy = "Choose a student that this account is served; `cloudistill platforms openai`."
        return [Finding(rule="model-not-served", message=f"{student}: {offer.says}", remedy=remedy)]
    return _dates(student, offer.ends)


def _dates(student: ModelRef, theirs: date | None) -> Findings:
    known = load("openai").model(student.id)
    if known is None or theirs in (None, known.ends):
        return []
    earlier = known.ends is None or theirs < known.ends
    return [
        Finding(
            rule="model-ends-earlier" if earlier else "model-end-differs",
            message=f"OpenAI says {student.id} is switched off on {theirs}, the facts here say {known.ends}.",
            remedy="Plan by OpenAI's date.",
            source=known.source,
            level="warning",
        )
    ]
