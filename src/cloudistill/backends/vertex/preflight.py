"""Everything that would fail later at Vertex, asked before it costs anything."""

from __future__ import annotations

from cloudistill.backends.common import Findings, probe
from cloudistill.backends.vertex.setup import Setup
from cloudistill.core.errors import AuthenticationFailed, NotFound, PermissionDenied
from cloudistill.core.refs import ModelRef

_REFUSED = "credentials-refused", "Renew the Google credentials (gcloud auth application-default login)."


def findings(setup: Setup, student: ModelRef | None) -> Findings:
    """Credentials, project, location, the API, the bucket; one line for each fault."""
    caller = probe(setup, lambda: setup.credentials, {}) or probe(setup, lambda: setup.project, {})
    place = probe(setup, lambda: setup.require_location(student), {})
    if caller:
        return caller + place + probe(setup, lambda: setup.bucket, {})
    nowhere = any(finding.rule == "missing-location" for finding in place)
    service = [] if nowhere else _service(setup)
    if any(finding.rule == "credentials-refused" for finding in service):
        return place + service + probe(setup, lambda: setup.bucket, {})
    return place + service + _bucket(setup)


def _service(setup: Setup) -> Findings:
    enable = "Enable aiplatform.googleapis.com, and grant roles/aiplatform.user in this project."
    return probe(
        setup,
        setup.check_service,
        {
            AuthenticationFailed: _REFUSED,
            PermissionDenied: ("permission-denied", enable),
            NotFound: ("location-not-served", "Check GOOGLE_CLOUD_PROJECT, GOOGLE_CLOUD_LOCATION and the endpoint."),
        },
    )


def _bucket(setup: Setup) -> Findings:
    return probe(
        setup,
        setup.check_bucket,
        {
            AuthenticationFailed: _REFUSED,
            NotFound: ("bucket-not-found", "Create the bucket, or set CLOUDISTILL_VERTEX_BUCKET to one that exists."),
            PermissionDenied: ("bucket-denied", "Grant roles/storage.objectUser and storage.buckets.get on it."),
        },
    )
