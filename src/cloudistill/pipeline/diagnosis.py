"""What would fail at each vendor, found before it does: one Finding per fault, nothing spent."""

from __future__ import annotations

from collections.abc import Sequence

from cloudistill.backends.backend import available
from cloudistill.core.errors import CloudistillError, UsageError
from cloudistill.core.finding import Finding
from cloudistill.core.refs import ModelRef
from cloudistill.pipeline.retry import once
from cloudistill.pipeline.settings import connected


def diagnose(platforms: Sequence[str] | None, student: ModelRef | None = None) -> dict[str, list[Finding]]:
    """The findings of each platform (all installed ones by default), in alphabetical order.

    Raises:
        UsageError: a platform that is not installed.
    """
    chosen = sorted(platforms or available())
    return {name: _one(name, student if student and student.platform == name else None) for name in chosen}


def _one(platform: str, student: ModelRef | None) -> list[Finding]:
    try:
        backend = connected(platform)
        return once(backend, lambda: backend.preflight(student))
    except UsageError:
        raise
    except CloudistillError as error:
        rule = "".join(f"-{char.lower()}" if char.isupper() else char for char in type(error).__name__).strip("-")
        return [Finding(rule=rule, message=error.message, remedy="", file=platform)]
