"""Real tool-calling conversations go through every format and back; what is refused is named line by line."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from cloudistill.core.example import Example
from cloudistill.core.jsonl import read
from cloudistill.formats import registry
from cloudistill.formats.dataset import Dataset, convert
from cloudistill.formats.format import Format

SHARED = Path(__file__).parents[2].parent / "shared"
FORMATS = [
    registry.get("openai-chat"),
    registry.get("bedrock-conversation", "text"),
    registry.get("bedrock-conversation", "tool-config"),
    registry.get("gemini-contents"),
]
ROWS = {"bfcl-train.openai.jsonl": 1411, "agentdojo-visible.jsonl": 58, "bfcl-multiturn-visible.jsonl": 42}

# Line 644 has a parameter `año_vehiculo`; the others declare an integer whose enum holds texts.
REFUSED_BY_GEMINI = [
    (644, "parameter-name"),
    *((line, "schema-enum") for line in (1091, 1092, 1093, 1094, 1095, 1096, 1097, 1098, 1099, 1310, 1311, 1409)),
]


@pytest.fixture(params=ROWS)
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of the real data, reduced to what a training row holds."""
    source = SHARED / "data" / request.param
    if not source.exists():
        pytest.skip(f"NOT CHECKED: the real data {request.param} does not lie in {SHARED / 'data'}")
    path = tmp_path / request.param
    with path.open("w", encoding="utf-8") as file:
        for row in read(source):
            assert row.value is not None
            kept = {key: row.value[key] for key in ("messages", "tools", "parallel_tool_calls") if key in row.value}
            file.write(json.dumps(kept) + "\n")
    return path


@pytest.mark.parametrize("to", [pytest.param(f, id=f.rendering or f.name) for f in FORMATS])
def test_real_rows_go_through_a_format_and_back_equal_after_normalisation(
    rows: Path, to: Format, tmp_path: Path
) -> None:
    there, back = tmp_path / "there.jsonl", tmp_path / "back.jsonl"
    with there.open("wb") as out:
        done = convert(Dataset(rows), to, out)
    refused = REFUSED_BY_GEMINI if (rows.name, to.name) == ("bfcl-train.openai.jsonl", "gemini-contents") else []
    assert [(finding.line, finding.rule) for finding in done.findings] == refused
    assert (done.rows_in, done.rows_out) == (ROWS[rows.name], ROWS[rows.name] - len(refused))

    with back.open("wb") as out:
        assert convert(Dataset(there), registry.get("openai-chat"), out).refused == 0
    lost = {line for line, _ in refused}
    kept = [row.example for row in Dataset(rows).rows() if row.line not in lost]
    returned = [row.example for row in Dataset(back).rows()]
    expected = [to.normalise(example) for example in kept if example is not None]
    assert [exact(example) for example in returned] == [exact(example) for example in expected]


def exact(example: Example | None) -> str:
    return json.dumps(msgspec.to_builtins(example), sort_keys=True)


def test_openais_published_schema_accepts_the_lines_we_write(rows: Path) -> None:
    contract = SHARED / "contracts" / "openai-training-lines.json"
    if not contract.exists():
        pytest.skip(f"NOT CHECKED: the contract does not lie at {contract}")
    schema: dict[str, Any] = json.loads(contract.read_text("utf-8"))
    validator: Any = Draft202012Validator({**schema, "$ref": "#/components/schemas/FineTuneChatRequestInput"})
    out = io.BytesIO()
    convert(Dataset(rows), registry.get("openai-chat"), out)
    sample = out.getvalue().splitlines()[:: max(1, ROWS[rows.name] // 40)]
    assert [str(error.message) for line in sample for error in validator.iter_errors(json.loads(line))] == []
