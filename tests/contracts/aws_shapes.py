"""Values held against botocore's shapes, with the rules that botocore leaves unchecked; XML and forms as values."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, cast
from xml.etree import ElementTree

from tests.contracts.contract import shown

Element = ElementTree.Element
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
HTTP_DATE = re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")
NUMBERS = {"integer": int, "long": int, "float": (int, float), "double": (int, float), "bigdecimal": (int, float)}


def wire_name(name: str, member: Any) -> str:
    """What a member is called on the wire."""
    return str(member.serialization.get("name", name))


def check(shape: Any, value: Any, at: str) -> Iterator[str]:
    """What is wrong with `value`: its type, required and unknown members, union, enum, pattern, size."""
    if getattr(shape, "is_document_type", False):
        return
    match shape.type_name:
        case "structure" if isinstance(value, dict):
            yield from _structure(shape, cast("dict[str, Any]", value), at)
        case "list" if isinstance(value, list):
            items = cast("list[Any]", value)
            yield from _size(shape, len(items), at)
            for index, item in enumerate(items):
                yield from check(shape.member, item, f"{at}[{index}]")
        case "map" if isinstance(value, dict):
            pairs = cast("dict[str, Any]", value)
            yield from _size(shape, len(pairs), at)
            for key, item in pairs.items():
                yield from check(shape.key, key, f"{at} key")
                yield from check(shape.value, item, f"{at}.{key}")
        case "structure" | "list" | "map" as kind:
            yield f"{at}: {shown(value)} is no {kind}"
        case _:
            yield from _scalar(shape, value, at)


def _structure(shape: Any, value: dict[str, Any], at: str) -> Iterator[str]:
    members = {wire_name(name, member): member for name, member in shape.members.items()}
    required = {wire_name(name, shape.members[name]) for name in shape.required_members}
    yield from (f"{at}.{name}: required, missing" for name in sorted(required - value.keys()))
    yield from (f"{at}.{name}: unknown member" for name in value if name not in members)
    if getattr(shape, "is_tagged_union", False) and len(value) != 1:
        yield f"{at}: a union has one member, not {sorted(value)}"
    for name in value.keys() & members.keys():
        yield from check(members[name], value[name], f"{at}.{name}")


def _size(shape: Any, size: float, at: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if (least is not None and size < least) or (most is not None and size > most):
        yield f"{at}: {size} is outside {least} to {most}"


def _scalar(shape: Any, value: Any, at: str) -> Iterator[str]:
    kind = shape.type_name
    if kind in NUMBERS:
        if not isinstance(value, NUMBERS[kind]) or isinstance(value, bool):
            yield f"{at}: {shown(value)} is no {kind}"
        else:
            yield from _size(shape, value, at)
    elif kind == "boolean":
        if not isinstance(value, bool):
            yield f"{at}: {shown(value)} is no boolean"
    elif kind == "timestamp":
        if not _is_time(shape, value):
            yield f"{at}: {shown(value)} is no timestamp"
    elif kind == "blob":
        if not _is_base64(value):
            yield f"{at}: {shown(value)} is no base64"
    elif not isinstance(value, str):
        yield f"{at}: {shown(value)} is no string"
    else:
        yield from _string(shape, value, at)


def _string(shape: Any, value: str, at: str) -> Iterator[str]:
    wrong = list(_size(shape, len(value), at))
    yield from wrong
    if shape.enum and value not in shape.enum:
        yield f"{at}: {shown(value)} is none of {shape.enum}"
    pattern = shape.metadata.get("pattern")
    if pattern and not wrong and not _pattern(pattern)(value):
        yield f"{at}: {shown(value)} does not match {pattern}"


@cache
def _pattern(pattern: str) -> Callable[[str], Any]:
    """AWS's name pattern doubles a hyphen and never comes back; without one it means the same."""
    return re.compile(re.sub(r"\(-\*(?=\[[^]]*\\-)", "(", pattern)).fullmatch


def _is_time(shape: Any, value: Any) -> bool:
    if shape.serialization.get("timestampFormat") in {None, "unixTimestamp"} and isinstance(value, int | float):
        return True
    return isinstance(value, str) and bool(ISO.fullmatch(value) or HTTP_DATE.fullmatch(value))


def _is_base64(value: Any) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        return False
    return isinstance(value, str)


def from_text(shape: Any, text: str) -> Any:
    """The value that stands in a path, query, header or XML element as `text`."""
    if shape.type_name == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    if shape.type_name in NUMBERS:
        try:
            return int(text) if NUMBERS[shape.type_name] is int else float(text)
        except ValueError:
            return text
    return text


def from_xml(shape: Any, element: Element, problems: list[str], at: str) -> Any:
    """The value that an element holds; elements of which the shape knows nothing are told as problems."""
    match shape.type_name:
        case "structure":
            return _xml_structure(shape, element, problems, at)
        case "list":
            return [from_xml(shape.member, item, problems, f"{at}[{i}]") for i, item in enumerate(element)]
        case "map":
            pairs = [{_tag(child): child for child in entry} for entry in element]
            return {pair["key"].text or "": from_xml(shape.value, pair["value"], problems, at) for pair in pairs}
        case _:
            return from_text(shape, element.text or "")


def _xml_structure(shape: Any, element: Element, problems: list[str], at: str) -> dict[str, Any]:
    members = {wire_name(name, member): member for name, member in shape.members.items()}
    flat = {
        member.member.serialization.get("name", wire_name(name, member)): (wire_name(name, member), member)
        for name, member in shape.members.items()
        if member.type_name == "list" and member.serialization.get("flattened")
    }
    found: dict[str, Any] = {name: value for name, value in element.attrib.items() if name in members}
    for child in element:
        tag = _tag(child)
        if tag in flat or (tag in members and members[tag].serialization.get("flattened")):
            name, member = flat.get(tag) or (tag, members[tag])
            found.setdefault(name, []).append(from_xml(member.member, child, problems, f"{at}.{tag}"))
        elif tag in members:
            found[tag] = from_xml(members[tag], child, problems, f"{at}.{tag}")
        else:
            problems.append(f"{at}.{tag}: unknown member")
    return found


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def from_form(shape: Any, form: dict[str, str], problems: list[str], prefix: str = "") -> Any:
    """The value that a query-protocol form spells with dotted names; names are taken out of `form` as they are read."""
    match shape.type_name:
        case "structure":
            found: dict[str, Any] = {}
            for name, member in shape.members.items():
                key = wire_name(name, member)
                if any(given == prefix + key or given.startswith(f"{prefix}{key}.") for given in form):
                    found[key] = from_form(member, form, problems, f"{prefix}{key}.")
            return found
        case "list":
            return _form_list(shape, form, problems, prefix)
        case "map":
            problems.append(f"{prefix}: maps of the query protocol are not judged")
            return {}
        case _:
            return from_text(shape, form.pop(prefix.removesuffix(".")))


def _form_list(shape: Any, form: dict[str, str], problems: list[str], prefix: str) -> list[Any]:
    inner = (
        prefix
        if shape.serialization.get("flattened")
        else f"{prefix}{shape.member.serialization.get('name', 'member')}."
    )
    numbers = {int(name.removeprefix(inner).split(".")[0]) for name in form if name.startswith(inner)}
    return [from_form(shape.member, form, problems, f"{inner}{number}.") for number in sorted(numbers)]
