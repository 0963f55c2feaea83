"""The issue's own path on real tool-calling data: check, convert, distill and chat from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloudistill.emulators import World
from tests.conftest import STUDENTS, rows_of


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloudistill", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=dict(os.environ),
    )


@pytest.mark.parametrize("platform", sorted(STUDENTS))
def test_real_rows_are_distilled_and_the_student_answers_with_a_tool_call(
    platform: str, shared: Path, vendors: World, tmp_path: Path
) -> None:
    data, student = shared / "bfcl-train.openai.jsonl", STUDENTS[platform]
    checked = run("check", data, "--student", student, "--today", "2026-11-24", "--json")
    assert checked.returncode in {0, 3}, checked.stderr
    refused = json.loads(checked.stdout)["rows_in"] - json.loads(checked.stdout)["rows_ok"]
    done = run(
        "distill", data, "--student", student, "--name", "bfcl", "--today", "2026-11-24", "--every", "0.3", "--json",
        "--drop-refused", str(refused),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["rows"] == {"in": 1411, "refused": refused}
    row, tools = rows_of(data)[0], tmp_path / "tools.json"
    tools.write_text(json.dumps(row["tools"]), "utf-8")
    said = run("chat", document["model"], row["messages"][0]["content"], "--tools", tools, "--json")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["tool_calls"][0]["name"] == "calculate_triangle_area"
