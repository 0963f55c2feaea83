"""A schema that is called plain is one that the careful walk leaves as it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudistill.formats.format import CannotCarry
from cloudistill.formats.normal_schema import MAX_STEPS, normalise
from cloudistill.formats.plain_schema import is_plain

types = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null", "any", ["string"], 1])
members: dict[str, st.SearchStrategy[Any]] = {
    "description": st.sampled_from(["d", "", None, 1]),
    "default": st.none() | st.integers() | st.text(max_size=2),
    "enum": st.lists(st.sampled_from(["a", 1, 1.5, True, None]), max_size=2),
    "required": st.sampled_from([["a"], [], [1], "a", None]),
    "minimum": st.sampled_from([1, 1.5, True, "1", None]),
    "minItems": st.sampled_from([1, 1.0, True, None]),
    "nullable": st.booleans(),
    "additionalProperties": st.booleans(),
}


def around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas that hold schemas."""
    properties = st.dictionaries(st.sampled_from(["a", "type", "b-c"]), inner, max_size=2)
    nested: dict[str, st.SearchStrategy[Any]] = {
        "items": inner | st.none(),
        "properties": properties | st.none(),
        "additionalProperties": inner,
    }
    return st.fixed_dictionaries({"type": types}, optional=members | nested)


schemas = st.recursive(st.fixed_dictionaries({"type": types}, optional=members), around, max_leaves=5)


def after_a_walk(schema: dict[str, Any]) -> Any:
    """The normal form by the careful walk, which a `$schema` asks for."""
    try:
        return normalise({**schema, "$schema": "any"}, "f")
    except CannotCarry as refusal:
        return refusal.rule


@settings(max_examples=400, deadline=None)
@given(schema=around(schemas))
def test_what_is_plain_is_left_as_it_is_by_the_careful_walk(schema: dict[str, Any]) -> None:
    walked = after_a_walk(schema)
    if is_plain(schema, most=MAX_STEPS) and walked != "parameter-name":
        assert walked == schema


PLAIN: dict[str, Any] = {
    "type": "object",
    "properties": {
        "unit": {"type": "string", "enum": ["C", "F"], "description": "d", "default": None},
        "days": {"type": "array", "items": {"type": "integer", "enum": [1, 2]}, "minItems": 1},
        "where": {"type": "object", "properties": {"type": {"type": "number", "minimum": 0.5}}},
    },
    "required": ["unit"],
    "additionalProperties": False,
}


def test_a_plain_schema_is_the_same_object_when_normal() -> None:
    assert normalise(PLAIN, "f") is PLAIN
    assert after_a_walk(PLAIN) == PLAIN


@pytest.mark.parametrize("schema", [{}, {"properties": {}}, {"type": "string"}, {"type": "object", "$defs": {}}])
def test_what_has_to_be_changed_or_refused_is_not_plain(schema: dict[str, Any]) -> None:
    assert not is_plain(schema, most=MAX_STEPS)


def test_a_schema_that_is_too_large_is_not_plain() -> None:
    assert is_plain(PLAIN, most=6)
    assert not is_plain(PLAIN, most=5)
