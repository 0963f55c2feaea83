"""A job's result file at OpenAI, read no further than a cap: whatever lies there, memory stays bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudistill.backends.figures import LARGEST

if TYPE_CHECKING:
    from openai import OpenAI

_CHUNK = 2**16


def content(client: OpenAI, file: str) -> bytes:
    """The file's bytes; none of one that is larger than `LARGEST`."""
    held = bytearray()
    with client.files.with_streaming_response.content(file) as answer:
        for chunk in answer.iter_bytes(_CHUNK):
            held += chunk
            if len(held) > LARGEST:
                return b""
    return bytes(held)
