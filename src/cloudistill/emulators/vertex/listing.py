"""Lists as Google gives them: a filter over the resources' own members, pages, and tokens that outlive new entries."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cloudistill.emulators.vertex.contract import snake
from cloudistill.emulators.vertex.errors import GoogleError

Body = dict[str, Any]
MAX_PAGE = 100
_TERM = re.compile(r"""\s*(?P<path>[\w.-]+)\s*(?P<test>=|:)\s*(?P<value>\*|"[^"]*"|[^\s"]+)\s*""")
_DISPLAY_NAMES = {"display_name": "tuned_model_display_name"}


def page(member: str, resources: Sequence[Body], query: Mapping[str, str]) -> Body:
    """One page of `resources`, as the list answer whose repeated member is called `member`."""
    size = _size(query.get("pageSize", ""))
    kept = [resource for resource in resources if _matches(resource, query.get("filter", ""))]
    start = _after(kept, query.get("pageToken", ""))
    body: Body = {member: kept[start : start + size]} if kept[start:] else {}
    if start + size < len(kept):
        body["nextPageToken"] = base64.urlsafe_b64encode(kept[start + size - 1]["name"].encode()).decode()
    return body


def _size(text: str) -> int:
    try:
        size = int(text or 0)
    except ValueError:
        raise GoogleError("INVALID_ARGUMENT", f"Invalid value at 'page_size' (TYPE_INT32), \"{text}\"") from None
    if size < 0:
        raise GoogleError("INVALID_ARGUMENT", "Page size must be non-negative.")
    return min(size or MAX_PAGE, MAX_PAGE)


def _after(resources: Sequence[Body], token: str) -> int:
    """Where the page after `token` begins: behind the resource that the last page ended with."""
    if not token:
        return 0
    try:
        last = base64.urlsafe_b64decode(token).decode()
        return [resource["name"] for resource in resources].index(last) + 1
    except (ValueError, binascii.Error):
        raise GoogleError("INVALID_ARGUMENT", "Page token is invalid.") from None


def _matches(resource: Body, wanted: str) -> bool:
    """Terms `path=value` or `path:*`, joined by AND; a path is a member's name in either spelling."""
    return not wanted.strip() or all(_holds(resource, term, wanted) for term in re.split(r"\s+AND\s+", wanted.strip()))


def _holds(resource: Body, term: str, wanted: str) -> bool:
    found = _TERM.fullmatch(term)
    if found is None:
        raise GoogleError("INVALID_ARGUMENT", f"Invalid filter: {wanted}")
    value = _look_up(resource, found["path"])
    if found["value"] == "*":
        return value is not None
    return value == found["value"].strip('"')


def _look_up(resource: Body, path: str) -> Any:
    head, _, rest = path.partition(".")
    members = {snake(name): value for name, value in resource.items()}
    value = members.get(snake(head), members.get(_DISPLAY_NAMES.get(snake(head), "")))
    return value.get(rest) if rest and isinstance(value, dict) else value  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
