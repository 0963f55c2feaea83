"""The prompts of a distillation, from a file or from logged requests, sifted as AWS documents it."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudistill.emulators.bedrock.checks import VERSION, BadData, lines_of, wrong
from cloudistill.emulators.bedrock.text import as_object, listed

FEWEST, MOST = 100, 15_000
LOGS = "/BedrockModelInvocationLogs/"
ACCEPTED, REJECTED = "Accepted", "Rejected"
Said = Mapping[str, Any]


@dataclass
class Sifted:
    """The rows that were kept, some with an answer, and a verdict on every prompt."""

    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    verdicts: list[Said] = field(default_factory=list[Said])

    def judge(self, where: str, row: dict[str, Any], reason: str | None) -> None:
        """Keep a row, or say why not."""
        if reason is None:
            self.rows.append(row)
            self.verdicts.append({"record": where, "status": ACCEPTED})
        else:
            self.verdicts.append({"record": where, "status": REJECTED, "rejectionReasons": [reason]})

    def enough(self, place: str) -> Sifted:
        """Itself. Raises `BadData` with too few or too many prompts."""
        if not FEWEST <= len(self.rows) <= MOST:
            raise BadData(
                f"Number of valid prompts {len(self.rows)} out of bounds between {FEWEST} and {MOST} in {place}"
            )
        return self


def from_file(data: bytes | None, file: str, *, nova: bool) -> Sifted:
    """A file's prompts: a bad line is dropped and reported. Raises `BadData`."""
    sifted = Sifted()
    for number, line in enumerate(lines_of(data, file), 1):
        row = _parsed(line)
        sifted.judge(f"line {number}", row, _reason(row, nova=nova))
    return sifted.enough(f"file {file}")


def from_logs(objects: Iterable[tuple[str, bytes]], config: Said, teacher: str, *, nova: bool) -> Sifted:
    """The prompts of logged requests that pass the filters, with answers where those are asked for and the teacher's.

    Raises `BadData`.
    """
    sifted, answers = Sifted(), config.get("usePromptResponse", False)
    for where, record in _records(objects):
        asked = _passes(as_object(record.get("requestMetadata")), config.get("requestMetadataFilters", {}))
        if asked and (not answers or record.get("modelId") == teacher):
            row = _conversation(record, answers=answers)
            sifted.judge(where, row, _reason_of_record(record, row, nova=nova))
    return sifted.enough(f"the invocation logs {config['invocationLogSource']['s3Uri']}")


def _records(objects: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, body in objects:
        if LOGS in f"/{key}" and key.endswith(".json.gz"):
            for number, line in enumerate(lines_of(_unpacked(body, key), key), 1):
                yield f"{key} line {number}", _parsed(line)


def _unpacked(body: bytes, key: str) -> bytes:
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error) as error:
        raise BadData(f"Unable to decompress Amazon S3 file: {key}. Invocation logs must be gzip files") from error


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        return as_object(json.loads(line))
    except (ValueError, RecursionError):
        return {}


def _passes(metadata: Said, filters: Said) -> bool:
    """One filter; the lists hold others of their kind."""
    if "andAll" in filters:
        return all(_passes(metadata, one) for one in filters["andAll"])
    if "orAll" in filters:
        return any(_passes(metadata, one) for one in filters["orAll"])
    equal = all(metadata.get(key) == value for key, value in filters.get("equals", {}).items())
    return equal and all(metadata.get(key) != value for key, value in filters.get("notEquals", {}).items())


def _conversation(record: Said, *, answers: bool) -> dict[str, Any]:
    """The row a logged request would be in a file."""
    asked, told = (as_object(as_object(record.get(side)).get(f"{side}BodyJson")) for side in ("input", "output"))
    row = {"schemaVersion": VERSION, "messages": asked.get("messages")}
    if asked.get("system"):
        row["system"] = asked["system"]
    if answers and isinstance(asked.get("messages"), list):
        message = as_object(as_object(told.get("output")).get("message"))
        row["messages"] = [*listed(asked["messages"]), {"role": "assistant", "content": message.get("content")}]
    return row


def _reason_of_record(record: Said, row: dict[str, Any], *, nova: bool) -> str | None:
    if record.get("schemaType") != "ModelInvocationLog" or "modelId" not in record:
        return "the record is not a model invocation log"
    if any(f"{side}BodyJson" not in as_object(record.get(side)) for side in ("input", "output")):
        return "the body is larger than 100 KB and is not in the record"
    if _asked(row) > 1:
        return "multi-turn conversations are not supported in invocation logs"
    if any(len(listed(as_object(m).get("content"))) != 1 for m in listed(row["messages"])):
        return "content must be a single text block"
    return _reason(row, nova=nova)


def _reason(row: dict[str, Any], *, nova: bool) -> str | None:
    """The first thing that is wrong with a prompt; it is judged with an answer, whether or not it has one."""
    if "toolConfig" in row:
        return "extraneous key [toolConfig] is not permitted"
    messages = row.get("messages")
    if isinstance(messages, list) and messages and as_object(listed(messages)[-1]).get("role") == "user":
        row = row | {"messages": [*listed(messages), {"role": "assistant", "content": [{"text": "answer"}]}]}
    if not nova and _asked(row) > 1:
        return "multi-turn conversations are not supported for this model"
    return next(wrong(row, nova=nova), None)


def _asked(row: Said) -> int:
    return sum(as_object(message).get("role") == "user" for message in listed(row.get("messages")))
