"""OpenAI's Files API: bytes in, the same bytes out."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import JSONResponse, Response

from cloudistill.emulators.clock import Clock
from cloudistill.emulators.openai.api import Asked, Refusal, an_integer, missing, one_of, only, page

MAX_BYTES = 512 * 1024 * 1024
PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
SHORTEST_LIFE, LONGEST_LIFE = 3_600, 2_592_000
MOST_LISTED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file at rest."""

    id: str
    name: str
    purpose: str
    content: bytes
    created: datetime
    expires: datetime | None = None

    def shown(self) -> dict[str, Any]:
        """The File object."""
        shown = {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": int(self.created.timestamp()),
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
        }
        return shown | ({"expires_at": int(self.expires.timestamp())} if self.expires else {})


class Files:
    """The account's files. `max_bytes` is the limit of one upload."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        self._stored: dict[str, StoredFile] = {}
        self.max_bytes = MAX_BYTES

    def add(self, name: str, content: bytes, *, purpose: str, life: int | None = None) -> StoredFile:
        """Keep `content`, for `life` seconds if given."""
        now = self._clock.now()
        digest = hashlib.sha256(f"{next(self._numbers)} {name}".encode() + content).hexdigest()
        expires = now + timedelta(seconds=life) if life else None
        file = StoredFile(
            id=f"file-{digest[:22]}", name=name, purpose=purpose, content=content, created=now, expires=expires
        )
        self._stored[file.id] = file
        return file

    def find(self, name: str) -> StoredFile | None:
        """The file with this id, unless it was deleted or has expired."""
        file = self._stored.get(name)
        return None if file is None or self._expired(file) else file

    def _expired(self, file: StoredFile) -> bool:
        return file.expires is not None and self._clock.now() >= file.expires

    def _get(self, asked: Asked) -> StoredFile:
        name = asked.path["file"]
        file = self.find(name)
        if file is None:
            raise Refusal(f"No such File object: {name}", status=404, param="id")
        return file

    def create(self, asked: Asked) -> Response:
        """POST /files."""
        only(asked.form, ("purpose", "expires_after[anchor]", "expires_after[seconds]"))
        only(asked.files, ("file",))
        if "file" not in asked.files:
            raise missing("file")
        if "purpose" not in asked.form:
            raise missing("purpose")
        purpose = one_of(asked.form["purpose"], "purpose", PURPOSES)
        name, content = asked.files["file"]
        if len(content) > self.max_bytes:
            message = f"Maximum content size limit ({self.max_bytes}) exceeded ({len(content)} bytes read)"
            raise Refusal(message, status=413)
        if purpose == "fine-tune":
            require_jsonl(name, "file")
        return JSONResponse(self.add(name, content, purpose=purpose, life=_life(asked.form)).shown())

    def list(self, asked: Asked) -> Response:
        """GET /files."""
        query = asked.parameters("purpose", "limit", "order", "after")
        order = one_of(query.get("order", "desc"), "order", ("asc", "desc"))
        files = [file for file in list(self._stored.values()) if not self._expired(file)]
        shown = [file.shown() for file in files if query.get("purpose", file.purpose) == file.purpose]
        return page(
            shown[::-1] if order == "desc" else shown, query, default=MOST_LISTED, most=MOST_LISTED, bounds=True
        )

    def retrieve(self, asked: Asked) -> Response:
        """GET /files/{file}."""
        return JSONResponse(self._get(asked).shown())

    def content(self, asked: Asked) -> Response:
        """GET /files/{file}/content."""
        return Response(self._get(asked).content, media_type="application/octet-stream")

    def delete(self, asked: Asked) -> Response:
        """DELETE /files/{file}."""
        file = self._get(asked)
        self._stored.pop(file.id, None)
        return JSONResponse({"id": file.id, "object": "file", "deleted": True})


def _life(form: Mapping[str, str]) -> int | None:
    """The seconds of `expires_after`, if it was sent."""
    anchor, seconds = form.get("expires_after[anchor]"), form.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    return life(anchor, int(seconds) if seconds and seconds.isdecimal() else seconds)


def life(anchor: Any, seconds: Any) -> int:
    """The seconds of an `expires_after`."""
    one_of(anchor, "expires_after.anchor", ("created_at",))
    return an_integer(seconds, "expires_after.seconds", SHORTEST_LIFE, LONGEST_LIFE)


def require_jsonl(name: str, param: str) -> None:
    """Refuse a file for tuning that is not called one of JSON lines."""
    if not name.endswith(".jsonl"):
        raise Refusal("Invalid file format for Fine-Tuning API. Must be .jsonl", param=param)
