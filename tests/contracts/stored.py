"""Bytes stored are bytes sent: OpenAI's files, S3's and Cloud Storage's objects, whole or in parts."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from hashlib import md5, sha256
from typing import Any
from urllib.parse import unquote

from tests.contracts.contract import Operation, parts, query_of, read_json

from cloudistill.emulators.recording import Exchange

Key = tuple[str, str]


class Stored:
    """The digest of all that was stored, and the pieces of what is not yet whole."""

    def __init__(self) -> None:
        self._whole: dict[Key, tuple[int, str]] = {}
        self._pieces: dict[Key, bytes] = {}

    def observe(self, exchange: Exchange, operation: Operation) -> Iterator[str]:
        """What was kept otherwise than it was sent."""
        match operation.service:
            case "openai":
                yield from self._openai(exchange, operation.name)
            case "s3":
                yield from self._s3(exchange, operation.name)
            case "storage":
                yield from self._storage(exchange, operation.name)
            case _:
                return

    def _openai(self, exchange: Exchange, name: str) -> Iterator[str]:
        match name:
            case "createFile":
                made = json.loads(exchange.answer)
                yield from self._keep((exchange.server, made["id"]), _file(exchange), made["bytes"])
            case "addUploadPart":
                self._pieces[exchange.server, json.loads(exchange.answer)["id"]] = _file(exchange)
            case "completeUpload":
                made, asked = json.loads(exchange.answer), json.loads(exchange.body)
                body = self._joined([(exchange.server, part) for part in asked["part_ids"]])
                file: dict[str, Any] = made.get("file") or {}
                key = exchange.server, str(file.get("id"))
                if file and (body or key not in self._whole):
                    yield from self._keep(key, body, file["bytes"])
                    yield from self._keep(key, body, made["bytes"])
            case "downloadFile":
                yield from self._compare((exchange.server, exchange.path.split("/")[-2]), exchange.answer)
            case _:
                return

    def _s3(self, exchange: Exchange, name: str) -> Iterator[str]:
        account = exchange.server.rpartition("-")[0]  # moto has one a process
        key = account, unquote(exchange.path)
        query = dict(query_of(exchange))
        match name:
            case "PutObject":
                body = _unchunked(exchange)
                yield from self._keep(key, body, len(body))
                if exchange.answer_headers.get("etag", "").strip('"') != _md5(body).hex():
                    yield f"{key[1]}: its ETag is not the MD5 of what was sent"
            case "UploadPart":
                self._pieces[account, f"{query['uploadId']} {query['partNumber']}"] = _unchunked(exchange)
            case "CompleteMultipartUpload":
                numbers = re.findall(r"<PartNumber>(\d+)</PartNumber>", exchange.body.decode())
                body = self._joined([(account, f"{query['uploadId']} {number}") for number in numbers])
                if body or key not in self._whole:
                    yield from self._keep(key, body, len(body))
            case "DeleteObject" | "CopyObject":
                self._whole.pop(key, None)
            case "GetObject" if "range" not in exchange.headers:
                yield from self._compare(key, exchange.answer)
            case "HeadObject" if key in self._whole:
                if exchange.answer_headers.get("content-length") != str(self._whole[key][0]):
                    yield f"{key[1]}: its length is not that of what was sent"
            case _:
                return

    def _storage(self, exchange: Exchange, name: str) -> Iterator[str]:
        query = dict(query_of(exchange))
        resumed = query.get("upload_id", "")
        if resumed and exchange.method == "PUT":
            begins = re.match(r"bytes (\d+)-", exchange.headers.get("content-range", ""))
            before = self._pieces.pop((exchange.server, resumed), b"")
            whole = before[: int(begins[1])] + exchange.body if begins else before
            if exchange.status == 308:
                self._pieces[exchange.server, resumed] = whole
            else:
                yield from self._object(exchange, whole)
        elif name == "storage.objects.insert" and query.get("uploadType") == "multipart":
            yield from self._object(exchange, parts(exchange.headers["content-type"], exchange.body)[1][1])
        elif name == "storage.objects.insert" and query.get("uploadType") == "media":
            yield from self._object(exchange, exchange.body)
        elif name == "storage.objects.delete":
            self._whole.pop(_object_key(exchange), None)
        elif name == "storage.objects.get" and query.get("alt") == "media" and "range" not in exchange.headers:
            yield from self._compare(_object_key(exchange), exchange.answer)

    def _joined(self, pieces: list[Key]) -> bytes:
        """Pieces in order, which are then forgotten: nothing is left of them when an upload is completed twice."""
        return b"".join(self._pieces.pop(piece, b"") for piece in pieces)

    def _object(self, exchange: Exchange, body: bytes) -> Iterator[str]:
        made, _ = read_json(exchange.answer)
        key = exchange.server, f"{made['bucket']}/{made['name']}"
        yield from self._keep(key, body, int(made["size"]))
        if made.get("md5Hash") != base64.b64encode(_md5(body)).decode():
            yield f"{key[1]}: its md5Hash is not that of what was sent"

    def _keep(self, key: Key, body: bytes, said: int) -> Iterator[str]:
        self._whole[key] = len(body), sha256(body).hexdigest()
        if said != len(body):
            yield f"{key[1]}: {len(body)} bytes were sent, {said} are said to be stored"

    def _compare(self, key: Key, body: bytes) -> Iterator[str]:
        if key in self._whole and self._whole[key] != (len(body), sha256(body).hexdigest()):
            yield f"{key[1]}: the bytes that come back are not the bytes that were sent"


def _file(exchange: Exchange) -> bytes:
    """The file of a form."""
    sent = parts(exchange.headers["content-type"], exchange.body)
    return next((content for headers, content in sent if "filename=" in headers.get("content-disposition", "")), b"")


def _object_key(exchange: Exchange) -> Key:
    found = re.search(r"/b/([^/]+)/o/(.+)", exchange.path)
    return exchange.server, f"{found[1]}/{unquote(found[2])}" if found else ""


def _unchunked(exchange: Exchange) -> bytes:
    """A body without the frames of `aws-chunked`."""
    if "aws-chunked" not in exchange.headers.get("content-encoding", ""):
        return exchange.body
    body, rest = b"", exchange.body
    while rest:
        head, _, rest = rest.partition(b"\r\n")
        size = int(head.partition(b";")[0], 16)
        if size == 0:
            break
        body, rest = body + rest[:size], rest[size + 2 :]
    return body


def _md5(body: bytes) -> bytes:
    return md5(body, usedforsecurity=False).digest()
