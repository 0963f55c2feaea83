"""OpenAI's lists, page by page: every item, and no page that is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cloudistill.backends import pages
from cloudistill.backends.common import unusable


def every(ask: Callable[..., Any], asked: str) -> Iterator[Any]:
    """Every item of every page; nothing is asked before the first is taken.

    Raises:
        UnusableAnswer: a page is none, or does not lead on to the next one that it promises.
    """

    def turned(after: str | None) -> tuple[list[Any], str | None]:
        found = page(lambda: ask(after=after) if after else ask(), asked)
        cursor = found.data[-1].id if found.has_next_page() else None
        if cursor and cursor == after and found.has_more is None:
            return [], None  # a host without pages gives its whole list whatever is asked
        if found.has_more and not cursor:
            raise unusable("openai", f"{asked}: more is promised, but no item with an id leads on", found.data[-1:])
        return found.data, cursor

    return pages.every("openai", asked, turned)


def page(ask: Callable[[], Any], asked: str) -> Any:
    """One page. Raises UnusableAnswer for what has no list of items."""
    try:
        found = ask()
    except AttributeError as error:  # how the SDK itself fails on a page of text
        raise unusable("openai", asked, str(error)) from error
    if not isinstance(getattr(found, "data", None), list):
        raise unusable("openai", asked, found)
    return found
