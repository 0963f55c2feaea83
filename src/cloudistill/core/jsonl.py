"""Reads JSON Lines strictly and in bounded memory: each line is an object, or a Finding with its place."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import msgspec

from cloudistill.core.finding import Finding

MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 100
MAX_DIGITS = 400
_BOM = b"\xef\xbb\xbf"
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LINE_SEPARATORS = re.compile("[\u2028\u2029\x85]")


class Broken(Exception):
    """A line that is not the strict JSON object it should be."""

    def __init__(self, rule: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.rule, self.message, self.remedy = rule, message, remedy


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file: its number (from 1) and either its object or why there is none."""

    line: int
    value: dict[str, Any] | None
    finding: Finding | None = None


def read(path: Path, *, max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[Row]:
    """Every line of `path` in order. Memory is bounded by `max_line_bytes`, whatever the file's size."""
    with path.open("rb") as file:
        for number, (line, excess) in enumerate(_lines(file, max_line_bytes), 1):
            try:
                if excess:
                    raise Broken(
                        "line-too-long", f"longer than {max_line_bytes} bytes.", "Split or shorten this example."
                    )
                yield Row(number, parse_object(_text(line, number)))
            except Broken as broken:
                yield Row(
                    number,
                    None,
                    Finding(
                        rule=broken.rule, message=broken.message, remedy=broken.remedy, file=str(path), line=number
                    ),
                )


def _lines(file: BinaryIO, limit: int) -> Iterator[tuple[bytes, bool]]:
    while line := file.readline(limit + 1):
        excess = len(line) > limit and not line.endswith(b"\n")
        while excess and (rest := file.readline(limit)) and not rest.endswith(b"\n"):
            pass
        yield line, excess


def _text(line: bytes, number: int) -> str:
    if number == 1 and line.startswith(_BOM):
        raise Broken("byte-order-mark", "byte 1: the file starts with a byte order mark.", "Save it as plain UTF-8.")
    line = line[:-1] if line.endswith(b"\n") else line
    if line.endswith(b"\r"):
        raise Broken("carriage-return", f"byte {len(line)}: the line ends in CR LF.", "Save the file with LF ends.")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise Broken(
            "invalid-utf8", f"byte {error.start + 1}: not valid UTF-8.", "Save the file as UTF-8."
        ) from error
    if not text.strip():
        raise Broken("blank-line", "the line is blank.", "Delete it: every line must hold one JSON object.")
    if found := _LINE_SEPARATORS.search(text):
        raise Broken(
            "line-separator",
            f"character {found.start() + 1}: an unescaped U+{ord(found[0]):04X}, which some readers take for a line end.",
            f"Write it as \\u{ord(found[0]):04x}.",
        )
    return text


def parse_object(text: str) -> dict[str, Any]:
    """Parse one JSON object, refusing what the JSON standard or a vendor's parser would not agree on.

    Raises:
        Broken: not JSON, not an object, duplicate keys, NaN or infinity, a number out of range, a lone
            surrogate, or nesting deeper than `MAX_DEPTH`.
    """
    value = _parse(text)
    if not isinstance(value, dict):
        raise Broken("not-an-object", f"a JSON {_kind(value)}, not an object.", "Each line must be one {…} object.")
    return value  # pyright: ignore[reportUnknownVariableType]


def _parse(text: str) -> Any:
    if _too_deep(text):
        raise Broken("nested-too-deep", f"nested deeper than {MAX_DEPTH} levels.", "Flatten the structure.")
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Broken("not-json", f"column {error.colno}: {error.msg}.", "Each line must be valid JSON.") from error
    except RecursionError as error:
        raise Broken("nested-too-deep", f"nested deeper than {MAX_DEPTH} levels.", "Flatten the structure.") from error
    if "\\u" in text and _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise Broken("lone-surrogate", "half of a surrogate pair is missing its other half.", "Repair the text.")
    return value


def _too_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = deepest = 0
    for token in _BRACKETS.finditer(text):
        match token[0]:
            case "[" | "{":
                depth += 1
                deepest = max(deepest, depth)
            case "]" | "}":
                depth -= 1
            case _:
                pass
    return deepest > MAX_DEPTH


_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise Broken("duplicate-key", f"the key {twice!r} occurs twice in one object.", "Keep one of them.")
    return value


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise Broken("number-out-of-range", f"an integer of {len(digits)} digits.", "Write it as a string.")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise Broken("number-out-of-range", f"{digits[:20]} is too large for a number.", "Write it as a string.")
    return value


def _constant(name: str) -> NoReturn:
    raise Broken("not-a-number", f"{name} is not JSON.", "Leave the value out or write null.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)


def _kind(value: Any) -> str:
    names = {list: "array", str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
    return names.get(type(value), "value")


def dump(value: Any) -> bytes:
    """One JSON line without its end; separators that other readers split on are escaped."""
    try:
        line = msgspec.json.encode(value)
    except (OverflowError, ValueError):  # integers beyond 64 bits
        line = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    for raw, escaped in _ESCAPES:
        if raw in line:
            line = line.replace(raw, escaped)
    return line


_ESCAPES = (
    (b"\xe2\x80\xa8", b"\\u2028"),
    (b"\xe2\x80\xa9", b"\\u2029"),
    (b"\xc2\x85", b"\\u0085"),
)
