"""Settings from `distill.toml` in the working folder: below flags, above the environment, never a credential."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from cloudistill.backends.backend import Backend, connect
from cloudistill.core.errors import UsageError

FILE = Path("distill.toml")
_SECRET = ("key", "secret", "token", "password", "credential")


def read(path: Path = FILE) -> dict[str, dict[str, Any]]:
    """The tables of `distill.toml`, or none when there is no such file.

    `[distill]` holds defaults for the flags of `distill`; `[openai]`, `[bedrock]`, `[vertex]` the settings of
    that platform's backend (region, bucket, role_arn, project, location, base_url).

    Raises:
        UsageError: not TOML, not tables, or a table that holds what looks like a credential.
    """
    if not path.is_file():
        return {}
    try:
        tables: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UsageError(f"{path}: {name!r} stands outside a table; write it under [distill] or [{name}]")
        for key in cast("dict[str, Any]", table):
            if name != "distill" and any(word in key.lower() for word in _SECRET):
                raise UsageError(f"{path}: [{name}] {key}: credentials belong to the vendor's own chain, not here")
    return tables


def backend_settings(platform: str) -> dict[str, Any]:
    """What `distill.toml` says for that platform's backend."""
    return read().get(platform, {})


def connected(platform: str, ready: Mapping[str, Backend] | None = None) -> Backend:
    """The backend of a platform: the ready one that was handed in, else one with the settings of `distill.toml`."""
    return (ready or {}).get(platform) or connect(platform, **backend_settings(platform))


def flags() -> dict[str, Any]:
    """What `distill.toml` says for the flags of `distill`."""
    return read().get("distill", {})
