"""JSON Schema in the one form that Gemini's Schema can say, accepting the same instances; the rest is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from cloudistill.core.jsonl import dump
from cloudistill.formats import reading
from cloudistill.formats.format import CannotCarry
from cloudistill.formats.plain_schema import is_plain

SOURCE = "https://cloud.google.com/vertex-ai/docs/reference/rest/v1beta1/Schema"
TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
_ANNOTATIONS = frozenset({"title", "description", "default"})
_TEXTS = frozenset({"title", "description", "format", "pattern"})
COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_NAMES = frozenset({"required", "propertyOrdering"})
_NUMERIC: dict[str, tuple[type, ...]] = dict.fromkeys(COUNTS, (int,)) | {
    "minimum": (int, float),
    "maximum": (int, float),
}
_IMPLIED: dict[type, str] = {str: "string", int: "integer", float: "number"}
KNOWN = (
    _ANNOTATIONS
    | _TEXTS
    | COUNTS
    | _NAMES
    | {"type", "enum", "example", "minimum", "maximum", "anyOf", "items", "properties", "additionalProperties"}
)
MAX_STEPS = 10_000
MAX_NAME = 64
_SCALARS: list[dict[str, Any]] = [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]
ANYTHING: list[dict[str, Any]] = [*_SCALARS, {"type": "object"}, {"type": "array", "items": {"anyOf": _SCALARS}}]

Schema = dict[str, Any]


def normalise(parameters: Schema, where: str) -> Schema:
    """The parameters of a function as a JSON Schema in the one form that survives Gemini's spelling.

    Raises:
        CannotCarry: a keyword that Gemini's Schema lacks, a reference that cannot be replaced, parameters that
            are not an object, or names that Gemini refuses.
    """
    normal = parameters if is_plain(parameters, most=MAX_STEPS) else _normal(parameters, where)
    for name in normal.get("properties", ()):
        if not (name.isidentifier() and name.isascii() and len(name) <= MAX_NAME):
            raise refused(
                "parameter-name", where, f"has a parameter {name!r}", "Use letters, digits and '_', at most 64 of them."
            )
    return normal


def _normal(parameters: Schema, where: str) -> Schema:
    named: dict[str, Any] = {**parameters.get("definitions", {}), **parameters.get("$defs", {})}
    root = {key: value for key, value in parameters.items() if key not in {"$schema", "$defs", "definitions"}}
    if root.keys().isdisjoint({"type", "anyOf", "$ref"}):
        root["type"] = "object"
    normal = _Normaliser(named).schema(root, where)
    if normal.get("type") != "object":
        raise refused("schema-root", where, "is not an object", "Declare the parameters as one object.")
    return normal


def refused(rule: str, where: str, what: str, remedy: str) -> CannotCarry:
    """The refusal of a schema, with the vendor's page."""
    return CannotCarry(rule, f"{where} {what}.", remedy, source=SOURCE)


class _Normaliser:
    """Walks one function's schema; `named` are its definitions."""

    def __init__(self, named: Mapping[str, Any]) -> None:
        self._named = named
        self._inside: list[str] = []
        self._steps = 0

    def schema(self, value: Any, where: str) -> Schema:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise refused("schema-too-large", where, "is too large once written out", "Use fewer nested definitions.")
        if value is True:
            return {}
        schema = reading.obj(value, where)
        if "$ref" in schema:
            return self._inlined(schema, where)
        schema = _typed(schema, where)
        if not schema.keys() <= KNOWN:
            word = next(key for key in schema if key not in KNOWN)
            raise refused(
                "schema-keyword", where, f"uses {word!r}, which Gemini's Schema lacks", "Say it in the description."
            )
        if "anyOf" in schema:
            return self._alternatives(schema, where)
        return {key: self._member(key, member, where) for key, member in schema.items()}

    def _inlined(self, schema: Schema, where: str) -> Schema:
        ref = schema["$ref"]
        name = (
            ref.rpartition("/")[2]
            if type(ref) is str and re.fullmatch(r"#/(\$defs|definitions)/[^/%~]+", ref)
            else None
        )
        if name is None or name not in self._named:
            raise refused(
                "schema-ref", where, f"refers to {ref!r}", "Only definitions of the same schema can be replaced."
            )
        if name in self._inside:
            raise refused(
                "schema-recursive", where, f"refers to {name!r} inside itself", "Write out as many levels as needed."
            )
        beside = {key: member for key, member in schema.items() if key != "$ref"}
        self._inside.append(name)
        inlined = _merged(beside, self._named[name], where, outer_wins=_ANNOTATIONS)
        normal = self.schema(inlined, where)
        self._inside.pop()
        return normal

    def _member(self, key: str, value: Any, where: str) -> Any:
        match key:
            case "properties":
                properties = reading.obj(value, f"{where}.properties").items()
                return {name: self.schema(inner, f"{where}.{name}") for name, inner in properties}
            case "items":
                return self.schema(value, f"{where}.items")
            case "additionalProperties":
                return value if type(value) is bool else self.schema(value, f"{where}.additionalProperties")
            case _:
                _check_plain(key, value, where)
                return value

    def _alternatives(self, schema: Schema, where: str) -> Schema:
        beside = {key: member for key, member in schema.items() if key != "anyOf"}
        options = [self.schema(option, f"{where}.anyOf") for option in reading.array(schema["anyOf"], f"{where}.anyOf")]
        options = [inner for option in options for inner in option.get("anyOf", [option])]
        choices = [option for option in options if option.get("type") != "null"]
        if not choices:
            raise refused("schema-any-of", where, "has an `anyOf` without a choice", "Name a type.")
        if len(choices) == 1:
            choice = _merged(beside, choices[0], where, outer_wins=_ANNOTATIONS)
            return self.schema(nullable(choice) if len(options) > 1 else choice, where)
        nulls = [option for option in options if option.get("type") == "null"][:1]
        merged = [
            self.schema(_merged(beside, option, where, inner_wins={"title"}), where) for option in (*choices, *nulls)
        ]
        return unless_anything(merged)


def _check_plain(key: str, value: Any, where: str) -> None:
    where = f"{where}.{key}"
    if key in _TEXTS:
        reading.text(value, where)
    elif key in _NAMES:
        for name in reading.array(value, where):
            reading.text(name, where)
    elif key in _NUMERIC and type(value) not in _NUMERIC[key]:
        raise reading.wrong_type(where, int, value)


def _merged(
    outer: Schema,
    inner: Any,
    where: str,
    *,
    outer_wins: frozenset[str] = frozenset(),
    inner_wins: set[str] | None = None,
) -> Schema:
    """Both at once; a keyword that both have must agree, or one of them must be said to win."""
    both = reading.obj(inner, where)
    for key in outer.keys() & both.keys():
        if key not in outer_wins and key not in (inner_wins or ()) and dump(outer[key]) != dump(both[key]):
            raise refused(
                "schema-conflict", where, f"says {key!r} twice, beside and inside anyOf or $ref", "Say it in one place."
            )
    return {**outer, **both, **{key: outer[key] for key in outer.keys() & both.keys() & outer_wins}}


def nullable(schema: Schema) -> Schema:
    """The schema with null allowed as well, in the type and in an enum."""
    declared = schema.get("type")
    if declared is None or type(declared) is list:
        return schema
    enum = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [declared, "null"], **enum}


def _typed(schema: Schema, where: str) -> Schema:
    """The schema with `type` a word, or a word and null; other unions become `anyOf`, constants an `enum`."""
    declared = schema.get("type")
    if type(declared) is str and schema.keys().isdisjoint({"enum", "const", "nullable", "anyOf"}):
        if declared not in TYPES:
            raise bad_type(declared, where)
        return schema
    schema = dict(schema)
    if "const" in schema:
        schema = _merged({"enum": [schema.pop("const")]}, schema, where)
    may_be_null = schema.pop("nullable", False)
    types = _types(schema, where)
    if may_be_null and types and "null" not in types:
        types.append("null")
    if may_be_null and "anyOf" in schema:
        schema["anyOf"] = [*reading.array(schema["anyOf"], f"{where}.anyOf"), {"type": "null"}]
    if "enum" in schema:
        types = _agreeing(schema, types, where)
    if len(types) > 1 and "anyOf" in schema:
        raise refused("schema-conflict", where, "has several types beside `anyOf`", "Name the types inside `anyOf`.")
    return _with_types(schema, types)


def _types(schema: Schema, where: str) -> list[str]:
    declared = schema.pop("type", None)
    if declared is None:
        implied = [word for key, word in (("properties", "object"), ("items", "array")) if key in schema]
        return implied if "anyOf" not in schema else []
    types = [declared] if type(declared) is str else [*reading.array(declared, f"{where}.type")]
    for word in types:
        if type(word) is not str or word not in TYPES:
            raise bad_type(word, where)
    return sorted(cast("list[str]", dict.fromkeys(types)), key="null".__eq__)


def bad_type(word: Any, where: str) -> CannotCarry:
    """The refusal of a type that JSON Schema does not know."""
    remedy = f"JSON Schema knows {', '.join(sorted(TYPES))}."
    return refused("schema-type", where, f"has the type {word!r}", remedy)


def _agreeing(schema: Schema, types: list[str], where: str) -> list[str]:
    """The types that the enum leaves, null among them only if the enum says null too."""
    values = reading.array(schema["enum"], f"{where}.enum")
    words = [value for value in values if value is not None]
    kinds: set[type] = {type(cast("object", value)) for value in words}
    if not types:
        types = [_IMPLIED.get(kind, "") for kind in kinds] or ["string"]
        types += ["null"] if None in values else []
    plain = [word for word in types if word != "null"]
    allowed = {"integer": {int}, "number": {int, float}}.get(plain[0], {str}) if len(plain) == 1 else set[type]()
    if not kinds <= allowed or (None in values and "null" not in types):
        raise refused(
            "schema-enum",
            where,
            f"has an enum that its type {types} does not hold",
            "Use values of one type, text or numbers.",
        )
    schema["enum"] = [*words, None] if None in values else words
    return types if None in values else plain


def _with_types(schema: Schema, types: list[str]) -> Schema:
    plain = [word for word in types if word != "null"]
    if len(plain) > 1:
        return {**schema, "anyOf": [{"type": word} for word in types]}
    if types:
        return {"type": types[0] if len(types) == 1 else types, **schema}
    return schema


def unless_anything(options: list[Schema]) -> Schema:
    """Every type there is, each with the same members, is no type at all with those members."""
    if len(options) == len(ANYTHING):
        beside = [
            {key: member for key, member in option.items() if key not in core}
            for option, core in zip(options, ANYTHING, strict=True)
        ]
        if all(option == {**core, **beside[0]} for option, core in zip(options, ANYTHING, strict=True)):
            return beside[0]
    return {"anyOf": options}
