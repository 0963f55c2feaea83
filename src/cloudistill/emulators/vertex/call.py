"""One request to the emulated aiplatform, and the rules that say which handler it goes to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

PROJECT, NUMBER = "cloudistill-emulated", "427000000001"

Body = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request: the pieces of its path, the query, the body's bytes, when it came, and headers for its answer."""

    version: str
    location: str
    query: Mapping[str, str]
    body: bytes
    now: datetime
    id: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def parent(self) -> str:
        """The place's resource name, with the project's number as Google writes it."""
        return f"projects/{NUMBER}/locations/{self.location}"


Handler = Callable[[Call], "Body | list[Body]"]


@dataclass(frozen=True)
class Rule:
    """A method and a path below the location, `{id}` in it; `permission` is what the caller needs."""

    method: str
    path: str
    permission: str
    handler: Handler

    @property
    def pattern(self) -> re.Pattern[str]:
        """The whole path."""
        below = re.escape(self.path).replace(r"\{id\}", "(?P<id>[^/:]+)")
        return re.compile(
            rf"/(?P<version>v1|v1beta1)/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/{below}"
        )


class Routes:
    """Finds the rule of a request."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = [(rule, rule.pattern) for rule in rules]

    def find(self, method: str, path: str) -> tuple[Rule, dict[str, str]] | None:
        """The rule, and the pieces of the path; None when no method of the service matches."""
        for rule, pattern in self._rules:
            found = pattern.fullmatch(path)
            if rule.method == method and found:
                return rule, found.groupdict()
        return None
