"""Kiln, in its own environment: rows converted to Gemini by its formatter, and Vertex's job states as its adapter reads
them. Prints one JSON document."""

# pyright: basic, reportMissingImports=false
# it runs where the peer is installed, and only there
from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from kiln_ai.adapters.chat.chat_formatter import BasicChatMessage, ToolCallMessage, ToolResponseMessage
from kiln_ai.adapters.fine_tune import vertex_finetune
from kiln_ai.adapters.fine_tune.dataset_formatter import FORMAT_GENERATORS, DatasetFormat

MEANS = {"completed": "succeeded", "failed": "ended", "pending": "goes on", "running": "goes on", "unknown": "goes on"}
ROUNDS = 3


def chat_of(row):
    """The row as Kiln's own messages; it takes the first one for the system text."""
    messages = row["messages"]
    if messages[0]["role"] != "system":
        yield BasicChatMessage("system", "")
    for message in messages:
        if message.get("tool_calls"):
            yield ToolCallMessage("assistant", message["tool_calls"], message.get("content"))
        elif message["role"] == "tool":
            yield ToolResponseMessage("tool", message["content"], message["tool_call_id"])
        else:
            yield BasicChatMessage(message["role"], message["content"])


def converted(path):
    """Seconds of CPU, and the rows that were refused; the loop is `DatasetFormatter.dump_to_file`'s, less its store."""
    generate, refused, begun = FORMAT_GENERATORS[DatasetFormat.VERTEX_GEMINI], 0, time.process_time()
    with Path(path).open(encoding="utf-8") as lines, Path(os.devnull).open("w", encoding="utf-8") as out:
        for line in lines:
            row = json.loads(line)
            try:
                example = generate(list(chat_of(row)), tools=row.get("tools"))
            except (ValueError, KeyError):
                refused += 1
                continue
            out.write(json.dumps(example, ensure_ascii=False) + "\n")
    return time.process_time() - begun, refused


def state_of(word):
    """What the adapter's status says for a job in that state; 99 is a state that its SDK does not know."""
    states = vertex_finetune.gca_types.JobState
    job = SimpleNamespace(tuned_model_endpoint_name="e", error=None, state=states.__members__.get(word, 99))
    vertex_finetune.sft = SimpleNamespace(SupervisedTuningJob=lambda _name: job)
    adapter = object.__new__(vertex_finetune.VertexFinetune)
    adapter.datamodel = SimpleNamespace(provider_id="job", fine_tune_model_id="e", latest_status=None, path=None)
    return MEANS[asyncio.run(adapter.status()).status.value]


def main():
    asked = json.loads(sys.argv[1])
    seconds, refused = min(converted(asked["data"]) for _ in range(ROUNDS))
    states = {word: state_of(word) for word in asked["vertex"]}
    print(json.dumps({"seconds": seconds, "refused": refused, "vertex": states}))


if __name__ == "__main__":
    main()
