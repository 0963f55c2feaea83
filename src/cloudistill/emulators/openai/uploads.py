"""OpenAI's Uploads API: a large file arrives in parts within the hour, and becomes a File when it is complete."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import JSONResponse, Response

from cloudistill.emulators.clock import Clock
from cloudistill.emulators.openai.api import (
    Asked,
    Refusal,
    a_string,
    an_array,
    an_integer,
    an_object,
    missing,
    one_of,
    only,
)
from cloudistill.emulators.openai.files import Files, StoredFile, life, require_jsonl

MAX_BYTES, MAX_PART_BYTES = 8 * 1024**3, 64 * 1024**2
LIFE = timedelta(hours=1)
PURPOSES = ("assistants", "batch", "fine-tune", "vision")
_REQUIRED = ("filename", "purpose", "bytes", "mime_type")


@dataclass(kw_only=True)
class Upload:
    """A file on its way. `size` is what was promised; `file` is what came of it."""

    id: str
    name: str
    purpose: str
    size: int
    created: datetime
    life: int | None
    ended: str | None = None
    file: StoredFile | None = None
    parts: dict[str, bytes] = field(default_factory=dict[str, bytes])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def status(self, now: datetime) -> str:
        """OpenAI's word at `now`."""
        return self.ended or ("expired" if now >= self.created + LIFE else "pending")

    def shown(self, now: datetime) -> dict[str, Any]:
        """The Upload object; it has a file once it is completed."""
        shown = {
            "id": self.id,
            "object": "upload",
            "bytes": self.size,
            "created_at": int(self.created.timestamp()),
            "filename": self.name,
            "purpose": self.purpose,
            "status": self.status(now),
            "expires_at": int((self.created + LIFE).timestamp()),
        }
        return shown | ({"file": self.file.shown()} if self.file else {})


class Uploads:
    """The account's uploads; `made` holds every one, by its id. The limits are OpenAI's."""

    def __init__(self, clock: Clock, files: Files) -> None:
        self._clock, self._files = clock, files
        self._numbers = itertools.count(1)
        self.made: dict[str, Upload] = {}
        self.max_bytes, self.max_part_bytes = MAX_BYTES, MAX_PART_BYTES

    def create(self, asked: Asked) -> Response:
        """POST /uploads."""
        body, now = asked.body((*_REQUIRED, "expires_after"), _REQUIRED), self._clock.now()
        name, purpose = a_string(body["filename"], "filename", shortest=1), one_of(body["purpose"], "purpose", PURPOSES)
        size = an_integer(body["bytes"], "bytes", 1, self.max_bytes)
        a_string(body["mime_type"], "mime_type", shortest=1)
        if purpose == "fine-tune":
            require_jsonl(name, "filename")
        id_ = f"upload_{hashlib.sha256(f'{next(self._numbers)} {name}'.encode()).hexdigest()[:24]}"
        kept = _expiry(body.get("expires_after"))
        upload = Upload(id=id_, name=name, purpose=purpose, size=size, created=now, life=kept)
        self.made[id_] = upload
        return JSONResponse(upload.shown(now))

    def add_part(self, asked: Asked) -> Response:
        """POST /uploads/{upload}/parts; parts may come in parallel, and in any order."""
        now, upload = self._clock.now(), self._found(asked)
        only(asked.form, ())
        only(asked.files, ("data",))
        if "data" not in asked.files:
            raise missing("data")
        _, data = asked.files["data"]
        if len(data) > self.max_part_bytes:
            message = f"Maximum part size limit ({self.max_part_bytes}) exceeded ({len(data)} bytes read)"
            raise Refusal(message, status=413)
        with upload.lock:
            self._require_pending(upload)
            if sum(map(len, upload.parts.values())) + len(data) > self.max_bytes:
                raise Refusal(f"Maximum upload size limit ({self.max_bytes}) exceeded", status=413)
            number = f"{upload.id} {len(upload.parts)}"
            part = f"part_{hashlib.sha256(number.encode()).hexdigest()[:24]}"
            upload.parts[part] = data
        created = int(now.timestamp())
        return JSONResponse({"id": part, "object": "upload.part", "created_at": created, "upload_id": upload.id})

    def complete(self, asked: Asked) -> Response:
        """POST /uploads/{upload}/complete: the named parts in the order they are named, and no other, are the file."""
        body, upload = asked.body(("part_ids", "md5"), ("part_ids",)), self._found(asked)
        parts = [a_string(part, f"part_ids[{n}]") for n, part in enumerate(an_array(body["part_ids"], "part_ids"))]
        with upload.lock:
            self._require_pending(upload)
            content = _joined(upload, parts)
            _check_md5(body.get("md5"), content)
            upload.ended = "completed"
            upload.file = self._files.add(upload.name, content, purpose=upload.purpose, life=upload.life)
            upload.parts.clear()
        return JSONResponse(upload.shown(self._clock.now()))

    def cancel(self, asked: Asked) -> Response:
        """POST /uploads/{upload}/cancel."""
        upload = self._found(asked)
        with upload.lock:
            self._require_pending(upload)
            upload.ended = "cancelled"
            upload.parts.clear()
        return JSONResponse(upload.shown(self._clock.now()))

    def _found(self, asked: Asked) -> Upload:
        name = asked.path["upload"]
        if name not in self.made:
            raise Refusal(f"No such Upload object: {name}", status=404, param="upload_id")
        return self.made[name]

    def _require_pending(self, upload: Upload) -> None:
        status = upload.status(self._clock.now())
        if status != "pending":
            raise Refusal(f"Upload {upload.id} has the status '{status}', expected 'pending'.", param="upload_id")


def _joined(upload: Upload, parts: Sequence[str]) -> bytes:
    """The content; it must be as long as was promised."""
    for part in parts:
        if part not in upload.parts or parts.count(part) > 1:
            raise Refusal(f"Invalid part ID: {part}", param="part_ids")
    content = b"".join(upload.parts[part] for part in parts)
    if len(content) != upload.size:
        message = f"Expected {upload.size} bytes in the upload, but got {len(content)} bytes."
        raise Refusal(message, param="part_ids")
    return content


def _expiry(value: Any) -> int | None:
    """The seconds of `expires_after`, if it was sent."""
    if value is None:
        return None
    given = an_object(value, "expires_after")
    only(given, ("anchor", "seconds"), "expires_after")
    return life(given.get("anchor"), given.get("seconds"))


def _check_md5(value: Any, content: bytes) -> None:
    if value is None:
        return
    if a_string(value, "md5").lower() != hashlib.md5(content, usedforsecurity=False).hexdigest():
        raise Refusal("The md5 checksum of the uploaded bytes does not match the one that was given.", param="md5")
