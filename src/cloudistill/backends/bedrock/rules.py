"""What botocore sends and the service refuses: the patterns and sizes of AWS's own model, judged before sending."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cloudistill.core.errors import UsageError

_SHOWN = 80
_MADE_HERE = {"jobName", "customModelName", "clientRequestToken", "outputDataConfig", "validationDataConfig"}
_WAYS_OUT = {
    "s3Uri": "Use a path of letters, digits and -!_*'(). alone: Bedrock reads no Hive-style dt=… prefix.",
    "requestMetadataFilters": "Ask for fewer conditions, in letters, digits, spaces and ._:/=+$@- alone.",
}


def require(request: Mapping[str, Any], shape: Any) -> None:
    """Refuse a request that breaks a rule of its service model by what the order asks for.

    Names and files are made here, and have no marker and no address before the order is placed: they are not judged.

    Raises:
        UsageError: with the member, the rule and the way out.
    """
    asked = {name: value for name, value in request.items() if name not in _MADE_HERE}
    if "s3Uri" in request["trainingDataConfig"]:
        del asked["trainingDataConfig"]
    for at, told in _broken(asked, shape, ""):
        way_out = next((way for member, way in _WAYS_OUT.items() if member in at), "Change it in the order.")
        raise UsageError(f"Bedrock refuses {at}: {told}. {way_out}")


def _broken(value: Any, shape: Any, at: str) -> Iterator[tuple[str, str]]:
    """Every broken rule, and where; members and types are botocore's own business."""
    yield from ((at, told) for told in _misfits(value, shape.metadata))
    match shape.type_name:
        case "structure":
            for name, item in value.items():
                yield from _broken(item, shape.members[name], f"{at}.{name}" if at else name)
        case "list":
            for item in value:
                yield from _broken(item, shape.member, at)
        case "map":
            for key, item in value.items():
                yield from _broken(key, shape.key, at)
                yield from _broken(item, shape.value, at)
        case _:
            pass


def _misfits(value: Any, limits: Mapping[str, Any]) -> Iterator[str]:
    shown = repr(value)[:_SHOWN]
    if isinstance(value, str | list | dict):
        size = len(value)  # pyright: ignore[reportUnknownArgumentType] - of what, does not matter
        unit = "characters" if isinstance(value, str) else "members"
        if size > limits.get("max", size):
            yield f"{shown} has {size} {unit}, at most {limits['max']} are allowed"
        if size < limits.get("min", 0):
            yield f"{shown} has {size} {unit}, at least {limits['min']} are needed"
    if isinstance(value, str) and "pattern" in limits and not re.fullmatch(limits["pattern"], value):
        yield f"{shown} does not match {limits['pattern']}"
