"""What boto3 raises, in our tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from cloudistill.backends.backend import load_sdk
from cloudistill.backends.common import Cause, answered, unanswered
from cloudistill.core.errors import (
    AuthenticationFailed,
    InvalidRequest,
    NameConflict,
    NotFound,
    PermissionDenied,
    PlatformError,
    QuotaExceeded,
    RateLimited,
    ServiceTrouble,
    UnusableAnswer,
)
from cloudistill.platforms.platform import load

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_CODES: dict[str, type[PlatformError]] = {
    "AccessDenied": PermissionDenied,
    "AccessDeniedException": PermissionDenied,
    "AuthFailure": AuthenticationFailed,
    "ConflictException": NameConflict,
    "ExpiredToken": AuthenticationFailed,
    "ExpiredTokenException": AuthenticationFailed,
    "IncompleteSignature": AuthenticationFailed,
    "InvalidAccessKeyId": AuthenticationFailed,
    "InvalidClientTokenId": AuthenticationFailed,
    "InvalidSignatureException": AuthenticationFailed,
    "InvalidToken": AuthenticationFailed,
    "MissingAuthenticationTokenException": AuthenticationFailed,
    "NoSuchBucket": NotFound,
    "NoSuchEntity": NotFound,
    "NoSuchKey": NotFound,
    "RequestExpired": AuthenticationFailed,
    "RequestTimeTooSkewed": AuthenticationFailed,
    "ResourceInUseException": NameConflict,
    "ResourceNotFoundException": NotFound,
    "ServiceQuotaExceededException": QuotaExceeded,
    "SignatureDoesNotMatch": AuthenticationFailed,
    "SlowDown": RateLimited,
    "ThrottlingException": RateLimited,
    "TooManyTagsException": InvalidRequest,
    "UnrecognizedClientException": AuthenticationFailed,
    "ValidationException": InvalidRequest,
    "ModelErrorException": ServiceTrouble,
    "ModelTimeoutException": ServiceTrouble,
}


def classify(error: Exception) -> PlatformError:
    """Name `error` by its type, and by AWS's code where it answered."""
    if isinstance(error, load_sdk("botocore.exceptions", extra="bedrock").ClientError):
        return _from_answer(cast("ClientError", error))
    unread = AttributeError, TypeError
    if isinstance(error, unread) and _raised_in(error) == "botocore.parsers":  # JSON that is no object
        return unanswered(load("bedrock"), error, "the request", [(unread, UnusableAnswer, "maybe")])
    return unanswered(load("bedrock"), error, "the request", _causes())


def _raised_in(error: Exception) -> str:
    """The module that raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return str(trace.tb_frame.f_globals.get("__name__")) if trace is not None else ""


def _causes() -> tuple[Cause, ...]:
    boto, parsers = (load_sdk(name, extra="bedrock") for name in ("botocore.exceptions", "botocore.parsers"))
    unsigned = (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError)
    unsigned += (boto.TokenRetrievalError, boto.NoAuthTokenError, boto.SSOError, boto.LoginError)
    unsent = (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError, boto.SSLError)
    return (
        ((boto.ParamValidationError, boto.InvalidEndpointConfigurationError), InvalidRequest, "not-sent"),
        (unsigned, AuthenticationFailed, "not-sent"),
        (unsent, ServiceTrouble, "not-sent"),
        ((boto.HTTPClientError,), ServiceTrouble, "maybe"),
        ((parsers.ResponseParserError, RecursionError), UnusableAnswer, "maybe"),
    )


def _from_answer(error: ClientError) -> PlatformError:
    answer: dict[str, Any] = dict(error.response)
    meta, told = answer.get("ResponseMetadata", {}), answer.get("Error", {})
    code, status = str(told.get("Code", "")), meta.get("HTTPStatusCode", 0)
    # botocore makes a code of the status where the body is not AWS's; HEAD answers have no body at all
    bodiless = code.isdigit() or not code
    headers: dict[str, str] = meta.get("HTTPHeaders", {})
    milliseconds = headers.get("x-amz-retry-after", "")
    return answered(
        load("bedrock"),
        asked=error.operation_name,
        words=str(told.get("Message", "")),
        status=status,
        code=code or None,
        kind=_CODES.get(code),
        vendors_own=not bodiless,
        request_id=meta.get("RequestId"),
        headers=headers,
        retry_after=int(milliseconds) / 1000 if milliseconds.isdigit() else None,
    )
