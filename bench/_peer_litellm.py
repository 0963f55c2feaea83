"""LiteLLM, in its own environment: job states of OpenAI and Vertex as its calls read them. Prints one JSON document."""

# pyright: basic, reportMissingImports=false
# it runs where the peer is installed, and only there
from __future__ import annotations

import json
import sys
import time

import litellm
from litellm.llms.vertex_ai.fine_tuning.handler import VertexFineTuningAPI

LOOKS = 20
ENDED = {"succeeded": "succeeded", "failed": "ended", "cancelled": "ended"}


def look(url, job):
    return litellm.retrieve_fine_tuning_job(
        fine_tuning_job_id=job, custom_llm_provider="openai", api_base=url, api_key="none", max_retries=0
    )


def openai_state(url, word):
    """OpenAI's word is handed on, so it means what it says."""
    try:
        return ENDED.get(look(url, f"ftjob-{word}").status, "goes on")
    except Exception as error:
        return f"raises {type(error).__name__}"


def vertex_state(word):
    job = {"state": word, "createTime": "2026-11-24T09:00:00Z", "name": "projects/1/locations/l/tuningJobs/1"}
    try:
        found = VertexFineTuningAPI().convert_vertex_response_to_open_ai_response(job)
    except Exception as error:
        return f"raises {type(error).__name__}"
    return ENDED.get(found.status, "goes on")


def main():
    asked = json.loads(sys.argv[1])
    look(asked["url"], "ftjob-running")  # connects
    begun = time.process_time()
    for _ in range(LOOKS):
        look(asked["url"], "ftjob-counted")
    seconds = (time.process_time() - begun) / LOOKS
    openai = {word: openai_state(asked["url"], word) for word in asked["openai"]}
    vertex = {word: vertex_state(word) for word in asked["vertex"]}
    print(json.dumps({"look": seconds, "looks": LOOKS, "openai": openai, "vertex": vertex}))


if __name__ == "__main__":
    main()
