"""What the openai SDK raises, in our tree."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from cloudistill.backends.backend import load_sdk
from cloudistill.backends.common import Cause, answered, unanswered
from cloudistill.core.errors import (
    AuthenticationFailed,
    NotFound,
    PlatformError,
    QuotaExceeded,
    ServiceTrouble,
    UnusableAnswer,
)
from cloudistill.platforms.platform import load

if TYPE_CHECKING:
    import openai


def classify(error: Exception) -> PlatformError:
    """Name `error` by its type, and by OpenAI's code where it answered."""
    asked = _asked(error)
    if isinstance(error, load_sdk("openai", extra="openai").APIStatusError):
        return _from_status(cast("openai.APIStatusError", error), asked)
    # the SDK wraps what its transport raised
    cause = error.__cause__ if isinstance(error.__cause__, _unsent()) else error
    return unanswered(load("openai"), cause, asked, _causes())


def is_absence(error: openai.NotFoundError) -> bool:
    """Whether OpenAI itself, not a proxy's page, says that the thing is not there."""
    named = classify(error)
    return isinstance(named, NotFound) and named.outcome == "refused"


def words_of(error: openai.APIStatusError) -> str:
    """OpenAI's own words in the refusal."""
    return str(_details(error).get("message") or error.message)


def _details(error: openai.APIStatusError) -> dict[str, Any]:
    body: Any = error.body
    return cast("dict[str, Any]", body) if isinstance(body, dict) else {}


def _unsent() -> tuple[type[Exception], ...]:
    http = load_sdk("httpx2", extra="openai")
    return http.ConnectError, http.ConnectTimeout, http.ProxyError, http.PoolTimeout, http.UnsupportedProtocol


def _causes() -> tuple[Cause, ...]:
    sdk = load_sdk("openai", extra="openai")
    unread = (json.JSONDecodeError, UnicodeDecodeError, RecursionError, sdk.APIResponseValidationError)
    return (
        (unread, UnusableAnswer, "maybe"),
        (_unsent(), ServiceTrouble, "not-sent"),
        ((sdk.APIConnectionError,), ServiceTrouble, "maybe"),
        ((sdk.OpenAIError,), AuthenticationFailed, "not-sent"),
    )


def _from_status(error: openai.APIStatusError, asked: str) -> PlatformError:
    details = _details(error)
    named = [details[member] for member in ("code", "type") if isinstance(details.get(member), str)]
    facts, code = load("openai"), next(iter(named), None)
    exhausted = any(facts.means("quota", word) for word in named)
    return answered(
        facts,
        asked=asked,
        words=words_of(error),
        status=error.status_code,
        code=code,
        kind=QuotaExceeded if exhausted else None,
        vendors_own=bool(details.get("message") or code),
        request_id=error.request_id,
        headers=error.response.headers,
    )


def _asked(error: Exception) -> str:
    request = getattr(error, "request", None)
    return f"{request.method} {request.url.path}" if request is not None else "the request"
