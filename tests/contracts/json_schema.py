"""The part of JSON Schema that OpenAI's document is written in, unknown members refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, cast

from tests.contracts.contract import shown

Schema = dict[str, Any]
EVERYTHING = "*"
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str, bytes),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
LIMITS: dict[str, Callable[[Any, Any], bool]] = {
    "minimum": lambda value, limit: value >= limit,
    "maximum": lambda value, limit: value <= limit,
    "exclusiveMinimum": lambda value, limit: value > limit,
    "exclusiveMaximum": lambda value, limit: value < limit,
    "minLength": lambda value, limit: len(value) >= limit,
    "maxLength": lambda value, limit: len(value) <= limit,
    "minItems": lambda value, limit: len(value) >= limit,
    "maxItems": lambda value, limit: len(value) <= limit,
    "maxProperties": lambda value, limit: len(value) <= limit,
    "pattern": lambda value, limit: re.search(limit, value) is not None,
}
APPLIES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), (int, float)),
    **dict.fromkeys(("minLength", "maxLength", "pattern"), (str,)),
    **dict.fromkeys(("minItems", "maxItems"), (list,)),
    "maxProperties": (dict,),
}


class Checker:
    """Holds values against the schemas of one document."""

    def __init__(self, document: Schema) -> None:
        self._document = document
        self._found: dict[str, Schema] = {}

    def check(self, schema: Schema, value: Any, at: str = "") -> Iterator[str]:
        """What is wrong with `value`, members that no part of the schema knows included."""
        problems, known = self._weigh(schema, value, at)
        yield from problems
        if isinstance(value, dict) and EVERYTHING not in known:
            yield from (f"{_join(at, name)}: unknown member" for name in cast("Schema", value) if name not in known)

    def resolve(self, schema: Schema) -> Schema:
        """The schema that a reference leads to."""
        while "$ref" in schema:
            pointer: str = schema["$ref"]
            if pointer not in self._found:
                node: Any = self._document
                for step in pointer.removeprefix("#/").split("/"):
                    node = node[step]
                self._found[pointer] = node
            schema = self._found[pointer]
        return schema

    def _weigh(self, schema: Schema, value: Any, at: str) -> tuple[list[str], set[str]]:
        """What is wrong, and which members the schema has an opinion on."""
        schema = self.resolve(schema)
        problems = list(_own(schema, value, at))
        known: set[str] = set()
        if isinstance(value, dict):
            problems += self._members(schema, cast("Schema", value), at, known)
        elif isinstance(value, list) and "items" in schema:
            for index, item in enumerate(cast("list[Any]", value)):
                problems += self.check(schema["items"], item, f"{at}[{index}]")
        for part in schema.get("allOf", ()):
            wrong, more = self._weigh(part, value, at)
            problems += wrong
            known |= more
        for union in ("anyOf", "oneOf"):
            if union in schema:
                wrong, more = self._either(schema[union], value, at)
                problems += wrong
                known |= more
        return problems, known

    def _members(self, schema: Schema, value: Schema, at: str, known: set[str]) -> Iterator[str]:
        properties: Schema = schema.get("properties", {})
        known.update(properties)
        yield from (f"{_join(at, name)}: required, missing" for name in schema.get("required", ()) if name not in value)
        for name in value.keys() & properties.keys():
            yield from self.check(properties[name], value[name], _join(at, name))
        more = schema.get("additionalProperties", _is_open(schema))
        if more is not False:
            known.add(EVERYTHING)
        if isinstance(more, dict):
            for name in value.keys() - properties.keys():
                yield from self.check(cast("Schema", more), value[name], _join(at, name))

    def _either(self, branches: list[Schema], value: Any, at: str) -> tuple[list[str], set[str]]:
        """The union of the branches that fit; of none, what the nearest says."""
        weighed = [self._weigh(branch, value, at) for branch in branches]
        fitting = [known for problems, known in weighed if not problems]
        if fitting:
            return [], set[str]().union(*fitting)
        return min(weighed, key=_distance)


def _own(schema: Schema, value: Any, at: str) -> Iterator[str]:
    """The rules that look at the value alone."""
    said: str | list[str] = schema.get("type", [])
    kinds = [said] if isinstance(said, str) else said
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield f"{at}: {shown(value)} is no {' or '.join(kinds)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {shown(value)} is none of {shown(schema['enum'])}"
    if "const" in schema and value != schema["const"]:
        yield f"{at}: {shown(value)} is not {schema['const']!r}"
    for word in schema.keys() & LIMITS.keys():
        applies = isinstance(value, APPLIES[word]) and not isinstance(value, bool)
        if applies and not LIMITS[word](value, schema[word]):
            yield f"{at}: {shown(value)} breaks {word} {schema[word]!r}"


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, TYPES[kind])


def _is_open(schema: Schema) -> bool:
    """An object of which nothing is said may hold anything."""
    said = {"properties", "allOf", "anyOf", "oneOf", "enum", "required"}
    return schema.get("type") == "object" and not said & schema.keys()


def _distance(weighed: tuple[list[str], set[str]]) -> tuple[bool, int]:
    """How far a branch is from fitting: one that another discriminator value rules out is farther than any."""
    wrong = weighed[0]
    other = any("is none of" in problem or "is no " in problem for problem in wrong)
    return other, len(wrong)


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name
