"""Orders for tuning jobs on the emulated Vertex AI: what Google takes, and the words it refuses the rest with."""

from __future__ import annotations

from typing import Any

import pytest
from google.genai import errors
from tests.emulators.vertex_desk import BASE, BUCKET, EXPERIMENTAL, JSON, PLACE, PROJECT, Google, corpus, spec

pytestmark = pytest.mark.filterwarnings(EXPERIMENTAL)


def test_the_same_order_sent_twice_is_two_jobs(cloud: Google) -> None:
    uri = cloud.upload(corpus(0, 12))
    assert cloud.tune(uri).name != cloud.tune(uri).name
    assert len(cloud.vertex.jobs) == 2


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"baseModel": BASE, "colour": 1, **spec()}, "Unknown name \"colour\" at 'tuning_job': Cannot find field."),
        (
            {"baseModel": BASE, **spec(epochs=3)},
            "Unknown name \"epochs\" at 'tuning_job.supervised_tuning_spec': Cannot find field.",
        ),
        (
            {"baseModel": BASE, **spec(hyperParameters={"epochCount": "many"})},
            "Invalid value at 'tuning_job.supervised_tuning_spec.hyper_parameters.epoch_count' (TYPE_INT64), \"many\"",
        ),
        ({"baseModel": BASE, **spec(hyperParameters={"adapterSize": "FOUR"})}, "SupervisedHyperParameters.AdapterSize"),
        ({"baseModel": BASE, **spec(exportLastCheckpointOnly="yes")}, "(TYPE_BOOL)"),
        ({"baseModel": BASE, **spec(), "supervised_tuning_spec": []}, "oneof field 'tuning_spec' is already set"),
        ({"baseModel": BASE, **spec(), "distillationSpec": {}}, "oneof field 'tuning_spec' is already set"),
        ({"baseModel": BASE, "distillationSpec": {}}, "Tuning method is not supported"),
        ({"baseModel": BASE}, "Field: tuning_job.tuning_spec; Message: Required field is not set."),
        (spec(), "Field: tuning_job.base_model; Message: Required field is not set."),
        ({"baseModel": BASE, **spec(hyperParameters={"epochCount": 0})}, "epoch_count must be greater than 0"),
        ({"baseModel": BASE, **spec(hyperParameters={"batchSize": 4})}, "only available for open source models"),
        (
            {"baseModel": BASE, **spec(hyperParameters={"adapterSize": "ADAPTER_SIZE_THIRTY_TWO"})},
            "The adapter size is not supported for this base model.",
        ),
        ({"baseModel": BASE, **spec(), "labels": {"Team": "a"}}, "Label key 'Team' is not valid"),
        ({"baseModel": BASE, **spec(), "labels": {"team": "a" * 65}}, "no longer than 64 characters"),
        (
            {"baseModel": BASE, **spec(), "labels": {"team": 5}},
            "Invalid value at 'tuning_job.labels[team]' (TYPE_STRING)",
        ),
        ({"baseModel": BASE, **spec(), "tunedModelDisplayName": "a" * 129}, "at most 128 characters"),
        ({"baseModel": BASE, **spec(), "encryptionSpec": {"kmsKeyName": "k"}}, "CMEK is not supported"),
        ({"baseModel": "gemini-3.8-flash", **spec()}, "not supported for tuning"),
        ({"baseModel": "gemini-2.5-flash", **spec()}, "not supported for tuning"),
        ({"baseModel": "gpt-4.1", **spec()}, "not supported for tuning"),
        (
            {"baseModel": BASE, "supervisedTuningSpec": {"trainingDatasetUri": f"gs://{BUCKET}/gone.jsonl"}},
            "training_dataset_uri should be a GCS object of type JSONL.",
        ),
        (
            {"baseModel": BASE, "supervisedTuningSpec": {"trainingDatasetUri": f"gs://{BUCKET}/train.txt"}},
            "training_dataset_uri should be a GCS object of type JSONL.",
        ),
        (
            {"baseModel": BASE, **spec(validationDatasetUri=f"gs://{BUCKET}/gone.jsonl")},
            "validation_dataset_uri should be a GCS object of type JSONL.",
        ),
        ([], "Invalid value at 'tuning_job'"),
    ],
)
def test_orders_that_google_refuses_are_refused_in_its_words(kept: Google, body: JSON, words: str) -> None:
    kept.upload(b"{}", "train.txt")
    before = len(kept.vertex.jobs)
    status, answer = kept.send("POST", f"{PLACE}/tuningJobs", body)
    assert status == 400
    assert words in answer["error"]["message"]
    assert answer["error"]["status"] == "INVALID_ARGUMENT"
    assert len(kept.vertex.jobs) == before


def test_a_missing_file_is_named_as_a_field_violation(kept: Google) -> None:
    with pytest.raises(errors.ClientError) as refused:
        kept.tune(f"gs://{BUCKET}/gone.jsonl")
    error: Any = refused.value
    assert error.details["error"]["details"][0]["fieldViolations"][0] == {
        "field": "tuning_job.supervised_tuning_spec.training_dataset_uri",
        "description": "training_dataset_uri should be a GCS object of type JSONL.",
    }


def test_numbers_may_be_written_as_strings_and_names_in_either_case(kept: Google) -> None:
    kept.upload(corpus(0, 12))
    order = {"base_model": BASE, "state": "JOB_STATE_FAILED", "labels": None}
    order |= {"supervised_tuning_spec": spec(hyper_parameters={"epoch_count": "2"})["supervisedTuningSpec"]}
    status, answer = kept.send("POST", f"{PLACE}/tuningJobs", order)
    assert status == 200
    assert answer["supervisedTuningSpec"]["hyperParameters"] == {"epochCount": "2"}
    assert answer["state"] == "JOB_STATE_QUEUED"


@pytest.mark.parametrize("place", ["global", "us-east1"])
def test_gemini_is_tuned_in_two_regions_only(kept: Google, place: str) -> None:
    with pytest.raises(errors.ClientError, match=place) as refused:
        kept.tune(kept.upload(corpus(0, 12)), place=place)
    assert refused.value.status == "FAILED_PRECONDITION"


def test_v1_neither_takes_nor_shows_what_only_v1beta1_has(kept: Google) -> None:
    kept.upload(corpus(0, 12))
    path = f"/v1/projects/{PROJECT}/locations/us-central1/tuningJobs"
    betas: list[JSON] = [{"outputUri": "gs://b/o"}, {"distillationSpec": {}}]
    for beta in betas:
        status, answer = kept.send("POST", path, {"baseModel": BASE, **spec(), **beta})
        assert status == 400
        assert f'Unknown name "{next(iter(beta))}"' in answer["error"]["message"]
    name = kept.send("POST", path, {"baseModel": BASE, **spec()})[1]["name"]
    kept.world.clock.advance(600)
    assert "tuningJobState" in kept.send("GET", f"/v1beta1/{name}")[1]
    assert kept.send("GET", f"/v1/{name}")[1].keys().isdisjoint({"tuningJobState", "tuningJobMetadata"})


def test_a_body_that_is_no_json_is_refused(kept: Google) -> None:
    url, headers = f"{kept.vertex.server.url}{PLACE}/tuningJobs", {"authorization": f"Bearer {kept.token}"}
    for body in (b"{", b'{"labels": NaN}', b"[" * 100_000):
        answer = kept.http.post(url, content=body, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["error"]["message"].startswith("Invalid JSON payload received.")


def test_continuous_tuning_is_refused_openly(kept: Google) -> None:
    order = {"preTunedModel": {"tuned_model_name": "projects/1/locations/us-central1/models/2@1"}, **spec()}
    status, answer = kept.send("POST", f"{PLACE}/tuningJobs", order)
    assert (status, answer["error"]["status"]) == (501, "UNIMPLEMENTED")
