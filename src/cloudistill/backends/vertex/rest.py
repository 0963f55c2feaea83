"""The methods of aiplatform that google-genai has no call for, by plain HTTP with the same credentials and errors.

google-cloud-aiplatform has them, but takes seconds to import, and pins google-genai below 3.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast

from cloudistill.backends.backend import load_sdk
from cloudistill.backends.common import unusable
from cloudistill.core.errors import PlatformError

Body = dict[str, Any]


class Rest:
    """One service, at `endpoint` or at Google's own host for a resource's location; `timeout` in seconds."""

    def __init__(self, credentials: Any, endpoint: str | None, timeout: float) -> None:
        self._credentials, self._endpoint, self._timeout = credentials, endpoint, timeout

    def get(self, name: str) -> Body | None:
        """The resource of that full name; None when there is none."""
        return self._send("GET", name)

    def order(self, method: str, name: str, body: Body | None = None) -> bool:
        """Ask for something that takes a while; whether it is done already, as it is when the resource is gone.

        Raises:
            PlatformError: the operation has failed.
        """
        operation = self._send(method, name, body)
        if operation and operation.get("error"):
            told = operation["error"]
            words = f"Google Vertex AI: {method} {name}: {told.get('message')}"
            raise PlatformError(words, platform="vertex", code=str(told.get("code")), outcome="refused")
        return operation is None or operation.get("done") is True

    def _send(self, method: str, name: str, body: Body | None = None) -> Body | None:
        requests, errors = load_sdk("requests", extra="vertex"), load_sdk("google.genai.errors", extra="vertex")
        url = f"{self._base(name)}/v1beta1/{name}"
        answer = requests.request(method, url, json=body, headers=self._headers(), timeout=self._timeout)
        if answer.ok:
            return _object(answer, f"{method} {name}")
        told = _google_error(answer)
        if answer.status_code == HTTPStatus.NOT_FOUND and told.get("status") == "NOT_FOUND":
            return None
        raise errors.APIError(answer.status_code, {"error": told} if told else {"message": answer.text}, answer)

    def _headers(self) -> dict[str, str]:
        """A bearer token, as google-genai gets it; google-auth's own session would ask Google for regions as well."""
        transport = load_sdk("google.auth.transport.requests", extra="vertex")
        headers: dict[str, str] = {}
        if not self._credentials.valid:
            self._credentials.refresh(transport.Request())
        self._credentials.apply(headers)
        return headers

    def _base(self, name: str) -> str:
        """Where the resource's location is served."""
        if self._endpoint:
            return self._endpoint.rstrip("/")
        return host_for(name.split("/")[3])


def host_for(location: str) -> str:
    """Google's own address for a region, a multi-region or `global`."""
    if location in {"us", "eu"}:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{'' if location == 'global' else f'{location}-'}aiplatform.googleapis.com"


def _object(answer: Any, asked: str) -> Body:
    try:
        body: Any = answer.json()
    except ValueError:
        body = answer.text
    if not isinstance(body, dict):
        raise unusable("vertex", asked, body)
    return cast("Body", body)


def _google_error(answer: Any) -> Body:
    """Google's own error object; empty for a proxy's page."""
    try:
        told: Any = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return cast("Body", told) if isinstance(told, dict) else {}
