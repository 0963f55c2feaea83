"""The one retry policy: SDKs never retry, backends never sleep, everything repeated is repeated here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay
from tenacity.wait import wait_random_exponential

from cloudistill.backends.backend import Backend
from cloudistill.core.errors import CloudistillError, PlatformError, UnusableAnswer

T = TypeVar("T")
Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to repeat what may be repeated: seconds in all, the first and longest pause, and how to sleep."""

    total: float = 120.0
    first: float = 0.5
    longest: float = 30.0
    sleep: Sleep = time.sleep


def once(backend: Backend, call: Callable[[], T]) -> T:
    """Call exactly once; an SDK's exception becomes one of our tree."""
    try:
        return call()
    except CloudistillError:
        raise
    except Exception as error:
        raise _classified(backend, error) from error


def _classified(backend: Backend, error: Exception) -> PlatformError:
    try:
        return backend.classify(error)
    except CloudistillError:
        raise
    except Exception as confusion:  # an answer so odd that even its error cannot be read
        words = f"{backend.platform}: an answer that cannot be read: {error} ({type(confusion).__name__})"
        return UnusableAnswer(words, platform=backend.platform)


def ask(
    backend: Backend,
    call: Callable[[], T],
    patience: Patience | None = None,
    *,
    again: Callable[[CloudistillError], bool] = lambda error: error.retryable,
) -> T:
    """Call, and repeat what `again` allows until `patience` ends; the vendor's own `retry_after` is obeyed.

    Only for reads and content-addressed uploads, or with an `again` that excludes every doubtful outcome.
    """
    patience = patience or Patience()
    spread = wait_random_exponential(multiplier=patience.first, max=patience.longest)

    def asked_for(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return (error.retry_after or 0.0) if isinstance(error, PlatformError) else 0.0

    def exhausted(state: RetryCallState) -> bool:
        return stop_after_delay(patience.total)(state) or asked_for(state) > patience.total

    retrying = Retrying(
        sleep=patience.sleep,
        wait=lambda state: max(asked_for(state), spread(state)),
        stop=exhausted,
        retry=retry_if_exception(lambda error: isinstance(error, CloudistillError) and again(error)),
        reraise=True,
    )
    return retrying(once, backend, call)
