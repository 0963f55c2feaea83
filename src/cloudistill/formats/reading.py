"""Takes foreign JSON apart: every member is known and of its type, or the row is refused with the place."""

from __future__ import annotations

from collections.abc import Set
from typing import Any, cast

from cloudistill.formats.format import CannotCarry

_KINDS: dict[type, str] = {str: "a string", list: "an array", dict: "an object", bool: "true or false", int: "a number"}


def wrong_type(where: str, expected: type, value: Any) -> CannotCarry:
    """The refusal of a member of another JSON type than the format gives it."""
    got = "null" if value is None else next((name for kind, name in _KINDS.items() if type(value) is kind), "a number")
    return CannotCarry("wrong-type", f"{where} is {got}.", f"It must be {_KINDS[expected]}.")


def obj(value: Any, where: str) -> dict[str, Any]:
    """A JSON object."""
    if type(value) is not dict:
        raise wrong_type(where, dict, value)
    return cast("dict[str, Any]", value)


def members(value: Any, known: Set[str], where: str) -> dict[str, Any]:
    """The members of an object that are not null, all of them known."""
    record = obj(value, where)
    if None in record.values():
        record = {key: member for key, member in record.items() if member is not None}
    if not record.keys() <= known:
        extra = [repr(key) for key in record if key not in known]
        raise CannotCarry(
            "extra",
            f"{where} holds extra members: {', '.join(extra[:10])}.",
            f"Delete them; known here: {', '.join(sorted(known))}.",
        )
    return record


def array(value: Any, where: str) -> list[Any]:
    """A JSON array."""
    if type(value) is not list:
        raise wrong_type(where, list, value)
    return cast("list[Any]", value)


def text(value: Any, where: str) -> str:
    """A JSON string."""
    if type(value) is not str:
        raise wrong_type(where, str, value)
    return value


def flag(value: Any, where: str) -> bool:
    """A JSON true or false."""
    if type(value) is not bool:
        raise wrong_type(where, bool, value)
    return value


def needed(record: dict[str, Any], key: str, where: str) -> Any:
    """A member that must be there."""
    if key not in record:
        raise CannotCarry("missing", f"{where} has no {key!r}.", "Add it.")
    return record[key]


def needed_text(record: dict[str, Any], key: str, where: str) -> str:
    """A string that must be there."""
    return text(needed(record, key, where), f"{where}.{key}")


def text_or_none(record: dict[str, Any], key: str, where: str) -> str | None:
    """A string that may be absent."""
    return text(record[key], f"{where}.{key}") if key in record else None


def camel_case(value: Any, where: str) -> dict[str, Any]:
    """An object with its snake_case member names in camelCase; both spellings of one name are refused."""
    members = obj(value, where)
    if not any("_" in key for key in members):
        return members
    renamed = {_camel(key): value for key, value in members.items()}
    if len(renamed) != len(members):
        twice = next(_camel(key) for key in members if "_" in key and _camel(key) in members)
        raise CannotCarry("duplicate-key", f"{where} holds {twice!r} in both spellings.", "Keep one of them.")
    return renamed


def _camel(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def not_text(where: str, kind: str) -> CannotCarry:
    """The refusal of a part that is an image, a sound, a document or the like."""
    return CannotCarry(
        "not-text",
        f"{where} is a part of type {kind!r}.",
        "Only text is carried: delete the row, or describe it in words.",
    )
