"""What OpenAI itself says of a model: whether this account is served it, and until when."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from cloudistill.backends.backend import load_sdk
from cloudistill.backends.common import unusable
from cloudistill.backends.openai import errors
from cloudistill.core.job import Offer
from cloudistill.core.refs import ModelRef

if TYPE_CHECKING:
    from openai import OpenAI


def offer(client: OpenAI, model: ModelRef) -> Offer:
    """Ask for the model's object; that it is not there is an answer too. Whether it can be tuned is not told."""
    try:
        found = client.models.retrieve(model.id)
    except load_sdk("openai", extra="openai").NotFoundError as error:
        if not errors.is_absence(error):
            raise
        words, key = errors.words_of(error), client.api_key
        told = words.replace(key, "[key]") if key else words  # should a proxy have echoed it
        return Offer(served=False, trains=False, says=told)
    if getattr(found, "id", None) != model.id:
        raise unusable("openai", f"GET /models/{model.id}", found)
    return _dated(getattr(found, "shutdown_date", None))


def _dated(word: Any) -> Offer:
    """A date that cannot be read is no date, and is quoted."""
    if not word:
        return Offer(served=True, says="no shutdown date announced")
    try:
        ends = date.fromisoformat(word)
    except (TypeError, ValueError):
        ends = None
    return Offer(served=True, ends=ends, says=f"shutdown_date {word!r}")
