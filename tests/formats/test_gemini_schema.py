"""JSON Schema as Gemini says it: the same instances stay valid, and property names are never touched."""

from __future__ import annotations

import math
from typing import Any

import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cloudistill.formats import gemini_schema
from cloudistill.formats.format import CannotCarry

WRITTEN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "string"}, {"type": "STRING"}),
    ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
    ({"type": "string", "nullable": True}, {"type": "STRING", "nullable": True}),
    ({"type": "string", "nullable": False}, {"type": "STRING"}),
    (
        {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        {"type": "STRING", "nullable": True, "default": None},
    ),
    ({"type": "integer", "enum": [1, 20]}, {"type": "INTEGER", "enum": ["1", "20"]}),
    ({"type": ["string", "null"], "enum": ["a", None]}, {"type": "STRING", "enum": ["a"], "nullable": True}),
    ({"type": ["string", "null"], "enum": ["a"]}, {"type": "STRING", "enum": ["a"]}),
    ({"const": "a"}, {"type": "STRING", "enum": ["a"]}),
    (
        {"type": "string", "format": "date", "pattern": "^2", "maxLength": 10},
        {"type": "STRING", "format": "date", "pattern": "^2", "maxLength": 10},
    ),
    (
        {"type": ["string", "integer"], "title": "T"},
        {"anyOf": [{"type": "STRING", "title": "T"}, {"type": "INTEGER", "title": "T"}]},
    ),
    ({"items": {"type": "string"}}, {"type": "ARRAY", "items": {"type": "STRING"}}),
    ({"properties": {}}, {"type": "OBJECT", "properties": {}}),
    (
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "OBJECT", "additionalProperties": {"type": "STRING"}},
    ),
    (
        {"$ref": "#/$defs/Mode", "description": "mine"},
        {"type": "STRING", "enum": ["r", "rw"], "title": "Mode", "description": "mine"},
    ),
]
MODE = {"Mode": {"type": "string", "enum": ["r", "rw"], "title": "Mode", "description": "theirs"}}


def parameters(schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"p": schema}, "$defs": MODE}


def spelt(schema: Any) -> dict[str, Any]:
    return gemini_schema.spell(gemini_schema.normalise(parameters(schema), "f"))["properties"]["p"]


@pytest.mark.parametrize(("schema", "expected"), WRITTEN)
def test_a_schema_is_spelled_in_geminis_words(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    assert spelt(schema) == expected


def test_property_names_that_equal_keywords_are_not_touched() -> None:
    names = ["type", "enum", "properties", "items", "nullable", "any_of", "anyOf", "default", "ref"]
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    said = gemini_schema.spell(gemini_schema.normalise(schema, "f"))
    assert list(said["properties"]) == names
    assert gemini_schema.read(said, "f") == schema


def test_a_schema_without_a_type_survives_and_says_a_type_wherever_vertex_wants_one() -> None:
    said = spelt({"description": "anything", "default": None})
    assert set(said) == {"anyOf"}
    assert all(option["description"] == "anything" for option in said["anyOf"])
    assert all("type" in option for option in said["anyOf"])
    assert gemini_schema.read(said, "f") == {"description": "anything", "default": None}


def test_parameters_are_an_object_even_if_they_do_not_say_so() -> None:
    assert gemini_schema.normalise({}, "f") == {"type": "object"}


def test_snake_case_and_counts_as_text_are_read() -> None:
    said = {"type": "ARRAY", "min_items": "2", "items": {"any_of": [{"type": "STRING"}], "nullable": True}}
    read = {"type": "array", "minItems": 2, "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}}
    assert gemini_schema.read(said, "f") == read


simple: st.SearchStrategy[Any] = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "enum": ["a", "b"]},
        {"type": ["string", "null"], "enum": ["a"]},
        {"type": ["string", "null"], "enum": ["a", None]},
        {"type": "integer", "minimum": 1},
        {"type": "number", "enum": [1, 0.5]},
        {"type": ["integer", "null"]},
        {"type": ["integer", "string", "null"]},
        {"type": "array", "items": {"type": "boolean"}, "minItems": 1},
        {"const": "only"},
        {"$ref": "#/$defs/Mode"},
        True,
        {},
    ]
)


def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas around schemas."""
    properties = st.fixed_dictionaries({"a": inner, "b": inner})
    members: list[dict[str, Any]] = [
        {"type": st.just("array"), "items": inner},
        {"anyOf": st.tuples(inner, inner).map(list)},
        {"anyOf": st.tuples(st.just({"type": "null"}), inner).map(list)},
        {"type": st.just("object"), "properties": properties, "required": st.just(["a"])},
        {"minLength": st.just(2), "anyOf": st.tuples(st.just({"type": "string"}), inner, inner).map(list)},
    ]
    return st.one_of(*(st.fixed_dictionaries(each) for each in members))


nested: st.SearchStrategy[Any] = st.recursive(simple, grown, max_leaves=5)
scalars = st.none() | st.booleans() | st.sampled_from(["", "a", "ab", "only", "r", 0, 1, 2, 0.5, 1.5])


def filled(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values that hold values."""
    return st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner)


instances: st.SearchStrategy[Any] = st.recursive(scalars, filled, max_leaves=5)


@settings(max_examples=200, deadline=None)
@given(schema=nested, instance=instances)
def test_the_normal_form_accepts_exactly_what_the_schema_accepts(schema: Any, instance: Any) -> None:
    try:
        normal = gemini_schema.normalise(parameters(schema), "f")
    except CannotCarry as refusal:
        assert refusal.rule in {"schema-any-of", "schema-conflict"}  # noqa: PT017
        return
    assert "$ref" not in str(normal)
    before: Any = Draft202012Validator(parameters(schema))
    after: Any = Draft202012Validator(normal)
    assert before.is_valid({"p": instance}) == after.is_valid({"p": instance})


@settings(max_examples=50, deadline=None)
@given(schema=nested)
def test_googles_own_sdk_knows_every_member_that_is_written(schema: Any) -> None:
    try:
        said = gemini_schema.spell(gemini_schema.normalise(parameters(schema), "f"))
    except CannotCarry:
        return
    types.Schema.model_validate(said)
    assert_vertex_form(said)


def assert_vertex_form(said: dict[str, Any]) -> None:
    """Every schema has a type, or else nothing but anyOf beside it."""
    assert "type" in said or set(said) == {"anyOf"}
    for inner in (*said.get("anyOf", ()), *said.get("properties", {}).values(), *filter(None, [said.get("items")])):
        assert_vertex_form(inner)


def test_numbers_in_an_enum_keep_their_type() -> None:
    schema = parameters({"type": "number", "enum": [1, 1.0, 1e300]})
    normal = gemini_schema.normalise(schema, "f")
    read = gemini_schema.read(gemini_schema.spell(normal), "f")["properties"]["p"]["enum"]
    assert [type(value) for value in read] == [int, float, float]
    assert math.isclose(read[2], 1e300)
