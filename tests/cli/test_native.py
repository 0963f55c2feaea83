"""The vendor's own distillation through the command line, from prompts and from logs, on the emulators."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from cloudistill.backends.bedrock import BedrockBackend
from cloudistill.emulators import World, emulate
from cloudistill.formats.dataset import Dataset
from cloudistill.formats.registry import get
from tests.backends.bedrock_desk import LOGS, PRO, logged
from tests.conftest import STUDENTS, rows_of

from .shell import Shell

Lessons = Callable[..., Path]
TODAY = ["--today", "2026-11-24"]
BEDROCK = ["--student", STUDENTS["bedrock"], "--teacher", f"bedrock:{PRO}", "--every", "0.1", *TODAY]


def test_prompts_become_a_student_on_bedrock_and_nobody_here_asks_the_teacher(
    shell: Shell, vendors: World, lessons: Lessons
) -> None:
    data, asked = lessons(160, answered=False), vendors.bedrock.server.count("converse")
    assert shell("distill", data, *BEDROCK, "--method", "native", "--name", "natively", "--json") == 0, shell.err
    assert (shell.document["status"], shell.document["method"]) == ("ready", "native")
    assert shell.document["prompts"]["accepted"] == 160
    assert vendors.bedrock.server.count("converse") == asked
    assert shell("chat", shell.document["model"], "Where is my order?", "--json") == 0, shell.err
    assert shell("show", "natively") == 0
    assert "160 accepted, 0 rejected" in shell.out
    orders = len(vendors.bedrock.jobs)
    assert shell("distill", data, *BEDROCK, "--method", "native", "--name", "natively") == 0
    assert len(vendors.bedrock.jobs) == orders


def test_auto_says_what_it_chose_and_why(shell: Shell, vendors: World, lessons: Lessons) -> None:
    flags = [*BEDROCK, "--method", "auto", "--no-wait"]
    assert shell("distill", lessons(120, answered=False, seed=2), *flags, "--name", "chosen") == 0, shell.err
    assert "method native: 120 of 120 rows wait for an answer" in shell.err
    assert shell("distill", lessons(20, seed=3), *flags, "--name", "other") == 0, shell.err
    assert "method sft:" in shell.err
    assert shell("show", "other", "--recorded", "--json") == 0
    assert shell.document["method_reason"]


def log(vendors: World, data: Path) -> str:
    """The rows of `data` as an application of two environments would have logged them; where."""
    bucket, spelling = vendors.environment["CLOUDISTILL_BEDROCK_BUCKET"], get("bedrock-conversation")
    examples = [row.example for row in Dataset(data).rows() if row.example]
    lines = [
        json.dumps(
            logged(spelling.encode(example), "Gladly.", requestMetadata={"env": "dev" if number % 3 == 0 else "live"})
        )
        for number, example in enumerate(examples)
    ]
    body = gzip.compress("\n".join(lines).encode())
    key = f"{LOGS}/us-east-1/2026/11/20/10/a.json.gz"
    BedrockBackend().client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    return f"s3://{bucket}/{LOGS}"


def test_logged_requests_become_a_student_on_bedrock(shell: Shell, vendors: World, lessons: Lessons) -> None:
    uri = log(vendors, lessons(300, answered=False, seed=4))
    uploads = vendors.bedrock.server.count("PUT .*rows")
    flags = ["--method", "native", "--logs", uri, "--where", "env!=dev"]
    assert shell("distill", *BEDROCK, *flags, "--json") == 0, shell.err
    assert (shell.document["run"], shell.document["status"]) == ("logs-bedrock-amazon-nova-micro-v1-0-128k", "ready")
    prompts = shell.document["prompts"]
    assert prompts["accepted"] >= 100
    assert prompts["accepted"] + prompts["rejected"] <= 200, "a third was logged in the environment that is left out"
    assert vendors.bedrock.server.count("PUT .*rows") == uploads


def test_what_native_cannot_be_is_refused_with_the_way_out(shell: Shell, vendors: World, lessons: Lessons) -> None:
    data, orders = lessons(120, answered=False, seed=5), len(vendors.bedrock.jobs)
    native = ["--method", "native", "--student", STUDENTS["bedrock"], *TODAY]
    assert shell("distill", data, *native, "--teacher", "bedrock:amazon.nova-premier-v1:0") == 3
    assert "2026-09-14" in shell.err
    assert "--method sft" in shell.err
    assert shell("distill", data, *native, "--teacher", f"bedrock:{PRO}", "--budget", "50") == 3
    assert "prompts of its own" in shell.err
    openai = ["--method", "native", "--student", STUDENTS["openai"], *TODAY]
    assert shell("distill", data, *openai, "--teacher", "openai:gpt-4.1-2025-04-14") == 3
    assert "--method sft" in shell.err
    assert len(vendors.bedrock.jobs) == orders


@pytest.mark.parametrize(
    "flags",
    [
        ["--method", "native"],
        ["--logs", "s3://b/logs"],
        ["--where", "env=dev"],
        ["--use-answers"],
        ["--logs", "s3://b/logs", "--method", "native", "--where", "env"],
    ],
)
def test_flags_that_do_not_fit_together_are_wrong_usage(flags: list[str], shell: Shell, vendors: World) -> None:
    assert shell("distill", *BEDROCK, *flags) == 2, shell.err
    assert "Traceback" not in shell.err


def test_a_file_and_logs_together_are_wrong_usage(shell: Shell, vendors: World, lessons: Lessons) -> None:
    assert shell("distill", lessons(20), *BEDROCK, "--method", "native", "--logs", "s3://b/logs") == 2
    assert "cannot both be the source" in shell.err


def test_check_knows_the_pairs_rules(shell: Shell, lessons: Lessons) -> None:
    data = lessons(60, answered=False)
    flags = ["--student", STUDENTS["bedrock"], "--teacher", f"bedrock:{PRO}", *TODAY]
    assert shell("check", data, *flags) == 0
    assert shell("check", data, *flags, "--method", "native") == 3
    assert "at least 100" in shell.err
    assert len(rows_of(data)) == 60


# -- on Vertex AI, before its last pairs ended


OCTOBER = date(2026, 10, 1)
EARLY = ["--student", "vertex:gemini-2.5-flash", "--teacher", "vertex:gemini-3.1-pro"]
OPEN = ["--student", "vertex:qwen/qwen3@qwen3-4b", "--teacher", "vertex:qwen/qwen3-next-80b-a3b-thinking-maas"]


@pytest.fixture(scope="module")
def october() -> Iterator[World]:
    with emulate("vertex", today=OCTOBER, speed=4000.0) as world:
        yield world


@pytest.fixture
def vertex(october: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    for name, value in october.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return october


def prompts(folder: Path, rows: int = 120) -> Path:
    """Questions without tools, which Vertex's pairs do not take."""
    path = folder / "prompts.jsonl"
    asked = ({"messages": [{"role": "user", "content": f"What is {number} and a half?"}]} for number in range(rows))
    path.write_text("".join(json.dumps(row) + "\n" for row in asked))
    return path


def test_early_access_distillation_on_vertex_ends_in_a_model_that_answers(
    shell: Shell, vertex: World, tmp_path: Path
) -> None:
    flags = [*EARLY, "--method", "native", "--name", "early", "--every", "0.1", "--today", str(OCTOBER)]
    assert shell("distill", prompts(tmp_path), *flags) == 0, shell.err
    assert "only for projects that it has let in" in shell.err
    assert shell("show", "early", "--json") == 0
    assert (shell.document["status"], shell.document["method"]) == ("ready", "native")
    assert "/endpoints/" in shell.document["model"]
    assert shell("chat", shell.document["model"], "What is 3 and a half?") == 0, shell.err


def test_an_open_model_is_distilled_on_vertex_and_said_not_to_be_served(
    shell: Shell, vertex: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "global")
    flags = [*OPEN, "--method", "native", "--name", "open", "--every", "0.1", "--today", str(OCTOBER)]
    assert shell("distill", prompts(tmp_path), *flags) == 0, shell.err
    assert "deploy" in shell.err
    assert "ask it" not in shell.err
    assert shell("show", "open", "--recorded", "--json") == 0
    assert shell.document["status"] == "ready"
    assert "/models/" in shell.document["model"]
    assert shell.document["order"]["format"] == "openai-chat"


def test_a_place_where_the_pair_is_not_distilled_is_refused(
    shell: Shell, vertex: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "europe-west4")
    flags = [*EARLY, "--method", "native", "--today", str(OCTOBER)]
    assert shell("distill", prompts(tmp_path), *flags) == 3
    assert "us-central1" in shell.err


def test_rows_with_tools_are_refused_with_the_way_out(shell: Shell, vertex: World, lessons: Lessons) -> None:
    data, flags = lessons(120, answered=False), [*EARLY, "--today", str(OCTOBER)]
    assert shell("check", data, *flags, "--method", "native") == 3
    assert "native-tools" in shell.err
    assert "--method sft" in shell.err


@pytest.mark.parametrize(("pair", "day"), [(EARLY, "2026-10-20"), (OPEN, "2026-10-21")])
def test_today_every_pair_of_vertex_has_ended_and_the_day_is_named(
    pair: list[str], day: str, shell: Shell, vendors: World, tmp_path: Path
) -> None:
    assert shell("distill", prompts(tmp_path), *pair, "--method", "native", *TODAY) == 3
    assert f"no more since {day}" in shell.err
    assert "no pair of Google Vertex AI is live" in shell.err
    assert "--method sft" in shell.err
    assert len(vendors.vertex.jobs) == 0
