"""The emulated Vertex AI, asked by Google's own SDKs over HTTP: from upload to student, and what jobs say meanwhile."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types
from tests.emulators.vertex_desk import (
    BASE,
    EXPERIMENTAL,
    HOUR,
    JSON,
    PLACE,
    PROJECT,
    TOOLS,
    Google,
    ask,
    corpus,
    endpoint_of,
)

pytestmark = pytest.mark.filterwarnings(EXPERIMENTAL)


def test_the_whole_way_from_upload_to_a_student_that_beats_its_base(cloud: Google) -> None:
    job = cloud.tuned(corpus(0, 60))
    endpoint = endpoint_of(job)
    held_out = corpus(200, 30)
    student, base = (accuracy(cloud.at("us"), model, held_out) for model in (endpoint, BASE))
    assert student >= 0.8
    assert student > base


def test_a_student_fed_permuted_answers_answers_badly(cloud: Google) -> None:
    rows, held_out = corpus(0, 60), corpus(200, 30)
    answers = [row["contents"][1] for row in rows]
    permuted = [{**row, "contents": [row["contents"][0], answers[(i * 7 + 3) % 60]]} for i, row in enumerate(rows)]
    good, bad = cloud.tuned(rows), cloud.tuned(permuted)
    scores = [accuracy(cloud.at("us"), endpoint_of(job), held_out) for job in (good, bad)]
    assert scores[1] < scores[0] / 2


def test_a_job_walks_through_googles_states_in_order(cloud: Google) -> None:
    job = cloud.tune(cloud.upload(corpus(0, 12)))
    seen: list[tuple[str, str | None]] = []
    for _ in range(50):
        body = cloud.send("GET", f"/v1beta1/{job.name}")[1]
        seen.append((body["state"], body.get("tuningJobState")))
        cloud.world.clock.advance(60)
    assert list(dict.fromkeys(seen)) == [
        ("JOB_STATE_QUEUED", None),
        ("JOB_STATE_PENDING", None),
        ("JOB_STATE_RUNNING", "TUNING_JOB_STATE_PROCESSING_DATASET"),
        ("JOB_STATE_RUNNING", "TUNING_JOB_STATE_TUNING"),
        ("JOB_STATE_RUNNING", "TUNING_JOB_STATE_POST_PROCESSING"),
        ("JOB_STATE_SUCCEEDED", None),
    ]
    assert seen.index(("JOB_STATE_SUCCEEDED", None)) == 40


def test_a_finished_job_says_what_it_read_and_made(kept: Google) -> None:
    job = kept.tuned(corpus(0, 12), epoch_count=12, labels={"team": "desk"}, tuned_model_display_name="router")
    assert job.has_succeeded
    assert job.tuning_data_stats is not None
    stats = job.tuning_data_stats.supervised_tuning_data_stats
    assert stats is not None
    assert (stats.tuning_dataset_example_count, stats.total_truncated_example_count) == (12, 0)
    assert (stats.total_billable_token_count or 0) % 12 == 0
    assert job.tuned_model is not None
    checkpoints = job.tuned_model.checkpoints or []
    assert (len(checkpoints), checkpoints[-1].epoch) == (10, 12)
    assert checkpoints[-1].endpoint == job.tuned_model.endpoint
    model = kept.client.models.get(model=job.tuned_model.model or "")
    assert (model.display_name, (model.labels or {})["team"]) == ("router", "desk")


def test_with_only_the_last_checkpoint_asked_for_there_are_none(kept: Google) -> None:
    job = kept.tuned(corpus(0, 12), export_last_checkpoint_only=True)
    assert job.tuned_model is not None
    assert job.tuned_model.checkpoints is None


def test_jobs_are_found_by_label_and_display_name_in_their_location(cloud: Google) -> None:
    uri = cloud.upload(corpus(0, 12))
    mine = cloud.tune(uri, labels={"cloudistill-key": "abc"}, tuned_model_display_name="my desk")
    cloud.tune(uri, labels={"cloudistill-key": "xyz"})

    def found(wanted: str) -> list[str | None]:
        return [job.name for job in cloud.client.tunings.list(config={"filter": wanted})]

    for wanted in ("labels.cloudistill-key=abc", 'tunedModelDisplayName="my desk"', 'display_name="my desk"'):
        assert found(wanted) == [mine.name]
    assert found('labels.cloudistill-key:* AND tunedModelDisplayName="my desk"') == [mine.name]
    assert len(found("labels.cloudistill-key:*")) == 2
    assert list(cloud.at("europe-west4").tunings.list()) == []
    with pytest.raises(errors.ClientError, match="Invalid filter"):
        found("labels !!")


def test_lists_page_to_the_end_newest_first_though_jobs_arrive_meanwhile(cloud: Google) -> None:
    uri = cloud.upload(corpus(0, 12))
    made = [cloud.tune(uri).name for _ in range(5)]
    pager = cloud.client.tunings.list(config={"page_size": 2})
    first = [job.name for job in pager.page]
    cloud.tune(uri)
    rest = [job.name for _ in range(2) for job in pager.next_page()]
    assert first + rest == made[::-1]


def test_a_cancelled_job_stops_after_a_while_and_says_so(cloud: Google) -> None:
    job = cloud.tune(cloud.upload(corpus(0, 12)))
    cloud.world.clock.advance(700)
    cloud.client.tunings.cancel(name=job.name or "")
    assert cloud.get(job).state == types.JobState.JOB_STATE_CANCELLING
    cloud.world.clock.advance(HOUR)
    job = cloud.get(job)
    assert job.state == types.JobState.JOB_STATE_CANCELLED
    assert job.error is not None
    assert job.error.code == 1
    assert job.tuned_model is None
    with pytest.raises(errors.ClientError, match="can not be cancelled"):
        cloud.client.tunings.cancel(name=job.name or "")


def test_a_job_has_no_delete_and_an_unknown_one_is_not_found(kept: Google) -> None:
    job = kept.tune(kept.upload(corpus(0, 12)))
    status, answer = kept.send("DELETE", f"/v1beta1/{job.name}")
    assert (status, answer["error"]["message"]) == (404, "Method not found.")
    with pytest.raises(errors.ClientError) as missing:
        kept.client.tunings.get(name=f"{job.name}0")
    assert (missing.value.code, missing.value.status) == (404, "NOT_FOUND")


def test_what_tuning_made_is_taken_down_in_googles_order(cloud: Google) -> None:
    job = cloud.tuned(corpus(0, 12), export_last_checkpoint_only=True)
    endpoint = endpoint_of(job)
    assert job.tuned_model is not None
    model = job.tuned_model.model or ""
    with pytest.raises(errors.ClientError, match="is deployed or being deployed"):
        cloud.client.models.delete(model=model)
    assert cloud.send("DELETE", f"/v1beta1/{endpoint}")[0] == 400
    deployed = cloud.send("GET", f"/v1beta1/{endpoint}")[1]["deployedModels"][0]
    assert f"{deployed['model']}@1" == model
    undeploy = f"/v1beta1/{endpoint}:undeployModel"
    assert cloud.send("POST", undeploy, {"deployedModelId": "5"})[0] == 404
    assert cloud.send("POST", undeploy, {"deployedModelId": deployed["id"]})[1]["done"] is True
    with pytest.raises(errors.ClientError, match="no model deployed"):
        ask(cloud, endpoint)
    operation = cloud.send("DELETE", f"/v1beta1/{endpoint}")[1]
    assert cloud.send("GET", f"/v1beta1/{operation['name']}")[1] == operation
    assert cloud.send("GET", f"/v1beta1/{endpoint}")[0] == 404
    assert cloud.send("GET", f"/v1/projects/{PROJECT}/locations/us/endpoints")[1] == {}
    assert [found.name for found in cloud.client.models.list(config={"query_base": False})] == [model.partition("@")[0]]
    cloud.client.models.delete(model=model)
    assert list(cloud.client.models.list(config={"query_base": False})) == []
    assert cloud.get(job).has_succeeded


def accuracy(client: genai.Client, model: str, rows: list[JSON]) -> float:
    tools: Any = [types.Tool.model_validate({"functionDeclarations": TOOLS})]
    config = types.GenerateContentConfig(tools=tools)
    right = 0
    for row in rows:
        asked, wanted = row["contents"][0], row["contents"][1]["parts"][0]["functionCall"]
        answer = client.models.generate_content(model=model, contents=[asked], config=config)
        calls = [(call.name, call.args) for call in answer.function_calls or ()]
        right += calls == [(wanted["name"], wanted["args"])]
    return right / len(rows)


def test_an_order_whose_answer_is_lost_was_taken_all_the_same(cloud: Google) -> None:
    uri = cloud.upload(corpus(0, 12))
    cloud.vertex.server.fail(r"POST .*/tuningJobs$", kind="drop-after")
    with pytest.raises(httpx.TransportError):
        cloud.tune(uri, labels={"cloudistill-key": "lost"})
    found = cloud.client.tunings.list(config={"filter": "labels.cloudistill-key=lost"})
    assert [job.name for job in found] == [job.name for job in cloud.vertex.jobs]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("pageSize=-1", "Page size must be non-negative."),
        ("pageSize=ten", "Invalid value at 'page_size' (TYPE_INT32)"),
        ("pageToken=bm90aGluZw==", "Page token is invalid."),
        ("pageToken=%C3%A9", "Page token is invalid."),
        ("filter=state", "Invalid filter: state"),
    ],
)
def test_a_list_refuses_what_it_cannot_read(kept: Google, query: str, words: str) -> None:
    status, answer = kept.send("GET", f"{PLACE}/tuningJobs?{query}")
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert words in answer["error"]["message"]
