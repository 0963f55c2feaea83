"""Reads the code out of a Markdown page, and runs it as a reader would: top to bottom, against emulated vendors."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_RUN = re.compile(r"<!-- not run: (\S.*\S) -->")
"""What a page says right before a block that the tests leave alone, with the reason."""
LOG = "AWSLogs/111122223333/BedrockModelInvocationLogs/us-east-1/2026/11/20/10/20261120T100000000Z_0a1b2c.json.gz"
"""The key of a log in the bucket that `native.md` names."""
SET_UP = {
    r"pip install|python3 -m venv": "the tests' own environment has the package",
    r"export |source |rm -f vendors|until \[": "the tests' environment is set already",
    r"make |\.venv/bin/|cloudistill demo": "tested by themselves, and long",
    r"cloudistill emulate|kill %1": "the vendors are running already",
    r"gcloud ": "another program",
}
"""Commands that a page shows and the tests do not type, by the pattern they begin with, and why."""


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, text and first line in the page; `excuse` says why it is not run."""

    language: str
    text: str
    line: int
    excuse: str | None = None


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found: list[Block] = []
    excuse: str | None = None
    for token in MarkdownIt().parse(page.read_text("utf-8")):
        if token.type == "html_block":
            said = NOT_RUN.search(token.content)
            excuse = said[1] if said else None
        elif token.type == "fence" and token.map:
            found.append(Block(token.info.strip(), token.content, token.map[0] + 1, excuse))
            excuse = None
    return found


def commands(block: Block) -> list[tuple[str, list[str]]]:
    """Each command of a console block with the output that the page promises."""
    said: list[tuple[str, list[str]]] = []
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            said.append((line[2:], []))
        elif line.strip() and said:
            said[-1][1].append(line.strip())
    return said


def type_in(command: str) -> str:
    """Run one command as the page has it, at the tests' pace and date; gives its output.

    What the reader fills in is filled in: RUN, MODEL and whatever ends in `…` stand for the newest run's.
    """
    if any(re.match(pattern, command) for pattern in SET_UP):
        return ""
    if re.search(r"\bRUN\b|\bMODEL\b|[a-z]+:[^\s\"]*…", command):
        run = _newest()
        command = re.sub(r"\bRUN\b", run["run"], command)
        command = re.sub(r'"?[a-z]+:[^\s"]*…[^\s"]*"?|"?\bMODEL\b"?', f'"{run["model"]}"', command)
    if re.match(r"cloudistill (distill|watch)", command):
        command += " --every 0.2"
    if re.match(r"cloudistill (distill|check|platforms)", command) and "--today" not in command:
        command += " --today 2026-11-24"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"PATH": path, "COLUMNS": "200"},
    )
    assert done.returncode == 0, f"{command}\nexit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def _newest() -> dict[str, Any]:
    from cloudistill import jobs

    return next(run.to_json() for run in jobs() if run.model)


def run(page: Path) -> int:
    """Run the page's Python and commands in order; gives how many blocks were run."""
    names: dict[str, Any] = {"__name__": "__page__"}
    done = 0
    for block in blocks(page):
        if block.excuse or block.language not in {"python", "console"}:
            continue
        if block.language == "python":
            exec(compile("\n" * block.line + block.text, str(page), "exec"), names)  # noqa: S102 - our own pages
        else:
            for command, promised in commands(block):
                shown = type_in(command)
                missing = [line for line in promised if line not in shown]
                assert not missing, f"{page.name}: {command}\npromises {missing}\n{shown}"
        done += 1
    return done


def run_as_tests(page: Path, folder: Path) -> str:
    """Run the Python of a page about testing: its first block is `conftest.py`, the others are one test module."""
    first, *others = [block.text for block in blocks(page) if block.language == "python"]
    (folder / "conftest.py").write_text(first, "utf-8")
    (folder / "test_page.py").write_text("from conftest import *\n" + "\n".join(others), "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=100", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def support_files(folder: Path) -> None:
    """The files that the pages speak of: lessons, prompts, tools, a log."""
    from cloudistill.demo import corpus

    corpus.write(folder / "support.jsonl", 120, 5, "train", answered=True)
    rows = [json.loads(line) for line in (folder / "support.jsonl").read_text("utf-8").splitlines()]
    (folder / "tools.json").write_text(json.dumps(rows[0]["tools"]), "utf-8")
    corpus.write(folder / "prompts.jsonl", 120, 6, "train", answered=False)
    with (folder / "log.jsonl").open("w", encoding="utf-8") as log:
        for row in rows:
            *asked, said = row["messages"]
            reason = "tool_calls" if said.get("tool_calls") else "stop"
            request = {"messages": asked, "tools": row["tools"]}
            answered = {"choices": [{"message": said, "finish_reason": reason}]}
            log.write(json.dumps({"request": request, "response": answered}) + "\n")


def log_requests(bucket: str) -> None:
    """What Bedrock's invocation logging would have left in `bucket` of an application's requests."""
    import boto3

    client: Any = boto3.client("s3")  # pyright: ignore[reportUnknownMemberType]
    client.create_bucket(Bucket=bucket)
    lines = (
        json.dumps(_logged(f"What does order {number} hold?", "dev" if number % 5 == 0 else "live"))
        for number in range(150)
    )
    client.put_object(Bucket=bucket, Key=LOG, Body=gzip.compress("\n".join(lines).encode()))


def _logged(question: str, env: str) -> dict[str, Any]:
    """One record of a log, as AWS documents it."""
    asked = {"messages": [{"role": "user", "content": [{"text": question}]}]}
    answer = {"message": {"role": "assistant", "content": [{"text": "Two lamps."}]}}
    return {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": "2026-11-20T10:00:00Z",
        "operation": "Converse",
        "modelId": "amazon.nova-pro-v1:0",
        "requestMetadata": {"project": "desk", "env": env},
        "input": {"inputContentType": "application/json", "inputBodyJson": asked},
        "output": {"outputContentType": "application/json", "outputBodyJson": {"output": answer}},
    }
