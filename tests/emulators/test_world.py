"""Starting and stopping the emulated vendors together."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pytest

from cloudistill.emulators import emulate
from cloudistill.emulators.bedrock.storage import Storage
from cloudistill.emulators.server import Server

ADDRESSES = (
    "OPENAI_BASE_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_BEDROCK",
    "GOOGLE_VERTEX_BASE_URL",
    "STORAGE_EMULATOR_HOST",
)


def test_a_vendor_that_nobody_emulates_is_named() -> None:
    with (
        pytest.raises(ValueError, match="no emulator is called 'azure'; there are openai, bedrock, vertex"),
        emulate("azure"),
    ):
        pass


@pytest.mark.parametrize("broken", [(Server, "start"), (Storage, "check_readable")], ids=["at start", "while it runs"])
def test_what_was_started_is_stopped_when_something_fails(
    broken: tuple[type, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no more sockets")

    monkeypatch.setattr(*broken, fail)
    before = set(threading.enumerate())
    with pytest.raises(OSError, match="no more sockets"), emulate() as world:
        world.bedrock.storage.check_readable()
    assert {thread for thread in threading.enumerate() if "process_request" not in thread.name} <= before


PROGRAM = """
import json, time
from cloudistill.emulators import emulate
try:
    with emulate() as world:
        print(json.dumps(world.environment), flush=True)
        while True:
            time.sleep(0.1)
except KeyboardInterrupt:
    pass
"""


def test_an_interrupted_program_ends_within_two_seconds_though_connections_are_open() -> None:
    command = [sys.executable, "-c", PROGRAM]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with ExitStack() as connected:
        try:
            assert process.stdout is not None
            environment = json.loads(process.stdout.readline())
            for name in ADDRESSES:
                port = int(re.findall(r":(\d+)", environment[name])[0])
                connection = connected.enter_context(socket.create_connection(("127.0.0.1", port)))
                connection.sendall(b"GET /half")
        finally:
            process.send_signal(signal.SIGINT)
            begun = time.monotonic()
            try:
                _, err = process.communicate(timeout=20)
            finally:
                process.kill()
    assert time.monotonic() - begun < 2
    assert process.returncode == 0, err
