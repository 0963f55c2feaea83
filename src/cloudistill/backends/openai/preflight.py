"""Everything that would fail later at OpenAI, asked before it costs anything."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from cloudistill.backends.common import Findings, probe
from cloudistill.core.errors import AuthenticationFailed, NotFound, PermissionDenied
from cloudistill.core.finding import Finding
from cloudistill.core.refs import ModelRef
from cloudistill.platforms.platform import load

if TYPE_CHECKING:
    from cloudistill.backends.openai import OpenAIBackend


def findings(backend: OpenAIBackend, student: ModelRef | None) -> Findings:
    """The key, and whether the student's base is served and until when."""
    seen: list[str | None] = []
    found = probe(
        backend,
        lambda: seen.append(backend.shutdown_date(student)) if student else backend.served(),
        {
            AuthenticationFailed: (
                "credentials-refused",
                "Set OPENAI_API_KEY to a key that is valid at this endpoint.",
            ),
            PermissionDenied: (
                "permission-denied",
                "Ask the organisation's owner for access to models and fine-tuning.",
            ),
            NotFound: (
                "model-not-served",
                "Choose a student that this account is served; `cloudistill platforms openai`.",
            ),
        },
    )
    return found + [finding for word in seen if word and student for finding in _dates(student, word)]


def _dates(student: ModelRef, word: str) -> Findings:
    known = load("openai").model(student.id)
    try:
        theirs = date.fromisoformat(word)
    except ValueError:
        theirs = None
    if known is None or theirs == known.ends:
        return []
    earlier = theirs is not None and (known.ends is None or theirs < known.ends)
    return [
        Finding(
            rule="model-ends-earlier" if earlier else "model-end-differs",
            message=f"OpenAI says {student.id} is switched off on {word!r}, the facts here say {known.ends}.",
            remedy="Believe OpenAI, and plan for the earlier day.",
            source=known.source,
            level="warning",
        )
    ]
