"""DSPy, in its own environment: OpenAI's job states as its provider reads them. Prints one JSON document."""

# pyright: basic, reportMissingImports=false
# it runs where the peer is installed, and only there
from __future__ import annotations

import json
import os
import sys
import time

from dspy.clients.openai import OpenAIProvider

LOOKS = 20
MEANS = {"succeeded": "succeeded", "failed": "ended", "cancelled": "ended", "pending": "goes on", "running": "goes on"}


def state(word):
    try:
        return MEANS[OpenAIProvider.get_training_status(f"ftjob-{word}").value]
    except Exception as error:
        return f"raises {type(error).__name__}"


def main():
    asked = json.loads(sys.argv[1])
    os.environ |= {"OPENAI_BASE_URL": asked["url"], "OPENAI_API_KEY": "none"}
    state("running")  # connects
    begun = time.process_time()
    for _ in range(LOOKS):
        OpenAIProvider.get_training_status("ftjob-counted")
    seconds = (time.process_time() - begun) / LOOKS
    print(json.dumps({"look": seconds, "looks": LOOKS, "openai": {word: state(word) for word in asked["openai"]}}))


if __name__ == "__main__":
    main()
