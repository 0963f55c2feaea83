"""Hostile files and stores: no traceback, the right exit code and place, rows in = out + refused."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import STUDENTS, TODAY

from cloudistill.core.errors import UsageError
from cloudistill.core.refs import ModelRef
from cloudistill.formats.dataset import Dataset
from cloudistill.pipeline import checking, verbs
from cloudistill.pipeline.store import Store

GOOD = b'{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}'
FORMATS = ("openai-chat", "bedrock-conversation", "gemini-contents")
BROKEN_LINES = {
    "nul-byte": (GOOD.replace(b'"q"', b'"q\x00"'), "not-json"),
    "invalid-utf8": (GOOD.replace(b'"q"', b'"\xff"'), "invalid-utf8"),
    "hundred-thousand-brackets": (b"[" * 100_000, "nested-too-deep"),
    "too-large-a-number": (b'{"messages":[],"x":1e400}', "number-out-of-range"),
    "five-thousand-digits": (b'{"messages":[],"x":' + b"9" * 5000 + b"}", "number-out-of-range"),
    "duplicate-key-at-depth": (b'{"messages":[],"a":{"b":{"c":1,"c":2}}}', "duplicate-key"),
    "lone-surrogate-in-a-key": (b'{"messages":[],"\\ud83d":1}', "lone-surrogate"),
    "raw-line-separator": (GOOD.replace(b'"q"', "\u2028".join('""').encode()), "line-separator"),
    "gzip": (gzip.compress(GOOD * 9, mtime=0).replace(b"\n", b"").replace(b"\r", b""), "invalid-utf8"),
    "arguments-as-object": (
        (
            b'{"messages":[{"role":"user","content":"q"},{"role":"assistant","tool_calls":[{"id":"c","type":"function",'
            b'"function":{"name":"f","arguments":{}}}]}],"tools":[{"type":"function","function":{"name":"f"}}]}'
        ),
        "arguments-not-a-string",
    ),
}


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("fault", BROKEN_LINES)
def test_a_broken_line_is_refused_in_its_place_and_the_others_go_on(tmp_path: Path, fault: str, to: str) -> None:
    line, rule = BROKEN_LINES[fault]
    path, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    path.write_bytes(b"\n".join([GOOD, GOOD, line, GOOD]) + b"\n")
    result = verbs.convert(path, to=to, out=out)
    assert [(finding.line, finding.rule) for finding in result.findings] == [(3, rule)]
    assert (result.rows_in, result.rows_out, out.read_bytes().count(b"\n")) == (4, 3, 3)


@pytest.mark.parametrize("kind", ["fifo", "folder", "loop", "empty"])
def test_what_is_no_file_of_rows_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "rows"
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path.name)
        case _:
            path.touch()
    with pytest.raises(UsageError):
        Dataset(path)


def test_a_gigabyte_on_one_line_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "sparse.jsonl"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (600 << 20,) * 2)\n"
        "from pathlib import Path; from cloudistill.core import jsonl\n"
        "print([row.finding.rule for row in jsonl.read(Path(sys.argv[1]))])"
    )
    found = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "['line-too-long']", found.stderr


SCHEMAS: dict[str, dict[str, Any]] = {
    "mutual-reference": {"x": {"$ref": "#/$defs/y"}, "y": {"$ref": "#/$defs/x"}},
    "self-reference": {"x": {"type": "object", "properties": {"x": {"$ref": "#/$defs/x"}}}},
    "bomb": {
        "x": {"type": "object", "properties": {name: {"$ref": "#/$defs/d0"} for name in "abcdefgh"}},
        **{
            f"d{n}": {"type": "object", "properties": {name: {"$ref": f"#/$defs/d{n + 1}"} for name in "abcdefgh"}}
            for n in range(12)
        },
        "d12": {"type": "string"},
    },
}


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_that_refers_without_end_is_refused_and_not_followed(tmp_path: Path, kind: str) -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": SCHEMAS[kind]}
    row = json.loads(GOOD) | {"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    checked = checking.check(path, ModelRef.parse(STUDENTS["vertex"]), today=TODAY)
    assert [finding.line for finding in checked.errors if finding.rule.startswith("schema-")] == [1]


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\x00" + b"\xff" * 4000])
def test_a_run_store_that_is_none_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    state = tmp_path / "state.db"
    state.write_bytes(content)
    with pytest.raises(UsageError, match="run store"):
        Store(state)
    assert state.read_bytes() == content
