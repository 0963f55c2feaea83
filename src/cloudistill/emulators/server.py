"""Serves an emulated vendor on a free loopback port in a thread, keeps a log of requests, and plays scripted faults."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Literal

import uvicorn

from cloudistill.emulators import recording

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Kind = Literal["refuse", "drop-before", "drop-after", "html"]
ANSWERED_BY = "x-emulated-by"
"""The header that says who answered: the teacher's key, the untrained base, or a student."""


@dataclass
class Fault:
    """One scripted misbehaviour for the next `times` requests whose `METHOD /path` matches `pattern`.

    `refuse` answers `status` and `body` without processing; `drop-before` and `drop-after` close the connection
    before or after the request is processed; `html` processes it and answers 200 with an HTML page.
    """

    pattern: str
    kind: Kind = "refuse"
    status: int = 503
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    times: int = 1


class Server:
    """One ASGI application on 127.0.0.1, at a port the system chooses. What the `vendor` answers, scripted faults
    left out, is recorded; without one nothing is."""

    def __init__(self, app: App, vendor: str = "") -> None:
        self.app = app
        self._label = recording.label(vendor) if vendor else ""
        self.requests: list[str] = []
        self.faults: list[Fault] = []
        self._lock = threading.Lock()
        # asyncio switches Nagle's delay off (40 ms an answer) only where the protocol is named.
        self._socket = socket.socket(proto=socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(self, log_level="critical", lifespan="off", access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True, name=f"emulator-{self.port}"
        )

    @property
    def url(self) -> str:
        """Where programs find it, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve until `stop`."""
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.005)

    def stop(self) -> None:
        """Close every connection and the port, whether or not it was started."""
        self._server.should_exit = self._server.force_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._socket.close()

    def fail(self, pattern: str, **fault: Any) -> None:
        """Script a `Fault` for requests whose `METHOD /path` matches the regular expression `pattern`."""
        with self._lock:
            self.faults.append(Fault(pattern, **fault))

    def count(self, pattern: str) -> int:
        """How many requests so far match `pattern`."""
        with self._lock:
            return sum(bool(re.search(pattern, request)) for request in self.requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Log the request, play its fault if one is scripted, else pass it on."""
        if scope["type"] != "http":
            return
        fault = self._take(f"{scope['method']} {scope['path']}")
        if fault is None:
            await self._answer(scope, receive, send)
            return
        if fault.kind in {"drop-after", "html"}:
            await self._answer(scope, receive, _discard)
        if fault.kind in {"drop-before", "drop-after"}:
            await _hang_up(send)
            return
        html = fault.kind == "html"
        headers = {"content-type": "text/html" if html else "application/json", **fault.headers}
        await send(
            {
                "type": "http.response.start",
                "status": 200 if html else fault.status,
                "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
            }
        )
        await send({"type": "http.response.body", "body": b"<html>proxy</html>" if html else fault.body})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._label and recording.heard():
            await recording.watch(self.app, self._label, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _take(self, request: str) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.pattern, request):
                    fault.times -= 1
                    return fault
        return None


async def _hang_up(send: Any) -> None:
    """Reset the connection: to an exception uvicorn would answer 500, so its transport is taken from under it."""
    send.__self__.transport.abort()
    await asyncio.sleep(0)


async def _discard(_message: MutableMapping[str, Any]) -> None:
    """An answer nobody gets."""
