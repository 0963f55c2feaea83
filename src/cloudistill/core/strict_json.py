"""Reads JSON as strictly as every vendor's parser together: in C where all is well, with the place where it is not."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any, Generic, NoReturn, TypeVar, cast

import msgspec

MAX_DEPTH = 100
MAX_DIGITS = 308
_NESTING = frozenset({dict, list, tuple})
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_THREE_DIGITS = re.compile(rb"\d{3}")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)

Shape = TypeVar("Shape")


class Broken(Exception):
    """A text that is not the strict JSON it should be. `at` is where, in characters from 0, if it is one place."""

    def __init__(self, rule: str, message: str, remedy: str, at: int | None = None) -> None:
        super().__init__(message)
        self.rule, self.message, self.remedy, self.at = rule, message, remedy, at


def parse_object(text: str) -> dict[str, Any]:
    """Parse one JSON object, refusing what the JSON standard or a vendor's parser would not agree on.

    Raises:
        Broken: as `parse` does, or `not-an-object`.
    """
    value = quick_object(text.encode(errors="surrogatepass"))
    if value is None:
        value = parse_carefully(text)
    if not isinstance(value, dict):
        raise Broken("not-an-object", f"a JSON {_kind(value)}, not an object.", "Write one {…} object.")
    return cast("dict[str, Any]", value)


def parse(text: str) -> Any:
    """Parse one JSON value strictly.

    Raises:
        Broken: not JSON, duplicate keys, NaN or infinity, a number out of range, a lone surrogate, or nesting
            deeper than `MAX_DEPTH`.
    """
    value = _quick_value(text.encode(errors="surrogatepass"))
    return parse_carefully(text) if value is None else value


class Quick(Generic[Shape]):
    """Reads strict JSON of one shape in C, and leaves to the slower `parse` whatever could be something else."""

    def __init__(self, shape: type[Shape]) -> None:
        """`shape` must be one that is written without members that were not read."""
        self._decode = msgspec.json.Decoder(shape).decode

    def __call__(self, text: bytes) -> Shape | None:
        """What the text holds; None if that is doubtful.

        A key that is said twice is seen by its quotes: they are missing when the value is written again.
        """
        try:
            value = self._decode(text)
            again = msgspec.json.encode(value)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
            return None
        if text.count(b'"') != again.count(b'"') or b"\\u0022" in text:
            return None
        return None if len(text) > 2 * MAX_DEPTH and _is_excessive(text, value) else value


def _is_excessive(text: bytes, value: Any) -> bool:
    """Whether a number may have more than `MAX_DIGITS` digits, or the value is nested deeper than `MAX_DEPTH`."""
    if _THREE_DIGITS.search(text[::100]):  # which is what is left of so long a number
        return True
    brackets = text.count(b"{") + text.count(b"[")
    return brackets > MAX_DEPTH and _is_deeper(msgspec.to_builtins(value), MAX_DEPTH)


_quick_value: Quick[Any] = Quick(cast("type[Any]", Any))
quick_object: Quick[dict[str, Any]] = Quick(dict[str, Any])


def _is_deeper(value: Any, levels: int) -> bool:
    nested = [value] if type(value) in _NESTING else []
    for _ in range(levels):
        nested = [member for outer in nested for member in _members(outer) if type(member) in _NESTING]
    return bool(nested)


def _members(value: Any) -> Iterable[Any]:
    return cast("dict[str, Any]", value).values() if type(value) is dict else value


def parse_carefully(text: str) -> Any:
    """As `parse`, in the way that knows the place of every fault, at a third of the speed."""
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
