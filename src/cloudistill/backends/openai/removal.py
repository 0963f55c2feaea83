"""Removing files and fine-tunes at OpenAI; what is gone already is no error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from cloudistill.backends.backend import load_sdk
from cloudistill.backends.common import unusable
from cloudistill.backends.openai import errors
from cloudistill.core.errors import PlatformError, UsageError
from cloudistill.core.refs import ModelRef
from cloudistill.platforms.platform import load

Answered = TypeVar("Answered")


def unless_gone(ask: Callable[[], Answered]) -> Answered | None:
    """The answer; None when OpenAI does not have the thing any more."""
    try:
        return ask()
    except load_sdk("openai", extra="openai").NotFoundError as error:
        if errors.is_absence(error):
            return None
        raise


def remove(ask: Callable[[], Any], asked: str) -> None:
    """Send the deletion.

    Raises:
        UnusableAnswer: the answer does not say that the thing is deleted.
    """
    answered = unless_gone(lambda: [ask()])
    if answered and getattr(answered[0], "deleted", None) is not True:
        raise unusable("openai", asked, answered[0])


def with_way_out(refused: PlatformError) -> PlatformError:
    """The refusal to delete a model, with whom to ask."""
    refused.message += " Only an owner of the organisation may delete a model: ask one, or for the role."
    refused.args = (refused.message,)
    return refused


def require_ours(model: ModelRef) -> None:
    """Refuse a model that OpenAI itself offers."""
    if load("openai").model(model.id) is not None:
        raise UsageError(f"{model} is OpenAI's own model: only fine-tunes (ft:…) can be deleted")
