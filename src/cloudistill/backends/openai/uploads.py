"""A training file's way to OpenAI: found again by name and size, else sent whole, or in parts when it is large."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudistill.backends.common import unusable
from cloudistill.backends.openai.pages import every
from cloudistill.platforms.platform import load

if TYPE_CHECKING:
    from openai import OpenAI

_PURPOSE, _MIME = "fine-tune", "text/jsonl"
_CANCEL_SECONDS = 10.0


def find(client: OpenAI, filename: str, size: int) -> str | None:
    """The id of the file of that name and size, if it is there and whole."""
    facts = load("openai")
    for file in every(partial(client.files.list, purpose=_PURPOSE), "GET /files"):
        if (file.filename, file.bytes) == (filename, size) and not facts.means("lost-file", file.status):
            return str(file.id)
    return None


def send_whole(client: OpenAI, path: Path, filename: str) -> str:
    """Send the file in one request; the id it got."""
    with path.open("rb") as stream:
        sent = client.files.create(file=(filename, stream), purpose=_PURPOSE)
    return _id(sent, path.stat().st_size, "POST /files")


def send_in_parts(client: OpenAI, path: Path, filename: str, part_bytes: int) -> str:
    """Send the file part by part, one in memory at a time; the id it got. What fails half-way is called off."""
    size = path.stat().st_size
    begun = client.uploads.create(bytes=size, filename=filename, mime_type=_MIME, purpose=_PURPOSE)
    upload = _named(begun, "POST /uploads")
    try:
        parts, md5 = _send_parts(client, upload, path, part_bytes)
        asked = f"POST /uploads/{upload}/complete"
        done = client.uploads.complete(upload, part_ids=parts, md5=md5)
        return _id(getattr(done, "file", None), size, asked)
    except BaseException:
        with suppress(Exception):  # it expires by itself, and what went wrong first is what is told
            client.with_options(timeout=_CANCEL_SECONDS).uploads.cancel(upload)
        raise


def _send_parts(client: OpenAI, upload: str, path: Path, part_bytes: int) -> tuple[list[str], str]:
    """The ids of the parts in their order, and the MD5 of the whole in hex."""
    parts, md5 = list[str](), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream, ThreadPoolExecutor(1) as beside:
        while chunk := stream.read(part_bytes):
            hashed = beside.submit(md5.update, chunk)  # while the part travels
            sent = client.uploads.parts.create(upload, data=chunk)
            parts.append(_named(sent, f"POST /uploads/{upload}/parts"))
            hashed.result()
    return parts, md5.hexdigest()


def _named(found: Any, asked: str) -> str:
    id_ = getattr(found, "id", None)
    if not isinstance(id_, str) or not id_:
        raise unusable("openai", asked, found)
    return id_


def _id(file: Any, size: int, asked: str) -> str:
    """The id of a stored file, once OpenAI has as many bytes as were sent."""
    id_ = _named(file, asked)
    if file.bytes != size:
        raise unusable("openai", asked, file)
    return id_
