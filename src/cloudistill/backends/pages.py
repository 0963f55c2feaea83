"""A vendor's lists, page by page, in whatever way it pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from cloudistill.backends.common import unusable

Item = TypeVar("Item")


def every(platform: str, asked: str, page: Callable[[str | None], tuple[Iterable[Item], str | None]]) -> Iterator[Item]:
    """Every item of a list: `page` asks for one page by its token, None for the first, and tells the next one's.

    Nothing is asked before the first item is taken.

    Raises:
        UnusableAnswer: the list leads back to a page that was read.
    """
    read, token = set[str | None](), None
    while token not in read:
        read.add(token)
        items, token = page(token)
        yield from items
        if not token:
            return
    raise unusable(platform, f"{asked}: the same page again", token)
