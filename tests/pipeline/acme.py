"""A vendor in memory, for what the pipeline does whatever the vendor: the part that every backend has."""

from __future__ import annotations

from cloudistill.core.errors import PlatformError, ServiceTrouble
from cloudistill.core.finding import Finding
from cloudistill.core.refs import ModelRef


class Backend:
    """Pays for itself, and finds nothing wrong with itself."""

    platform = "acme"

    def classify(self, error: Exception) -> PlatformError:
        return ServiceTrouble(str(error), platform=self.platform)

    def payer(self) -> str:
        return "acme 1"

    def preflight(self, student: ModelRef | None = None) -> list[Finding]:
        return []
