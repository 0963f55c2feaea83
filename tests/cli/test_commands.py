"""The command line as a person and a script meet it: words, exit codes, one JSON document, no traceback."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cloudistill.emulators import World
from cloudistill.pipeline.ordering import Doubt
from tests.conftest import STUDENTS, rows_of

from .shell import Shell

Lessons = Callable[..., Path]
TODAY = ["--today", "2026-11-24"]
COMMANDS = [
    "demo",
    "emulate",
    "check",
    "convert",
    "distill",
    "jobs",
    "show",
    "watch",
    "cancel",
    "pause",
    "resume",
    "promote",
    "delete",
    "platforms",
    "chat",
    "doctor",
]


def test_help_lists_every_command_that_the_design_promises(shell: Shell) -> None:
    assert shell("--help") == 0
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", shell.out)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_json_and_explains_itself(command: str, shell: Shell) -> None:
    assert shell(command, "--help") == 0
    assert "--json" in shell.out


def test_wrong_usage_exits_2(shell: Shell) -> None:
    assert shell("distill") == 2
    assert shell("no-such-command") == 2


def test_a_missing_file_exits_2_and_is_named(shell: Shell, tmp_path: Path) -> None:
    assert shell("check", tmp_path / "nowhere.jsonl", "--student", STUDENTS["openai"]) == 2
    assert "nowhere.jsonl" in shell.err
    assert "Traceback" not in shell.err


def test_check_lists_findings_with_file_line_rule_message_and_remedy(shell: Shell, lessons: Lessons) -> None:
    data = lessons(20)
    with data.open("a") as file:
        file.write("{broken\n")
    assert shell("check", data, "--student", STUDENTS["openai"], *TODAY, "--json") == 3
    finding = next(finding for finding in shell.document["findings"] if finding["level"] == "error")
    assert (finding["line"], finding["rule"]) == (21, "not-json")
    assert {"file", "line", "rule", "message", "remedy"} <= set(finding)
    assert shell.document["estimate"]["high"] > 0


def test_a_clean_file_passes_the_check(shell: Shell, lessons: Lessons) -> None:
    assert shell("check", lessons(20), "--student", STUDENTS["openai"], *TODAY) == 0
    assert "20 rows" in shell.err


def test_a_check_counts_the_teachers_answers_among_the_costs(shell: Shell, lessons: Lessons) -> None:
    flags = [lessons(20, answered=False), "--student", STUDENTS["openai"], *TODAY]
    assert shell("check", *flags, "--teacher", "openai:gpt-4.1-2025-04-14") == 0, shell.err
    assert "for 20 answers of openai:gpt-4.1-2025-04-14" in shell.err


def test_where_no_row_fits_a_check_names_no_price(shell: Shell, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"request": {}, "response": {}}\n')
    assert shell("check", log, "--student", STUDENTS["openai"], *TODAY) == 3
    assert "USD" not in shell.err


@pytest.mark.parametrize("platform", sorted(STUDENTS))
def test_in_2028_a_check_refuses_with_the_date_and_does_not_fail(platform: str, shell: Shell, lessons: Lessons) -> None:
    assert shell("check", lessons(20), "--student", STUDENTS[platform], "--today", "2028-01-01") == 3
    assert re.search(r"202[678]-\d\d-\d\d", shell.err)


def test_convert_there_and_back_loses_nothing(shell: Shell, lessons: Lessons, tmp_path: Path) -> None:
    data = lessons(30)
    for middle in ("bedrock-conversation", "gemini-contents"):
        there, back, norm = tmp_path / "there.jsonl", tmp_path / "back.jsonl", tmp_path / "norm.jsonl"
        assert shell("convert", data, "--to", middle, "-o", there) == 0
        assert shell("convert", there, "--to", "openai-chat", "-o", back) == 0
        assert shell("convert", data, "--to", "openai-chat", "-o", norm) == 0
        assert len(rows_of(back)) == len(rows_of(norm)) == 30
        assert [_without_ids(row) for row in rows_of(back)] == [_without_ids(row) for row in rows_of(norm)]


def _without_ids(row: dict[str, Any]) -> str:
    row.pop("parallel_tool_calls", None)
    return re.sub(r'"(id|tool_call_id)": "[^"]*"', "", json.dumps(row, sort_keys=True))


def test_convert_lists_what_it_cannot_carry_and_exits_3(shell: Shell, lessons: Lessons, tmp_path: Path) -> None:
    data = lessons(12)
    rows = rows_of(data)
    rows[2]["messages"][-1]["weight"] = 0
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert shell("convert", data, "--to", "gemini-contents", "-o", tmp_path / "out.jsonl", "--json") == 3
    document = shell.document
    assert (document["rows_in"], document["rows_out"], document["rows_refused"]) == (12, 11, 1)
    assert document["findings"][0]["line"] == 3
    assert len(rows_of(tmp_path / "out.jsonl")) == 11


def test_platforms_show_source_and_date(shell: Shell) -> None:
    assert shell("platforms", "openai") == 0
    assert "2026-11-24" in shell.out
    assert "2027-01-14" in shell.out
    assert shell("platforms", "--json") == 0
    assert {platform["name"] for platform in shell.document} == {"openai", "bedrock", "vertex"}


def test_distill_json_is_one_document_and_chat_calls_the_student(
    shell: Shell, vendors: World, lessons: Lessons, tmp_path: Path
) -> None:
    data = lessons(60)
    flags = ["--student", STUDENTS["bedrock"], "--name", "cli", "--every", "0.1", *TODAY]
    assert shell("distill", data, *flags, "--json") == 0
    document = shell.document
    assert (document["run"], document["status"]) == ("cli", "ready")
    row = next(row for row in rows_of(data) if "tool_calls" in row["messages"][-1])
    question, tools = tmp_path / "question.json", tmp_path / "tools.json"
    question.write_text(json.dumps(row["messages"][:-1]))
    tools.write_text(json.dumps(row["tools"]))
    assert shell("chat", document["model"], "--messages", question, "--tools", tools, "--json") == 0
    assert shell.document["tool_calls"]
    assert shell("jobs", "--json") == 0
    assert [run["run"] for run in shell.document] == ["cli"]
    assert shell("show", "cli", "--json") == 0
    assert {"upload", "submit"} <= {step["step"] for step in shell.document["steps"]}
    assert shell("watch", "cli") == 0
    assert shell("show", "cli") == 0


def test_a_time_limit_exits_6_and_prints_how_to_go_on(shell: Shell, vendors: World, lessons: Lessons) -> None:
    flags = ["--student", STUDENTS["bedrock"], "--name", "late", *TODAY]
    assert shell("distill", lessons(20), *flags, "--timeout", "0.01") == 6
    assert "cloudistill watch late" in shell.err


def test_a_cancelled_job_exits_5(shell: Shell, standing: World, lessons: Lessons) -> None:
    data = lessons(20, seed=31)
    flags = ["--student", STUDENTS["openai"], "--name", "stopped", *TODAY]
    assert shell("distill", data, *flags, "--no-wait") == 0
    assert shell("cancel", "stopped") == 0
    assert shell("watch", "stopped", "--every", "0.1") == 5
    assert "--again" in shell.err


def test_a_lost_order_exits_7_and_says_what_to_do(
    shell: Shell, vendors: World, lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = lessons(20, seed=32)
    flags = ["--student", STUDENTS["openai"], "--name", "doubtful", "--no-wait", *TODAY]
    vendors.openai.server.fail("POST /v1/fine_tuning/jobs$", kind="drop-before")
    monkeypatch.setattr("cloudistill.pipeline.verbs.Doubt", partial(Doubt, look_for=0.0))
    assert shell("distill", data, *flags) == 7
    assert "--resubmit-after" in shell.err
    assert shell("jobs", "--json") == 0
    assert shell.document[0]["status"] == "unconfirmed"
    assert shell("distill", data, *flags, "--resubmit-after", "0") == 0


@pytest.mark.parametrize(
    ("platform", "variable", "named"),
    [
        ("openai", "OPENAI_API_KEY", "OPENAI_API_KEY"),
        ("bedrock", "CLOUDISTILL_BEDROCK_BUCKET", "CLOUDISTILL_BEDROCK_BUCKET"),
        ("bedrock", "CLOUDISTILL_BEDROCK_ROLE_ARN", "CLOUDISTILL_BEDROCK_ROLE_ARN"),
        ("bedrock", "AWS_ACCESS_KEY_ID", "credentials"),
        ("bedrock", "AWS_REGION", "region"),
        ("vertex", "CLOUDISTILL_VERTEX_BUCKET", "CLOUDISTILL_VERTEX_BUCKET"),
        ("vertex", "GOOGLE_APPLICATION_CREDENTIALS", "credentials"),
    ],
)
def test_what_is_missing_is_named_by_doctor_and_by_distill_before_anything_is_sent(
    platform: str,
    variable: str,
    named: str,
    shell: Shell,
    vendors: World,
    lessons: Lessons,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(variable)
    if variable == "AWS_REGION":
        monkeypatch.delenv("AWS_DEFAULT_REGION")
    orders = len(getattr(vendors, platform).jobs)
    assert shell("doctor", platform) == 3
    assert named.lower() in shell.err.lower()
    assert shell("distill", lessons(20, seed=33), "--student", STUDENTS[platform], *TODAY) == 3
    assert named.lower() in shell.err.lower()
    assert "Traceback" not in shell.err
    assert len(getattr(vendors, platform).jobs) == orders


@pytest.mark.parametrize(
    ("platform", "variable", "value", "rule"),
    [
        ("openai", "OPENAI_API_KEY", "sk-wrong", "credentials"),
        ("bedrock", "CLOUDISTILL_BEDROCK_BUCKET", "no-such-bucket-anywhere", "bucket"),
        ("bedrock", "CLOUDISTILL_BEDROCK_BUCKET", "cloudistill-emulated-us-west-2", "region"),
        ("bedrock", "CLOUDISTILL_BEDROCK_ROLE_ARN", "arn:aws:iam::123456789012:role/AmazonBedrockNobody", "role"),
        ("bedrock", "AWS_REGION", "eu-west-1", "region"),
        ("vertex", "GOOGLE_CLOUD_LOCATION", "asia-east1", "region"),
        ("vertex", "CLOUDISTILL_VERTEX_BUCKET", "no-such-bucket-anywhere", "bucket"),
    ],
)
def test_what_is_wrong_is_named_on_a_line_of_its_own(
    platform: str, variable: str, value: str, rule: str, shell: Shell, vendors: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    if variable == "AWS_REGION":
        monkeypatch.setenv("AWS_DEFAULT_REGION", value)
    assert shell("doctor", platform, "--student", STUDENTS[platform], "--json") == 3
    findings = shell.document[platform]
    assert any(rule in finding["rule"] for finding in findings if finding["level"] == "error"), findings


def test_a_healthy_account_is_called_fine(shell: Shell, vendors: World) -> None:
    assert shell("doctor") == 0, shell.err
    assert shell.err.count("fine") == 3


def test_a_missing_extra_is_answered_with_the_line_that_installs_it(
    shell: Shell, lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert shell("doctor", "bedrock") == 3
    assert "pip install 'cloudistill[bedrock]'" in shell.err


def test_settings_in_distill_toml_stand_below_flags(
    shell: Shell, vendors: World, lessons: Lessons, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CLOUDISTILL_BEDROCK_BUCKET")
    bucket = vendors.environment["CLOUDISTILL_BEDROCK_BUCKET"]
    (tmp_path / "distill.toml").write_text(f'[bedrock]\nbucket = "{bucket}"\n[distill]\nbudget = 0.0001\nprice = 1.0\n')
    flags = ["--student", STUDENTS["bedrock"], "--no-wait", *TODAY]
    assert shell("distill", lessons(20, seed=34), *flags) == 3
    assert "BudgetExceeded" in shell.err
    assert shell("distill", lessons(20, seed=34), *flags, "--budget", "50") == 0


@pytest.mark.parametrize("text", ["[openai]\napi_key = 'x'\n", "stray = 1\n", "not toml ["])
def test_a_settings_file_that_makes_no_sense_is_refused(
    text: str, shell: Shell, vendors: World, lessons: Lessons, tmp_path: Path
) -> None:
    (tmp_path / "distill.toml").write_text(text)
    assert shell("doctor", "openai") == 2
    assert "distill.toml" in shell.err


def test_terminal_codes_in_data_are_shown_not_obeyed(shell: Shell, lessons: Lessons) -> None:
    data = lessons(12)
    rows = rows_of(data)
    rows[0]["messages"][0]["\x1b[31mrole"] = "user"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert shell("check", data, "--student", STUDENTS["openai"], *TODAY) == 3
    assert "\x1b[31m" not in shell.err


def test_emulate_runs_until_it_is_interrupted_and_stock_sdks_reach_it(tmp_path: Path) -> None:
    env_file = tmp_path / "vendors.env"
    command = [sys.executable, "-m", "cloudistill", "emulate", "openai", "--env-file", str(env_file), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        environment = json.loads(process.stdout.readline())["environment"]
        answer = subprocess.run(
            [sys.executable, "-c", "import openai; print(len(openai.OpenAI().models.list().data) > 0)"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert answer.stdout.strip() == "True"
        assert "export OPENAI_BASE_URL=" in env_file.read_text()
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in err


@pytest.mark.parametrize("platform", sorted(STUDENTS))
def test_killed_for_real_and_run_again_it_has_one_job(platform: str, vendors: World, lessons: Lessons) -> None:
    data, before = lessons(20, seed=35), len(getattr(vendors, platform).jobs)
    command = [sys.executable, "-m", "cloudistill", "distill", str(data), "--student", STUDENTS[platform]]
    command += ["--name", "shot", "--every", "0.2", *TODAY]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while len(getattr(vendors, platform).jobs) == before and time.monotonic() < deadline:
        time.sleep(0.001)
    process.kill()
    process.wait()
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "ready"
    assert len(getattr(vendors, platform).jobs) == before + 1


@pytest.mark.parametrize("wrong", ["2 hours", "nan", "-1", "soon"])
def test_a_length_of_time_that_makes_no_sense_is_refused_before_anything_is_paid(
    wrong: str, shell: Shell, vendors: World, lessons: Lessons
) -> None:
    before = len(vendors.openai.jobs)
    flags = ["--student", STUDENTS["openai"], "--name", "timed", *TODAY]
    assert shell("distill", lessons(20, seed=74), *flags, f"--timeout={wrong}") == 2
    assert len(vendors.openai.jobs) == before


def test_a_narrow_terminal_gets_the_columns_that_fit(
    shell: Shell, vendors: World, lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.console import Console

    flags = ["--student", STUDENTS["openai"], "--name", "narrow", "--no-wait", *TODAY]
    assert shell("distill", lessons(20, seed=75), *flags) == 0
    monkeypatch.setattr("cloudistill.cli.output.out", Console(width=60))
    assert shell("jobs") == 0
    assert "narrow" in shell.out
    assert "ftjob" not in shell.out


@pytest.mark.parametrize(
    ("name", "text", "exit_code"), [("tools", '["x"]', 2), ("tools", "{}", 2), ("tools", "not json", 2)]
)
def test_a_tools_file_that_makes_no_sense_is_refused(
    name: str, text: str, exit_code: int, shell: Shell, vendors: World, tmp_path: Path
) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)
    assert shell("chat", "openai:gpt-4.1-mini-2025-04-14", "hello", f"--{name}", path) == exit_code
    assert "file.json" in shell.err


def test_a_base_model_is_asked_in_words(shell: Shell, vendors: World) -> None:
    assert shell("chat", "openai:gpt-4.1-mini-2025-04-14", "Where is my order?", "--system", "Be brief.") == 0
    assert shell.out.strip()


def test_flags_that_make_no_sense_are_refused(shell: Shell, vendors: World, lessons: Lessons) -> None:
    data, student = lessons(20, seed=76), STUDENTS["bedrock"]
    for flags in (
        ["--set", "epochs"],
        ["--set", "epochs=999"],
        ["--set", "colour=3"],
        ["--native", "x={"],
        ["--native", "noSuchMember=1"],
        ["--tag", "=x"],
        ["--subnet", "subnet-1"],
        ["--name", ""],
        ["--method", "native"],
    ):
        assert shell("distill", data, "--student", student, *flags, *TODAY) == 2, flags
        assert "Traceback" not in shell.err
