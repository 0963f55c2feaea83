"""What is read in C is exactly what the careful reader reads, and what it refuses is left to it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudistill.core import jsonl
from cloudistill.core.strict_json import (
    MAX_DEPTH,
    MAX_DIGITS,
    Broken,
    Quick,
    parse,
    parse_carefully,
    parse_object,
    quick_object,
)

numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=8) | st.sampled_from(['"', '\\"', "\\u0022", '""', "\u2028", "\x85", "\u00e9", "null", "\x00"])
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=15,
)
separators = st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")])
PIECES = ['"a":1,', ',"a":1', '"', "\\u0022", "\\", "[", "]", "{", "}", "-0", "1e999", "9" * 309, "NaN", "\\ud800"]


@st.composite
def lines(draw: Any) -> str:
    """Objects in every way of writing them."""
    value = draw(st.dictionaries(texts, values, max_size=4))
    return json.dumps(value, separators=draw(separators), ensure_ascii=draw(st.booleans()))


@st.composite
def mutated(draw: Any) -> str:
    """Such objects with a piece of text put in, repeated or taken out."""
    line = draw(lines())
    start = draw(st.integers(0, len(line)))
    end = draw(st.integers(start, min(len(line), start + 12)))
    piece = draw(st.sampled_from(["", line[start:end] * 2, *PIECES]) | texts)
    return line[:start] + piece + line[end:]


def careful(text: str) -> str:
    """The value with its types, or the rule that refuses it."""
    try:
        return repr(parse_carefully(text))
    except Broken as broken:
        return broken.rule


@settings(max_examples=400, deadline=None)
@given(text=lines() | mutated())
def test_what_is_read_in_c_is_what_the_careful_reader_reads(text: str) -> None:
    read = quick_object(text.encode(errors="surrogatepass"))
    assert read is None or repr(read) == careful(text)


@settings(max_examples=200, deadline=None)
@given(text=lines() | mutated())
def test_a_text_is_parsed_or_refused_as_the_careful_reader_does(text: str) -> None:
    try:
        found = repr(parse(text))
    except Broken as broken:
        found = broken.rule
    assert found == careful(text)


PADDING = '"padding":"' + "x" * 500 + '"'
DOUBTFUL = [
    '{"a":1,"a":2}',
    '{"a":1,"a":2,"b":"\\u0022\\u0022"}',
    '{"a":{"\\u0061":1,"a":2}}',
    '{"a":' * MAX_DEPTH + "[]" + "}" * MAX_DEPTH,
    '{"a":' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}",
    '{"a":' + "9" * (MAX_DIGITS + 1) + "}",
    f'{{{PADDING},"a":-{"9" * MAX_DIGITS}}}',
    f'{{"a":{"9" * 5000},{PADDING}}}',
    '{"a":1e400}',
    '{"a":NaN}',
    '{"a":"\\ud800"}',
    '{"a":1}{',
    "[1]",
    "null",
    "",
]


@pytest.mark.parametrize("text", DOUBTFUL)
def test_what_is_doubtful_is_left_to_the_careful_reader(text: str) -> None:
    assert quick_object(text.encode()) is None


PLAIN: list[dict[str, Any]] = [
    {"big": 2**64, "small": -0.0, "pair": "\U0001f600", "text": '"\\'},
    {"twice": [{"a": 1}, {"a": 2}], "deep": json.loads("[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1))},
    {"many": [{}] * 500, "null": None},
]


@pytest.mark.parametrize("value", PLAIN)
def test_what_only_looks_unusual_is_read_in_c(value: dict[str, Any]) -> None:
    assert quick_object(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize("line", [b'{"a":1}\r\n', '{"a":"\u2028"}'.encode(), '{"a":"\x85"}'.encode(), None])
def test_a_line_that_some_reader_would_split_is_doubtful(line: bytes | None) -> None:
    assert jsonl.quickly(line, quick_object) is None


def test_one_shape_is_read_and_every_other_is_doubtful() -> None:
    counts = Quick(dict[str, int])
    assert counts(b'{"a":1}') == {"a": 1}
    assert counts(b'{"a":"1"}') is None


@pytest.mark.parametrize("text", ["[]", "null", "0"])
def test_an_object_is_refused_as_anything_else(text: str) -> None:
    with pytest.raises(Broken, match="not an object"):
        parse_object(text)
