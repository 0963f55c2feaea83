"""JSON Schemas that are in Gemini's one form as they stand, which most are: told apart in C, by types."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, ValidationError, convert


class _Node(Struct, forbid_unknown_fields=True, tag_field="type", gc=False):
    title: str = ""
    description: str = ""
    default: Any = None


class _Text(_Node, tag="string"):
    enum: list[str] = []
    format: str = ""
    pattern: str = ""
    minLength: int = 0
    maxLength: int = 0


class _Integer(_Node, tag="integer"):
    enum: list[int] = []
    minimum: float = 0
    maximum: float = 0


class _Number(_Node, tag="number"):
    enum: list[float] = []
    minimum: float = 0
    maximum: float = 0


class _Flag(_Node, tag="boolean"):
    pass


class _Array(_Node, tag="array"):
    items: _Plain | UnsetType = UNSET
    minItems: int = 0
    maxItems: int = 0


class _Object(_Node, tag="object"):
    properties: dict[str, _Plain] = {}
    required: list[str] = []
    additionalProperties: bool = False


_Plain = _Text | _Integer | _Number | _Flag | _Array | _Object


def is_plain(parameters: dict[str, Any], *, most: int) -> bool:
    """Whether `normalise` has nothing to change: an object of at most so many schemas, each of one type.

    False means only that a closer look is needed.
    """
    if "type" not in parameters:  # which `convert` would add
        return False
    try:
        nodes: list[_Plain] = [convert(parameters, _Object)]
    except ValidationError:
        return False
    for node in nodes:
        if type(node) is _Object:
            nodes += node.properties.values()
        elif type(node) is _Array and node.items is not UNSET:
            nodes.append(node.items)
    return len(nodes) <= most
