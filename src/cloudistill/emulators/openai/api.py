"""The manners of OpenAI's API: what is asked, the one shape of a refusal, cursors, and the checks every body meets."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

METADATA_PAIRS, METADATA_KEY, METADATA_VALUE = 16, 64, 512


class Refusal(Exception):
    """An answer in OpenAI's error shape."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.code, self.param = message, status, code, param

    def response(self) -> Response:
        """The refusal on the wire."""
        error = {"message": self.message, "type": "invalid_request_error", "param": self.param, "code": self.code}
        return JSONResponse({"error": error}, self.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request, read whole: `form` and `files` (name and content) are a multipart body, `raw` any other."""

    path: Mapping[str, str]
    query: Sequence[tuple[str, str]]
    raw: bytes = b""
    form: Mapping[str, str] = field(default_factory=dict[str, str])
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict[str, tuple[str, bytes]])

    @classmethod
    async def read(cls, request: Request) -> Asked:
        """All of `request`."""
        path, query = dict(request.path_params), request.query_params.multi_items()
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            return cls(path=path, query=query, raw=await request.body())
        async with request.form() as form:
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
            sent = {name: file for name, file in form.items() if isinstance(file, UploadFile)}
            files = {name: (file.filename or "", await file.read()) for name, file in sent.items()}
        return cls(path=path, query=query, form=fields, files=files)

    def body(self, allowed: Collection[str], required: Sequence[str]) -> dict[str, Any]:
        """The JSON object that was sent, with no member but the `allowed` and every `required` one."""
        try:
            body = json.loads(self.raw)
        except (ValueError, RecursionError):
            raise Refusal("We could not parse the JSON body of your request.") from None
        checked = an_object(body, "body")
        only(checked, allowed)
        for name in required:
            if checked.get(name) is None:
                raise missing(name)
        return checked

    def parameters(self, *allowed: str) -> dict[str, str]:
        """The query, with no parameter but the `allowed`."""
        query = dict(self.query)
        only(query, allowed)
        return query


Handler = Callable[[Asked], Response]


def only(value: Mapping[str, Any], allowed: Collection[str], where: str = "") -> None:
    """Refuse members that the API does not have."""
    for name in value:
        if name not in allowed:
            unknown = f"{where}.{name}" if where else name
            raise Refusal(f"Unknown parameter: '{unknown}'.", code="unknown_parameter", param=unknown)


def missing(param: str) -> Refusal:
    """The refusal of a body without `param`."""
    return Refusal(f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param)


def wrong_type(param: str, expected: str, value: object) -> Refusal:
    """The refusal of a value of another type than `expected`."""
    got = {"dict": "an object", "list": "an array", "str": "a string", "NoneType": "null"}.get(
        type(value).__name__, f"a {type(value).__name__}"
    )
    message = f"Invalid type for '{param}': expected {expected}, but got {got} instead."
    return Refusal(message, code="invalid_type", param=param)


def an_object(value: Any, param: str) -> dict[str, Any]:
    """`value`, which must be an object."""
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    raise wrong_type(param, "an object", value)


def an_array(value: Any, param: str) -> list[Any]:
    """`value`, which must be an array."""
    if isinstance(value, list):
        return cast("list[Any]", value)
    raise wrong_type(param, "an array", value)


def a_boolean(value: Any, param: str) -> bool:
    """`value`, which must be a boolean."""
    if not isinstance(value, bool):
        raise wrong_type(param, "a boolean", value)
    return value


def a_string(value: Any, param: str, *, shortest: int = 0, longest: int | None = None) -> str:
    """`value`, which must be a string of an allowed length."""
    if not isinstance(value, str):
        raise wrong_type(param, "a string", value)
    if len(value) < shortest:
        message = f"Invalid '{param}': empty string. Expected a string with minimum length {shortest}."
        raise Refusal(message, code="empty_string", param=param)
    if longest is not None and len(value) > longest:
        message = (
            f"Invalid '{param}': string too long. Expected a string with maximum length {longest}, "
            f"but got a string with length {len(value)} instead."
        )
        raise Refusal(message, code="string_above_max_length", param=param)
    return value


def one_of(value: Any, param: str, allowed: Sequence[str]) -> str:
    """`value`, which must be among the `allowed`."""
    if value not in allowed:
        listed = ", ".join(f"'{word}'" for word in allowed)
        message = f"Invalid value: '{value}'. Supported values are: {listed}."
        raise Refusal(message, code="invalid_value", param=param)
    return str(value)


def an_integer(value: Any, param: str, low: int, high: int) -> int:
    """`value`, which must be a whole number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(param, "an integer", value)
    if value < low:
        message = f"Invalid '{param}': integer below minimum value. Expected a value >= {low}, but got {value} instead."
        raise Refusal(message, code="integer_below_min_value", param=param)
    if value > high:
        message = (
            f"Invalid '{param}': integer above maximum value. Expected a value <= {high}, but got {value} instead."
        )
        raise Refusal(message, code="integer_above_max_value", param=param)
    return value


def a_number(value: Any, param: str, low: float, high: float = float("inf"), *, above: bool = False) -> float:
    """`value`, which must be a number from `low` (or, if `above`, more than it) to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(param, "a decimal", value)
    if value < low or (above and value == low):
        sign = ">" if above else ">="
        message = (
            f"Invalid '{param}': decimal below minimum value. Expected a value {sign} {low}, but got {value} instead."
        )
        raise Refusal(message, code="decimal_below_min_value", param=param)
    if value > high:
        message = (
            f"Invalid '{param}': decimal above maximum value. Expected a value <= {high}, but got {value} instead."
        )
        raise Refusal(message, code="decimal_above_max_value", param=param)
    return value


def metadata(value: Any) -> dict[str, str]:
    """`value`, which must be metadata: a few short strings by short names."""
    pairs = an_object(value, "metadata")
    if len(pairs) > METADATA_PAIRS:
        message = (
            f"Invalid 'metadata': too many properties. Expected an object with at most {METADATA_PAIRS} properties, "
            f"but got an object with {len(pairs)} properties instead."
        )
        raise Refusal(message, code="object_above_max_properties", param="metadata")
    for key, text in pairs.items():
        a_string(key, f"metadata.{key[:20]}", longest=METADATA_KEY)
        a_string(text, f"metadata.{key}", longest=METADATA_VALUE)
    return pairs


def page(
    items: Sequence[dict[str, Any]], query: Mapping[str, str], *, default: int, most: int, bounds: bool = False
) -> Response:
    """The page of `items` that `query` asks for by `limit` and `after`; with `bounds` it names its first and last."""
    try:
        limit = int(query.get("limit", default))
    except ValueError:
        raise wrong_type("limit", "an integer", query["limit"]) from None
    an_integer(limit, "limit", 1, most)
    start = 0
    if "after" in query:
        ids = [item["id"] for item in items]
        if query["after"] not in ids:
            raise Refusal(f"No such object: {query['after']}", status=404, param="after")
        start = ids.index(query["after"]) + 1
    data = items[start : start + limit]
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    more = start + limit < len(items)
    return JSONResponse({"object": "list", "data": data, "has_more": more} | (ends if bounds else {}))
