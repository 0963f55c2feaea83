"""What google-genai, google-cloud-storage and google-auth raise, in our tree."""

from __future__ import annotations

import contextlib
import importlib
import json
import re
from http import HTTPStatus
from typing import Any, cast

import pydantic

from cloudistill.backends.backend import load_sdk
from cloudistill.backends.common import Cause, answered, unanswered
from cloudistill.core.errors import (
    AuthenticationFailed,
    InvalidRequest,
    NameConflict,
    PlatformError,
    QuotaExceeded,
    ServiceTrouble,
    UnusableAnswer,
)
from cloudistill.platforms.platform import load

_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_STATUSES: dict[str, type[PlatformError]] = {"ALREADY_EXISTS": NameConflict}


def classify(error: Exception) -> PlatformError:
    """Name `error` by its type, and by Google's status where it answered."""
    genai, core = (load_sdk(name, extra="vertex") for name in ("google.genai.errors", "google.api_core.exceptions"))
    asked = _asked(error)
    if isinstance(error, genai.APIError):
        return _from_genai(cast("Any", error), asked)
    if isinstance(error, core.GoogleAPICallError):
        return _from_storage(cast("Any", error), asked)
    if isinstance(error, load_sdk("requests", extra="vertex").TooManyRedirects):
        return _led_away(cast("Any", error), asked)
    return unanswered(load("vertex"), _pool_reason(error) or error, asked, _causes())


def _led_away(error: Any, asked: str) -> PlatformError:
    """The first redirect, which Cloud Storage's client is not let follow."""
    answer = error.response
    words = f"the answer leads to {answer.headers.get('location')}; data and keys go to whom they were sent alone"
    return answered(load("vertex"), asked=asked, words=words, status=answer.status_code, code=None, vendors_own=False)


def _causes() -> tuple[Cause, ...]:
    auth, requests, pool = (
        load_sdk(name, extra="vertex") for name in ("google.auth.exceptions", "requests", "urllib3.exceptions")
    )
    unsent = _transport("ConnectError", "ConnectTimeout", "ProxyError", "PoolTimeout", "UnsupportedProtocol")
    unsent += (requests.exceptions.SSLError, requests.exceptions.ProxyError, requests.exceptions.ConnectTimeout)
    unsent += (pool.NewConnectionError, pool.ConnectTimeoutError, auth.TransportError)
    unread = (json.JSONDecodeError, UnicodeDecodeError, RecursionError, pydantic.ValidationError)
    return (
        (unsent, ServiceTrouble, "not-sent"),
        ((auth.GoogleAuthError,), AuthenticationFailed, "not-sent"),
        (unread, UnusableAnswer, "maybe"),
        ((*_transport("TransportError"), requests.RequestException), ServiceTrouble, "maybe"),
    )


def _pool_reason(error: Exception) -> Exception | None:
    """Why urllib3 gave up, which requests keeps inside its own ConnectionError."""
    reason = getattr(next(iter(error.args), None), "reason", None)
    return reason if isinstance(reason, Exception) else None


def _transport(*names: str) -> tuple[type[Exception], ...]:
    """The exceptions of those names in httpx and httpx2: google-genai speaks through either."""
    found: list[type[Exception]] = []
    for module in ("httpx", "httpx2"):
        with contextlib.suppress(ModuleNotFoundError):
            library = importlib.import_module(module)
            found += [getattr(library, name) for name in names]
    return tuple(found)


def _from_genai(error: Any, asked: str) -> PlatformError:
    body: Any = error.details if hasattr(error.details, "get") else {}
    said: Any = body.get("error")
    details = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    listed: list[Any] = details.get("details") or []
    told = [cast("dict[str, Any]", item) for item in listed if isinstance(item, dict)]
    delays = [float(found[1]) for item in told if (found := _DELAY.fullmatch(str(item.get("retryDelay"))))]
    exhausted = any(item.get("reason") == "QUOTA_EXCEEDED" for item in told)
    return answered(
        load("vertex"),
        asked=asked,
        words=str(error.message or ""),
        status=error.code,
        code=error.status if details else None,
        kind=QuotaExceeded if exhausted else _STATUSES.get(error.status or ""),
        vendors_own=bool(details),
        headers=getattr(error.response, "headers", {}),
        retry_after=delays[0] if delays else None,
    )


def _from_storage(error: Any, asked: str) -> PlatformError:
    return answered(
        load("vertex"),
        asked=asked,
        words=error.message,
        status=int(error.code or 0),
        code=error.reason,
        kind=InvalidRequest if error.code == HTTPStatus.PRECONDITION_FAILED else None,
        vendors_own=bool(error.errors),
        headers=getattr(error.response, "headers", {}),
    )


def _asked(error: Exception) -> str:
    response = getattr(error, "response", None)
    for holder in (error, response):
        try:
            request: Any = getattr(holder, "request", None)
        except RuntimeError:  # httpx: an error made without its request
            continue
        if request is not None:
            path = str(request.url).partition("://")[2].partition("/")[2].partition("?")[0]
            return f"{request.method} /{path}"
    return "the request"
