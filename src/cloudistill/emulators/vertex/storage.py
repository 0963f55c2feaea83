"""Cloud Storage on loopback: a kept emulator, in memory, on a free port, and what the tuning service reads from it."""

from __future__ import annotations

import http.client
import logging
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

from gcp_storage_emulator.handlers import buckets as _handlers
from gcp_storage_emulator.server import RequestHandler, Router
from gcp_storage_emulator.storage import Storage

buckets_api: Any = _handlers
_TURN = threading.Lock()


class _Handler(RequestHandler):
    """Requests take turns, because the emulator's storage has no locks; a connection that says nothing waits alone."""

    def _serve(self) -> None:
        router: Any = Router(self)
        with _TURN:
            router.handle(self.command)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _serve


class Buckets:
    """Serves the JSON API of Cloud Storage until `stop`; every object lies in memory."""

    def __init__(self, *buckets: str, project_number: str) -> None:
        logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)
        storage: Any = Storage(use_memory_fs=True, project_number=project_number)
        for bucket in buckets:
            buckets_api.create_bucket(bucket, storage)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, storage))
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
        return self._get(_path(uri)) is not None

    def read(self, uri: str) -> bytes | None:
        """The object's bytes; None when it is gone."""
        return self._get(f"{_path(uri)}?alt=media")

    def _get(self, path: str) -> bytes | None:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.server_port, timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        return body if answer.status == http.client.OK else None


def _path(uri: str) -> str:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return f"/storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}"
