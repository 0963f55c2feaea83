"""OpenAI, and whoever speaks its protocol at another `base_url`, over the openai SDK."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudistill.backends.backend import Answer, Request, load_sdk
from cloudistill.backends.common import (
    MARKER,
    Findings,
    Kept,
    Metrics,
    checked_secret,
    host_of,
    require_secure,
    setting,
    unusable,
    without_secret,
)
from cloudistill.backends.openai import answers, errors, offers, orders, preflight, removal, reports, results, uploads
from cloudistill.backends.openai.pages import every, page
from cloudistill.core.errors import PlatformError
from cloudistill.core.job import Job, JobEvent, JobSpec, Offer
from cloudistill.core.refs import FileRef, JobRef, ModelRef
from cloudistill.platforms.platform import load

if TYPE_CHECKING:
    from openai import OpenAI

NEWEST = 2_000
"""How many of a job's events are read: OpenAI gives the newest first, and a long job has a hundred thousand."""
_PAGE = 100


class OpenAIBackend:
    """Files, fine-tuning jobs and chat completions.

    Threads may share one: it holds nothing but the SDK's client, made under a lock when it is first needed, and that
    client's connections, which are safe to share. An iterator it returned belongs to the thread that reads it.

    Args:
        client: a ready `openai.OpenAI`; its retries are switched off in a copy.
        base_url: another host that speaks the protocol; else `OPENAI_BASE_URL`, else OpenAI's own.
        api_key: else `OPENAI_API_KEY`.
        timeout: seconds to wait for a connection, and for each part of an answer.
        single_upload_bytes: the largest file that is sent in one request; the platform's limit, unless another host
            takes more, or has no Uploads API.
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
        single_upload_bytes: int | None = None,
    ) -> None:
        self._given = client
        self._base_url = base_url
        self._api_key = api_key
        self._timeout = timeout
        self._single_upload_bytes = single_upload_bytes
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
        page(self.client.models.list, "GET /models")

    def offer(self, model: ModelRef) -> Offer:
        """What OpenAI says of `model` to this account: whether it is served, and its last day if one is announced."""
        return offers.offer(self.client, model)

    # -- training

    def upload(self, path: Path, *, fingerprint: str) -> FileRef:
        """Store a training file; one of the same content, by name and size, is found and not sent twice."""
        filename, size = f"cloudistill-{fingerprint[:32]}.jsonl", path.stat().st_size
        found = uploads.find(self.client, filename, size)
        return FileRef("openai", found or self._send(path, filename, size))

    def _send(self, path: Path, filename: str, size: int) -> str:
        limits = load("openai").limits
        most, part = self._single_upload_bytes or limits.single_upload_bytes, limits.upload_part_bytes
        if part is None or most is None or size <= most:
            return uploads.send_whole(self.client, path, filename)
        return uploads.send_in_parts(self.client, path, filename, part)

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
        return orders.to_job(self._described(ref), f"GET /fine_tuning/jobs/{ref.id}")

    def _described(self, ref: JobRef) -> Any:
        found = self.client.fine_tuning.jobs.retrieve(ref.id)
        if getattr(found, "id", None) != ref.id:
            raise unusable("openai", f"GET /fine_tuning/jobs/{ref.id}", found)
        return found

    def cancel(self, ref: JobRef) -> None:
        """Ask OpenAI to stop the job."""
        orders.to_job(self.client.fine_tuning.jobs.cancel(ref.id), f"POST /fine_tuning/jobs/{ref.id}/cancel")

    def pause(self, ref: JobRef) -> None:
        """Ask OpenAI to hold the job; only one that runs can be held."""
        orders.to_job(self.client.fine_tuning.jobs.pause(ref.id), f"POST /fine_tuning/jobs/{ref.id}/pause")

    def resume(self, ref: JobRef) -> None:
        """Put a held job back into the queue."""
        orders.to_job(self.client.fine_tuning.jobs.resume(ref.id), f"POST /fine_tuning/jobs/{ref.id}/resume")

    def list(self) -> Iterator[Job]:
        """The project's tuning jobs, newest first, page by page."""
        return self._jobs()

    def _jobs(self, **query: Any) -> Iterator[Job]:
        asked = "GET /fine_tuning/jobs"
        for found in every(partial(self.client.fine_tuning.jobs.list, limit=_PAGE, **query), asked):
            yield orders.to_job(found, asked)

    # -- how a job goes

    def events(self, ref: JobRef) -> Iterator[JobEvent]:
        """The job's events, oldest first. Above `NEWEST` the older ones are left out, which the first line says."""
        asked = f"GET /fine_tuning/jobs/{ref.id}/events"
        told = [reports.to_event(found, asked) for found in self._events(ref)]
        if len(told) > NEWEST:
            yield JobEvent(message=f"older events are left out here: these are the newest {NEWEST:,}", level="warning")
        yield from reports.oldest_first(told[:NEWEST])

    def metrics(self, ref: JobRef) -> Metrics:
        """What the job's result files say; as long as they say nothing, what is in its newest events."""
        named: list[str] = self._described(ref).result_files or []
        told = reports.steps(row for file in named for row in self._result(file))
        return told or reports.steps(self._measured(ref))

    def _events(self, ref: JobRef) -> Iterator[Any]:
        """Newest first, and one more than `NEWEST` if there are more."""
        jobs, asked = self.client.fine_tuning.jobs, f"GET /fine_tuning/jobs/{ref.id}/events"
        return islice(every(partial(jobs.list_events, ref.id, limit=_PAGE), asked), NEWEST + 1)

    def _measured(self, ref: JobRef) -> Iterator[Mapping[str, Any]]:
        for event in self._events(ref):
            if getattr(event, "type", None) == reports.METRICS:
                yield reports.measured_by(event)

    def _result(self, file: str) -> Iterator[Mapping[str, Any]]:
        """The rows of a result file; none when it was deleted, or is too large to be one."""
        asked = f"GET /files/{file}/content"
        content = removal.unless_gone(lambda: results.content(self.client, file))
        return reports.rows_of(content or b"", asked)

    def checkpoints(self, ref: JobRef) -> Kept:
        """What OpenAI keeps of the last epochs once the job has succeeded, oldest first; each is a model."""
        asked = f"GET /fine_tuning/jobs/{ref.id}/checkpoints"
        found = every(partial(self.client.fine_tuning.jobs.checkpoints.list, ref.id), asked)
        return sorted((reports.to_checkpoint(one, ref, asked) for one in found), key=lambda kept: kept.step or 0)

    # -- what is stored and trained

    def delete_file(self, ref: FileRef) -> None:
        """Remove a stored file; a job that was ordered with it may fail."""
        removal.remove(lambda: self.client.files.delete(ref.id), f"DELETE /files/{ref.id}")

    def delete_model(self, ref: ModelRef) -> None:
        """Remove a fine-tune, at once and for good.

        Raises:
            PermissionDenied: the key is not of an owner of the organisation.
        """
        removal.require_ours(ref)
        try:
            removal.remove(lambda: self.client.models.delete(ref.id), f"DELETE /models/{ref.id}")
        except load_sdk("openai", extra="openai").PermissionDeniedError as error:
            raise removal.with_way_out(self.classify(error)) from error

    # -- answering

    def generate(self, model: ModelRef, request: Request) -> Answer:
        """Ask `model` by a chat completion, which OpenAI is told not to keep."""
        return answers.answer(self.client, model, request)
