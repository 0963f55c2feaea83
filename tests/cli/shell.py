"""The command line, run in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudistill.cli.app import main


class Shell:
    """Runs the command line in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self.capture = capture
        self.out = self.err = ""

    def __call__(self, *arguments: str | Path) -> int:
        self.capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        self.out, self.err = self.capture.readouterr()
        return int(ended.value.code or 0)

    @property
    def document(self) -> Any:
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)
