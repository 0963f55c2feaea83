"""What README and documentation show is run as it stands, and what they link to is there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cloudistill.cli.app import app
from cloudistill.emulators import World
from cloudistill.pipeline import watching
from tests.docs import pages

ABOUT_TESTS = pages.ROOT / "docs" / "how-to" / "test-your-pipeline.md"
LINK = re.compile(r"\]\(([^)#\s]+)(?:#([^)\s]*))?\)")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
OTHERS = {"--list", "--keep", "--answers", "--version", "--size", "--help"}
"""Flags of our scripts and of towncrier, and the one that every command has."""
RUN = [
    page
    for page in pages.PAGES
    if page != ABOUT_TESTS
    and any(block.language in {"python", "console"} and not block.excuse for block in pages.blocks(page))
]


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(pages.ROOT)))
def test_the_code_of_a_page_runs_as_it_stands(
    page: Path, vendors: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def briefly(*_: object) -> float:
        return 0.1

    monkeypatch.setattr(watching, "_pause", briefly)
    pages.support_files(tmp_path)
    if "s3://my-logs/" in page.read_text("utf-8"):
        pages.log_requests("my-logs")
    assert pages.run(page) > 0


def test_the_page_about_testing_is_a_test_suite_that_passes(tmp_path: Path) -> None:
    assert re.search(r"\b2 passed", pages.run_as_tests(ABOUT_TESTS, tmp_path))


def test_a_block_that_is_not_run_says_why() -> None:
    for page in pages.PAGES:
        for said in re.findall(r"<!--\s*not run.*?-->", page.read_text("utf-8"), re.DOTALL):
            assert pages.NOT_RUN.fullmatch(said), f"{page.name}: {said!r} gives no reason"


def test_every_link_between_the_pages_leads_somewhere() -> None:
    read = [*pages.PAGES, *(pages.ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md"))]
    links = [(page, *to) for page in read for to in LINK.findall(page.read_text("utf-8")) if "://" not in to[0]]
    assert len(links) > 50
    assert not [(page.name, to) for page, to, _ in links if not (page.parent / to).exists()]
    to_headings = [(page.parent / to, heading) for page, to, heading in links if heading]
    assert to_headings
    assert not [(page.name, heading) for page, heading in to_headings if heading not in headings(page)]


def headings(page: Path) -> set[str]:
    """The anchors that a forge gives to the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_every_flag_that_a_page_names_is_one_of_ours_or_of_a_program_it_shows() -> None:
    command: Any = get_command(app)
    known = {flag for verb in command.commands.values() for option in verb.params for flag in option.opts}
    named = [(page.name, flag) for page in pages.PAGES for flag in FLAG.findall(page.read_text("utf-8"))]
    assert len(named) > 50
    assert not [(page, flag) for page, flag in named if flag not in known | OTHERS]


def test_a_page_whose_code_is_wrong_does_not_pass(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    for text in ("```python\nraise ValueError\n```", "```console\n$ false\n```", "```console\n$ echo yes\nno\n```"):
        page.write_text(text, "utf-8")
        with pytest.raises((ValueError, AssertionError)):
            pages.run(page)


@pytest.mark.skipif(shutil.which("bash") is None, reason="NO BASH: console blocks are not tried")
def test_bash_is_what_the_pages_are_typed_into() -> None:
    assert pages.type_in("echo yes") == "yes\n"
