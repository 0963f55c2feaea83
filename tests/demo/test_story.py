"""The demo tells the whole story, from figures that come out of the run and nothing else."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from cloudistill.cli.app import main
from cloudistill.demo import story


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ROWS", 160), ("UNANSWERED", 8), ("HELD_OUT", 20), ("VENDOR_SECONDS", 4000.0)):
        monkeypatch.setattr(story, name, value)


def test_the_demo_ends_in_a_page_with_a_row_for_every_student(
    short: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dict(os.environ)
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--out", str(tmp_path / "out"), "--json"])
    assert not ended.value.code
    assert dict(os.environ) == before
    document = json.loads(capsys.readouterr().out)
    page = Path(document["page"]).read_text("utf-8")
    assert [result["platform"] for result in document["students"]] == ["openai", "bedrock", "vertex"]
    for result in document["students"]:
        assert result["student"] in page
        assert result["asked"] == 20
        assert result["call_right"] <= result["tool_right"] <= 20
        assert result["call_right"] > result["base_call_right"]
        assert result["vendor_minutes"] > 1
    assert "<script" not in page
    assert not re.search(r"""(src|href)=["']?https?:""", page)


def test_the_demo_says_the_same_to_a_person(
    short: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "STUDENTS", story.STUDENTS[:1])
    with pytest.raises(SystemExit):
        main(["demo", "--out", str(tmp_path / "out")])
    out, err = capsys.readouterr()
    assert "openai:gpt-4.1-mini-2025-04-14" in out
    assert "report.html" in err
