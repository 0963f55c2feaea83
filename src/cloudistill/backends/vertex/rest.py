"""The methods of aiplatform that google-genai has no call for, by plain HTTP with the same credentials and errors.

google-cloud-aiplatform has them, but takes seconds to import, and pins google-genai below 3.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast

from cloudistill.backends.backend import load_sdk
from cloudistill.backends.common import unusable
from cloudistill.backends.vertex.orders import location_of
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
        told: Any = operation.get("error") if operation else None
        if told:
            status = cast("Body", told) if isinstance(told, dict) else {"message": told}
            words = f"Google Vertex AI: {method} {name}: {status.get('message')}"
            raise PlatformError(words, platform="vertex", code=str(status.get("code")), outcome="refused")
        return operation is None or operation.get("done") is True

    def _send(self, method: str, name: str, body: Body | None = None) -> Body | None:
        requests, errors = load_sdk("requests", extra="vertex"), load_sdk("google.genai.errors", extra="vertex")
        url = f"{self._base(name)}/v1beta1/{name}"
        once: dict[str, Any] = {"timeout": self._timeout, "allow_redirects": False}
        answer = requests.request(method, url, json=body, auth=self._signed, **once)
        if answer.status_code == HTTPStatus.OK:
            return _object(answer, f"{method} {name}")
        told = _google_error(answer)
        if answer.status_code == HTTPStatus.NOT_FOUND and told.get("status") == "NOT_FOUND":
            return None
        raise errors.APIError(answer.status_code, {"error": told} if told else {"message": answer.text}, answer)

    def _signed(self, request: Any) -> Any:
        """The request with a bearer token, as google-genai gets it; google-auth's own session asks for regions as well.

        Given as `auth`, because requests would put what a .netrc says over a header.
        """
        transport = load_sdk("google.auth.transport.requests", extra="vertex")
        if not self._credentials.valid:
            self._credentials.refresh(transport.Request())
        self._credentials.apply(request.headers)
        return request

    def _base(self, name: str) -> str:
        """Where the resource's location is served.

        Raises:
            UnusableAnswer: the name, which Google may have given, is none.
        """
        location = location_of(name)
        if location is None:
            raise unusable("vertex", "the name of a resource", name)
        return self._endpoint.rstrip("/") if self._endpoint else host_for(location)


def entries(body: Body | None, member: str) -> list[Body]:
    """The objects in a repeated member, which Google leaves out where it is empty.

    Raises:
        UnusableAnswer: it holds something else.
    """
    told: Any = (body or {}).get(member) or []
    found = cast("list[Any]", told)
    if not isinstance(told, list) or not all(isinstance(one, dict) for one in found):
        raise unusable("vertex", f"a list of {member}", found)
    return found


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
