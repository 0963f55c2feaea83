"""References that name a vendor's thing: `platform:vendor-id`, the vendor's id kept whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from cloudistill.core.errors import UsageError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """`platform:id`; `str` and `parse` undo each other."""

    platform: str
    id: str

    @classmethod
    def parse(cls, text: str | Self) -> Self:
        """Read `platform:id`, splitting at the first colon only: vendors' ids hold colons too.

        Raises:
            UsageError: `text` has no platform or no id, or holds white space or control characters.
        """
        if isinstance(text, cls):
            return text
        platform, colon, rest = str(text).partition(":")
        if not (colon and platform and rest) or any(c.isspace() or not c.isprintable() for c in str(text)):
            raise UsageError(f"{text!r} is not a reference: write platform:id, as `cloudistill platforms` lists them")
        return cls(platform, rest)

    def __str__(self) -> str:
        return f"{self.platform}:{self.id}"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )


class FileRef(Ref):
    """An uploaded file, by the id or the address that the vendor gives it."""


class JobRef(Ref):
    """A vendor's tuning job."""


class ModelRef(Ref):
    """A model that can be tuned or called."""
