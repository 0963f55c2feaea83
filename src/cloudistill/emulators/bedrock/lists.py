"""Bedrock's listings: filters, order and pages."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from cloudistill.emulators.bedrock.shapes import invalid

PAGE = 100
Row = dict[str, Any]
Filter = Callable[[Row, Any], bool]


def _equal(member: str) -> Filter:
    return lambda row, asked: row[member] == asked


def _contains(member: str) -> Filter:
    return lambda row, asked: asked in row[member]


def _after(member: str) -> Filter:
    return lambda row, asked: row[member] > asked


def _before(member: str) -> Filter:
    return lambda row, asked: row[member] < asked


JOBS: dict[str, Filter] = {
    "creationTimeAfter": _after("creationTime"),
    "creationTimeBefore": _before("creationTime"),
    "statusEquals": _equal("status"),
    "nameContains": _contains("jobName"),
}
MODELS: dict[str, Filter] = {
    "creationTimeAfter": _after("creationTime"),
    "creationTimeBefore": _before("creationTime"),
    "nameContains": _contains("modelName"),
    "baseModelArnEquals": _equal("baseModelArn"),
    "foundationModelArnEquals": _equal("baseModelArn"),
    "modelStatus": _equal("modelStatus"),
    "isOwned": lambda _row, asked: bool(asked),
}
DEPLOYMENTS: dict[str, Filter] = {
    "createdAfter": _after("createdAt"),
    "createdBefore": _before("createdAt"),
    "nameContains": _contains("customModelDeploymentName"),
    "statusEquals": _equal("status"),
    "modelArnEquals": _equal("modelArn"),
}


def listed(key: str, rows: list[Row], said: dict[str, Any], filters: dict[str, Filter]) -> dict[str, Any]:
    """One page of `rows` (oldest first), newest first unless asked otherwise, under `key`. Raises `Refused`."""
    kept = [row for row in rows if all(passes(row, said[name]) for name, passes in filters.items() if name in said)]
    if said.get("sortOrder", "Descending") == "Descending":
        kept.reverse()
    start, size = _offset(said.get("nextToken")), said.get("maxResults", PAGE)
    more = start + size < len(kept)
    return {key: kept[start : start + size], "nextToken": _token(start + size) if more else None}


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"from:{offset}".encode()).decode()


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token).removeprefix(b"from:"))
    except ValueError as error:
        raise invalid("The provided nextToken is invalid.") from error
