"""What was asked of the emulators and what they answered, seen at the wire; costs nothing while nobody listens."""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import re
import threading
from collections.abc import Awaitable, Callable, Generator, Iterable, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

RECORD_VARIABLE = "CLOUDISTILL_EMULATORS_RECORD"
"""Names a file to which every emulator of a program that is started with it appends its exchanges."""
_TOLD = re.compile(
    r"(content-(?!security).*|accept|etag|if-.*|location|range|retry-after|transfer-encoding|x-request-id|x-emulated-by|"
    r"x-amzn?-(?!security-token).*|x-goog-(?!api-key).*|x-http-method-override|x-upload-content-type|openai-.*)"
)
_SCOPE = re.compile(r"Credential=[^/]*/\d{8}/([^/]+/[^/]+)/")
_SECRET = re.compile(
    rb'(?<="access_token":")[^"]+|(?<="access_token": ")[^"]+|(?<=assertion=)[^&]+|'
    rb"(?<=<SecretAccessKey>)[^<]+|(?<=<SessionToken>)[^<]+"
)
_SIGNED = re.compile(r"((?:Signature|Credential|AccessKeyId|Security-Token|access_token)=)[^&]+")
_STRUCK = "struck-out"
_COUNT = itertools.count(1)

Messages = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Messages]]
Send = Callable[[Messages], Awaitable[None]]
Headers = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request and its answer. Of the headers, in lower case, those without credentials; `signed` is the region and
    service that an AWS request was signed for; `server` is one emulator of one process, its vendor's name first."""

    server: str
    method: str
    path: str
    query: str = ""
    headers: Headers = field(default_factory=dict[str, str])
    body: bytes = b""
    status: int = 200
    answer_headers: Headers = field(default_factory=dict[str, str])
    answer: bytes = b""
    signed: str = ""

    def to_json(self) -> dict[str, Any]:
        """As one line of a record: bodies that are no text are base64, secrets are struck out."""
        said = {name: getattr(self, name) for name in self.__slots__}
        said["query"] = _SIGNED.sub(rf"\1{_STRUCK}", self.query)
        return said | {name: _text(_SECRET.sub(_STRUCK.encode(), said[name])) for name in ("body", "answer")}

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Exchange:
        """The exchange of a line that `to_json` gave."""
        bodies: dict[str, Any] = {name: _bytes(said[name]) for name in ("body", "answer")}
        return cls(**said | bodies)


Listener = Callable[[Exchange], None]
_LISTENERS: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Generator[None]:
    """Give every exchange of this process's emulators to `listener`, from their threads, before it is answered."""
    _LISTENERS.append(listener)
    try:
        yield
    finally:
        _LISTENERS.remove(listener)


def heard() -> bool:
    """Whether anybody listens."""
    return bool(_LISTENERS)


class JsonLines:
    """A listener that appends each exchange to a file of its owner's, one line each, whole lines whoever else writes.

    Raises OSError when the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._path = path
        self._lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        """Write it down."""
        line = json.dumps(exchange.to_json(), ensure_ascii=False).encode() + b"\n"
        with self._lock, self._path.open("ab", buffering=0) as file:
            file.write(line)


def label(vendor: str) -> str:
    """A name for one server."""
    return f"{vendor}-{os.getpid()}-{next(_COUNT)}"


def publish(
    server: str,
    request: tuple[str, str],
    headers: Iterable[tuple[str, str]],
    body: bytes,
    answer: tuple[int, Iterable[tuple[str, str]], bytes],
) -> None:
    """Tell the listeners of one exchange; `request` is the method and the path as sent, query included."""
    path, _, query = request[1].partition("?")
    sent = {name.lower(): value for name, value in headers}
    scope = _SCOPE.search(sent.get("authorization", ""))
    exchange = Exchange(
        server=server,
        method=request[0],
        path=path,
        query=query,
        headers=_told(sent.items()),
        body=body,
        status=answer[0],
        answer_headers=_told(answer[1]),
        answer=answer[2],
        signed=scope[1] if scope else "",
    )
    for listener in tuple(_LISTENERS):
        listener(exchange)


async def watch(app: Any, server: str, scope: Messages, receive: Receive, send: Send) -> None:
    """Pass an HTTP request on to the ASGI application `app`; listeners hear of it before its last bytes leave.

    An answer leaves one piece late, because who reads a stream stops at its last piece and not at its end.
    """
    message = await receive()
    body = bytearray(message.get("body", b""))
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    unread = iter([message if message["type"] != "http.request" else {"type": "http.request", "body": bytes(body)}])
    started: Messages = {}
    answer = bytearray()
    held: list[Messages] = []

    async def replay() -> Messages:
        return next(unread, None) or await receive()

    async def tell(message: Messages) -> None:
        if message["type"] == "http.response.start":
            started.update(message)
        answer.extend(message.get("body", b""))
        held.append(message)
        ended = message["type"] == "http.response.body" and not message.get("more_body")
        if ended:
            query = scope["query_string"].decode("latin-1")
            path = scope["raw_path"].partition(b"?")[0].decode("latin-1") + (f"?{query}" if query else "")
            answered = started["status"], _decoded(started["headers"]), bytes(answer)
            publish(server, (scope["method"], path), _decoded(scope["headers"]), bytes(body), answered)
        while len(held) > (0 if ended else 1):
            await send(held.pop(0))

    await app(scope, replay, tell)


class Wsgi:
    """A WSGI application, watched."""

    def __init__(self, app: Any, server: str) -> None:
        self._app, self._server = app, server

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Pass the request on; where somebody listens, its answer is gathered first."""
        if not heard() or environ["PATH_INFO"].startswith("/moto-api/"):
            return self._app(environ, start_response)
        length = environ.get("CONTENT_LENGTH")
        body: bytes = environ["wsgi.input"].read(int(length)) if length else b""
        environ["wsgi.input"] = io.BytesIO(body)
        started: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            started[:] = [int(status.split(maxsplit=1)[0]), headers]
            start_response(status, headers)

        answer = b"".join(self._app(environ, start))
        headers = [(name[5:].replace("_", "-"), value) for name, value in environ.items() if name.startswith("HTTP_")]
        headers += [("content-type", environ.get("CONTENT_TYPE", "")), ("content-length", length or "")]
        request = environ["REQUEST_METHOD"], environ["RAW_URI"]
        publish(self._server, request, headers, body, (started[0], started[1], answer))
        return [answer]


@contextmanager
def watched(handler: Any, server: str) -> Generator[None]:
    """Watch what an `http.server` handler does inside the block; its answer leaves when the block is done."""
    if not heard():
        yield
        return
    body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
    wire: IO[bytes] = handler.wfile
    handler.rfile, handler.wfile = io.BytesIO(body), (answered_with := io.BytesIO())
    try:
        yield
    finally:
        handler.wfile = wire
    raw = answered_with.getvalue()
    head, _, answer = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    answered = int(status.split()[1]), headers, answer
    publish(server, (handler.command, handler.path), handler.headers.items(), body, answered)
    wire.write(raw)


def _told(headers: Iterable[tuple[str, str]]) -> Headers:
    lower = ((name.lower(), value) for name, value in headers)
    return {name: value for name, value in lower if value and _TOLD.fullmatch(name)}


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _text(raw: bytes) -> str | dict[str, str]:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}


def _bytes(said: str | dict[str, str]) -> bytes:
    return said.encode() if isinstance(said, str) else base64.b64decode(said["base64"])


if RECORD_VARIABLE in os.environ:
    _LISTENERS.append(JsonLines(Path(os.environ[RECORD_VARIABLE])))
