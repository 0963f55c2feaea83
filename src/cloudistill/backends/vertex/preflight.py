"""Everything that would fail later at Vertex, asked before it costs anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudistill.backends.common import Findings, probe
from cloudistill.core.errors import AuthenticationFailed, NotFound, PermissionDenied
from cloudistill.core.refs import ModelRef

if TYPE_CHECKING:
    from cloudistill.backends.vertex import VertexBackend

_REFUSED = "credentials-refused", "Renew the Google credentials (gcloud auth application-default login)."


def findings(backend: VertexBackend, student: ModelRef | None) -> Findings:
    """Credentials, project, location, the API, the bucket; one line for each fault."""
    caller = probe(backend, lambda: backend.credentials, {}) or probe(backend, lambda: backend.project, {})
    place = probe(backend, lambda: backend.require_location(student), {})
    if caller:
        return caller + place + probe(backend, lambda: backend.bucket, {})
    nowhere = any(finding.rule == "missing-location" for finding in place)
    service = [] if nowhere else _service(backend)
    if any(finding.rule == "credentials-refused" for finding in service):
        return place + service + probe(backend, lambda: backend.bucket, {})
    return place + service + _bucket(backend)


def _service(backend: VertexBackend) -> Findings:
    enable = "Enable aiplatform.googleapis.com, and grant roles/aiplatform.user in this project."
    return probe(
        backend,
        backend.check_service,
        {
            AuthenticationFailed: _REFUSED,
            PermissionDenied: ("permission-denied", enable),
            NotFound: ("location-not-served", "Check GOOGLE_CLOUD_PROJECT, GOOGLE_CLOUD_LOCATION and the endpoint."),
        },
    )


def _bucket(backend: VertexBackend) -> Findings:
    return probe(
        backend,
        backend.check_bucket,
        {
            AuthenticationFailed: _REFUSED,
            NotFound: ("bucket-not-found", "Create the bucket, or set CLOUDISTILL_VERTEX_BUCKET to one that exists."),
            PermissionDenied: ("bucket-denied", "Grant roles/storage.objectUser and storage.buckets.get on it."),
        },
    )
