"""The site builds without a warning, loads nothing from elsewhere, and its tables are what code and facts say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOREIGN = re.compile(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"'](?:https?:)?//[^\"']+", re.IGNORECASE)
IMPORTED = re.compile(r"url\(\s*[\"']?(?:https?:)?//|@import\s+[\"'](?:https?:)?//", re.IGNORECASE)


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "-b", "html"]
    built = subprocess.run(
        [*command, str(ROOT / "docs"), str(tmp_path)], capture_output=True, text=True, check=False, timeout=110
    )
    assert built.returncode == 0, built.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 20
    foreign = {
        found for page in pages for found in FOREIGN.findall(page.read_text("utf-8")) if "canonical" not in found
    }
    assert not foreign
    assert not [sheet.name for sheet in tmp_path.rglob("*.css") if IMPORTED.search(sheet.read_text("utf-8"))]


def test_the_reference_tables_are_what_code_and_facts_say() -> None:
    checked = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "tables.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
