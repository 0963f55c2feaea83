import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cloudistill.core.errors import MissingExtra
from cloudistill.core.job import RunStatus
from cloudistill.demo.page import SampleAnswer, StudentResult, bars, headline, price, render, share

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img onerror=alert(1) src=x>',
    "{{7*7}}",
    "a\u202eb",
    "$\\frac{1}{2}$",
    "中\x00",
]
VOID = {"meta", "br", "path"}


class Outline(HTMLParser):
    """Tags opened, attributes seen, and whether every element was closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def result(**changes: Any) -> StudentResult:
    facts: dict[str, Any] = {
        "platform": "openai", "student": "mini", "run": "desk-openai", "native_status": "succeeded",
        "status": RunStatus.READY, "price_low": 1.1, "price_high": 1.9, "asked": 120, "tool_right": 112,
        "call_right": 104, "base_tool_right": 66, "base_call_right": 31, "vendor_minutes": 41.6,
        "ends": date(2027, 1, 14),
    }  # fmt: skip
    return StudentResult(**facts | changes)


def page(text: str = "plain", *results: StudentResult) -> str:
    sample = SampleAnswer(question=text, expected=text, answers={text: text, "other": text}, right=frozenset({text}))
    return render(results or (result(), result(platform="vertex")), title=text, notes=[text], samples=[sample])


def test_the_page_is_well_formed_html() -> None:
    outline = Outline(page())
    assert outline.open == []
    assert outline.tags.count("tr") == 3
    assert outline.tags.count("svg") == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_any_place_becomes_text_and_nothing_else(text: str) -> None:
    hostile = result(platform=text, student=text, run=text, native_status=text)
    outline, plain = Outline(page(text, hostile)), Outline(page("plain", result()))
    assert outline.open == []
    assert outline.tags == plain.tags
    assert not any(name.startswith("on") for name, _ in outline.attributes)


def test_markup_and_template_code_are_shown_as_they_were_written() -> None:
    for text in HOSTILE[:3]:
        assert text in Outline(page(text)).text


def test_invisible_characters_are_written_out() -> None:
    text = page("a\u202eb\x00c", result(student="d\u202ee"))
    assert "\u202e" not in text
    assert "\x00" not in text
    assert r"a\u202eb\x00c" in text
    assert r"d\u202ee" in text


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    text = page()
    assert "default-src 'none'" in text
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(Outline(text).tags)
    assert not re.search(r"(src|href)=|url\((?!#)|@import", text)


def test_the_plot_takes_the_pages_colours_and_carries_no_date() -> None:
    svg = bars([result()])
    assert "currentColor" in svg
    assert "var(--accent)" in svg
    assert not re.search(r"#[0-9a-f]{6}\b|<metadata|<\?xml|<!DOCTYPE", svg)


def test_the_same_results_give_the_same_page() -> None:
    assert page() == page()


def test_the_table_shows_each_figure_beside_that_of_the_untuned_base() -> None:
    text = " ".join(Outline(page("plain", result())).text.split())
    for shown in ("desk-openai", "ready", "the vendor says succeeded", "$1.10 to $1.90", "42 min", "2027-01-14"):
        assert shown in text
    for shown in ("93%untuned base 55%", "87%untuned base 26%"):
        assert shown in text


def test_what_is_not_known_is_not_made_up() -> None:
    text = Outline(page("plain", result(ends=None, vendor_minutes=None, asked=0))).text
    row = text.partition("Model ends")[2].partition("What training changed")[0]
    assert "no date given" in row
    assert "%" not in row
    assert " min" not in row


def test_the_headline_names_the_best_student_and_its_base() -> None:
    said = headline([result(), result(platform="vertex", student="flash", call_right=110, base_call_right=20)])
    assert said == (
        "The best of 2 students, flash on vertex, gave 110 of 120 held-out answers exactly right; its untuned base: 20."
    )
    assert headline([result(asked=0)]) == headline([]) == "No student was asked anything."


def test_students_that_did_equally_well_are_all_named() -> None:
    said = headline([result(call_right=60), result(platform="vertex", student="flash", call_right=60), result(asked=0)])
    assert said.startswith("2 of 3 students, ")
    assert "flash on vertex, gave 50% of their held-out answers exactly right." in said


def test_a_page_without_students_still_says_so() -> None:
    assert "No student was asked anything." in render([], title="t", notes=[])


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (1.1, 1.9, "$1.10 to $1.90"),
        (0.002, 0.0031, "$0.0020 to $0.0031"),
        (3, 3, "$3.00"),
        (0.2, 0.31, "$0.20 to $0.31"),
    ],
)
def test_prices_keep_the_digits_that_matter(low: float, high: float, shown: str) -> None:
    assert price(low, high) == shown


def test_a_share_of_nothing_is_a_dash() -> None:
    assert (share(0, 0), share(1, 3)) == ("-", "33%")


@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
def test_a_missing_package_is_answered_with_the_line_that_installs_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"{package}.*pip install 'cloudistill\[report\]'"):
        page()


def test_reading_the_page_module_loads_neither_package() -> None:
    code = "import sys, cloudistill.demo.page; sys.exit(bool({'matplotlib', 'jinja2'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture(scope="module")
def screenshot(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("NO BROWSER: the page is not looked at; install chromium to run this test")

    def shoot(html: str) -> bytes:
        folder = tmp_path_factory.mktemp("page")
        (folder / "page.html").write_text(html, "utf-8")
        flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=500,900",
            f"--user-data-dir={folder}/profile",
        ]
        command = [browser, *flags, f"--screenshot={folder}/page.png", (folder / "page.html").as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return (folder / "page.png").read_bytes()

    return shoot


def test_a_browser_shows_the_page(screenshot: Callable[[str], bytes], tmp_path: Path) -> None:
    shown, empty = screenshot(page(HOSTILE[0])), screenshot("<!doctype html><title>nothing</title>")
    assert shown.startswith(b"\x89PNG")
    assert len(shown) > 2 * len(empty)
