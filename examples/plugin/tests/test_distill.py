"""The real command line distils on Acme: check, distill, chat, show, doctor, convert, and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudistill_acme.emulator import AcmeEmulator

from cloudistill.emulators.clock import Clock

Cli = Callable[..., tuple[int, Any]]


@pytest.fixture
def acme() -> Iterator[AcmeEmulator]:
    emulator = AcmeEmulator(Clock(speed=4000.0))
    emulator.server.start()
    yield emulator
    emulator.server.stop()


@pytest.fixture
def cli(acme: AcmeEmulator, tmp_path: Path) -> Cli:
    """Runs `cloudistill … --json` in a folder of its own; gives the exit code and the document."""

    def run(*words: str, **variables: str) -> tuple[int, Any]:
        command = [sys.executable, "-m", "cloudistill", *words, "--json"]
        surroundings = os.environ | acme.environment | variables
        done = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


@pytest.fixture
def rows(tmp_path: Path) -> str:
    turns = [
        [{"who": "user", "says": f"Where is order A{number}?"}, {"who": "model", "says": f"In van {number % 3}."}]
        for number in range(12)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"turns": row}) + "\n" for row in turns), "utf-8")
    return "rows.jsonl"


def test_a_file_becomes_a_student_that_answers_as_it_was_taught(cli: Cli, rows: str, acme: AcmeEmulator) -> None:
    assert cli("check", rows, "--student", "acme:acorn-1")[0] == 0
    order = ("distill", rows, "--student", "acme:acorn-1", "--name", "orders", "--every", "0.1", "--yes")
    code, run = cli(*order)
    assert (code, run["run"], run["status"]) == (0, "orders", "ready")
    assert cli(*order) == (0, run)  # the run is found, and nothing is sent
    assert acme.server.count("POST /v1/tunes$") == acme.server.count("PUT /v1/files/") == 1
    code, answer = cli("chat", run["model"], "Where is order A7?")
    assert (code, answer["content"]) == (0, "In van 1.")
    assert cli("show", "orders")[1]["model"] == run["model"]


def test_a_good_account_has_nothing_for_the_doctor_and_a_bad_address_has(cli: Cli) -> None:
    assert cli("doctor", "acme") == (0, {"acme": []})
    code, found = cli("doctor", "acme", ACME_BASE_URL="http://127.0.0.1:9")
    assert (code, found["acme"][0]["rule"]) == (3, "unreachable")


def test_what_fails_ends_with_the_exit_code_that_every_platform_has(cli: Cli, rows: str, acme: AcmeEmulator) -> None:
    order = ("distill", rows, "--student", "acme:acorn-1", "--every", "0.1", "--yes", "--name")
    assert cli(*order, "over-budget", "--budget", "0.0000001")[0] == 3
    assert cli(*order, "no-key", ACME_API_KEY="")[0] == 3
    assert cli("check", rows, "--student", "acme:acorn-9")[0] == 3
    acme.server.fail("POST /v1/tunes$", status=403, body=b'{"problem": "not_yours", "words": "ask the owner"}')
    assert cli(*order, "refused")[0] == 4
    assert cli("convert", rows, "--to", "openai-chat", "-o", "out.jsonl")[0] == 0
    assert cli("convert", "out.jsonl", "--to", "acme-turns", "-o", "back.jsonl")[0] == 0
