"""Settings from `distill.toml` in the working folder: below flags, above the environment, never a credential."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from cloudistill.backends.backend import Backend, connect
from cloudistill.core.errors import UsageError
from cloudistill.pipeline.recipe import Recipe

FILE = Path("distill.toml")
_SECRET = ("key", "secret", "token", "password", "credential")


def read(path: Path = FILE) -> dict[str, dict[str, Any]]:
    """The tables of `distill.toml`, or none when there is no such file.

    `[distill]` holds defaults for the flags of `distill`; a table named after a platform the settings
    of its backend (region, bucket, role_arn, project, location, base_url).

    Raises:
        UsageError: not TOML, not tables, or a table that holds what looks like a credential.
    """
    if not path.is_file():
        return {}
    try:
        tables: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
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
    if ready and platform in ready:
        return ready[platform]
    settings = backend_settings(platform)
    try:
        return connect(platform, **settings)
    except TypeError as error:
        if not settings:
            raise
        raise UsageError(f"{FILE}: [{platform}] has a setting that its backend does not take: {error}") from error


def flags() -> dict[str, Any]:
    """What `distill.toml` says for the flags of `distill`.

    Raises:
        UsageError: a name that is no flag that can stand there.
    """
    table = read().get("distill", {})
    if unknown := sorted(set(table) - set(Recipe.model_fields)):
        raise UsageError(f"{FILE}: [distill] knows no {unknown[0]!r}; it knows {', '.join(Recipe.model_fields)}")
    return table
