"""A dataset is streamed; every row is an example or a finding, and rows in are rows out and rows refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudistill.core.errors import UsageError
from cloudistill.formats import registry
from cloudistill.formats.dataset import Dataset, convert

OPENAI: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]}
GEMINI: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
PLAIN: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
BLOCKS: dict[str, Any] = {**PLAIN, "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {}}}}]}}
TEXT = registry.get("bedrock-conversation").encode(registry.get("bedrock-conversation", "tool-config").decode(BLOCKS))


def saved(folder: Path, *rows: Any) -> Path:
    path = folder / "rows.jsonl"
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def rules(path: Path) -> list[tuple[int, str]]:
    return [(row.line, finding.rule) for row in Dataset(path).rows() for finding in row.findings]


def test_each_line_is_an_example_or_a_finding_with_file_and_line(tmp_path: Path) -> None:
    path = saved(tmp_path, OPENAI, b"{", {**OPENAI, "temperature": 1})
    rows = list(Dataset(path).rows())
    assert [(row.line, row.example is None) for row in rows] == [(1, False), (2, True), (3, True)]
    assert str(rows[1].findings[0]).startswith(f"{path}:2: not-json: byte 2: ")
    assert str(rows[2].findings[0]).startswith(f"{path}:3: extra: the row holds extra members: 'temperature'.")


FILES: list[tuple[list[Any], list[int]]] = [
    ([OPENAI, GEMINI, OPENAI], [2]),
    ([{"text": "x"}, GEMINI, OPENAI], [1, 3]),
    ([PLAIN, OPENAI], [2]),
    ([PLAIN, BLOCKS, PLAIN, BLOCKS], []),
    ([PLAIN, TEXT, PLAIN], []),
    ([PLAIN, TEXT, BLOCKS], [3]),
    ([BLOCKS, TEXT], [2]),
]


@pytest.mark.parametrize(("rows", "refused"), FILES)
def test_a_file_has_one_format_and_rendering_and_other_rows_are_refused(
    tmp_path: Path, rows: list[Any], refused: list[int]
) -> None:
    found = rules(saved(tmp_path, *rows))
    assert [line for line, _ in found] == refused
    assert {rule for _, rule in found} <= {"mixed-formats", "unknown-format"}


def test_a_given_format_holds_for_every_row(tmp_path: Path) -> None:
    path = saved(tmp_path, GEMINI, OPENAI)
    rows = list(Dataset(path, registry.get("openai-chat")).rows())
    assert [row.example is None for row in rows] == [True, False]


def test_turns_that_do_not_fit_together_are_refused_in_the_file(tmp_path: Path) -> None:
    dangling = {"messages": [*OPENAI["messages"], {"role": "tool", "tool_call_id": "c", "content": "x"}]}
    assert rules(saved(tmp_path, dangling)) == [(1, "unknown-call")]


def test_the_fingerprint_is_of_the_bytes(tmp_path: Path) -> None:
    path = saved(tmp_path, OPENAI)
    assert Dataset(path).fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", ["missing", "folder", "fifo", "empty", "nul"])
def test_what_is_not_a_file_of_rows_is_a_usage_error_that_names_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("x\0" if kind == "nul" else kind)
    match kind:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "empty":
            path.touch()
        case _:
            pass
    with pytest.raises(UsageError, match=r"folder|fifo|empty|missing|null byte"):
        Dataset(path)


def test_conversion_writes_in_order_counts_every_row_and_hashes_what_it_wrote(tmp_path: Path) -> None:
    second = {"messages": [{"role": "user", "content": "two"}]}
    weighted = {"messages": [OPENAI["messages"][0], {"role": "assistant", "content": "x", "weight": 0}]}
    path = saved(tmp_path, OPENAI, b"[]", weighted, second)
    out = io.BytesIO()
    done = convert(Dataset(path), registry.get("gemini-contents"), out)
    written = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [row["contents"][0]["parts"][0]["text"] for row in written] == ["hi", "two"]
    assert (done.rows_in, done.rows_out, done.refused) == (4, 2, 2)
    assert [(f.line, f.rule, f.file) for f in done.findings] == [
        (2, "not-an-object", str(path)),
        (3, "weight-zero", str(path)),
    ]
    assert done.fingerprint == hashlib.sha256(out.getvalue()).hexdigest()


lines = st.sampled_from(
    [json.dumps(OPENAI), json.dumps(GEMINI), "{", "", "null", '{"messages":[]}', '{"a":1,"a":2}', '{"messages":[{}]}']
)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(lines, min_size=1), to=st.sampled_from(registry.NAMES))
def test_rows_in_are_rows_out_and_rows_refused(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str], to: str
) -> None:
    path = saved(tmp_path_factory.mktemp("rows"), *(row.encode() for row in rows))
    out = io.BytesIO()
    done = convert(Dataset(path), registry.get(to), out)
    assert done.rows_in == len(rows)
    assert done.rows_out == out.getvalue().count(b"\n")
    assert done.rows_out + len({finding.line for finding in done.findings}) == done.rows_in


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = saved(tmp_path, *[{**OPENAI, "messages": [{"role": "user", "content": "x" * 4000}]}] * 2000)
    with (tmp_path / "out").open("wb") as out:
        tracemalloc.start()
        convert(Dataset(path), registry.get("gemini-contents"), out)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert path.stat().st_size > 8_000_000
    assert peak < 1_000_000
