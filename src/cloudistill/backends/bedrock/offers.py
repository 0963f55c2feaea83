"""What the service itself says of a foundation model: whether it is there, takes tuning jobs, and until when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date
from typing import Any

from cloudistill.core.errors import UsageError
from cloudistill.core.job import Offer
from cloudistill.core.refs import ModelRef

_TAKES_JOBS = {"": True, "ACTIVE": True, "LEGACY": False}
"""By its lifecycle; of a word that nobody knows it is not told."""


def offer(listed: Sequence[Mapping[str, Any]], model: ModelRef, region: str) -> Offer:
    """The offer in the rows of ListFoundationModels.

    Raises:
        UsageError: a custom model or a deployment, which the service offers to nobody.
    """
    rows = {row.get("modelId"): row for row in listed}
    row = next((rows[form] for form in _forms(model) if form in rows), None)
    if row is None:
        return Offer(served=False, trains=False, says=f"not among the foundation models of {region}")
    life = row.get("modelLifecycle", {})
    word = str(life.get("status", ""))
    trains = _TAKES_JOBS.get(word) if row.get("customizationsSupported") else False
    return Offer(served=True, trains=trains, ends=_day(life, "endOfLifeTime"), says=_says(word, life))


def _forms(model: ModelRef) -> Iterator[str]:
    """The ids under which the service may list a model: its own, without a context suffix, without a geography."""
    identifier = model.id
    if ":custom-model" in identifier or ":provisioned-model/" in identifier:
        raise UsageError(f"{model} is yours: ask after the foundation model it was made of")
    bare = identifier.rpartition("/")[2]
    yield bare
    yield bare.rpartition(":")[0]
    yield bare.partition(".")[2]  # a profile is called us.<model>, eu.<model>, …


def _says(word: str, life: Mapping[str, Any]) -> str:
    """The vendor's word and dates."""
    dates = {"legacy": _day(life, "legacyTime"), "end of life": _day(life, "endOfLifeTime")}
    return ", ".join([word or "no lifecycle", *(f"{what} {day}" for what, day in dates.items() if day)])


def _day(life: Mapping[str, Any], member: str) -> date | None:
    then = life.get(member)
    return then.astimezone(UTC).date() if then else None
