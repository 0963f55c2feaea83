"""Cloud Storage on loopback: a kept emulator, in memory, on a free port, and what the tuning service reads from it."""

from __future__ import annotations

import http.client
import logging
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

from gcp_storage_emulator.exceptions import BadRequest
from gcp_storage_emulator.handlers import buckets as _handlers
from gcp_storage_emulator.server import RequestHandler, Router
from gcp_storage_emulator.storage import Storage

from cloudistill.emulators import recording

buckets_api: Any = _handlers
_TURN = threading.Lock()


class _Handler(RequestHandler):
    """Requests take turns, because the emulator's storage has no locks; a connection that says nothing waits alone."""

    def __init__(self, storage: Any, label: str, *args: Any) -> None:
        self.label = label
        super().__init__(storage, *args)  # pyright: ignore[reportUnknownMemberType]

    def _serve(self) -> None:
        router: Any = Router(self)
        with recording.watched(self, self.label), _TURN:
            router.handle(self.command)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _serve


class _Storage(Storage):
    """Its own would copy all that came before with each chunk of an upload."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)  # pyright: ignore[reportUnknownMemberType] - it has no types
        self._received: dict[str, bytearray] = {}

    def get_resumable_byte_count(self, file_id: str) -> int:
        return len(self._received.get(file_id, b""))

    def add_to_resumable_upload(
        self, file_id: str, content: bytes, total_size: int | None = None, expected_start: int | None = None
    ) -> bytes | None:
        received = self._received.setdefault(file_id, bytearray())
        if expected_start is not None and expected_start != len(received):
            raise BadRequest(f"Invalid Content-Range start: expected {len(received)}, got {expected_start}")
        received += content
        if total_size is None or len(received) < total_size:
            return None
        return bytes(memoryview(self._received.pop(file_id))[:total_size])


class Buckets:
    """Serves the JSON API of Cloud Storage until `stop`; every object lies in memory."""

    def __init__(self, *buckets: str, project_number: str) -> None:
        logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)
        storage: Any = _Storage(use_memory_fs=True, project_number=project_number)
        for bucket in buckets:
            buckets_api.create_bucket(bucket, storage)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, storage, recording.label("storage")))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        """What STORAGE_EMULATOR_HOST holds."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Serve in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port, whether or not it was started; the objects are gone."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(timeout=10)
        self._server.server_close()

    def exists(self, uri: str) -> bool:
        """Whether `gs://bucket/object` is there."""
        return self._ask("GET", _path(uri)) is not None

    def read(self, uri: str) -> bytes | None:
        """The object's bytes; None when it is gone."""
        return self._ask("GET", f"{_path(uri)}?alt=media")

    def write(self, uri: str, raw: bytes) -> None:
        """Put an object there, as a job does with its results."""
        bucket, name = _quoted(uri)
        self._ask("POST", f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}", raw)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes | None:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.server_port, timeout=60)
        try:
            connection.request(method, path, body, {"content-type": "application/octet-stream"} if body else {})
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        return said if answer.status == http.client.OK else None


def _path(uri: str) -> str:
    bucket, name = _quoted(uri)
    return f"/storage/v1/b/{bucket}/o/{name}"


def _quoted(uri: str) -> tuple[str, str]:
    """Bucket and object of a `gs://` URI, as they stand in an address."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return quote(bucket, safe=""), quote(name, safe="")
