"""The SDKs' own exceptions, built as the SDKs build them, in our tree."""

from __future__ import annotations

import json
from typing import Any

import httpx
import httpx2
import openai
import pytest
from botocore import exceptions as boto
from google.api_core import exceptions as core
from google.auth import exceptions as auth
from google.genai import errors as genai

from cloudistill.backends.bedrock import BedrockBackend
from cloudistill.backends.openai import OpenAIBackend
from cloudistill.backends.vertex import VertexBackend
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

POST = httpx2.Request("POST", "https://api.openai.com/v1/fine_tuning/jobs")


def from_openai(status: int, code: str | None, message: str = "no", kind: str = "some_error") -> openai.APIStatusError:
    """As the SDK makes it of an answer."""
    body = {"error": {"code": code, "message": message, "type": kind}}
    response = httpx2.Response(status, json=body, headers={"x-request-id": "req_7"}, request=POST)
    client = openai.OpenAI(api_key="k")
    made = client._make_status_error_from_response(response)  # pyright: ignore[reportPrivateUsage]
    client.close()
    return made


@pytest.mark.parametrize(
    ("status", "code", "kind", "outcome"),
    [
        (400, "invalid_value", InvalidRequest, "refused"),
        (401, "invalid_api_key", AuthenticationFailed, "refused"),
        (403, None, PermissionDenied, "refused"),
        (404, "model_not_found", NotFound, "refused"),
        (408, None, ServiceTrouble, "maybe"),
        (409, None, ServiceTrouble, "maybe"),
        (422, None, InvalidRequest, "refused"),
        (425, None, ServiceTrouble, "maybe"),
        (429, "rate_limit_exceeded", RateLimited, "refused"),
        (429, "insufficient_quota", QuotaExceeded, "refused"),
        (429, "credit_balance_exhausted", QuotaExceeded, "refused"),
        (400, "billing_hard_limit_reached", QuotaExceeded, "refused"),
        (500, None, ServiceTrouble, "maybe"),
        (503, "server_error", ServiceTrouble, "maybe"),
    ],
)
def test_openais_answers_by_status_and_code(status: int, code: str | None, kind: type[PlatformError], outcome: str):
    error = OpenAIBackend().classify(from_openai(status, code))
    assert (type(error), error.outcome, error.status, error.request_id) == (kind, outcome, status, "req_7")
    assert "POST /v1/fine_tuning/jobs: no (" in str(error)
    assert error.code == (code or "some_error")


def test_a_code_nobody_knows_of_the_quota_type_is_a_quota():
    error = OpenAIBackend().classify(from_openai(429, "team_limit_exceeded", kind="insufficient_quota"))
    assert (type(error), error.code) == (QuotaExceeded, "team_limit_exceeded")


def test_a_file_that_is_not_ready_means_wait():
    error = OpenAIBackend().classify(from_openai(400, None, "File file-1 is not ready"))
    assert isinstance(error, ServiceTrouble)
    assert (error.retryable, error.outcome) == (True, "refused")


def raised(error: Exception, cause: Exception) -> Exception:
    """`error` as if raised from `cause`."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "outcome"),
    [
        (raised(openai.APIConnectionError(request=POST), httpx2.ConnectError("refused")), ServiceTrouble, "not-sent"),
        (raised(openai.APITimeoutError(request=POST), httpx2.ConnectTimeout("slow")), ServiceTrouble, "not-sent"),
        (raised(openai.APITimeoutError(request=POST), httpx2.ReadTimeout("slow")), ServiceTrouble, "maybe"),
        (raised(openai.APIConnectionError(request=POST), httpx2.ReadError("reset")), ServiceTrouble, "maybe"),
        (openai.OpenAIError("no credentials"), AuthenticationFailed, "not-sent"),
        (json.JSONDecodeError("no", "", 0), UnusableAnswer, "maybe"),
        (RecursionError(), UnusableAnswer, "maybe"),
    ],
)
def test_openais_requests_without_an_answer(error: Exception, kind: type[PlatformError], outcome: str):
    found = OpenAIBackend().classify(error)
    assert (type(found), found.outcome) == (kind, outcome)


def from_aws(code: str, status: int, message: str = "no") -> boto.ClientError:
    """As botocore makes it of an answer."""
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "7", "HTTPHeaders": {"x-amz-retry-after": "1500"}},
    }
    return boto.ClientError(answer, "CreateModelCustomizationJob")


@pytest.mark.parametrize(
    ("code", "status", "kind", "outcome"),
    [
        ("ValidationException", 400, InvalidRequest, "refused"),
        ("TooManyTagsException", 400, InvalidRequest, "refused"),
        ("ConflictException", 400, NameConflict, "refused"),
        ("ResourceInUseException", 400, NameConflict, "refused"),
        ("ServiceQuotaExceededException", 400, QuotaExceeded, "refused"),
        ("ResourceNotFoundException", 404, NotFound, "refused"),
        ("NoSuchBucket", 404, NotFound, "refused"),
        ("404", 404, NotFound, "maybe"),
        ("403", 403, PermissionDenied, "maybe"),
        ("AccessDeniedException", 403, PermissionDenied, "refused"),
        ("UnrecognizedClientException", 403, AuthenticationFailed, "refused"),
        ("ExpiredTokenException", 403, AuthenticationFailed, "refused"),
        ("RequestTimeTooSkewed", 403, AuthenticationFailed, "refused"),
        ("ThrottlingException", 429, RateLimited, "refused"),
        ("ModelTimeoutException", 408, ServiceTrouble, "maybe"),
        ("InternalServerException", 500, ServiceTrouble, "maybe"),
        ("ServiceUnavailableException", 503, ServiceTrouble, "maybe"),
        ("SomethingNewException", 400, InvalidRequest, "refused"),
    ],
)
def test_aws_answers_by_code(code: str, status: int, kind: type[PlatformError], outcome: str):
    error = BedrockBackend().classify(from_aws(code, status))
    assert (type(error), error.outcome, error.status, error.request_id) == (kind, outcome, status, "7")
    assert (error.code, error.retry_after) == (code, 1.5)
    assert "CreateModelCustomizationJob: no (" in str(error)


def test_a_role_made_a_moment_ago_means_wait():
    message = "Could not assume provided IAM role: arn:aws:iam::1:role/R"
    error = BedrockBackend().classify(from_aws("ValidationException", 400, message))
    assert isinstance(error, ServiceTrouble)
    assert (error.retryable, error.outcome) == (True, "refused")


URL = "https://bedrock.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("error", "kind", "outcome"),
    [
        (boto.EndpointConnectionError(endpoint_url=URL), ServiceTrouble, "not-sent"),
        (boto.ConnectTimeoutError(endpoint_url=URL), ServiceTrouble, "not-sent"),
        (boto.SSLError(endpoint_url=URL, error=OSError("bad certificate")), ServiceTrouble, "not-sent"),
        (boto.ProxyConnectionError(proxy_url=URL), ServiceTrouble, "not-sent"),
        (boto.ReadTimeoutError(endpoint_url=URL), ServiceTrouble, "maybe"),
        (boto.ConnectionClosedError(endpoint_url=URL), ServiceTrouble, "maybe"),
        (boto.NoCredentialsError(), AuthenticationFailed, "not-sent"),
        (boto.TokenRetrievalError(provider="sso", error_msg="expired"), AuthenticationFailed, "not-sent"),
        (boto.ParamValidationError(report="jobName missing"), InvalidRequest, "not-sent"),
    ],
)
def test_awss_requests_without_an_answer(error: Exception, kind: type[PlatformError], outcome: str):
    found = BedrockBackend().classify(error)
    assert (type(found), found.outcome) == (kind, outcome)


def from_google(code: int, status: str, *details: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    """As google-genai makes it of an answer."""
    body = {"error": {"code": code, "status": status, "message": "no", "details": [*details]}}
    request = httpx.Request("POST", "https://us-central1-aiplatform.googleapis.com/v1beta1/tuningJobs")
    return genai.APIError(code, body, httpx.Response(code, json=body, headers=headers, request=request))


@pytest.mark.parametrize(
    ("error", "kind", "outcome"),
    [
        (from_google(400, "INVALID_ARGUMENT"), InvalidRequest, "refused"),
        (from_google(401, "UNAUTHENTICATED"), AuthenticationFailed, "refused"),
        (from_google(403, "PERMISSION_DENIED"), PermissionDenied, "refused"),
        (from_google(404, "NOT_FOUND"), NotFound, "refused"),
        (from_google(409, "ALREADY_EXISTS"), NameConflict, "maybe"),
        (from_google(409, "ABORTED"), ServiceTrouble, "maybe"),
        (from_google(429, "RESOURCE_EXHAUSTED"), RateLimited, "refused"),
        (from_google(429, "RESOURCE_EXHAUSTED", {"reason": "QUOTA_EXCEEDED"}), QuotaExceeded, "refused"),
        (from_google(503, "UNAVAILABLE"), ServiceTrouble, "maybe"),
    ],
)
def test_googles_answers_by_status(error: Any, kind: type[PlatformError], outcome: str):
    found = VertexBackend().classify(error)
    assert (type(found), found.outcome, found.status) == (kind, outcome, error.code)
    assert found.code == error.status
    assert "POST /v1beta1/tuningJobs: no (" in str(found)


def test_google_may_say_when_to_ask_again_in_the_body():
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.5s"}
    assert VertexBackend().classify(from_google(429, "RESOURCE_EXHAUSTED", retry)).retry_after == 12.5


@pytest.mark.parametrize(
    ("error", "kind", "outcome"),
    [
        (httpx.ConnectError("refused"), ServiceTrouble, "not-sent"),
        (httpx2.ConnectTimeout("slow"), ServiceTrouble, "not-sent"),
        (httpx.ReadTimeout("slow"), ServiceTrouble, "maybe"),
        (httpx2.RemoteProtocolError("truncated"), ServiceTrouble, "maybe"),
        (auth.RefreshError("invalid_grant"), AuthenticationFailed, "not-sent"),
        (auth.TransportError("token endpoint"), ServiceTrouble, "not-sent"),
        (core.Forbidden("no", errors=[{"reason": "forbidden"}]), PermissionDenied, "refused"),
        (core.NotFound("no"), NotFound, "maybe"),
        (core.TooManyRequests("no"), RateLimited, "maybe"),
        (core.ServiceUnavailable("no"), ServiceTrouble, "maybe"),
        (json.JSONDecodeError("no", "", 0), UnusableAnswer, "maybe"),
    ],
)
def test_googles_other_trouble(error: Exception, kind: type[PlatformError], outcome: str):
    found = VertexBackend().classify(error)
    assert (type(found), found.outcome) == (kind, outcome)
