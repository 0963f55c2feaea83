"""A Google Cloud project as jobs need it: credentials, clients, location and bucket, each named when it is missing."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from cloudistill.backends.backend import load_sdk
from cloudistill.backends.common import host_of, missing, require_secure, require_tuned_in, setting, without_secret
from cloudistill.backends.vertex import answers, errors
from cloudistill.backends.vertex.bucket import Bucket
from cloudistill.backends.vertex.rest import Rest
from cloudistill.core.errors import PlatformError
from cloudistill.core.refs import ModelRef

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.genai import Client

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class Setup:
    """What was given, what the environment and google-auth's chain say, and what Google says of it."""

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
                options = types.HttpOptions(
                    base_url=self._endpoint,
                    timeout=int(self._timeout * 1000),
                    client_args={"follow_redirects": False},  # an order goes to whom it was sent, once
                )
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
                self._storage._http.max_redirects = 0  # one would carry the training data to another host
            return self._storage

    def objects(self, bucket: str) -> Bucket:
        """The objects of a bucket."""
        return Bucket(self.storage, bucket, self._timeout)

    def rest(self) -> Rest:
        """The methods that google-genai lacks."""
        return Rest(self.credentials, self._endpoint, self._timeout)

    def classify(self, error: Exception) -> PlatformError:
        """Name an SDK's exception in our tree."""
        return without_secret(errors.classify(error), getattr(self._credentials, "token", None) or "")

    def payer(self) -> str:
        """`gcp <project> <location> [<endpoint that is not Google's>]`."""
        elsewhere = [host_of(self._endpoint)] if self._endpoint else []
        return " ".join(["gcp", self.project, self.location, *elsewhere])

    def check_service(self) -> None:
        """Raise unless tuning jobs may be listed here."""
        with answers.quiet():
            self.client(self.location).tunings.list(config={"page_size": 1})

    def check_bucket(self) -> None:
        """Raise unless the bucket can be reached."""
        self.storage.get_bucket(self.bucket, retry=None, timeout=self._timeout)
