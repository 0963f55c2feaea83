"""Acme over HTTP: files by their content, tunes, and questions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import httpx

from cloudistill import (
    Answer,
    FileRef,
    Finding,
    Job,
    JobRef,
    JobSpec,
    JobStatus,
    Message,
    ModelRef,
    Platform,
    Request,
    Usage,
)
from cloudistill.backends import common
from cloudistill.core.errors import AuthenticationFailed, PlatformError, ServiceTrouble, UnusableAnswer
from cloudistill.platforms.platform import load
from cloudistill_acme.turns import AcmeTurns

Rules = dict[type[PlatformError], tuple[str, str]]
OURS = ("base", "file", "labels", "rounds")
CAUSES: tuple[common.Cause, ...] = (
    ((httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError), ServiceTrouble, "not-sent"),
    ((httpx.TransportError,), ServiceTrouble, "maybe"),
    ((ValueError,), UnusableAnswer, "maybe"),
)


class AcmeBackend:
    """Acme's API.

    Args:
        base_url: else `ACME_BASE_URL`.
        api_key: else `ACME_API_KEY`.
        timeout: seconds to wait for a connection, and for each part of an answer.
    """

    platform = "acme"
    idempotent = True

    def __init__(self, *, base_url: str | None = None, api_key: str | None = None, timeout: float = 60.0) -> None:
        self._base_url, self._api_key, self._timeout = base_url, api_key, timeout
        self._client: httpx.Client | None = None

    @property
    def client(self) -> httpx.Client:
        """The HTTP client. Raises MissingSetup when there is no key or address."""
        if self._client is None:
            url = common.require_secure(_set_up(self._base_url, "ACME_BASE_URL"), "ACME_BASE_URL")
            key = common.checked_secret(_set_up(self._api_key, "ACME_API_KEY"), "ACME_API_KEY")
            headers = {"authorization": f"Bearer {key}"}
            self._client = httpx.Client(base_url=url, headers=headers, timeout=self._timeout)
        return self._client

    def classify(self, error: Exception) -> PlatformError:
        """Name what httpx raises in cloudistill's tree."""
        facts = load("acme")
        request = getattr(error, "_request", None)
        asked = f"{request.method} {request.url.path}" if request is not None else "the request"
        if isinstance(error, httpx.HTTPStatusError):
            return self._answered(facts, asked, error.response)
        return common.unanswered(facts, error, asked, CAUSES)

    def _answered(self, facts: Platform, asked: str, answer: httpx.Response) -> PlatformError:
        try:
            said = dict(answer.json())
        except (ValueError, TypeError):
            said = {}
        named = common.answered(
            facts,
            asked=asked,
            words=str(said.get("words", answer.reason_phrase)),
            status=answer.status_code,
            code=said.get("problem"),
            vendors_own="problem" in said,
            headers=answer.headers,
        )
        return common.without_secret(named, self._api_key or "")

    def payer(self) -> str:
        """`acme <host>`."""
        return f"acme {common.host_of(str(self.client.base_url))}"

    def preflight(self, student: ModelRef | None = None) -> list[Finding]:
        """Address and key."""
        remedy = "Set ACME_API_KEY to a key that is valid at this address."
        rules: Rules = {AuthenticationFailed: ("credentials-refused", remedy)}
        return common.probe(self, lambda: next(self.list(), None), rules)

    # -- training

    def upload(self, path: Path, *, fingerprint: str) -> FileRef:
        """Store a file under its fingerprint, unless it is there."""
        with path.open("rb") as stream:
            if not self.client.head(f"/v1/files/{fingerprint}").is_success:
                self._ask("PUT", f"/v1/files/{fingerprint}", content=stream)
        return FileRef("acme", fingerprint)

    def accepts(self, spec: JobSpec) -> None:
        """Refuse what Acme has no place for."""
        _order(spec)

    def submit(self, spec: JobSpec) -> Job:
        """Send the paid order; Acme drops a second one with the same key."""
        return self._job(self._ask("POST", "/v1/tunes", json=_order(spec), headers={"once": spec.marker}), "POST tune")

    def find(self, spec: JobSpec) -> Job | None:
        """The job that carries the order's marker."""
        return next((job for job in self.list() if job.marker == spec.marker), None)

    def poll(self, ref: JobRef) -> Job:
        """One GET."""
        job = self._job(self._ask("GET", f"/v1/tunes/{ref.id}"), f"GET {ref}")
        if job.ref != ref:
            raise common.unusable("acme", f"GET {ref}", job.ref)
        return job

    def cancel(self, ref: JobRef) -> None:
        """Ask Acme to stop the job."""
        self._ask("POST", f"/v1/tunes/{ref.id}/stop")

    def list(self) -> Iterator[Job]:
        """The account's jobs, newest first."""
        after: str | None = ""
        while after is not None:
            page = self._ask("GET", "/v1/tunes", params={"after": after})
            if not isinstance(page.get("tunes"), list):
                raise common.unusable("acme", "GET tunes", page)
            yield from (self._job(found, "GET tunes") for found in page["tunes"])
            after = page.get("next")

    # -- answering

    def generate(self, model: ModelRef, request: Request) -> Answer:
        """Ask `model`."""
        with common.spelling("acme", "not-sent"):
            body: dict[str, Any] = {"model": model.id, **AcmeTurns().encode(request.example)}
        said = self._ask("POST", "/v1/ask", json=body | ({"limit": request.max_tokens} if request.max_tokens else {}))
        if not isinstance(said.get("says"), str):
            raise common.unusable("acme", "POST ask", said)
        return Answer(
            message=Message(role="assistant", content=said["says"]),
            finish_reason=said["stopped"],
            cut_off=load("acme").means("cut-off", said["stopped"]),
            usage=Usage(input_tokens=said["read"], output_tokens=said["written"]),
            model=model.id,
        )

    # -- the wire

    def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        answer = self.client.request(method, path, **request)
        answer.raise_for_status()
        said = answer.json()
        if not isinstance(said, dict):
            raise common.unusable("acme", f"{method} {path}", said)
        return cast("dict[str, Any]", said)

    def _job(self, found: dict[str, Any], asked: str) -> Job:
        if not found.get("id") or not found.get("state"):
            raise common.unusable("acme", asked, found)
        labels: dict[str, str] = found.get("labels") or {}
        status, model = load("acme").status(found["state"]), found.get("model")
        nameless = status is JobStatus.SUCCEEDED and not model
        return Job(
            ref=JobRef("acme", found["id"]),
            status=JobStatus.RUNNING if nameless else status,
            native_status=found["state"],
            model=ModelRef("acme", model) if model and status is JobStatus.SUCCEEDED else None,
            base=found.get("base"),
            marker=labels.get(common.MARKER),
            run=labels.get(common.RUN),
            created=datetime.fromisoformat(found["created"]) if found.get("created") else None,
            failure=found.get("why"),
            warning="Acme does not name the model yet" if nameless else None,
        )


def _order(spec: JobSpec) -> dict[str, Any]:
    common.refuse_members(spec, "validation", "suffix", "seed", "kms_key", "vpc", "service_account", "logs")
    order = {"base": spec.student.id, "file": common.training_file(spec), "labels": common.tags(spec)}
    return order | common.hyperparameters(spec) | common.native_members(spec, {*OURS, "priority"}, OURS)


def _set_up(given: str | None, variable: str) -> str:
    message, remedy = f"Acme's {variable} is not set.", f"Set {variable}, or pass it."
    return common.setting(given, variable, rule="missing-credentials", message=message, remedy=remedy)
