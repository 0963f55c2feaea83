"""A violation fails the test that caused it, and a mistake on purpose must be refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cloudistill.emulators.recording import RECORD_VARIABLE

ROOT = Path(__file__).parents[2]
CONFTEST = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "src")!r}]
import httpx, pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from cloudistill.emulators import emulate
from cloudistill.emulators.server import Server
from tests.contracts.wire import Wire

def pytest_configure(config):
    config.pluginmanager.register(Wire(config))

@pytest.fixture(scope="session")
def order():
    with emulate("openai") as world:
        where = world.environment
        url, headers = where["OPENAI_BASE_URL"], {{"authorization": "Bearer " + where["OPENAI_API_KEY"]}}
        yield lambda **body: httpx.post(f"{{url}}/fine_tuning/jobs", json=body, headers=headers).status_code

@pytest.fixture
def careless():
    app = Starlette(routes=[Route("/{{path:path}}", lambda _: JSONResponse({{}}), methods=["POST"])])
    server = Server(app, "openai")
    server.start()
    yield server.url
    server.stop()
"""
TESTS = """
import subprocess, sys
import httpx, pytest

def test_good(order):
    assert order(model="gpt-4.1-mini-2025-04-14", training_file="file-none") == 400

def test_wrong(order):
    assert order(model="gpt-4.1-mini-2025-04-14", training_file="file-none", epochs=3) == 400

@pytest.mark.sends_bad_requests
def test_wrong_on_purpose(order):
    assert order(model="gpt-4.1-mini-2025-04-14", training_file="file-none", epochs=3) == 400

@pytest.mark.sends_bad_requests
def test_wrong_on_purpose_and_taken(careless):
    assert httpx.post(careless + "/v1/fine_tuning/jobs", json={"epochs": 3}).status_code == 200

def test_wrong_elsewhere():
    code = '''
import httpx
from cloudistill.emulators import emulate
with emulate("openai") as world:
    httpx.post(world.environment["OPENAI_BASE_URL"] + "/uploads", json={})
'''
    subprocess.run([sys.executable, "-c", code], check=True)
"""


def run(folder: Path, tests: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A project of its own with these tests, run without our own recording."""
    (folder / "conftest.py").write_text(CONFTEST, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = test_inner.py\n", "utf-8")
    (folder / "test_inner.py").write_text(tests, "utf-8")
    command = [sys.executable, "-m", "pytest", "-rA", "-q", "-p", "no:cacheprovider", *arguments]
    apart = {name: value for name, value in os.environ.items() if name != RECORD_VARIABLE}
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, cwd=folder, env=apart)


def test_a_violation_fails_its_test_and_no_other(tmp_path: Path) -> None:
    done = run(tmp_path, TESTS)
    told = [line.split(" - ")[0].split() for line in done.stdout.splitlines() if "::test_" in line]
    assert {test.split("::")[1]: outcome for outcome, test in told} == {
        "test_good": "PASSED",
        "test_wrong": "FAILED",
        "test_wrong_on_purpose": "PASSED",
        "test_wrong_on_purpose_and_taken": "FAILED",
        "test_wrong_elsewhere": "FAILED",
    }, done.stdout + done.stderr
    assert "body.epochs: unknown member" in done.stdout
    assert "and was taken" in done.stdout
    assert "body.purpose: required, missing" in done.stdout


def test_a_whole_run_that_leaves_an_operation_out_fails_and_a_part_of_one_does_not(tmp_path: Path) -> None:
    quiet = "def test_nothing():\n    pass\n"
    whole = run(tmp_path, quiet)
    assert whole.returncode == 1
    assert "'openai createFile' is in the table, and is never called" in whole.stdout
    assert run(tmp_path, quiet, "-k", "nothing").returncode == 0
    assert run(tmp_path, quiet, "test_inner.py").returncode == 0
