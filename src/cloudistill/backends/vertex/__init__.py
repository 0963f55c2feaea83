"""Google Vertex AI over google-genai and google-cloud-storage: files in a bucket, tuning jobs, generateContent."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudistill.backends.backend import Answer, Request, load_sdk
from cloudistill.backends.common import (
    MARKER,
    Findings,
    host_of,
    missing,
    require_secure,
    require_tuned_in,
    setting,
    training_file,
    unusable,
)
from cloudistill.backends.vertex import answers, errors, orders, preflight
from cloudistill.core.errors import PlatformError
from cloudistill.core.job import Job, JobSpec
from cloudistill.core.refs import FileRef, JobRef, ModelRef
from cloudistill.platforms.platform import load

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.genai import Client

CHUNK = 8 * 1024 * 1024
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class VertexBackend:
    """Cloud Storage, tuning jobs, and models wherever they are served.

    Args:
        project: else `GOOGLE_CLOUD_PROJECT`, else the credentials' own.
        location: where jobs run; else `GOOGLE_CLOUD_LOCATION`. Models are called where they live.
        bucket: for training files; else `CLOUDISTILL_VERTEX_BUCKET`.
        credentials: ready google-auth credentials; else the application default.
        base_url: another endpoint; else `GOOGLE_VERTEX_BASE_URL`, else Google's own for the location.
        timeout: seconds to wait for a connection, and for each part of an answer.
    """

    platform = "vertex"
    idempotent = False

    def __init__(
        self,
        *,
        project: str | None = None,
        location: str | None = None,
        bucket: str | None = None,
        credentials: Credentials | None = None,
        base_url: str | None = None,
        timeout: float = 120.0,
    ) -> None:
        self._project = project
        self._location = location
        self._bucket = bucket
        self._credentials = credentials
        self._base_url = base_url
        self._timeout = timeout
        self._lock = threading.RLock()
        self._clients: dict[str, Client] = {}
        self._storage: Any = None

    # -- setup

    @property
    def credentials(self) -> Credentials:
        """Whose calls these are; google-auth's chain finds them once."""
        with self._lock:
            if self._credentials is None:
                auth, wrong = (load_sdk(name, extra="vertex") for name in ("google.auth", "google.auth.exceptions"))
                try:
                    self._credentials, own = auth.default(scopes=[_SCOPE])
                except wrong.DefaultCredentialsError as error:
                    raise missing(
                        "missing-credentials",
                        "There are no Google credentials.",
                        "Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS.",
                    ) from error
                self._project = self._project or os.environ.get("GOOGLE_CLOUD_PROJECT") or own
            assert self._credentials is not None  # noqa: S101 - default() raises or finds
            return self._credentials

    @property
    def project(self) -> str:
        """Whose models and money these are."""
        given = self._project or os.environ.get("GOOGLE_CLOUD_PROJECT")
        return setting(
            given or (self.credentials and self._project),
            "GOOGLE_CLOUD_PROJECT",
            rule="missing-project",
            message="There is no Google Cloud project.",
            remedy="Set GOOGLE_CLOUD_PROJECT, or pass project=….",
        )

    @property
    def location(self) -> str:
        """Where tuning jobs run."""
        return setting(
            self._location,
            "GOOGLE_CLOUD_LOCATION",
            rule="missing-location",
            message="There is no location for tuning jobs.",
            remedy="Set GOOGLE_CLOUD_LOCATION (us-central1, say), or pass location=….",
        )

    @property
    def bucket(self) -> str:
        """Where training files lie."""
        bucket = setting(
            self._bucket,
            "CLOUDISTILL_VERTEX_BUCKET",
            rule="missing-bucket",
            message="There is no Cloud Storage bucket for training files.",
            remedy="Set CLOUDISTILL_VERTEX_BUCKET, or pass bucket=….",
        )
        return bucket.removeprefix("gs://").rstrip("/")

    @property
    def _endpoint(self) -> str | None:
        url = self._base_url or os.environ.get("GOOGLE_VERTEX_BASE_URL")
        return require_secure(url, "GOOGLE_VERTEX_BASE_URL") if url else None

    def require_location(self, student: ModelRef | None) -> None:
        """Raise unless there is a location, and the student can be tuned in it."""
        location = self.location
        if student:
            require_tuned_in(location, student, kind="location", remedy="Set GOOGLE_CLOUD_LOCATION={place}.")

    def client(self, location: str) -> Client:
        """The SDK's client for a location, without retries, kept: it closes its connections when it is dropped."""
        with self._lock:
            if location not in self._clients:
                genai, types = (load_sdk(name, extra="vertex") for name in ("google.genai", "google.genai.types"))
                options = types.HttpOptions(base_url=self._endpoint, timeout=int(self._timeout * 1000))
                # all four are said: left to its own chain the SDK ignores the endpoint or loses the project
                self._clients[location] = genai.Client(
                    vertexai=True,
                    project=self.project,
                    location=location,
                    credentials=self.credentials,
                    http_options=options,
                )
            return self._clients[location]

    @property
    def storage(self) -> Any:
        """The Cloud Storage client; its calls are given `retry=None` one by one."""
        with self._lock:
            if self._storage is None:
                sdk = load_sdk("google.cloud.storage", extra="vertex")
                # an emulator needs no token, and google-auth would ask Google itself where one may be sent
                emulated = "STORAGE_EMULATOR_HOST" in os.environ
                self._storage = sdk.Client(project=self.project, credentials=None if emulated else self.credentials)
            return self._storage

    def classify(self, error: Exception) -> PlatformError:
        """Name an SDK's exception in our tree."""
        return errors.classify(error)

    def payer(self) -> str:
        """`gcp <project> <location> [<endpoint that is not Google's>]`."""
        elsewhere = [host_of(self._endpoint)] if self._endpoint else []
        return " ".join(["gcp", self.project, self.location, *elsewhere])

    def preflight(self, student: ModelRef | None = None) -> Findings:
        """Credentials, project, location, the API, the bucket."""
        return preflight.findings(self, student)

    def check_service(self) -> None:
        """Raise unless tuning jobs may be listed here."""
        with answers.quiet():
            self.client(self.location).tunings.list(config={"page_size": 1})

    def check_bucket(self) -> None:
        """Raise unless the bucket can be reached."""
        self.storage.get_bucket(self.bucket, retry=None, timeout=self._timeout)

    # -- training

    def upload(self, path: Path, *, fingerprint: str) -> FileRef:
        """Store a training file under its content's name; what is there already is not sent again."""
        key, size, bucket = f"cloudistill/{fingerprint}.jsonl", path.stat().st_size, self.storage.bucket(self.bucket)
        stored = bucket.get_blob(key, retry=None, timeout=self._timeout)
        if stored is None or stored.size != size:
            self._send(bucket.blob(key, chunk_size=CHUNK), path, generation=stored.generation if stored else 0)
        return FileRef("vertex", f"gs://{self.bucket}/{key}")

    def _send(self, blob: Any, path: Path, *, generation: int) -> None:
        """Write the object, unless somebody else has just written it: its name is its content."""
        there = load_sdk("google.api_core.exceptions", extra="vertex").PreconditionFailed
        with path.open("rb") as stream:
            try:
                blob.upload_from_file(
                    stream,
                    size=path.stat().st_size,
                    content_type="application/jsonl",
                    if_generation_match=generation,
                    checksum="crc32c",
                    retry=None,
                    timeout=self._timeout,
                )
            except there:
                return

    def accepts(self, spec: JobSpec) -> None:
        """Refuse what Vertex's create request has no place for."""
        self.require_location(spec.student)
        orders.create_config(spec)

    def submit(self, spec: JobSpec) -> Job:
        """Send the paid order, exactly one request."""
        self.require_location(spec.student)
        config = orders.create_config(spec)
        tunings = self.client(self.location).tunings
        with answers.quiet():
            found = tunings.tune(
                base_model=spec.student.id, training_dataset={"gcs_uri": training_file(spec)}, config=config
            )
        return orders.to_job(found, "POST tuningJobs")

    def find(self, spec: JobSpec) -> Job | None:
        """The job that carries the order's marker.

        Google does not document the filter: it is a hint, and a list without it is looked through as well.
        """
        wrong = load_sdk("google.genai.errors", extra="vertex").ClientError
        try:
            found = self._marked(spec.marker, f"labels.{MARKER}={spec.marker}")
        except wrong:  # what is wrong with more than the hint shows again without it
            found = None
        return found or self._marked(spec.marker)

    def _marked(self, marker: str, hint: str | None = None) -> Job | None:
        return next((job for job in self._jobs(hint) if job.marker == marker), None)

    def poll(self, ref: JobRef) -> Job:
        """One GET, at the job's own location."""
        with answers.quiet():
            found = self.client(orders.location_of(ref.id) or self.location).tunings.get(name=ref.id)
        job = orders.to_job(found, f"GET {ref.id}")
        if job.ref.id.rpartition("/")[2] != ref.id.rpartition("/")[2]:
            raise unusable("vertex", f"GET {ref.id}", job.ref)
        return job

    def cancel(self, ref: JobRef) -> None:
        """Ask Vertex to stop the job."""
        self.client(orders.location_of(ref.id) or self.location).tunings.cancel(name=ref.id)

    def list(self) -> Iterator[Job]:
        """The project's tuning jobs in this location, page by page."""
        return self._jobs()

    def _jobs(self, hint: str | None = None) -> Iterator[Job]:
        with answers.quiet():
            pager = self.client(self.location).tunings.list(config={"page_size": 100, "filter": hint})
        while True:
            yield from [orders.to_job(found, "GET tuningJobs") for found in pager.page]
            try:
                with answers.quiet():
                    pager.next_page()
            except IndexError:  # how the SDK says that this was the last page
                return

    # -- answering

    def generate(self, model: ModelRef, request: Request) -> Answer:
        """Ask `model` where it lives: a tuned one in its endpoint's location, a base model where it is served."""
        return answers.answer(self.client(self._home_of(model)), model, request)

    def _home_of(self, model: ModelRef) -> str:
        home = orders.location_of(model.id)
        if home:
            return home
        known = load("vertex").model(model.id)
        served = known.inference_locations if known else ()
        return served[0] if served else self.location
