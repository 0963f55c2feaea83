"""Requests to AWS and its answers, held against the service models that botocore carries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import create_parser
from tests.contracts.aws_shapes import check, from_form, from_text, from_xml, wire_name
from tests.contracts.contract import Operation, query_of, read_json
from tests.contracts.flaws import FLAWS, mended

from cloudistill.emulators.recording import Exchange

SERVICES = {"bedrock": ("bedrock", "bedrock-runtime"), "aws": ("s3", "sts", "iam")}
SIGNING = re.compile(
    r"x-amz-(content-sha256|date|decoded-content-length|trailer|sdk-.*|user-agent)|x-amzn?-(trace|request).*|x-amz-te"
)
"""Headers of the protocol itself, which no operation lists."""
SIGNED = re.compile(r"X-Amz-.+|AWSAccessKeyId|Signature|Expires|x-id")
"""The query of the protocol itself: an address that is signed."""
EVERYWHERE = {
    "MissingAuthenticationTokenException": 403,
    "InvalidSignatureException": 403,
    "UnrecognizedClientException": 403,
    "ExpiredTokenException": 403,
    "AccessDeniedException": 403,
    "UnknownOperationException": 404,
    "SerializationException": 400,
}
"""Codes that AWS's front end gives for any service, and the status of each (AWS, common errors)."""


@dataclass(frozen=True)
class _Route:
    """One operation's method, path and the query that tells it from others at the same path."""

    model: OperationModel
    service: ServiceModel
    operation: Operation

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The path, each label a group."""
        path = self.model.http["requestUri"].partition("?")[0]
        greedy = re.sub(r"\\\{(\w+)\\\+\\\}", "(?P<\\1>.+)", re.escape(path))
        return re.compile(re.sub(r"\\\{(\w+)\\\}", "(?P<\\1>[^/]+)", greedy))

    @cached_property
    def fixed(self) -> dict[str, str]:
        """The query that is part of the operation's address."""
        return dict(parse_qsl(self.model.http["requestUri"].partition("?")[2], keep_blank_values=True))

    @cached_property
    def told_by(self) -> set[tuple[str, str]]:
        """What must be in query or header for this operation to be meant."""
        shape: Any = self.model.input_shape
        places = {"querystring", "header"}
        wanted = ((name, shape.members[name]) for name in shape.required_members) if shape else ()
        return {
            (member.serialization["location"], wire_name(name, member).lower())
            for name, member in wanted
            if member.serialization.get("location") in places
        }

    def fits(self, exchange: Exchange, query: dict[str, str]) -> bool:
        """Whether a request means this operation."""
        if self.model.http["method"] != exchange.method or not self.pattern.fullmatch(_path(exchange)):
            return False
        given = {("querystring", name.lower()) for name in query} | {("header", name) for name in exchange.headers}
        return self.fixed.items() <= query.items() and self.told_by <= given


class AwsModels:
    """The judge of exchanges with one of our AWS servers: `bedrock`, or `aws` for the services beside it."""

    def __init__(self, server: str) -> None:
        self._services = {name: _service(name) for name in SERVICES[server]}
        self._routes = {
            name: [_route(name, model, operation) for operation in model.operation_names]
            for name, model in self._services.items()
        }

        self.operations = [route.operation for routes in self._routes.values() for route in routes]

    def holds(self, operation: Operation) -> str:
        """What a good answer is held against."""
        model = operation.detail.model
        if model.has_streaming_output:
            return "headers, and the bytes that were sent"
        return "output shape, botocore's parser" if model.output_shape else "must be empty"

    def find(self, exchange: Exchange) -> Operation | None:
        """The operation that is meant; of several, the one with most to tell it by."""
        signed = exchange.signed.rpartition("/")[2]
        if signed in self._services.keys() & {"sts", "iam"}:
            action = dict(parse_qsl(exchange.body.decode("latin-1"))).get("Action")
            return next((route.operation for route in self._routes[signed] if route.model.name == action), None)
        query = dict(query_of(exchange))
        routes = [route for name in self._services.keys() - {"sts", "iam"} for route in self._routes[name]]
        fitting = [route for route in routes if route.fits(exchange, query)]
        best = max(fitting, key=lambda route: len(route.fixed) + len(route.told_by), default=None)
        return best.operation if best else None

    def request(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        """Path, query, headers and body."""
        route: _Route = operation.detail
        shape: Any = route.model.input_shape
        if route.service.metadata["protocol"] == "query":
            yield from _form(route, exchange)
        elif shape is None:
            if exchange.body:
                yield f"body: {operation.name} takes none"
        else:
            problems: list[str] = []
            said = _assembled(route, exchange, problems)
            yield from problems
            yield from check(shape, said, "request")
            yield from _strangers(route, exchange)

    def answer(self, operation: Operation | None, exchange: Exchange) -> Iterator[str]:
        """Status and body, by the model and by botocore's own parser."""
        if exchange.status >= 300:
            yield from self._refusal(operation, exchange)
            return
        if operation is None:
            yield f"answer: {exchange.status} to an operation that no model has"
            return
        route: _Route = operation.detail
        if route.service.metadata["protocol"] == "rest-json" and exchange.status != route.model.http.get(
            "responseCode", 200
        ):
            yield f"answer: status {exchange.status} is not {route.model.http.get('responseCode', 200)}"
        shape: Any = route.model.output_shape
        if shape is None:
            if route.service.metadata["protocol"] == "rest-json" and exchange.answer not in {b"", b"{}"}:
                yield f"answer: {operation.name} answers nothing"
            return
        problems: list[str] = []
        said = _answered(route, exchange, problems)
        yield from problems
        yield from check(shape, said, "answer")
        if not problems and not route.model.has_streaming_output:
            yield from _unparsed(route, exchange)

    def _refusal(self, operation: Operation | None, exchange: Exchange) -> Iterator[str]:
        if "bedrock" not in self._services:
            if exchange.method != "HEAD" and not re.search(rb"<Code>\w+</Code>", exchange.answer):
                yield "answer: a refusal has no <Code>"
            return
        code = exchange.answer_headers.get("x-amzn-errortype", "").partition(":")[0]
        shapes: dict[str, Any] = {s.name: s for m in self._services.values() for s in _errors(m)}
        if code not in shapes.keys() | EVERYWHERE.keys():
            yield f"answer header x-amzn-errortype: {code!r} is no code of the service"
            return
        status = shapes[code].metadata["error"]["httpStatusCode"] if code in shapes else EVERYWHERE[code]
        if exchange.status != status and not (operation is not None and exchange.status == 501):
            yield f"answer: status {exchange.status} does not go with {code}"
        body, wrong = read_json(exchange.answer)
        yield from wrong or (check(shapes[code], body, "answer") if code in shapes else ())


def _service(name: str) -> ServiceModel:
    return ServiceModel(mended(Loader().load_service_model(name, "service-2"), FLAWS.get(name, ())), name)


def _route(service: str, model: ServiceModel, name: str) -> _Route:
    operation = model.operation_model(name)
    http = operation.http
    document = f"service model {service} {model.metadata['apiVersion']} (botocore)"
    made = Operation(service, name, http["method"], http["requestUri"], document)
    route = _Route(operation, model, made)
    object.__setattr__(made, "detail", route)
    return route


def _errors(model: ServiceModel) -> list[Any]:
    return [shape for name in model.operation_names for shape in model.operation_model(name).error_shapes]


def _path(exchange: Exchange) -> str:
    return exchange.path if exchange.path == "/" else exchange.path.removesuffix("/")


def _assembled(route: _Route, exchange: Exchange, problems: list[str]) -> dict[str, Any]:
    """A request's members from wherever they stand, by their names on the wire."""
    shape: Any = route.model.input_shape
    found = route.pattern.fullmatch(_path(exchange))
    labels = found.groupdict() if found else {}
    query: dict[str, list[str]] = {}
    for name, value in query_of(exchange):
        query.setdefault(name, []).append(value)
    said = _body(shape, route, exchange.headers, exchange.body, problems)
    for name, member in shape.members.items():
        key = wire_name(name, member)
        match member.serialization.get("location"):
            case "uri":
                said[key] = from_text(member, unquote(labels.get(key, "")))
            case "querystring" if key in query and member.type_name == "list":
                said[key] = query[key]
            case "querystring" if key in query:
                said[key] = from_text(member, query[key][0])
            case _:
                _from_header(member, key, exchange.headers, said)
    return said


def _from_header(member: Any, key: str, headers: dict[str, str], said: dict[str, Any]) -> None:
    if member.serialization.get("location") == "header" and key.lower() in headers:
        said[key] = from_text(member, headers[key.lower()])
    elif member.serialization.get("location") == "headers":
        names = [name for name in headers if name.startswith(key.lower())]
        if names:
            said[key] = {name.removeprefix(key.lower()): headers[name] for name in names}


def _body(
    shape: Any, route: _Route, headers: dict[str, str], body: bytes, problems: list[str], root: str | None = None
) -> dict[str, Any]:
    """The members that stand in a body; one that is bytes counts as there."""
    payload = shape.serialization.get("payload")
    member = shape.members[payload] if payload else None
    if member is not None and member.type_name in {"blob", "string"}:
        return {}
    if not body or (member is None and all("location" in m.serialization for m in shape.members.values())):
        if body and body != b"{}" and root is None:
            problems.append("body: this operation takes none")
        return {}
    if route.service.metadata["protocol"] == "rest-json":
        value, wrong = read_json(body)
        problems += wrong if wrong or isinstance(value, dict) else ["body: is no object"]
        said = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    else:
        said = _xml(member or shape, body, problems, root)
    return {wire_name(payload, member): said} if payload and member is not None else said


def _xml(shape: Any, body: bytes, problems: list[str], wrapper: str | None) -> dict[str, Any]:
    try:
        element = ElementTree.fromstring(body)  # noqa: S314 - our own emulators wrote it
    except ElementTree.ParseError as error:
        problems.append(f"body is not XML: {error}")
        return {}
    if wrapper:
        element = next((child for child in element if child.tag.rpartition("}")[2] == wrapper), element)
    return from_xml(shape, element, problems, "body")


def _answered(route: _Route, exchange: Exchange, problems: list[str]) -> dict[str, Any]:
    shape: Any = route.model.output_shape
    wrapper = shape.serialization.get("resultWrapper", "")
    said: dict[str, Any] = _body(shape, route, exchange.answer_headers, exchange.answer, problems, wrapper)
    for name, member in shape.members.items():
        _from_header(member, wire_name(name, member), exchange.answer_headers, said)
    return said


def _form(route: _Route, exchange: Exchange) -> Iterator[str]:
    form = dict(parse_qsl(exchange.body.decode("latin-1"), keep_blank_values=True))
    version = form.pop("Version", None)
    if form.pop("Action", None) != route.model.name or version != route.service.metadata["apiVersion"]:
        yield f"body: version {version!r} is not {route.service.metadata['apiVersion']!r}"
    problems: list[str] = []
    shape: Any = route.model.input_shape
    said: Any = from_form(shape, form, problems) if shape else {}
    yield from problems
    yield from check(shape, said, "request") if shape else ()
    yield from (f"body.{name}: unknown member" for name in form)


def _strangers(route: _Route, exchange: Exchange) -> Iterator[str]:
    """Names in query and headers that the operation does not have."""
    shape: Any = route.model.input_shape
    named = {
        (member.serialization.get("location"), wire_name(name, member).lower())
        for name, member in shape.members.items()
    }
    prefixes = tuple(name for place, name in named if place == "headers")
    for name, _ in query_of(exchange):
        if ("querystring", name.lower()) not in named and name not in route.fixed and not SIGNED.fullmatch(name):
            yield f"query {name}: unknown parameter"
    for name in exchange.headers:
        known = ("header", name) in named or SIGNING.fullmatch(name) or (prefixes and name.startswith(prefixes))
        if name.startswith("x-amz-") and not known:
            yield f"header {name}: unknown"


def _unparsed(route: _Route, exchange: Exchange) -> Iterator[str]:
    """What botocore's own parser cannot read."""
    shape: Any = route.model.output_shape
    parser: Any = create_parser(route.service.metadata["protocol"])
    raw = {"status_code": exchange.status, "headers": exchange.answer_headers, "body": exchange.answer}
    try:
        parser.parse(raw, shape)
    except Exception as error:
        yield f"answer: botocore cannot read it: {error}"
