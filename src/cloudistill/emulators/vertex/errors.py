"""Google's error bodies: google.rpc.Status over HTTP, in Google's words where they are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_HTTP = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "UNIMPLEMENTED": 501,
}
_CREDENTIAL = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. "
    "See https://developers.google.com/identity/sign-in/web/devconsole-project."
)


class GoogleError(Exception):
    """An answer that is an error: `status` is a google.rpc.Code name, `details` are typed messages."""

    def __init__(self, status: str, message: str, details: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.status, self.message, self.details = status, message, list(details)
        self.http = _HTTP[status]

    @property
    def body(self) -> dict[str, Any]:
        """The JSON of the answer."""
        error: dict[str, Any] = {"code": self.http, "message": self.message, "status": self.status}
        return {"error": error | ({"details": self.details} if self.details else {})}


def bad_request(message: str, violations: Sequence[dict[str, str]]) -> GoogleError:
    """INVALID_ARGUMENT that names the fields."""
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": list(violations)}
    return GoogleError("INVALID_ARGUMENT", message, [detail])


def found_errors(problems: Sequence[tuple[str, str]]) -> GoogleError:
    """Vertex AI's own validation: every (field, message) at once."""
    listed = "".join(f"{i}.Field: {field}; Message: {text}\t" for i, (field, text) in enumerate(problems, 1))
    violations = [{"field": field, "description": text} for field, text in problems]
    return bad_request(f"List of found errors:\t{listed}", violations)


def unauthenticated(*, missing: bool) -> GoogleError:
    """No bearer token, or one that Google never gave."""
    if missing:
        return GoogleError(
            "UNAUTHENTICATED",
            f"Request is missing required authentication credential. {_CREDENTIAL}",
            [_info("CREDENTIALS_MISSING")],
        )
    return GoogleError(
        "UNAUTHENTICATED",
        f"Request had invalid authentication credentials. {_CREDENTIAL}",
        [_info("ACCESS_TOKEN_TYPE_UNSUPPORTED")],
    )


def denied(permission: str, resource: str) -> GoogleError:
    """Somebody else's project: Google doesn't say whether it exists."""
    return GoogleError(
        "PERMISSION_DENIED",
        f"Permission '{permission}' denied on resource '//aiplatform.googleapis.com/{resource}' (or it may not exist).",
        [_info("IAM_PERMISSION_DENIED")],
    )


def no_such_model(name: str) -> GoogleError:
    """A publisher model that is unknown, has ended, or isn't served at this location."""
    return GoogleError(
        "NOT_FOUND",
        f"Publisher Model `{name}` was not found or your project does not have access to it. Please ensure you are "
        "using a valid model version. For more information, see: "
        "https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions",
    )


def _info(reason: str) -> dict[str, Any]:
    metadata = {"service": "aiplatform.googleapis.com"}
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": reason, "domain": "googleapis.com", "metadata": metadata}
