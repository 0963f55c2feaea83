"""Requests to Google Cloud and its answers, held against Google's discovery documents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs

import googleapiclient
from tests.contracts.contract import Operation, media_type, parts, query_of, read_json, shown
from tests.contracts.flaws import FLAWS, mended

from cloudistill.emulators.recording import Exchange

Schema = dict[str, Any]
FOLDER = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
NAMES = {"vertex": ("aiplatform.v1beta1", "aiplatform.v1"), "storage": ("storage.v1",)}
ENUMS_AS_NUMBERS = "json;enum-encoding=int"
CODES = {
    400: {"INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"},
    401: {"UNAUTHENTICATED"},
    403: {"PERMISSION_DENIED"},
    404: {"NOT_FOUND"},
    409: {"ABORTED", "ALREADY_EXISTS"},
    429: {"RESOURCE_EXHAUSTED"},
    499: {"CANCELLED"},
    500: {"UNKNOWN", "INTERNAL", "DATA_LOSS"},
    501: {"UNIMPLEMENTED"},
    503: {"UNAVAILABLE"},
    504: {"DEADLINE_EXCEEDED"},
}
"""Google's status words, by the HTTP status each goes with."""
FORMATS = {
    "google-datetime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)",
    "date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)",
    "google-duration": r"-?\d+(\.\d{1,9})?s",
    "int64": r"-?\d+",
    "uint64": r"\d+",
}
KINDS: dict[str, tuple[type, ...]] = {"string": (str,), "boolean": (bool,), "integer": (int,), "number": (int, float)}
TOKEN = Operation("oauth2", "token", "POST", "/token", "RFC 7523, section 2.1 (by hand: no document is carried)")


class GoogleDiscovery:
    """The judge of exchanges with aiplatform, with Cloud Storage, and with the token endpoint."""

    def __init__(self, service: str) -> None:
        self._service = service
        documents = [self._load(name) for name in NAMES[service]]
        found = [pair for document in documents for pair in _operations(service, document)]
        # the verbs first: `{name}` would hold that of `{name}:verb` too
        self._patterns = sorted(found, key=lambda pair: ":" not in pair[1].path)
        made = [operation for _, operation in self._patterns]
        self.operations = [*made, TOKEN] if service == "vertex" else made

    def holds(self, operation: Operation) -> str:
        """What a good answer is held against."""
        if operation is TOKEN:
            return "RFC 6749, section 5.1"
        schema = "schema" if "response" in operation.detail[1] else "must be empty"
        return f"{schema}, or the bytes that were sent" if operation.detail[1].get("supportsMediaDownload") else schema

    def _load(self, name: str) -> Schema:
        return mended(json.loads((FOLDER / f"{name}.json").read_bytes()), FLAWS.get(name, ()))

    def find(self, exchange: Exchange) -> Operation | None:
        """The method of a document at this HTTP method and path."""
        if (exchange.method, exchange.path) == (TOKEN.method, TOKEN.path) and self._service == "vertex":
            return TOKEN
        verb = "POST" if _resumed(exchange) else exchange.method
        for pattern, operation in self._patterns:
            if operation.method == verb and pattern.fullmatch(exchange.path):
                return operation
        return None

    def request(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        """Query and body."""
        if operation is TOKEN:
            form = parse_qs(exchange.body.decode("latin-1"))
            if form.get("grant_type") != ["urn:ietf:params:oauth:grant-type:jwt-bearer"] or len(form) != 2:
                yield "body: a token is asked for with a grant type and an assertion"
            return
        document, method = operation.detail
        yield from _query(document, method, exchange)
        if "request" not in method:
            if exchange.body not in {b"", b"{}"}:
                yield f"body: {operation.name} takes none"
        elif _resumed(exchange):
            if not exchange.headers.get("content-range", "").startswith("bytes "):
                yield "header content-range: required, missing"
        elif ("uploadType", "media") not in query_of(exchange):
            body, wrong = read_json(_json_sent(exchange))
            yield from wrong or _Reader(document["schemas"], sent=True).check(method["request"], body, "body")

    def answer(self, operation: Operation | None, exchange: Exchange) -> Iterator[str]:
        """The body of an answer, by its status."""
        if exchange.status >= 400:
            yield from _refusal(operation, exchange)
        elif operation is None:
            yield f"answer: {exchange.status} to a method that no document has"
        elif operation is TOKEN:
            body, wrong = read_json(exchange.answer)
            if wrong or not body.keys() >= {"access_token", "token_type", "expires_in"}:
                yield "answer: a token lacks access_token, token_type or expires_in"
        elif not _raw(exchange):
            yield from self._success(operation, exchange)

    def _success(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        document, method = operation.detail
        if _starts_upload(exchange):
            if "upload_id=" not in exchange.answer_headers.get("location", ""):
                yield "answer header location: an upload that is to be resumed needs its own address"
            return
        if _resumed(exchange) and exchange.status == 308:
            if exchange.answer or "range" not in exchange.answer_headers:
                yield "answer: an unfinished upload answers the range it has, and nothing else"
            return
        if exchange.status not in {200, 204}:
            yield f"answer: status {exchange.status} is neither 200 nor 204"
        numbers = ("$alt", ENUMS_AS_NUMBERS) in query_of(exchange)
        check = partial(_Reader(document["schemas"], sent=False, numbers=numbers).check, method.get("response", {}))
        if "response" not in method:
            if exchange.answer not in {b"", b"{}"}:
                yield f"answer: {operation.name} answers nothing"
            return
        for raw in _answers(exchange):
            body, wrong = read_json(raw)
            yield from wrong or check(body, "answer")


class _Reader:
    """Holds JSON against the schemas of one document: as a program may send it, or as Google answers."""

    def __init__(self, schemas: Schema, *, sent: bool, numbers: bool = False) -> None:
        self._schemas, self._sent, self._numbers = schemas, sent, numbers

    def check(self, schema: Schema, value: Any, at: str) -> Iterator[str]:
        """What is wrong with `value`."""
        schema = self._schemas[schema["$ref"]] if "$ref" in schema else schema
        if value is None and self._sent:
            return  # Google's parser takes null for absent
        match schema.get("type"):
            case "object" if isinstance(value, dict):
                yield from self._object(schema, cast("Schema", value), at)
            case "array" if isinstance(value, list):
                for index, item in enumerate(cast("list[Any]", value)):
                    yield from self.check(schema["items"], item, f"{at}[{index}]")
            case "array" if self._sent:  # Google's parser takes a lone value for a list of one
                yield from self.check(schema["items"], value, at)
            case "object" | "array" as kind:
                yield f"{at}: {shown(value)} is no {kind}"
            case "any" | None:
                return
            case kind:
                if problem := self._scalar(kind, schema, value):
                    yield f"{at}: {shown(value)} {problem}"

    def _object(self, schema: Schema, value: Schema, at: str) -> Iterator[str]:
        properties: Schema = schema.get("properties", {})
        spelled = {_snake(name): name for name in properties} if self._sent else {}
        rest = schema.get("additionalProperties")
        for given, inner in value.items():
            name = given if given in properties else spelled.get(given, given)
            if name in properties:
                if self._sent and properties[name].get("readOnly"):
                    yield f"{at}.{name}: is output only"
                yield from self.check(properties[name], inner, f"{at}.{name}")
            elif rest is not None:
                yield from self.check(rest, inner, f"{at}.{name}")
            else:
                yield f"{at}.{given}: unknown member"
        if self._sent:
            wanted = {name for name, said in properties.items() if said.get("description", "").startswith("Required.")}
            yield from (f"{at}.{name}: required, missing" for name in sorted(wanted - self._names(value, spelled)))

    def _names(self, value: Schema, spelled: dict[str, str]) -> set[str]:
        return {spelled.get(name, name) for name in value}

    def _scalar(self, kind: str, schema: Schema, value: Any) -> str | None:
        form: str = schema.get("format", "")
        if "enum" in schema:
            number = self._numbers and isinstance(value, int) and 0 <= value < len(schema["enum"])
            return None if number or value in schema["enum"] else f"is none of {shown(schema['enum'])}"
        if form in {"int64", "uint64"}:
            whole = isinstance(value, int) and not isinstance(value, bool) and self._sent
            return None if whole or (isinstance(value, str) and re.fullmatch(FORMATS[form], value)) else f"is no {form}"
        if form == "byte":
            return None if _is_base64(value) else "is no base64"
        if not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "boolean"):
            return f"is no {kind}"
        fits = form not in FORMATS or re.fullmatch(FORMATS[form], str(value))
        return None if fits else f"is no {form}"


def _operations(service: str, document: Schema) -> Iterator[tuple[re.Pattern[str], Operation]]:
    source = f"{document['name']}.{document['version']} (google-api-python-client)"
    for method in _methods(document):
        path = f"/{document['servicePath']}{method.get('flatPath') or method['path']}"
        called = method["id"] if service == "storage" else f"{method['id']} ({document['version']})"
        operation = Operation(service, called, method["httpMethod"], path, source, (document, method))
        yield _pattern(path), operation
        upload = method.get("mediaUpload", {}).get("protocols", {}).get("simple")
        if upload:
            yield _pattern(upload["path"]), operation
        if method.get("useMediaDownloadService"):
            anything = path.replace("{object}", "OBJECT")  # the kept emulator's mediaLink leaves slashes as they are
            yield re.compile(_pattern(f"/download{anything}").pattern.replace("OBJECT", ".+")), operation


def _methods(node: Schema) -> Iterator[Schema]:
    yield from node.get("methods", {}).values()
    for inner in node.get("resources", {}).values():
        yield from _methods(inner)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+?", re.escape(path)))


def _resumed(exchange: Exchange) -> bool:
    """Whether this sends a piece of an upload that was begun before."""
    return exchange.method == "PUT" and "upload_id=" in exchange.query


def _starts_upload(exchange: Exchange) -> bool:
    return exchange.method == "POST" and ("uploadType", "resumable") in query_of(exchange)


def _query(document: Schema, method: Schema, exchange: Exchange) -> Iterator[str]:
    known = document["parameters"] | {
        name: said for name, said in method.get("parameters", {}).items() if said["location"] == "query"
    }
    reader = _Reader({}, sent=True)
    for name, text in query_of(exchange):
        if name == "$alt" and text == ENUMS_AS_NUMBERS:
            continue
        if name == "upload_id" and _resumed(exchange):
            continue
        if name not in known:
            yield f"query {name}: unknown parameter"
            continue
        kind = known[name]["type"]
        value = {"true": True, "false": False}.get(text, text) if kind == "boolean" else text
        value = int(text) if kind == "integer" and re.fullmatch(r"-?\d+", text) else value
        yield from reader.check({**known[name], "repeated": None}, value, f"query {name}")


def _json_sent(exchange: Exchange) -> bytes:
    """The JSON of a request: its body, or the first part of an upload."""
    if media_type(exchange.headers) != "multipart/related":
        return exchange.body or b"{}"
    sent = parts(exchange.headers["content-type"], exchange.body)
    return sent[0][1] if sent else b""


def _answers(exchange: Exchange) -> list[bytes]:
    """The JSON documents of an answer: one, or each of a stream."""
    if media_type(exchange.answer_headers) == "text/event-stream":
        return [line.removeprefix(b"data: ") for line in exchange.answer.split(b"\r\n\r\n") if line]
    return [exchange.answer]


def _raw(exchange: Exchange) -> bool:
    """Whether an object's own bytes were asked for."""
    return ("alt", "media") in query_of(exchange) or exchange.path.startswith("/download/")


def _refusal(operation: Operation | None, exchange: Exchange) -> Iterator[str]:
    body, wrong = read_json(exchange.answer)
    if operation is TOKEN:
        if wrong or not body.keys() >= {"error"}:
            yield "answer: a refused token says no error (RFC 6749, section 5.2)"
        return
    if _raw(exchange):
        return
    error = cast("Schema", body).get("error") if isinstance(body, dict) else None
    if wrong or not isinstance(error, dict):
        yield "answer: a refusal is no {error: {...}}"
        return
    said = cast("Schema", error)
    if said.get("code") != exchange.status:
        yield f"answer.error.code: {said.get('code')!r} is not the HTTP status {exchange.status}"
    if not isinstance(said.get("message"), str):
        yield "answer.error.message: required, missing"
    if "status" in said and said["status"] not in CODES.get(exchange.status, set()):
        yield f"answer.error.status: {said['status']!r} does not go with {exchange.status}"
    yield from (
        f"answer.error.{name}: unknown member"
        for name in said.keys() - {"code", "message", "status", "details", "errors"}
    )


def _is_base64(value: Any) -> bool:
    """Of either alphabet, as proto's JSON has it."""
    return isinstance(value, str) and bool(re.fullmatch(r"(?:[\w+/-]{4})*(?:[\w+/-]{2}(?:==)?|[\w+/-]{3}=?)?", value))


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: "_" + found[1].lower(), name)
