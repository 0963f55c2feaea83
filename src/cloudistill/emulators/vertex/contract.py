"""Reads a request body as Google's JSON front end does, and refuses in its words what the contract does not hold."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from cloudistill.emulators.vertex.errors import bad_request
from cloudistill.emulators.vertex.messages import ENUMS, MESSAGES, ONEOFS, ONLY_V1BETA1

Body = dict[str, Any]
_TYPES = "type.googleapis.com/google.cloud.aiplatform"


def parse(raw: bytes) -> Any:
    """The JSON of a body. Raises GoogleError when it is none."""
    try:
        return json.loads(raw or b"{}", parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        text = f"Invalid JSON payload received. {error}"
        raise bad_request(text, [{"description": text}]) from error


def read(kind: str, body: Any, *, at: str = "", version: str = "v1beta1") -> Body:
    """`body` as the message `kind`, every name in the contract's own spelling, nulls and output-only members left out.

    Raises GoogleError naming every unknown member and every wrong value.
    """
    reader = _Reader(version)
    parsed = reader.message(kind, body, at)
    if not reader.problems:
        return parsed
    violations = [({"field": field} if field else {}) | {"description": text} for field, text in reader.problems]
    raise bad_request("\n".join(text for _, text in reader.problems), violations)


def snake(name: str) -> str:
    """A member's name as it stands in the proto file."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: "_" + found[1].lower(), name)


def without_beta(kind: str, body: Body) -> Body:
    """A message as v1 shows it."""
    return {name: value for name, value in body.items() if name not in ONLY_V1BETA1.get(kind, ())}


class _Reader:
    """Walks a body beside its message type and collects what does not fit."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.problems: list[tuple[str, str]] = []

    def message(self, kind: str, value: Any, at: str) -> Body:
        if not isinstance(value, dict):
            return self._wrong(at, f"{_TYPES}.{self.version}.{kind}", value)
        hidden = ONLY_V1BETA1.get(kind, frozenset()) if self.version == "v1" else frozenset[str]()
        types = {name: of for name, of in MESSAGES[kind].items() if name not in hidden}
        spelled = {spelling: name for name in types for spelling in (name, snake(name))}
        parsed: Body = {}
        for given, inner in cast("Body", value).items():
            name = spelled.get(given)
            if name is None:
                self._unknown(at, given)
            elif inner is not None and types[name] != "ignored" and self._alone(kind, name, parsed, at):
                parsed[name] = self._value(types[name], inner, f"{at}.{snake(name)}".lstrip("."))
        return parsed

    def _value(self, kind: str, value: Any, at: str) -> Any:
        if kind.startswith("[]"):
            return self._list(kind[2:], value, at)
        if kind.startswith("{}"):
            return self._map(kind[2:], value, at)
        if kind in MESSAGES:
            return self.message(kind, value, at)
        if kind in ENUMS:
            return value if value in ENUMS[kind] else self._wrong(at, f"{_TYPES}.{self.version}.{kind}", value)
        return self._scalar(kind, value, at)

    def _list(self, kind: str, value: Any, at: str) -> list[Any]:
        if not isinstance(value, list):  # Google's own samples write a lone value where a list stands
            return [self._value(kind, value, at)]
        return [self._value(kind, item, f"{at}[{i}]") for i, item in enumerate(cast("list[Any]", value))]

    def _map(self, kind: str, value: Any, at: str) -> Body:
        if not isinstance(value, dict):
            return self._wrong(at, "Map", value)
        return {key: self._value(kind, item, f"{at}[{key}]") for key, item in cast("Body", value).items()}

    def _scalar(self, kind: str, value: Any, at: str) -> Any:
        match kind:
            case "any":
                return value
            case "open" | "struct":
                return cast("Body", value) if isinstance(value, dict) else self._wrong(at, "Map", value)
            case "string" | "bool":
                wanted = str if kind == "string" else bool
                return value if isinstance(value, wanted) else self._wrong(at, f"TYPE_{kind.upper()}", value)
            case _:
                number = _number(value, whole=kind.startswith("int"))
                return self._wrong(at, f"TYPE_{kind.upper()}", value) if number is None else number

    def _alone(self, kind: str, name: str, parsed: Body, at: str) -> bool:
        for group, members in ONEOFS.get(kind, {}).items():
            if name in members and members & parsed.keys():
                text = f"oneof field '{group}' is already set. Cannot set '{name}'"
                self.problems.append((at, f"Invalid value at '{at}' (oneof), {text}"))
                return False
        return True

    def _unknown(self, at: str, name: str) -> None:
        where = f" at '{at}'" if at else ""
        text = f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.'
        self.problems.append((at, text))

    def _wrong(self, at: str, kind: str, value: Any) -> Body:
        self.problems.append((at, f"Invalid value at '{at}' ({kind}), {json.dumps(value, ensure_ascii=False)}"))
        return {}


def _number(value: Any, *, whole: bool) -> int | float | None:
    """Proto JSON: a number may be written as a string; a whole one may carry `.0`."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
        if not whole:
            return number
        return int(value) if isinstance(value, str) else int(number) if number.is_integer() else None
    except (ValueError, OverflowError):
        return None


def _no_constant(name: str) -> Any:
    raise ValueError(f"Unexpected token. {name}")
