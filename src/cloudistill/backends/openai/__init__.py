"""OpenAI, and whoever speaks its protocol at another `base_url`, over the openai SDK."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudistill.backends.backend import Answer, Request, load_sdk
from cloudistill.backends.common import (
    MARKER,
    Findings,
    checked_secret,
    host_of,
    require_secure,
    setting,
    unusable,
    without_secret,
)
from cloudistill.backends.openai import answers, errors, orders, preflight
from cloudistill.core.errors import PlatformError
from cloudistill.core.job import Job, JobSpec
from cloudistill.core.refs import FileRef, JobRef, ModelRef

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.pagination import SyncCursorPage


class OpenAIBackend:
    """Files, fine-tuning jobs and chat completions.

    Args:
        client: a ready `openai.OpenAI`; its retries are switched off in a copy.
        base_url: another host that speaks the protocol; else `OPENAI_BASE_URL`, else OpenAI's own.
        api_key: else `OPENAI_API_KEY`.
        timeout: seconds to wait for a connection, and for each part of an answer.
    """

    platform = "openai"
    idempotent = False

    def __init__(
        self,
        *,
        client: OpenAI | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 120.0,
    ) -> None:
        self._given = client
        self._base_url = base_url
        self._api_key = api_key
        self._timeout = timeout
        self._lock = threading.Lock()
        self._client: OpenAI | None = None

    @property
    def client(self) -> OpenAI:
        """The SDK's client, without retries. Raises MissingSetup when there is no key, or one that cannot be sent."""
        with self._lock:
            if self._client is None:
                self._client = self._given.with_options(max_retries=0) if self._given else self._connect()
            return self._client

    def _connect(self) -> OpenAI:
        key = setting(
            self._api_key,
            "OPENAI_API_KEY",
            rule="missing-credentials",
            message="There is no OpenAI API key.",
            remedy="Set OPENAI_API_KEY, or pass api_key=….",
        )
        key = checked_secret(key, "the OpenAI API key (OPENAI_API_KEY)")
        sdk = load_sdk("openai", extra="openai")
        # a redirect would carry the training data to another host
        http = sdk.DefaultHttpxClient(follow_redirects=False, timeout=self._timeout)
        made: OpenAI = sdk.OpenAI(
            api_key=key, base_url=self._base_url, max_retries=0, timeout=self._timeout, http_client=http
        )
        require_secure(str(made.base_url), "OPENAI_BASE_URL")
        return made

    def classify(self, error: Exception) -> PlatformError:
        """Name an SDK's exception in our tree."""
        named = errors.classify(error)
        return without_secret(named, self._client.api_key if self._client else "")

    def payer(self) -> str:
        """`openai [organisation] [project] <host>`: a key alone does not say whose it is."""
        client = self.client
        host = host_of(str(client.base_url))
        return " ".join(part for part in ("openai", client.organization, client.project, host) if part)

    def preflight(self, student: ModelRef | None = None) -> Findings:
        """The key, and whether the student's base is served and until when."""
        return preflight.findings(self, student)

    def served(self) -> None:
        """Ask for the list of models: the cheapest call that shows whether the key is good."""
        _page(self.client.models.list, "GET /models")

    def shutdown_date(self, model: ModelRef) -> str | None:
        """The day OpenAI says it switches `model` off."""
        found = self.client.models.retrieve(model.id)
        if not getattr(found, "id", None):
            raise unusable("openai", f"GET /models/{model.id}", found)
        return getattr(found, "shutdown_date", None)

    # -- training

    def upload(self, path: Path, *, fingerprint: str) -> FileRef:
        """Store a training file; one of the same content, by name and size, is found and not sent twice."""
        filename, size = f"cloudistill-{fingerprint[:32]}.jsonl", path.stat().st_size
        for file in _all(lambda: self.client.files.list(purpose="fine-tune"), "GET /files"):
            if (file.filename, file.bytes) == (filename, size) and file.status not in ("error", "deleted"):
                return FileRef("openai", file.id)
        with path.open("rb") as stream:
            sent = self.client.files.create(file=(filename, stream), purpose="fine-tune")
        if not getattr(sent, "id", None) or sent.bytes != size:
            raise unusable("openai", "POST /files", sent)
        return FileRef("openai", sent.id)

    def accepts(self, spec: JobSpec) -> None:
        """Refuse what OpenAI's create request has no place for."""
        orders.create_request(spec)

    def submit(self, spec: JobSpec) -> Job:
        """Send the paid order, exactly one request."""
        request = orders.create_request(spec)
        return orders.to_job(self.client.fine_tuning.jobs.create(**request), "POST /fine_tuning/jobs")

    def find(self, spec: JobSpec) -> Job | None:
        """The job that carries the order's marker; OpenAI's filter is a hint, the comparison is ours."""
        listed = self._jobs(metadata={MARKER: spec.marker})
        return next((job for job in listed if job.marker == spec.marker), None)

    def poll(self, ref: JobRef) -> Job:
        """One GET."""
        asked = f"GET /fine_tuning/jobs/{ref.id}"
        job = orders.to_job(self.client.fine_tuning.jobs.retrieve(ref.id), asked)
        if job.ref != ref:
            raise unusable("openai", asked, job.ref)
        return job

    def cancel(self, ref: JobRef) -> None:
        """Ask OpenAI to stop the job."""
        orders.to_job(self.client.fine_tuning.jobs.cancel(ref.id), f"POST /fine_tuning/jobs/{ref.id}/cancel")

    def list(self) -> Iterator[Job]:
        """The project's tuning jobs, newest first, page by page."""
        return self._jobs()

    def _jobs(self, **query: Any) -> Iterator[Job]:
        asked = "GET /fine_tuning/jobs"
        for found in _all(lambda: self.client.fine_tuning.jobs.list(limit=100, **query), asked):
            yield orders.to_job(found, asked)

    # -- answering

    def generate(self, model: ModelRef, request: Request) -> Answer:
        """Ask `model` by a chat completion, which OpenAI is told not to keep."""
        return answers.answer(self.client, model, request)


def _all(ask: Callable[[], SyncCursorPage[Any]], asked: str) -> Iterator[Any]:
    """Every item of every page; a page that is none is no absence."""
    while True:
        page = _page(ask, asked)
        yield from page.data
        if not page.has_next_page():
            return
        ask = page.get_next_page


def _page(ask: Callable[[], Any], asked: str) -> Any:
    try:
        page = ask()
    except AttributeError as error:  # how the SDK itself fails on a page of text
        raise unusable("openai", asked, str(error)) from error
    if not isinstance(getattr(page, "data", None), list):
        raise unusable("openai", asked, page)
    return page
