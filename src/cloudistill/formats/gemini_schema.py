"""JSON Schema in the words of Gemini's Schema, and back: types in upper case, `nullable`, enums of texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from cloudistill.core.jsonl import dump
from cloudistill.core.strict_json import Broken, parse
from cloudistill.formats import reading
from cloudistill.formats.normal_schema import (
    ANYTHING,
    COUNTS,
    KNOWN,
    TYPES,
    Schema,
    bad_type,
    normalise,
    nullable,
    refused,
    unless_anything,
)

__all__ = ["Schema", "normalise", "read", "spell"]


def spell(schema: Schema) -> Schema:
    """A normal JSON Schema as Gemini's Schema."""
    declared: Any = schema.get("type")
    if type(declared) is not str or "anyOf" in schema:
        return _spell_union(schema, declared)
    spelt = schema.copy()
    spelt["type"] = declared.upper()
    if "properties" in schema:
        spelt["properties"] = {name: spell(inner) for name, inner in schema["properties"].items()}
    if "items" in schema:
        spelt["items"] = spell(schema["items"])
    if type(schema.get("additionalProperties")) is dict:
        spelt["additionalProperties"] = spell(schema["additionalProperties"])
    if declared != "string" and "enum" in schema:
        spelt["enum"] = [_word(value, declared) for value in schema["enum"]]
    return spelt


def _spell_union(schema: Schema, declared: Any) -> Schema:
    if "anyOf" in schema:
        return {"anyOf": [spell(option) for option in schema["anyOf"]]}
    if declared is None:
        return {"anyOf": [spell({**core, **schema}) for core in ANYTHING]}
    values = {"enum": [value for value in schema["enum"] if value is not None]} if "enum" in schema else {}
    return spell({**schema, **values, "type": declared[0]}) | {"nullable": True}


def _word(value: Any, declared: str) -> str:
    return dump(value).decode() if declared in {"integer", "number"} else value


def _spelt(key: str, member: Any, each: Callable[[Any], Schema]) -> Any:
    if key == "properties":
        return {name: each(inner) for name, inner in member.items()}
    if key == "items" or (key == "additionalProperties" and type(member) is dict):
        return each(cast("Schema", member))
    return member


def read(value: Any, where: str) -> Schema:
    """Gemini's Schema, in camelCase or snake_case, as JSON Schema.

    Raises:
        CannotCarry: a member that Gemini's Schema lacks, or one of the wrong type.
    """
    camel = reading.camel_case(value, where)
    values = {key: camel[key] for key in ("default", "example") if key in camel}
    spelt = reading.members(camel, KNOWN | {"nullable", "defs", "ref"}, where) | values
    schema = {key: _read(key, member, where) for key, member in spelt.items() if key != "nullable"}
    if "anyOf" in schema and len(schema) == 1:
        schema = unless_anything(schema["anyOf"])
    declared = schema.get("type")
    if "enum" in schema:
        schema["enum"] = [_value(word, declared, where) for word in reading.array(schema["enum"], f"{where}.enum")]
    if spelt.get("nullable"):
        if "anyOf" in schema:
            schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
        return nullable(schema)
    return schema


def _read(key: str, member: Any, where: str) -> Any:
    match key:
        case "type":
            word = reading.text(member, f"{where}.type").lower()
            if word not in TYPES:
                raise bad_type(member, where)
            return word
        case "anyOf":
            return [read(option, f"{where}.anyOf") for option in reading.array(member, f"{where}.anyOf")]
        case "defs" | "ref":
            raise refused("schema-ref", where, f"has {key!r}", "Write the schema out where it is used.")
        case _ if key in COUNTS and isinstance(member, str) and member.isdecimal():
            return int(member)
        case _:
            member = reading.obj(member, f"{where}.properties") if key == "properties" else member
            return _spelt(key, member, lambda inner: read(inner, f"{where}.{key}"))


def _value(word: Any, declared: Any, where: str) -> Any:
    text = reading.text(word, f"{where}.enum")
    if declared not in {"integer", "number"}:
        return text
    try:
        return parse(text)
    except Broken as broken:
        raise refused("schema-enum", where, f"has the enum value {text!r}", "Write a number.") from broken
