"""Distillation on the emulated Vertex AI: both products, what Google refuses and when, and what a job leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from google.genai import errors, types
from tests.emulators.vertex_desk import (
    BASE,
    BUCKET,
    EXPERIMENTAL,
    HOUR,
    JSON,
    PLACE,
    PROJECT,
    TOOLS,
    Google,
    ask,
    endpoint_of,
    running,
)

pytestmark = pytest.mark.filterwarnings(EXPERIMENTAL)
OCTOBER = date(2026, 10, 1)
GEMINI, QWEN = "gemini-2.5-flash", "qwen/qwen3@qwen3-4b"
TEACHERS = {GEMINI: "gemini-3.1-pro", QWEN: "qwen/qwen3-next-80b-a3b-thinking-maas"}
OUT = f"gs://{BUCKET}/out/"
CITIES = {"Oslo": "Norway", "Lima": "Peru", "Cairo": "Egypt", "Quito": "Ecuador", "Hanoi": "Vietnam"}
QUESTIONS = [f"Which country is {city} in?" for city in CITIES]


def gemini_line(text: str) -> JSON:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}]}


def open_line(text: str, answer: str | None = None) -> JSON:
    told = [{"role": "assistant", "content": answer}] if answer else []
    return {"messages": [{"role": "user", "content": text}, *told]}


LINES = {GEMINI: gemini_line, QWEN: open_line}


@pytest.fixture(scope="module")
def _october(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    key = tmp_path_factory.mktemp("key") / "key.jsonl"
    rows = [open_line(asked, country) for asked, country in zip(QUESTIONS, CITIES.values(), strict=True)]
    key.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with pytest.MonkeyPatch.context() as patch, running(patch, OCTOBER, key) as google:
        yield google


@pytest.fixture
def october(_october: Google, monkeypatch: pytest.MonkeyPatch) -> Google:
    """A day on which every documented pair was alive; jobs of other tests stand in it."""
    _october.enter(monkeypatch)
    return _october


def distil(cloud: Google, base: str, uri: str = "", **config: Any) -> types.TuningJob:
    uri = uri or cloud.upload([LINES[base](asked) for asked in QUESTIONS], "prompts.jsonl")
    folder = {"output_uri": OUT} if base == QWEN else {}
    order = {"method": "DISTILLATION", "base_teacher_model": TEACHERS[base], "base_model": base, **folder}
    return cloud.tune(uri, **order | config)


def done(cloud: Google, job: types.TuningJob) -> types.TuningJob:
    cloud.world.clock.advance(HOUR)
    return cloud.get(job)


def failure(cloud: Google, base: str, rows: list[JSON] | bytes, **config: Any) -> str:
    job = done(cloud, distil(cloud, base, cloud.upload(rows, "bad.jsonl"), **config))
    assert job.state == types.JobState.JOB_STATE_FAILED
    assert job.error is not None
    return job.error.message or ""


def test_a_gemini_student_learns_what_its_teacher_said(october: Google) -> None:
    job = done(october, distil(october, GEMINI, epoch_count=12))
    assert ask_place(october, endpoint_of(job), QUESTIONS[2]) == "Egypt"
    assert job.tuned_model
    kept = job.tuned_model.checkpoints or []
    assert len(kept) == 10
    assert ask_place(october, kept[0].endpoint or "", QUESTIONS[1]) == "Peru"


def ask_place(cloud: Google, endpoint: str, text: str) -> str | None:
    return ask(cloud, endpoint, text).text


def test_only_prompts_are_counted(october: Google) -> None:
    job = done(october, distil(october, GEMINI, epoch_count=2))
    assert job.tuning_data_stats
    assert job.tuning_data_stats.supervised_tuning_data_stats is None
    told = job.tuning_data_stats.distillation_data_stats
    assert told
    assert told.training_dataset_stats
    assert told.training_dataset_stats.tuning_dataset_example_count == len(QUESTIONS)


def test_an_open_student_leaves_weights_and_the_teachers_answers_and_no_endpoint(october: Google) -> None:
    job = done(october, distil(october, QWEN))
    assert job.tuned_model
    assert job.tuned_model.model
    assert (job.tuned_model.endpoint, job.tuned_model.checkpoints) == (None, None)
    labelled = october.vertex.buckets.read(f"{OUT}distillation_labelled_dataset.jsonl")
    rows = [json.loads(line) for line in labelled.splitlines()]
    assert [row["messages"][-1] for row in rows] == [
        {"role": "assistant", "content": country} for country in CITIES.values()
    ]
    assert october.vertex.buckets.exists(f"{OUT}postprocess/node-0/checkpoints/final/model.safetensors")
    status, model = october.send("GET", f"/v1beta1/{job.tuned_model.model}")
    assert (status, model["deployedModels"]) == (200, [])


def test_prompts_may_be_written_as_prompt_and_completion(october: Google) -> None:
    uri = october.upload([{"prompt": asked} for asked in QUESTIONS], "pc.jsonl")
    assert done(october, distil(october, QWEN, uri, output_uri=f"gs://{BUCKET}/pc")).has_succeeded
    labelled = october.vertex.buckets.read(f"gs://{BUCKET}/pc/distillation_labelled_dataset.jsonl")
    assert json.loads(labelled.splitlines()[0])["messages"][-1]["content"] == "Norway"


@pytest.mark.parametrize(
    ("base", "config", "words"),
    [
        (QWEN, {"output_uri": None}, "The output_uri field is required for this model."),
        (GEMINI, {"output_uri": OUT}, "only available for open source models"),
        (QWEN, {"base_model": "qwen/qwen3-4b"}, "Invalid open source publisher model resource name"),
        (QWEN, {"base_model": "qwen/qwen3@qwen3-5b"}, "not supported for tuning"),
        (GEMINI, {"base_model": BASE}, "Tuning method is not supported"),
        (GEMINI, {"base_model": "gpt-4.1"}, "not supported for tuning"),
        (GEMINI, {"base_teacher_model": TEACHERS[QWEN]}, "is not supported for base model"),
        (QWEN, {"base_teacher_model": TEACHERS[GEMINI]}, "is not supported for base model"),
        (QWEN, {"base_teacher_model": None}, "base_teacher_model; Message: Required field is not set."),
        (GEMINI, {"batch_size": 4}, "only available for open source models"),
        (GEMINI, {"tuning_mode": "TUNING_MODE_FULL"}, "only available for open source models"),
        (QWEN, {"learning_rate": 0.1, "learning_rate_multiplier": 1.0}, "mutually exclusive"),
        (QWEN, {"epoch_count": 0}, "must be greater than 0"),
        (QWEN, {"export_last_checkpoint_only": True}, 'Unknown name "exportLastCheckpointOnly"'),
        (QWEN, {"sft_loss_weight_multiplier": 0.5}, 'Unknown name "sftLossWeightMultiplier"'),
        (QWEN, {"place": "us-east1"}, "not supported in location us-east1"),
        (GEMINI, {"place": "europe-west4"}, "not supported in location europe-west4"),
    ],
)
def test_orders_that_google_refuses_are_refused_before_they_cost(
    october: Google, base: str, config: JSON, words: str
) -> None:
    before = len(october.vertex.jobs)
    with pytest.raises(errors.ClientError) as refused:
        distil(october, base, **config)
    assert words in (refused.value.message or "")
    assert len(october.vertex.jobs) == before


def test_prompts_that_are_not_there_are_named_as_a_field(october: Google) -> None:
    with pytest.raises(errors.ClientError, match="prompt_dataset_uri should be a GCS object of type JSONL"):
        distil(october, GEMINI, f"gs://{BUCKET}/gone.jsonl")


def test_two_teachers_are_one_too_many(october: Google) -> None:
    spec = {"baseTeacherModel": "a", "tunedTeacherModelSource": "b", "promptDatasetUri": "gs://b/p.jsonl"}
    status, answer = october.send("POST", f"{PLACE}/tuningJobs", {"baseModel": GEMINI, "distillationSpec": spec})
    assert status == 400
    assert "oneof field 'teacher_model' is already set" in answer["error"]["message"]


def test_a_tuned_teacher_is_refused_openly(october: Google) -> None:
    october.upload([gemini_line("hi")], "prompts.jsonl")
    spec = {"tunedTeacherModelSource": "b", "promptDatasetUri": f"gs://{BUCKET}/prompts.jsonl"}
    status, _ = october.send("POST", f"{PLACE}/tuningJobs", {"baseModel": GEMINI, "distillationSpec": spec})
    assert status == 501


def test_a_project_that_is_not_on_the_list_is_denied_gemini_alone(
    october: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(october.vertex.tuning, "invited", False)
    with pytest.raises(errors.ClientError) as denied:
        distil(october, GEMINI)
    assert denied.value.status == "PERMISSION_DENIED"
    assert distil(october, QWEN).name


@pytest.mark.parametrize("base", [GEMINI, QWEN])
def test_nothing_is_distilled_once_a_model_of_the_pair_has_ended(cloud: Google, base: str) -> None:
    with pytest.raises(errors.ClientError, match="is not supported for"):
        distil(cloud, base)


@pytest.mark.parametrize(
    ("base", "row", "words"),
    [
        (GEMINI, {**gemini_line("a"), "tools": [{"functionDeclarations": TOOLS}]}, "without function calls"),
        (
            GEMINI,
            {"contents": [{"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"a": 1}}}]}]},
            "unsupported modality",
        ),
        (GEMINI, {"contents": []}, 'a last turn of the role "user"'),
        (GEMINI, open_line("a"), 'Unknown name "messages"'),
        (QWEN, gemini_line("a"), 'Unknown name "contents"'),
        (QWEN, {"messages": [{"role": "model", "content": "a"}, {"role": "user", "content": "b"}]}, "has a role"),
        (QWEN, {"messages": [{"role": "user"}]}, "without content"),
        (QWEN, {"messages": [{"role": "system", "content": "a"}]}, "a last turn of the user"),
        (QWEN, {"messages": [{"role": "user", "content": "a", "name": "me"}]}, 'Unknown name "name"'),
    ],
)
def test_a_line_that_cannot_be_a_prompt_fails_the_job(october: Google, base: str, row: JSON, words: str) -> None:
    message = failure(october, base, [LINES[base]("fine"), row])
    assert words in message
    assert "Dataset example 2 of 2" in message


def test_a_tenth_of_geminis_prompts_may_be_too_long_and_no_more(october: Google) -> None:
    long, fine = gemini_line("long " * 8_000), [gemini_line(f"question {i}") for i in range(9)]
    job = done(october, distil(october, GEMINI, october.upload([*fine, long], "long.jsonl")))
    assert job.has_succeeded
    assert job.tuning_data_stats
    told = job.tuning_data_stats.distillation_data_stats
    assert told
    assert told.training_dataset_stats
    assert told.training_dataset_stats.dropped_example_indices == [10]
    assert "at most 10 percent" in failure(october, GEMINI, [*fine[1:], long])


def test_gemini_takes_fifty_thousand_prompts_at_most(october: Google) -> None:
    assert "at most 50000" in failure(october, GEMINI, b'{"contents":[]}\n' * 50_001)


def test_a_file_without_a_usable_prompt_fails(october: Google) -> None:
    assert "no usable example" in failure(october, QWEN, [open_line("long " * 9_000)])


def test_open_models_want_answers_in_a_small_validation_file(october: Google) -> None:
    rows = [open_line(asked) for asked in QUESTIONS]

    def validated(validation: list[JSON]) -> str:
        uri = october.upload(validation, "validation.jsonl")
        return failure(october, QWEN, rows, validation_dataset=types.TuningValidationDataset(gcs_uri=uri))

    assert "must end with an answer" in validated([open_line("a")])
    assert "25 percent" in validated([open_line(asked, "x") for asked in QUESTIONS[:2]])
    assert "at most 5000" in validated([{"prompt": "a", "completion": "b"}] * 5_001)
    uri = october.upload([{"prompt": "a", "completion": "b"}], "validation.jsonl")
    dataset = types.TuningValidationDataset(gcs_uri=uri)
    assert done(october, distil(october, QWEN, validation_dataset=dataset)).has_succeeded


def test_operations_take_their_time_when_told_to(october: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(october.vertex.registry, "operation_s", 20.0)
    job = done(october, distil(october, GEMINI, epoch_count=1))
    endpoint = f"/v1beta1/{endpoint_of(job)}"
    deployed = october.send("GET", endpoint)[1]["deployedModels"][0]["id"]
    operation = october.send("POST", f"{endpoint}:undeployModel", {"deployedModelId": deployed})[1]
    assert "done" not in operation
    assert october.send("GET", f"{endpoint}/operations")[1] == {"operations": [operation]}
    status, refused = october.send("DELETE", endpoint)
    assert (status, refused["error"]["status"]) == (400, "FAILED_PRECONDITION")
    assert operation["name"] in refused["error"]["message"]
    assert "deployedModels" in october.send("GET", endpoint)[1]
    october.world.clock.advance(20)
    ended = october.send("GET", f"/v1beta1/{operation['name']}")[1]
    assert ended["done"] is True
    assert ended["response"]["@type"].endswith("UndeployModelResponse")
    assert "deployedModels" not in october.send("GET", endpoint)[1]
    assert "done" not in october.send("DELETE", endpoint)[1]
    assert october.send("GET", endpoint)[0] == 200
    october.world.clock.advance(20)
    assert october.send("GET", endpoint)[0] == 404
    assert october.send("GET", f"/v1beta1/projects/{PROJECT}/locations/us-central1/endpoints/1/operations")[1] == {}


def test_v1_has_no_distillation(october: Google) -> None:
    path = f"/v1/projects/{PROJECT}/locations/us-central1/tuningJobs"
    status, answer = october.send("POST", path, {"baseModel": GEMINI, "distillationSpec": {}})
    assert status == 400
    assert 'Unknown name "distillationSpec"' in answer["error"]["message"]
