"""AWS's own service models as router, reader, judge and writer of requests, so that no rule is written twice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import unquote

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StringShape, StructureShape

JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
    "timestamp": (datetime,),
}


class Refused(Exception):
    """An error answer: the vendor's code and words; the status is the model's, or `status` for codes it lacks."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def invalid(message: str) -> Refused:
    """The refusal AWS uses for nearly everything."""
    return Refused("ValidationException", message)


class Service:
    """One AWS service as botocore describes it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.model = ServiceModel(Loader().load_service_model(name, "service-2"), name)
        operations = [self.model.operation_model(operation) for operation in self.model.operation_names]
        self._routes = [(o.http["method"], _template(o.http["requestUri"]), o) for o in operations]

    def route(self, method: str, raw_path: str) -> tuple[OperationModel, dict[str, str]] | None:
        """The operation a request asks for and its path parameters, decoded; ARNs arrive percent-encoded."""
        for verb, template, operation in self._routes:
            if verb == method and (match := template.fullmatch(raw_path)):
                return operation, {name: unquote(value) for name, value in match.groupdict().items()}
        return None

    @property
    def statuses(self) -> dict[str, int]:
        """The HTTP status of each of its error codes."""
        return {shape.name: int(shape.metadata["error"]["httpStatusCode"]) for shape in self.model.error_shapes}


def read(operation: OperationModel, path: Mapping[str, str], query: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The parameters of a request, judged. Raises `Refused`."""
    shape = operation.input_shape
    if not isinstance(shape, StructureShape):
        return {}
    placed = {name: member.serialization.get("location") for name, member in shape.members.items()}
    said = _document(body) if None in placed.values() else {}
    for name, place in placed.items():
        source = {"uri": path, "querystring": query}.get(place or "", {})
        wire = shape.members[name].serialization.get("name", name)
        if wire in source:
            said[name] = _typed(source[wire], shape.members[name])
    said = {name: value for name, value in said.items() if value is not None}
    if found := list(violations(said, shape)):
        plural = "s" if len(found) > 1 else ""
        raise invalid(f"{len(found)} validation error{plural} detected: {'; '.join(found)}")
    return said


def violations(value: Any, shape: Shape, at: str = "") -> Iterator[str]:
    """Every rule of the model that `value` breaks, in AWS's words. A wrong JSON type raises `Refused` at once."""
    if isinstance(shape, StructureShape) and shape.is_document_type:
        return
    _typecheck(value, shape)
    yield from _constraints(value, shape, at)
    if isinstance(shape, StructureShape):
        yield from _structure(value, shape, at)
    elif isinstance(shape, ListShape):
        for number, item in enumerate(value, 1):
            yield from violations(item, shape.member, f"{at}.{number}.member")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from violations(key, shape.key, f"{at}.{key}.key")
            yield from violations(item, shape.value, f"{at}.{key}.member")


def write(value: Any, shape: Shape | None) -> Any:
    """`value` as JSON by the model. None members are left out; a member the model lacks is our mistake: KeyError."""
    if value is None or shape is None:
        return {}
    if isinstance(shape, StructureShape) and not shape.is_document_type:
        return {name: write(item, shape.members[name]) for name, item in value.items() if item is not None}
    if isinstance(shape, ListShape):
        return [write(item, shape.member) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def _template(uri: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\+?\}", uri.partition("?")[0])
    return re.compile("".join(f"(?P<{p}>[^/]+)" if i % 2 else re.escape(p) for i, p in enumerate(parts)))


def _document(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise Refused("SerializationException", "Could not parse request body") from error
    if not isinstance(said, dict):
        raise Refused("SerializationException", "Start of structure or map expected")
    return cast("dict[str, Any]", said)


def _typed(text: str, shape: Shape) -> Any:
    """A path or query parameter in its own type; what does not convert stays text and is refused as such."""
    try:
        match shape.type_name:
            case "integer":
                return int(text)
            case "boolean":
                return {"true": True, "false": False}[text]
            case "timestamp":
                then = datetime.fromisoformat(text)
                return then if then.tzinfo else then.replace(tzinfo=UTC)
            case _:
                return text
    except (ValueError, KeyError):
        return text


def _typecheck(value: Any, shape: Shape) -> None:
    numeric_bool = isinstance(value, bool) and shape.type_name != "boolean"
    if numeric_bool or not isinstance(value, JSON_TYPES[shape.type_name]):
        raise Refused("SerializationException", f"{type(value).__name__} can not be converted to {shape.type_name}")


def _structure(value: dict[str, Any], shape: StructureShape, at: str) -> Iterator[str]:
    inside = f"{at}." if at else ""
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"Value null at '{inside}{name}' failed to satisfy constraint: Member must not be null"
    if shape.is_tagged_union and len(value) != 1:
        yield f"Value at '{at}' failed to satisfy constraint: Exactly one member of the union must be set"
    for name, item in value.items():
        if name not in shape.members:
            yield f"extraneous key [{inside}{name}] is not permitted"
        elif item is not None:
            yield from violations(item, shape.members[name], f"{inside}{name}")


def _constraints(value: Any, shape: Shape, at: str) -> Iterator[str]:
    failed = f"Value '{value}' at '{at}' failed to satisfy constraint: Member must"
    sized = isinstance(value, str | list | dict)
    size = len(cast("str", value)) if sized else value
    measure = "length" if sized else "value"
    rules = shape.metadata
    if "min" in rules and size < rules["min"]:
        yield f"{failed} have {measure} greater than or equal to {rules['min']}"
    if "max" in rules and size > rules["max"]:
        yield f"{failed} have {measure} less than or equal to {rules['max']}"
    elif "pattern" in rules and not re.fullmatch(_tamed(rules["pattern"]), value):
        yield f"{failed} satisfy regular expression pattern: {rules['pattern']}"
    if isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        yield f"{failed} satisfy enum value set: [{', '.join(shape.enum)}]"


def _tamed(pattern: str) -> str:
    """The same language without the doubled hyphen of AWS's name pattern, which backtracks exponentially."""
    return pattern.replace(r"-*[a-zA-Z0-9\+\-\.]", r"[a-zA-Z0-9\+\-\.]")
