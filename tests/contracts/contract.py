"""What the judges of all vendors share: an operation of a document, and whoever holds an exchange against it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl

from cloudistill.emulators.recording import Exchange


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as its document has it; `detail` is what that document's judge needs."""

    service: str
    name: str
    method: str
    path: str
    document: str
    detail: Any = None

    @property
    def key(self) -> str:
        """How the table of operations and the reports call it."""
        return f"{self.service} {self.name}"


class Contract(Protocol):
    """A judge: every string it gives is one broken rule."""

    operations: list[Operation]
    """All that its documents have."""

    def holds(self, operation: Operation) -> str:
        """What a good answer is held against, in words."""
        ...

    def find(self, exchange: Exchange) -> Operation | None:
        """The operation that was called; None where the document has none there."""
        ...

    def request(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        """What is wrong with the request."""
        ...

    def answer(self, operation: Operation | None, exchange: Exchange) -> Iterator[str]:
        """What is wrong with the answer, a refusal included."""
        ...


def query_of(exchange: Exchange) -> list[tuple[str, str]]:
    """The query's pairs, decoded."""
    return parse_qsl(exchange.query, keep_blank_values=True)


def media_type(headers: dict[str, str]) -> str:
    """A body's type without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def parts(content_type: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    """The parts of a multipart body: headers in lower case, and content."""
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    if boundary is None:
        return []
    found: list[tuple[dict[str, str], bytes]] = []
    for piece in body.split(b"--" + boundary[1].encode())[1:-1]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not content:  # Google's own clients end their lines with a bare line feed
            head, _, content = piece.lstrip(b"\n").partition(b"\n\n")
        lines = (line.partition(":") for line in head.decode("latin-1").splitlines())
        ended = content[:-2] if content.endswith(b"\r\n") else content[:-1] if content.endswith(b"\n") else content
        found.append(({name.strip().lower(): value.strip() for name, _, value in lines}, ended))
    return found


def read_json(raw: bytes) -> tuple[Any, list[str]]:
    """The JSON value, or what is wrong with it."""
    try:
        return json.loads(raw, parse_constant=_no_constant), []
    except (ValueError, RecursionError) as error:
        return None, [f"body is not JSON: {error}"]


def shown(value: Any) -> str:
    """A value, short enough for one line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
