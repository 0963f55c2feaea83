"""Whether a file that an order names can be trained on, in aiplatform's words."""

from __future__ import annotations

import re

from cloudistill.emulators.vertex.storage import Buckets

_JSONL = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/.+\.jsonl")


def uri_problem(name: str, uri: str, buckets: Buckets, *, required: bool) -> str | None:
    """What is wrong with the address in the field `name`; None when nothing is."""
    if not uri:
        return "Required field is not set." if required else None
    if not (_JSONL.fullmatch(uri) and buckets.exists(uri)):
        return f"{name} should be a GCS object of type JSONL."
    return None
