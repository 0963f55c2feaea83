"""JSON Lines are read strictly, with the place of every fault, in bounded memory."""

from __future__ import annotations

import json
import math
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudistill.core.jsonl import Row, dump, read
from cloudistill.core.strict_json import MAX_DEPTH, MAX_DIGITS, Broken, parse, parse_object

DEEP = MAX_DEPTH + 1
FAULTS = [
    ("invalid-utf8", b'{"a":"\xff"}', 7),
    ("invalid-utf8", '{"a":"é'.encode() + b"\xc3\x28" + b'"}', 9),
    ("carriage-return", b'{"a":1}\r', 8),
    ("carriage-return", b'{"a":1}\r{"b":2}', 8),
    ("blank-line", b"", 1),
    ("blank-line", b"  \t", 1),
    ("not-json", b'{"a":1', 7),
    ("not-json", b"{'a':1}", 2),
    ("not-json", b'{"a":1}{"b":2}', 8),
    ("not-json", b'{"a":1,}', 8),
    ("not-json", '{"é":"é",x}'.encode(), 12),
    ("not-json", b'{"a":"tab\there"}', 10),
    ("not-json", b'{"a":01}', 7),
    ("not-an-object", b"[1]", 1),
    ("not-an-object", b"null", 1),
    ("not-an-object", b'"text"', 1),
    ("not-an-object", b"true", 1),
    ("not-an-object", b"1.5", 1),
    ("not-a-number", b'{"a":"NaN","b":NaN}', 16),
    ("not-a-number", b'{"a":[-Infinity]}', 7),
    ("number-out-of-range", b'{"a":1e400}', 6),
    ("number-out-of-range", b'{"a":' + b"9" * 5000 + b"}", 6),
    ("number-out-of-range", b'{"a":-' + b"9" * MAX_DIGITS + b"}", 6),
    ("duplicate-key", b'{"a":1,"a":2}', 8),
    ("duplicate-key", b'{"a":{"b":1},"c":["b","b"],"d":{"b":1,"\\u0062":2}}', 39),
    ("duplicate-key", '{"é":"é","é":1}'.encode(), 12),
    ("lone-surrogate", b'{"a":"x","b":"\\ud800"}', 14),
    ("lone-surrogate", b'{"\\uDFFFx":1}', 2),
    ("line-separator", '{"é":"a\u2028b"}'.encode(), 9),
    ("line-separator", '{"a":"\u2029"}'.encode(), 7),
    ("line-separator", '{"a":"\x85"}'.encode(), 7),
    ("nested-too-deep", b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}", 5 + DEEP - 1),
    ("nested-too-deep", b"[" * 100_000, DEEP),
]


def rows(folder: Path, data: bytes, **limits: int) -> list[Row]:
    path = folder / "rows.jsonl"
    path.write_bytes(data)
    return list(read(path, **limits))


@pytest.mark.parametrize(("rule", "line", "byte"), FAULTS)
def test_a_fault_is_refused_with_file_line_and_byte_and_its_neighbours_are_read(
    tmp_path: Path, rule: str, line: bytes, byte: int
) -> None:
    before, broken, after = rows(tmp_path, b'{"n":1}\n' + line + b'\n{"n":2}\n')
    assert (before.value, after.value) == ({"n": 1}, {"n": 2})
    assert broken.value is None
    assert broken.finding is not None
    assert (broken.finding.rule, broken.finding.line) == (rule, 2)
    assert broken.finding.message.startswith(f"byte {byte}: ")
    assert str(broken.finding).startswith(f"{tmp_path / 'rows.jsonl'}:2: {rule}: byte {byte}: ")
    assert broken.finding.remedy


def test_a_byte_order_mark_is_refused_at_byte_one(tmp_path: Path) -> None:
    first, second = rows(tmp_path, b'\xef\xbb\xbf{"a":1}\n{"a":2}\n')
    assert first.finding is not None
    assert (first.finding.rule, first.finding.line) == ("byte-order-mark", 1)
    assert second.value == {"a": 2}


def test_the_last_line_needs_no_line_end(tmp_path: Path) -> None:
    assert [row.value for row in rows(tmp_path, b'{"a":1}\n{"a":2}')] == [{"a": 1}, {"a": 2}]
    assert rows(tmp_path, b"") == []


def test_a_line_at_the_limit_is_read_and_one_byte_more_is_refused(tmp_path: Path) -> None:
    fits, long = b'{"a":"' + b"x" * 92 + b'"}', b'{"a":"' + b"x" * 93 + b'"}'
    found = rows(tmp_path, fits + b"\n" + long + b"\n" + fits, max_line_bytes=100)
    assert [row.value is None for row in found] == [False, True, False]
    assert found[1].finding is not None
    assert found[1].finding.rule == "line-too-long"
    assert found[1].finding.message.startswith("byte 101: ")


def test_a_line_of_any_length_is_skipped_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with path.open("wb") as file:
        file.truncate(256 * 1024 * 1024)
        file.seek(0, 2)
        file.write(b'\n{"a":1}\n')
    tracemalloc.start()
    found = list(read(path, max_line_bytes=1024 * 1024))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [row.value for row in found] == [None, {"a": 1}]
    assert peak < 8 * 1024 * 1024


def test_what_only_looks_like_a_fault_is_read(tmp_path: Path) -> None:
    fine: dict[str, Any] = {
        "NaN": "NaN 1e400 [[[[",
        "twice": [{"a": 1}, {"a": 2}],
        "pair": "\U0001f600",
        "sep": "\u2028",
        "deep": json.loads("[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)),
        "big": 10 ** (MAX_DIGITS - 1),
        "brackets": ["[" * 500, '"' * 3 + "{" * 500],
    }
    (row,) = rows(tmp_path, json.dumps(fine).encode() + b"\n")
    assert row.finding is None
    assert row.value == fine


def test_integers_and_decimals_stay_what_they_are() -> None:
    value = parse_object('{"a": 1, "b": 1.0, "c": 1e2}')
    assert [type(member) for member in value.values()] == [int, float, float]
    assert dump(value) == b'{"a":1,"b":1.0,"c":100.0}'


def test_a_text_that_is_no_line_says_where_in_characters() -> None:
    with pytest.raises(Broken) as caught:
        parse('{"é": NaN}')
    assert (caught.value.rule, caught.value.at) == ("not-a-number", 6)


@pytest.mark.parametrize("value", [math.nan, -math.inf, "\ud800", {"\udfff": 1}, [1 << 80, math.inf], [None, math.nan]])
def test_what_no_json_can_hold_is_not_written_as_something_else(value: Any) -> None:
    with pytest.raises(ValueError, match=r"JSON|surrogates"):
        dump({"a": value})


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**90), 2**90)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(value=st.dictionaries(st.text(), values, max_size=4))
def test_what_is_dumped_is_one_line_for_every_reader_and_parses_back(value: dict[str, Any]) -> None:
    line = dump(value).decode()
    assert line.splitlines() == [line]
    assert json.dumps(parse_object(line)) == json.dumps(value)


@settings(max_examples=300, deadline=None)
@given(line=st.text(alphabet='{}[]:,"\\u0adNI1e.- \t', max_size=40))
def test_any_text_is_parsed_as_json_does_or_refused_with_a_place_in_it(line: str) -> None:
    try:
        value = parse(line)
    except Broken as broken:
        assert broken.at is None or 0 <= broken.at <= len(line)  # noqa: PT017
    else:
        assert value == json.loads(line)
