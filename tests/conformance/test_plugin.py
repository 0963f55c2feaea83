"""A plug-in's facts and format are found by their entry points, and it needs nothing that is not documented."""

from __future__ import annotations

import ast
import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudistill import check, convert
from cloudistill.core.errors import UsageError
from cloudistill.formats import registry
from cloudistill.formats.format import CannotCarry
from cloudistill.platforms import platform
from tests.conftest import TODAY

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "examples" / "plugin"
PAGE = ROOT / "docs" / "how-to" / "write-a-backend.md"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example as pip would leave it: its package and its entry points on the path; gives its dist-info."""
    about = tmp_path / "site" / "cloudistill_acme-0.1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.4\nName: cloudistill-acme\nVersion: 0.1.0\n", "utf-8")
    (about / "entry_points.txt").write_text(entry_points(), "utf-8")
    monkeypatch.setattr(sys, "path", [str(about.parent), str(PLUGIN / "src"), *sys.path])
    forget()
    yield about
    monkeypatch.undo()
    forget()


def entry_points() -> str:
    groups = tomllib.loads((PLUGIN / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    return "".join(
        f"[{group}]\n" + "".join(f"{n} = {v}\n" for n, v in points.items()) for group, points in groups.items()
    )


def forget() -> None:
    """What is looked for once a process is looked for again."""
    platform.load.cache_clear()
    platform._shelves.cache_clear()  # pyright: ignore[reportPrivateUsage]
    registry._plugged_in.cache_clear()  # pyright: ignore[reportPrivateUsage]


@pytest.mark.usefixtures("installed")
def test_a_plug_ins_facts_and_format_are_found(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    turns = [{"who": "user", "says": "Is it open?"}, {"who": "model", "says": "It is."}]
    rows.write_text(json.dumps({"turns": turns}) + "\n", "utf-8")
    result = check(rows, student="acme:acorn-1", today=TODAY)
    assert [finding.rule for finding in result.errors] == ["too-few-rows"]
    assert convert(rows, to="openai-chat", out=tmp_path / "out.jsonl").rows_out == 1
    assert convert(tmp_path / "out.jsonl", to="acme-turns", out=tmp_path / "back.jsonl").rows_out == 1
    assert json.loads((tmp_path / "back.jsonl").read_text("utf-8")) == {"turns": turns}


@pytest.mark.usefixtures("installed")
def test_a_plug_in_is_listed_where_a_name_is_wrong() -> None:
    with pytest.raises(UsageError, match="acme"):
        platform.load("acmee")
    with pytest.raises(UsageError, match="acme-turns"):
        registry.get("acme-turn")
    with pytest.raises(UsageError, match="no renderings"):
        registry.get("acme-turns", "text")
    with pytest.raises(CannotCarry) as caught:
        registry.detect({"says": 1})
    assert "acme-turns" in caught.value.remedy


def test_a_plug_in_cannot_take_the_place_of_ours(installed: Path) -> None:
    taken = entry_points().replace("acme-turns =", "openai-chat =").replace("acme =", "openai =")
    (installed / "entry_points.txt").write_text(taken, "utf-8")
    forget()
    assert platform.load("openai").title == "OpenAI"
    assert type(registry.get("openai-chat")).__name__ == "OpenAIChat"


def test_without_a_plug_in_its_names_are_not_known() -> None:
    with pytest.raises(UsageError, match="no platform 'acme'"):
        platform.load("acme")


def test_the_example_imports_documented_names_alone() -> None:
    page = PAGE.read_text("utf-8")
    imported = {
        f"{node.module}.{name.name}" if node.module == "cloudistill.backends" else str(node.module)
        for path in (PLUGIN / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    ours = {name for name in imported if name.split(".")[0] == "cloudistill"}
    assert len(ours) > 5
    assert not [name for name in ours if f"`{name}`" not in page]
