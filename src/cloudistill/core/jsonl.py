"""Reads and writes JSON Lines in bounded memory: each line is an object, or a Finding with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from cloudistill.core.finding import Finding
from cloudistill.core.strict_json import Broken, Quick, Shape, parse_object, quick_object

MAX_LINE_BYTES = 16 * 1024 * 1024
_BUFFER_BYTES = 256 * 1024
_PACKED_FLOAT = b"\xcb"  # begins every float in MessagePack
_BOM = b"\xef\xbb\xbf"
_LINE_SEPARATORS = re.compile("[\u2028\u2029\x85]")


class Row(msgspec.Struct, frozen=True):
    """One line of a file: its number (from 1) and either its object or why there is none."""

    line: int
    value: dict[str, Any] | None
    finding: Finding | None = None


def read(path: Path, *, max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[Row]:
    """Every line of `path` in order. Memory is bounded by `max_line_bytes`, whatever the file's size.

    A finding's message begins with the place in its line: `byte N`, counted from 1.
    """
    for number, line in enumerate(lines(path, max_line_bytes=max_line_bytes), 1):
        yield row(path, number, line, max_line_bytes=max_line_bytes)


def lines(path: Path, *, max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[bytes | None]:
    """The lines of `path` with their ends; None for one that is longer than `max_line_bytes`."""
    with path.open("rb", buffering=_BUFFER_BYTES) as file:
        while line := file.readline(max_line_bytes + 1):
            excess = len(line) > max_line_bytes and not line.endswith(b"\n")
            yield None if excess else line
            while excess and (rest := file.readline(max_line_bytes)) and not rest.endswith(b"\n"):
                pass


def row(path: Path, number: int, line: bytes | None, *, max_line_bytes: int = MAX_LINE_BYTES) -> Row:
    """The object that one of the `lines` holds, or the finding that refuses it, with its place."""
    value = quickly(line, quick_object)
    if value is not None:
        return Row(number, value)
    try:
        if line is None:
            raise _at_byte("line-too-long", max_line_bytes, "the line goes on.", "Split or shorten this example.")
        return Row(number, _object_of(_text(line, number)))
    except Broken as broken:
        return Row(number, None, _finding(broken, path, number))


def quickly(line: bytes | None, quick: Quick[Shape]) -> Shape | None:
    """What one of the `lines` holds; None where only `row` can tell."""
    if line is None or b"\r" in line or not (line.isascii() or _escaped(line) is line):
        return None
    return quick(line)


def _finding(broken: Broken, path: Path, number: int) -> Finding:
    return Finding(rule=broken.rule, message=broken.message, remedy=broken.remedy, file=str(path), line=number)


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


def dump(value: Any) -> bytes:
    """One JSON line without its end; separators that other readers split on are escaped.

    Raises:
        ValueError: NaN, an infinity or half a surrogate pair, which no JSON text can hold.
    """
    line = _fast(value)
    if line is None:
        line = _slow(value)
    return line if line.isascii() else _escaped(line)


def _fast(value: Any) -> bytes | None:
    """The line as msgspec writes it, NaN and the infinities as null; None where that or a long integer is in it."""
    try:
        line = msgspec.json.encode(value)
        if b"null" not in line or _PACKED_FLOAT not in msgspec.msgpack.encode(value):
            return line
    except (OverflowError, ValueError):
        return None
    return line if msgspec.json.decode(line) == msgspec.to_builtins(value) else None


def _escaped(line: bytes) -> bytes:
    for last, raw, escaped in _ESCAPES:
        if last in line and raw in line:  # one byte is looked for ten times as fast as three
            line = line.replace(raw, escaped)
    return line


def _slow(value: Any) -> bytes:
    builtin = msgspec.to_builtins(value)
    return json.dumps(builtin, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


_ESCAPES = (
    (b"\xa8", b"\xe2\x80\xa8", b"\\u2028"),
    (b"\xa9", b"\xe2\x80\xa9", b"\\u2029"),
    (b"\x85", b"\xc2\x85", b"\\u0085"),
)
