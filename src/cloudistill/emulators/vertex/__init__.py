"""Google Vertex AI on loopback: tuning jobs and generateContent, Cloud Storage, and a service account to call them."""

from __future__ import annotations

from cloudistill.emulators.clock import Clock
from cloudistill.emulators.server import Server
from cloudistill.emulators.teacher import Teacher
from cloudistill.emulators.vertex.api import build_app
from cloudistill.emulators.vertex.call import NUMBER, PROJECT, Routes
from cloudistill.emulators.vertex.identity import Identity
from cloudistill.emulators.vertex.jobs import Job
from cloudistill.emulators.vertex.ledger import Ledger
from cloudistill.emulators.vertex.predictions import PredictionService
from cloudistill.emulators.vertex.registry import Registry
from cloudistill.emulators.vertex.storage import Buckets
from cloudistill.emulators.vertex.tuning import TuningService

BUCKET = "cloudistill-emulated"
LOCATION = "us-central1"


class VertexEmulator:
    """One project of an emulated Google Cloud, from `start` to `stop`."""

    def __init__(self, *, clock: Clock, teacher: Teacher) -> None:
        self._ledger = Ledger()
        self.buckets = Buckets(BUCKET, project_number=NUMBER)
        self.tuning = TuningService(self._ledger, self.buckets, teacher)
        self.registry = Registry(self._ledger)
        services = (self.tuning, self.registry, PredictionService(self._ledger, teacher))
        routes = Routes(rule for service in services for rule in service.rules())
        self.identity = Identity(PROJECT)
        self.server = Server(build_app(routes, self.identity, clock), "vertex")

    @property
    def jobs(self) -> list[Job]:
        """Every tuning job that was ever taken, oldest first: each was paid for."""
        return self._ledger.all()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point Google's SDKs, and cloudistill, here."""
        return {
            "GOOGLE_APPLICATION_CREDENTIALS": str(self.identity.file),
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "GOOGLE_CLOUD_LOCATION": LOCATION,
            "GOOGLE_VERTEX_BASE_URL": self.server.url,
            "GOOGLE_GENAI_USE_VERTEXAI": "true",
            "STORAGE_EMULATOR_HOST": self.buckets.url,
            "CLOUDISTILL_VERTEX_BUCKET": BUCKET,
            "NO_GCE_CHECK": "true",
        }

    def start(self) -> None:
        """Serve Cloud Storage and aiplatform, and write the service account's key file."""
        self.identity.publish(token_uri=f"{self.server.url}/token")
        self.buckets.start()
        self.server.start()

    def stop(self) -> None:
        """Close both ports and remove the key file."""
        self.server.stop()
        self.buckets.stop()
        self.identity.forget()
