"""Reads JSON Lines strictly and in bounded memory: each line is an object, or a Finding with its place."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

import msgspec

from cloudistill.core.finding import Finding

MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 100
MAX_DIGITS = 308
_BOM = b"\xef\xbb\xbf"
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_LINE_SEPARATORS = re.compile("[\u2028\u2029\x85]")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)


class Broken(Exception):
    """A text that is not the strict JSON it should be. `at` is where, in characters from 0, if it is one place."""

    def __init__(self, rule: str, message: str, remedy: str, at: int | None = None) -> None:
        super().__init__(message)
        self.rule, self.message, self.remedy, self.at = rule, message, remedy, at


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file: its number (from 1) and either its object or why there is none."""

    line: int
    value: dict[str, Any] | None
    finding: Finding | None = None


def read(path: Path, *, max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[Row]:
    """Every line of `path` in order. Memory is bounded by `max_line_bytes`, whatever the file's size.

    A finding's message begins with the place in its line: `byte N`, counted from 1.
    """
    with path.open("rb") as file:
        for number, (line, excess) in enumerate(_lines(file, max_line_bytes), 1):
            try:
                if excess:
                    raise _at_byte(
                        "line-too-long", max_line_bytes, "the line goes on.", "Split or shorten this example."
                    )
                yield Row(number, _object_of(_text(line, number)))
            except Broken as broken:
                yield Row(number, None, _finding(broken, path, number))


def _finding(broken: Broken, path: Path, number: int) -> Finding:
    return Finding(rule=broken.rule, message=broken.message, remedy=broken.remedy, file=str(path), line=number)


def _lines(file: BinaryIO, limit: int) -> Iterator[tuple[bytes, bool]]:
    while line := file.readline(limit + 1):
        excess = len(line) > limit and not line.endswith(b"\n")
        while excess and (rest := file.readline(limit)) and not rest.endswith(b"\n"):
            pass
        yield line, excess


def _at_byte(rule: str, offset: int, message: str, remedy: str) -> Broken:
    return Broken(rule, f"byte {offset + 1}: {message}", remedy)


def _text(line: bytes, number: int) -> str:
    if number == 1 and line.startswith(_BOM):
        raise _at_byte("byte-order-mark", 0, "the file starts with a byte order mark.", "Save it as plain UTF-8.")
    line = line[:-1] if line.endswith(b"\n") else line
    if (place := line.find(b"\r")) >= 0:
        raise _at_byte("carriage-return", place, "a carriage return.", "Save the file with LF line ends.")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise _at_byte("invalid-utf8", error.start, "not valid UTF-8.", "Save the file as UTF-8.") from error
    if not text.strip():
        raise _at_byte("blank-line", 0, "the line is blank.", "Delete it: every line must hold one JSON object.")
    if not text.isascii() and (found := _LINE_SEPARATORS.search(text)):
        raise _at_byte(
            "line-separator",
            len(text[: found.start()].encode()),
            f"an unescaped U+{ord(found[0]):04X}, which some readers take for a line end.",
            f"Write it as \\u{ord(found[0]):04x}.",
        )
    return text


def _object_of(text: str) -> dict[str, Any]:
    try:
        return parse_object(text)
    except Broken as broken:
        place = len(text[: broken.at].encode()) if broken.at else 0
        raise _at_byte(broken.rule, place, broken.message, broken.remedy) from broken


def parse_object(text: str) -> dict[str, Any]:
    """Parse one JSON object, refusing what the JSON standard or a vendor's parser would not agree on.

    Raises:
        Broken: as `parse` does, or `not-an-object`.
    """
    value = parse(text)
    if not isinstance(value, dict):
        raise Broken("not-an-object", f"a JSON {_kind(value)}, not an object.", "Write one {…} object.")
    return cast("dict[str, Any]", value)


def parse(text: str) -> Any:
    """Parse one JSON value strictly.

    Raises:
        Broken: not JSON, duplicate keys, NaN or infinity, a number out of range, a lone surrogate, or nesting
            deeper than `MAX_DEPTH`.
    """
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(text)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Broken("not-json", f"{error.msg}.", "Write valid JSON.", error.pos) from error
    except _Unplaced as fault:
        raise Broken(fault.rule, fault.message, fault.remedy, _place_of(fault, text)) from fault
    if _SURROGATE_ESCAPE.search(text) and _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise Broken(
            "lone-surrogate", "half of a surrogate pair is missing its other half.", "Repair the text.", _lone(text)
        )
    return value


def _check_depth(text: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += (token[0] in "[{") - (token[0] in "]}")
        if depth > MAX_DEPTH:
            raise Broken("nested-too-deep", f"nested deeper than {MAX_DEPTH} levels.", "Flatten it.", token.start())


class _Unplaced(Exception):
    """A fault found by the decoder's hooks, which are not told where they are: `token` is looked for again."""

    def __init__(self, rule: str, token: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.rule, self.token, self.message, self.remedy = rule, token, message, remedy


def _place_of(fault: _Unplaced, text: str) -> int | None:
    if fault.rule == "duplicate-key":
        return _second_key(text, fault.token)
    return next((token.start() for token in _TOKEN.finditer(text) if token[0] == fault.token), None)


def _second_key(text: str, key: str) -> int | None:
    """Where `key` is said for the second time in one object."""
    objects: list[set[str]] = []
    key_next, last = False, ""
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word == "{":
            objects.append(set())
        elif word == "[":
            objects.append({"["})
        elif word in "}]":
            objects.pop()
        elif key_next and last in "{," and "[" not in objects[-1] and json.loads(word) == key:
            if key in objects[-1]:
                return token.start()
            objects[-1].add(key)
        key_next, last = word in "{,", word
    return None


def _lone(text: str) -> int | None:
    """Where the first string with half a pair begins."""
    strings = (token for token in _TOKEN.finditer(text) if token[0][0] == '"')
    return next((token.start() for token in strings if _SURROGATE.search(json.loads(token[0]))), None)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise _Unplaced("duplicate-key", twice, f"the key {twice!r} occurs twice in one object.", "Keep one of them.")
    return value


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        message = f"an integer of {len(digits)} digits."
        raise _Unplaced("number-out-of-range", digits, message, "Write it as a string.")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        message = f"{digits[:20]} is too large for a number."
        raise _Unplaced("number-out-of-range", digits, message, "Write it as a string.")
    return value


def _constant(name: str) -> NoReturn:
    raise _Unplaced("not-a-number", name, f"{name} is not JSON.", "Leave the value out or write null.")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)


def _kind(value: Any) -> str:
    names: dict[type, str] = {
        list: "array",
        str: "string",
        bool: "boolean",
        int: "number",
        float: "number",
        type(None): "null",
    }
    return next(name for kind, name in names.items() if type(value) is kind)


def dump(value: Any) -> bytes:
    """One JSON line without its end; separators that other readers split on are escaped.

    Raises:
        ValueError: NaN, an infinity or half a surrogate pair, which no JSON text can hold.
    """
    try:
        line = msgspec.json.encode(value)
    except (OverflowError, ValueError):  # integers beyond 64 bits
        line = _slow(value)
    if b"null" in line:  # msgspec writes NaN and the infinities as null
        line = _slow(value)
    for raw, escaped in _ESCAPES:
        if raw in line:
            line = line.replace(raw, escaped)
    return line


def _slow(value: Any) -> bytes:
    builtin = msgspec.to_builtins(value)
    return json.dumps(builtin, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


_ESCAPES = (
    (b"\xe2\x80\xa8", b"\\u2028"),
    (b"\xe2\x80\xa9", b"\\u2029"),
    (b"\xc2\x85", b"\\u0085"),
)
