"""The examples run as they stand, against the emulated vendors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudistill.emulators import World
from tests.conftest import STUDENTS

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("platform", sorted(STUDENTS))
def test_changing_one_word_is_all_it_takes(platform: str, vendors: World, lessons: Callable[..., Path]) -> None:
    command = [sys.executable, str(EXAMPLES / "change_one_word.py"), str(lessons(60, seed=61)), platform]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert f"ready: {platform}:" in done.stdout
