"""Training files on the emulated Vertex AI: what fails a job, what is dropped and counted."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest
from google.genai import errors, types
from tests.emulators.vertex_desk import (
    BUCKET,
    EXPERIMENTAL,
    HOUR,
    TOOLS,
    Google,
    ask,
    bucket_client,
    corpus,
    endpoint_of,
    line,
    tool,
)

pytestmark = pytest.mark.filterwarnings(EXPERIMENTAL)


def test_snake_case_lines_teach_the_same_as_camel_case_lines(kept: Google) -> None:
    rows = corpus(0, 30)
    spelled = json.dumps(rows).replace("functionCall", "function_call").replace("functionDecl", "function_decl")
    jobs = [kept.tuned(rows), kept.tuned(json.loads(spelled))]
    assert len({ask(kept, endpoint_of(job)).text for job in jobs}) == 1
    assert len({str(ask(kept, endpoint_of(job), tools=TOOLS).function_calls) for job in jobs}) == 1


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (b"not json", "Dataset example 2 of 2 is not a JSON object"),
        ([], "Invalid value at ''"),
        (line("hi", {"text": "ho"}, messages=[]), 'Unknown name "messages"'),
        (line("hi", {"text": "ho", "thought": True}), "Unknown name \"thought\" at 'contents[1].parts[0]'"),
        (line("hi", {"functionCall": {"name": "f", "args": {}, "id": "1"}}), 'Unknown name "id"'),
        (line("hi", {"text": "ho", "functionCall": {"name": "f"}}), "oneof field 'data' is already set"),
        ({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}, 'a turn of the role "model"'),
        (
            {"contents": [{"role": "assistant", "parts": [{"text": "x"}]}, *line("", {"text": "y"})["contents"]]},
            "valid role",
        ),
        (line("hi"), "at least one parts field"),
        (line("hi", {"text": "ho"}, systemInstruction={"parts": [{"fileData": {}}]}), "more than text"),
        (
            line("hi", {"text": "ho"}, tools=[{"functionDeclarations": [tool("two words", "")]}]),
            "Invalid function name",
        ),
        (
            line("hi", {"text": "ho"}, tools=[{"functionDeclarations": [tool("f", "", x={})]}]),
            "didn't specify the schema type",
        ),
        (
            line("hi", {"text": "ho"}, tools=[{"functionDeclarations": [tool("f", "", x={"type": "string"})]}]),
            "v1beta1.Type",
        ),
        (
            {"contents": [{"parts": [{"functionResponse": {"name": "f"}}]}, *line("", {"text": "y"})["contents"]]},
            "number of function response parts is equal",
        ),
        (b"\xff\xfe{}", "not UTF-8"),
    ],
)
def test_a_line_that_cannot_be_used_fails_the_job_with_its_number(kept: Google, row: Any, words: str) -> None:
    good = json.dumps(line("hello", {"text": "hello to you"})).encode()
    raw = row if isinstance(row, bytes) else json.dumps(row).encode()
    job = kept.tune(kept.upload(good + b"\n" + raw))
    kept.world.clock.advance(HOUR)
    job = kept.get(job)
    assert job.state == types.JobState.JOB_STATE_FAILED
    assert job.error is not None
    assert job.error.code == 3
    assert words in (job.error.message or "")
    assert job.tuned_model is None


def test_a_file_removed_before_it_was_read_fails_the_job(cloud: Google) -> None:
    job = cloud.tune(cloud.upload(corpus(0, 12)))
    with closing(bucket_client()) as client:
        client.bucket(BUCKET).blob("train.jsonl").delete()
    cloud.world.clock.advance(HOUR)
    error = cloud.get(job).error
    assert error is not None
    assert "no longer there" in (error.message or "")


def test_over_long_lines_are_dropped_and_counted_from_one(kept: Google) -> None:
    rows = corpus(0, 12)
    rows.insert(4, line("word " * 120_000, {"text": "too long"}))
    job = kept.tuned(rows)
    assert job.has_succeeded
    assert job.tuning_data_stats is not None
    stats = job.tuning_data_stats.supervised_tuning_data_stats
    assert stats is not None
    assert (stats.tuning_dataset_example_count, stats.total_truncated_example_count) == (12, 1)
    assert stats.truncated_example_indices == [5]
    assert "131072" in (stats.dropped_example_reasons or [""])[0]


def test_the_validation_file_is_held_to_the_same_rules(kept: Google) -> None:
    bad = kept.upload(b'{"contents": 5}', "held-out.jsonl")
    job = kept.tune(kept.upload(corpus(0, 12)), validation_dataset=types.TuningValidationDataset(gcs_uri=bad))
    kept.world.clock.advance(HOUR)
    error = kept.get(job).error
    assert error is not None
    assert (error.message or "").startswith("Validation dataset example 1 of 1")


def test_gemini_2_5_cannot_be_taught_calls_and_its_endpoint_stays_in_the_region(vertex_of_2026_june: Google) -> None:
    cloud = vertex_of_2026_june
    failed = cloud.tuned(corpus(0, 12), base_model="gemini-2.5-flash")
    assert failed.error is not None
    assert "unsupported modality [function call]" in (failed.error.message or "")
    job = cloud.tuned([line("hello", {"text": "hello to you"})], base_model="gemini-2.5-flash")
    endpoint = endpoint_of(job)
    assert "/locations/us-central1/endpoints/" in endpoint
    assert ask(cloud, endpoint, "hello").text == "hello to you"
    cloud.world.clock.advance(200 * 24 * HOUR)
    with pytest.raises(errors.ClientError, match="no model deployed that can be used"):
        ask(cloud, endpoint)


def test_an_empty_file_and_too_many_validation_lines_fail_the_job(kept: Google) -> None:
    nothing = kept.tuned([])
    many = kept.upload([line("hi", {"text": "ho"})] * 5001, "many.jsonl")
    train = kept.upload(corpus(0, 12), "few.jsonl")
    job = kept.tune(train, validation_dataset=types.TuningValidationDataset(gcs_uri=many))
    kept.world.clock.advance(HOUR)
    said = [found.error and found.error.message for found in (nothing, kept.get(job))]
    assert said == [
        "The training dataset has no usable example.",
        "The validation dataset has 5001 examples; at most 5000 may be used.",
    ]
