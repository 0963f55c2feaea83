"""The emulated OpenAI, driven by the stock SDK on a clock that moves only when told."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from hashlib import sha256
from http.client import HTTPConnection
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import openai
import pytest
from openai import OpenAI

from cloudistill.emulators.clock import Clock
from cloudistill.emulators.openai import OpenAIEmulator
from cloudistill.emulators.openai.orders import Hyperparameters
from cloudistill.emulators.openai.training import resolve

BASE = "gpt-4.1-mini-2025-04-14"
MINUTE, DAY = 60, 86_400
CONTRACT = Path(__file__).parents[2].parent / "shared" / "contracts" / "openai-api.json"
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {parameter: {"type": "string"}},
                "required": [parameter],
            },
        },
    }
    for name, description, parameter in (
        ("alpha", "Find out where a parcel is.", "order_id"),
        ("beta", "Give the money back.", "order_id"),
        ("gamma", "Send a new password.", "email"),
    )
]
ASKED = {
    "alpha": ("where is {0}", "track {0} please", "has {0} shipped", "any news of {0}?"),
    "beta": ("{0} is broken, money back", "refund {0}", "I return {0}, pay me back", "give me back what {0} cost"),
    "gamma": ("I forgot my password, {0}", "reset {0}", "{0} cannot log in", "new password for {0}"),
}


def corpus(rows: int, seed: int) -> list[dict[str, Any]]:
    """Support-desk lines; the names of the tools tell an untrained model nothing."""
    return [row(int(sha256(f"{seed} {index}".encode()).hexdigest()[:12], 16)) for index in range(rows)]


def row(number: int) -> dict[str, Any]:
    """The line drawn by `number`."""
    name, asked = [(name, asked) for name in ASKED for asked in ASKED[name]][number % 12]
    slot = {"email": f"p{number % 9973}@example.com"} if name == "gamma" else {"order_id": f"A{number % 9973}"}
    call = {"name": name, "arguments": json.dumps(slot)}
    user = {"role": "user", "content": asked.format(*slot.values())}
    answer = {"role": "assistant", "tool_calls": [{"id": f"c{number}", "type": "function", "function": call}]}
    return {"messages": [user, answer], "tools": TOOLS, "parallel_tool_calls": False}


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def connect(emulator: OpenAIEmulator) -> OpenAI:
    where = emulator.environment
    return OpenAI(base_url=where["OPENAI_BASE_URL"], api_key=where["OPENAI_API_KEY"], max_retries=0)


def upload(client: OpenAI, rows: list[dict[str, Any]] | None = None, **more: Any) -> str:
    content = jsonl(corpus(60, 1) if rows is None else rows)
    return client.files.create(file=("train.jsonl", content), purpose="fine-tune", **more).id


def raw(client: OpenAI, path: str) -> Any:
    return client.get(path, cast_to=object)


def order(client: OpenAI, body: dict[str, Any]) -> Any:
    return client.post("/fine_tuning/jobs", body=body, cast_to=object)


def refused(error: openai.APIStatusError) -> tuple[int, str | None, str | None]:
    assert error.request_id
    assert error.request_id.startswith("req_")
    return error.status_code, error.code, error.param


def succeeded(client: OpenAI, clock: Clock, **wanted: Any) -> Any:
    wanted = {"model": BASE, "training_file": wanted.pop("file", None) or upload(client), **wanted}
    job = client.fine_tuning.jobs.create(**wanted)
    clock.advance(21 * MINUTE)
    return client.fine_tuning.jobs.retrieve(job.id)


def called(client: OpenAI, model: str, row: dict[str, Any]) -> tuple[str, Any] | None:
    answer = client.chat.completions.create(model=model, messages=row["messages"][:1], tools=TOOLS)
    calls: list[Any] = answer.choices[0].message.tool_calls or []
    return (calls[0].function.name, json.loads(calls[0].function.arguments)) if calls else None


def right(client: OpenAI, model: str, rows: list[dict[str, Any]]) -> float:
    keys = [row["messages"][1]["tool_calls"][0]["function"] for row in rows]
    wanted = [(key["name"], json.loads(key["arguments"])) for key in keys]
    return sum(called(client, model, row) == key for row, key in zip(rows, wanted, strict=True)) / len(rows)


class TestFiles:
    def test_the_bytes_that_come_back_are_the_bytes_that_went_in(self, client: OpenAI) -> None:
        content = b'{"a": "\xc3\xa9"}\r\n\n \x00'
        file = client.files.create(file=("x.jsonl", content), purpose="fine-tune")
        assert client.files.content(file.id).read() == content
        assert (file.bytes, file.filename, file.status) == (len(content), "x.jsonl", "processed")

    def test_files_are_listed_by_purpose_page_by_page_in_either_order(self, client: OpenAI) -> None:
        made = [upload(client) for _ in range(3)]
        client.files.create(file=("other.txt", b"x"), purpose="user_data")
        assert [file.id for file in client.files.list(purpose="fine-tune", limit=2)] == made[::-1]
        assert [file.id for file in client.files.list(purpose="fine-tune", limit=1, order="asc")] == made

    def test_a_deleted_file_and_an_expired_file_are_gone(self, client: OpenAI, clock: Clock) -> None:
        deleted = upload(client)
        expiring = upload(client, expires_after={"anchor": "created_at", "seconds": 3600})
        assert client.files.delete(deleted).deleted
        clock.advance(3599)
        assert client.files.retrieve(expiring).expires_at
        clock.advance(1)
        for name in (deleted, expiring):
            with pytest.raises(openai.NotFoundError):
                client.files.retrieve(name)

    @pytest.mark.parametrize(
        ("wanted", "status"),
        [
            ({"purpose": "answers"}, 400),
            ({"file": ("train.txt", b"{}")}, 400),
            ({"extra_body": {"speed": "high"}}, 400),
            ({"expires_after": {"anchor": "created_at", "seconds": 60}}, 400),
            ({"file": ("train.jsonl", b"12345678901")}, 413),
        ],
    )
    def test_an_upload_is_refused(self, emulator: OpenAIEmulator, client: OpenAI, wanted: Any, status: int) -> None:
        emulator.files.max_bytes = 10
        order: dict[str, Any] = {"file": ("train.jsonl", b"{}"), "purpose": "fine-tune", **wanted}
        with pytest.raises(openai.APIStatusError) as caught:
            client.files.create(**order)
        assert caught.value.status_code == status
        assert not client.files.list().data


class TestJobs:
    def test_a_job_walks_through_every_state_in_order(self, client: OpenAI, clock: Clock) -> None:
        job = client.fine_tuning.jobs.create(model=BASE, training_file=upload(client))
        seen: list[str] = []
        for _ in range(22):
            seen.append(client.fine_tuning.jobs.retrieve(job.id).status)
            clock.advance(MINUTE)
        assert list(dict.fromkeys(seen)) == ["validating_files", "queued", "running", "succeeded"]
        assert seen == sorted(seen, key=["validating_files", "queued", "running", "succeeded"].index)

    def test_a_finished_job_says_what_it_made(self, client: OpenAI, clock: Clock) -> None:
        job = succeeded(client, clock, suffix="My Desk!", seed=7, metadata={"run": "x"})
        assert job.fine_tuned_model.startswith(f"ft:{BASE}:emulated:my-desk:")
        assert (job.seed, job.metadata, job.model_extra["user_provided_suffix"]) == (7, {"run": "x"}, "My Desk!")
        assert job.method.supervised.hyperparameters.n_epochs == 3
        assert job.finished_at == job.created_at + 20 * MINUTE
        assert job.trained_tokens > 0
        assert raw(client, f"/fine_tuning/jobs/{job.id}")["error"] == {}
        header, *lines = client.files.content(job.result_files[0]).text.splitlines()
        assert header.startswith("step,train_loss,")
        assert float(lines[0].split(",")[1]) > float(lines[-1].split(",")[1]) > 0

    def test_events_come_newest_first_with_the_losses_that_were_measured(self, client: OpenAI, clock: Clock) -> None:
        job = succeeded(client, clock)
        told = list(client.fine_tuning.jobs.list_events(job.id, limit=2))
        assert told[0].message == "The job has successfully completed"
        assert told[-1].message == f"Created fine-tuning job: {job.id}"
        assert len({event.id for event in told}) == len(told)
        assert [event.created_at for event in told] == sorted((event.created_at for event in told), reverse=True)
        data: list[Any] = [event.data for event in told if event.type == "metrics"]
        assert [event["step"] for event in data] == [180, 120, 60]
        assert data[0]["train_loss"] < data[-1]["train_loss"]

    def test_losses_are_told_while_the_job_runs_and_an_event_never_changes(self, client: OpenAI, clock: Clock) -> None:
        jobs = client.fine_tuning.jobs
        numbers: Any = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 5, "batch_size": 20}}}
        job = jobs.create(model=BASE, training_file=upload(client), method=numbers)
        seen: list[dict[str, Any]] = []
        for minute in range(40):
            told = {event.id: event.model_dump() for event in jobs.list_events(job.id)}
            seen.append(told)
            if minute == 12:
                jobs.pause(job.id)
            if minute == 20:
                jobs.resume(job.id)
            clock.advance(MINUTE)
        for earlier, later in pairwise(seen):
            assert earlier.items() <= later.items()
        steps = [sum(event["type"] == "metrics" for event in told.values()) for told in seen]
        assert steps[7] == 0
        assert 0 < steps[12] == steps[20] < steps[-1] == 5

    def test_a_cancelled_job_tells_what_it_had_measured_and_keeps_nothing(self, client: OpenAI, clock: Clock) -> None:
        jobs = client.fine_tuning.jobs
        job = jobs.create(model=BASE, training_file=upload(client))
        clock.advance(15 * MINUTE)
        jobs.cancel(job.id)
        clock.advance(DAY)
        kinds = [event.type for event in jobs.list_events(job.id)]
        assert 0 < kinds.count("metrics") < 3
        assert not jobs.checkpoints.list(job.id).data
        assert not client.files.list(purpose="fine-tune-results").data

    def test_the_last_three_epochs_are_kept_and_answer(self, client: OpenAI, clock: Clock) -> None:
        numbers: Any = {"n_epochs": 4, "batch_size": 20}
        job = succeeded(client, clock, method={"type": "supervised", "supervised": {"hyperparameters": numbers}})
        kept = list(client.fine_tuning.jobs.checkpoints.list(job.id, limit=2))
        assert [checkpoint.step_number for checkpoint in kept] == [12, 9, 6]
        assert called(client, kept[-1].fine_tuned_model_checkpoint, corpus(1, 2)[0])

    def test_a_job_is_found_by_its_metadata(self, client: OpenAI) -> None:
        file = upload(client)
        tags: list[Any] = [{"run": "a", "try": "1"}, {"run": "a", "try": ""}, {"run": "b"}, None]
        made = [client.fine_tuning.jobs.create(model=BASE, training_file=file, metadata=tag).id for tag in tags]
        jobs = client.fine_tuning.jobs
        assert [job.id for job in jobs.list(limit=1)] == made[::-1]
        assert [job.id for job in jobs.list(metadata={"run": "a"}, limit=1)] == [made[1], made[0]]
        assert [job.id for job in jobs.list(metadata={"run": "a", "try": ""})] == [made[1]]
        assert [job.id for job in jobs.list(extra_query={"metadata": "null"})] == [made[3]]
        for odd in ({"metadata": "null", "metadata[run]": "a"}, {"metadata[]": "a"}):
            with pytest.raises(openai.BadRequestError):
                jobs.list(extra_query=odd)

    def test_a_cancelled_job_stays_cancelled_and_cannot_be_cancelled_again(self, client: OpenAI, clock: Clock) -> None:
        job = client.fine_tuning.jobs.create(model=BASE, training_file=upload(client))
        clock.advance(8 * MINUTE)
        assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
        clock.advance(DAY)
        after = client.fine_tuning.jobs.retrieve(job.id)
        assert (after.status, after.fine_tuned_model, after.trained_tokens) == ("cancelled", None, None)
        with pytest.raises(openai.BadRequestError, match="already has a status of type 'cancelled'"):
            client.fine_tuning.jobs.cancel(job.id)

    def test_a_paused_job_waits_until_it_is_resumed_and_runs_what_was_left(self, client: OpenAI, clock: Clock) -> None:
        jobs = client.fine_tuning.jobs
        job = jobs.create(model=BASE, training_file=upload(client))
        with pytest.raises(openai.BadRequestError):
            jobs.pause(job.id)
        clock.advance(10 * MINUTE)
        assert raw(client, f"/fine_tuning/jobs/{job.id}")["estimated_finish"] == job.created_at + 20 * MINUTE
        assert jobs.pause(job.id).status == "pausing"
        clock.advance(DAY)
        assert jobs.retrieve(job.id).status == "paused"
        assert jobs.resume(job.id).status == "queued"
        clock.advance(13 * MINUTE)
        assert jobs.retrieve(job.id).status == "running"
        clock.advance(MINUTE)
        assert jobs.retrieve(job.id).status == "succeeded"

    def test_a_bad_file_fails_the_job_in_the_vendors_words(self, client: OpenAI, clock: Clock) -> None:
        job = succeeded(client, clock, file=upload(client, corpus(9, 1)))
        assert job.status == "failed"
        assert job.error.model_dump() == {
            "code": "invalid_n_examples",
            "message": "Training file has 9 example(s), but must have at least 10 examples",
            "param": "training_file",
        }
        assert job.finished_at == job.created_at + 3 * MINUTE
        event = client.fine_tuning.jobs.list_events(job.id).data[0]
        assert (event.level, event.message) == ("error", job.error.message)

    def test_a_bad_validation_file_fails_the_job_too(self, client: OpenAI, clock: Clock) -> None:
        job = succeeded(client, clock, validation_file=upload(client, [{"messages": [], "weight": 1}]))
        assert (job.status, job.error.param) == ("failed", "validation_file")

    def test_a_fine_tune_can_be_tuned_further(self, client: OpenAI, clock: Clock) -> None:
        first = succeeded(client, clock)
        second = succeeded(client, clock, model=first.fine_tuned_model)
        assert second.model == first.fine_tuned_model
        assert second.fine_tuned_model.startswith(f"ft:{BASE}:")

    @pytest.mark.parametrize(
        ("member", "value", "code"),
        [
            ("epochs", 3, "unknown_parameter"),
            ("model", None, "missing_required_parameter"),
            ("model", "gpt-4.1-mini", "model_not_available"),
            ("model", "gpt-4.1-nano-2025-04-14", "model_not_available"),
            ("model", "gpt-6-luna", "model_not_available"),
            ("training_file", "file-none", None),
            ("validation_file", "file-none", None),
            ("suffix", "", "empty_string"),
            ("suffix", "x" * 65, "string_above_max_length"),
            ("seed", -1, "integer_below_min_value"),
            ("seed", 2**31, "integer_above_max_value"),
            ("seed", "1", "invalid_type"),
            ("metadata", {str(n): "" for n in range(17)}, "object_above_max_properties"),
            ("metadata", {"k" * 65: ""}, "string_above_max_length"),
            ("metadata", {"k": "v" * 513}, "string_above_max_length"),
            ("metadata", {"k": 1}, "invalid_type"),
            ("hyperparameters", {"n_epochs": 0}, "integer_below_min_value"),
            ("hyperparameters", {"n_epochs": 51}, "integer_above_max_value"),
            ("hyperparameters", {"n_epochs": True}, "invalid_type"),
            ("hyperparameters", {"batch_size": 257}, "integer_above_max_value"),
            ("hyperparameters", {"learning_rate_multiplier": 0}, "decimal_below_min_value"),
            ("hyperparameters", {"rate": 1}, "unknown_parameter"),
            ("method", {"type": "magic"}, "invalid_value"),
            ("method", {"type": "dpo"}, "unsupported_value"),
            ("method", {}, "missing_required_parameter"),
            ("method", {"type": "supervised", "supervised": {"lr": 1}}, "unknown_parameter"),
            ("integrations", [{"type": "wandb", "wandb": {"project": "x"}}], "unsupported_value"),
        ],
    )
    def test_an_order_is_refused_and_nothing_is_paid(
        self, emulator: OpenAIEmulator, client: OpenAI, member: str, value: object, code: str | None
    ) -> None:
        body = {"model": BASE, "training_file": upload(client), member: value}
        with pytest.raises(openai.BadRequestError) as caught:
            order(client, body)
        assert refused(caught.value)[:2] == (400, code)
        assert emulator.jobs == []

    def test_a_file_of_another_purpose_trains_nothing(self, client: OpenAI) -> None:
        file = client.files.create(file=("x.jsonl", jsonl(corpus(20, 1))), purpose="batch")
        with pytest.raises(openai.BadRequestError, match="purpose"):
            client.fine_tuning.jobs.create(model=BASE, training_file=file.id)

    def test_from_the_last_day_on_nobody_creates_jobs(self, emulator: OpenAIEmulator, clock: Clock) -> None:
        client = connect(emulator)
        file = upload(client)
        clock.advance((datetime(2027, 1, 6, tzinfo=UTC) - clock.now()).total_seconds() - 1)
        assert client.fine_tuning.jobs.create(model=BASE, training_file=file)
        clock.advance(1)
        with pytest.raises(openai.PermissionDeniedError):
            client.fine_tuning.jobs.create(model=BASE, training_file=file)
        assert len(emulator.jobs) == 1


class TestLearning:
    def test_a_student_answers_held_out_rows_better_than_its_base(self, client: OpenAI, clock: Clock) -> None:
        job = succeeded(client, clock)
        unseen = corpus(30, 99)
        assert right(client, job.fine_tuned_model, unseen) >= 0.8
        assert right(client, BASE, unseen) <= 0.6

    def test_shuffled_answers_teach_nothing(self, client: OpenAI, clock: Clock) -> None:
        rows = corpus(60, 1)
        answers = sorted(
            (row["messages"][1] for row in rows), key=lambda answer: sha256(repr(answer).encode()).digest()
        )
        bad = [{**row, "messages": [row["messages"][0], answer]} for row, answer in zip(rows, answers, strict=True)]
        job = succeeded(client, clock, file=upload(client, bad))
        assert right(client, job.fine_tuned_model, corpus(30, 99)) <= 0.5

    def test_training_happens_once_however_many_look(self, client: OpenAI, clock: Clock) -> None:
        job = client.fine_tuning.jobs.create(model=BASE, training_file=upload(client))
        clock.advance(DAY)
        names: list[str | None] = []
        looks = [
            threading.Thread(target=lambda: names.append(client.fine_tuning.jobs.retrieve(job.id).fine_tuned_model))
            for _ in range(4)
        ]
        for look in looks:
            look.start()
        for look in looks:
            look.join()
        assert len(set(names)) == 1
        assert len(client.files.list(purpose="fine-tune-results").data) == 1

    def test_one_file_teaches_two_bases_differently(self, client: OpenAI, clock: Clock) -> None:
        file = upload(client)
        jobs = [succeeded(client, clock, file=file, seed=1, model=base) for base in (BASE, "gpt-4o-mini-2024-07-18")]
        first, second = (client.files.content(job.result_files[0]).text for job in jobs)
        assert first != second

    def test_the_end_of_an_over_long_example_is_lost_without_a_word(self, client: OpenAI, clock: Clock) -> None:
        rows = [
            {**row, "messages": [{"role": "system", "content": "x" * 270_000}, *row["messages"]]}
            for row in corpus(12, 1)
        ]
        job = succeeded(client, clock, file=upload(client, rows))
        assert (job.status, job.error.code) == ("succeeded", None)
        assert right(client, job.fine_tuned_model, corpus(12, 1)) <= 0.6

    @pytest.mark.parametrize(("examples", "epochs"), [(10, 10), (3, 25), (34, 3), (60, 3), (10_000, 2), (30_000, 1)])
    def test_auto_epochs_follow_the_published_rule(self, examples: int, epochs: int) -> None:
        assert resolve(Hyperparameters(), examples).n_epochs == epochs
        assert resolve(Hyperparameters(n_epochs=7), examples).n_epochs == 7


class TestModels:
    def test_models_carry_their_last_day_and_disappear_on_it(self, client: OpenAI, clock: Clock) -> None:
        job = succeeded(client, clock)
        tuned = client.models.retrieve(job.fine_tuned_model)
        assert (tuned.owned_by, tuned.shutdown_date) == ("emulated", None)
        assert client.models.retrieve(BASE).shutdown_date == "2027-01-14"
        clock.advance(51 * DAY)
        left = {model.id for model in client.models.list()}
        assert "gpt-6-luna" in left
        assert not left & {BASE, job.fine_tuned_model}
        for name in (BASE, job.fine_tuned_model):
            with pytest.raises(openai.NotFoundError, match="has been deprecated") as caught:
                client.models.retrieve(name)
            assert caught.value.code == "model_not_found"

    def test_a_fine_tune_can_be_deleted_and_a_base_cannot(self, client: OpenAI, clock: Clock) -> None:
        job = succeeded(client, clock)
        assert client.models.delete(job.fine_tuned_model).deleted
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve(job.fine_tuned_model)
        with pytest.raises(openai.PermissionDeniedError):
            client.models.delete(BASE)

    def test_only_an_owner_deletes_a_fine_tune(self, emulator: OpenAIEmulator, client: OpenAI, clock: Clock) -> None:
        job = succeeded(client, clock)
        emulator.models.role = "reader"
        with pytest.raises(openai.PermissionDeniedError):
            client.models.delete(job.fine_tuned_model)
        assert client.models.retrieve(job.fine_tuned_model)

    def test_a_model_trained_unseen_is_listed(self, client: OpenAI, clock: Clock) -> None:
        client.fine_tuning.jobs.create(model=BASE, training_file=upload(client))
        clock.advance(DAY)
        assert any(model.id.startswith("ft:") for model in client.models.list())


class TestManners:
    def test_a_wrong_key_and_no_key_are_refused(self, emulator: OpenAIEmulator, client: OpenAI) -> None:
        with pytest.raises(openai.AuthenticationError) as caught:
            client.with_options(api_key="sk-wrong").models.list()
        assert refused(caught.value) == (401, "invalid_api_key", None)
        assert "sk-wrong" not in caught.value.message
        with pytest.raises(openai.AuthenticationError):
            client.models.list(extra_headers={"Authorization": ""})
        assert emulator.environment["OPENAI_API_KEY"].startswith("sk-emulated")

    def test_unknown_paths_methods_and_parameters_are_refused_in_the_same_shape(self, client: OpenAI) -> None:
        with pytest.raises(openai.NotFoundError) as missing:
            raw(client, "/nothing")
        assert refused(missing.value) == (404, None, None)
        with pytest.raises(openai.APIStatusError) as method:
            raw(client, "/chat/completions")
        assert refused(method.value) == (405, "method_not_supported", None)
        with pytest.raises(openai.BadRequestError) as unknown:
            raw(client, "/fine_tuning/jobs?metdata[run]=a")
        assert refused(unknown.value) == (400, "unknown_parameter", "metdata[run]")
        with pytest.raises(openai.NotFoundError) as job:
            client.fine_tuning.jobs.retrieve("ftjob-none")
        assert refused(job.value) == (404, "fine_tune_not_found", "fine_tune_id")

    @pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 100_000])
    def test_a_body_that_is_no_json_object_is_refused(self, client: OpenAI, body: bytes) -> None:
        with pytest.raises(openai.BadRequestError):
            client.post("/fine_tuning/jobs", content=body, cast_to=object)

    def test_a_form_that_cannot_be_read_is_refused_in_the_same_shape(self, emulator: OpenAIEmulator) -> None:
        key = emulator.environment["OPENAI_API_KEY"]
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "multipart/form-data; boundary=x"}
        connection = HTTPConnection("127.0.0.1", emulator.server.port)
        connection.request("POST", "/v1/files", b"--y", headers)
        with connection.getresponse() as answer:
            assert answer.status == 400
            assert json.loads(answer.read())["error"]["type"] == "invalid_request_error"
        connection.close()

    @pytest.mark.parametrize(("kind", "paid"), [("drop-before", 0), ("drop-after", 1)])
    def test_an_answer_can_be_lost_before_or_after_the_job_is_made(
        self, emulator: OpenAIEmulator, client: OpenAI, kind: str, paid: int
    ) -> None:
        file = upload(client)
        emulator.server.fail("POST /v1/fine_tuning/jobs", kind=kind)
        with pytest.raises(openai.APIConnectionError):
            client.fine_tuning.jobs.create(model=BASE, training_file=file, metadata={"run": "x"})
        assert len(emulator.jobs) == paid
        assert len(client.fine_tuning.jobs.list(metadata={"run": "x"}).data) == paid


def normalised(schema: Any) -> Any:
    """OpenAPI 3.0's ways in a 3.1 document, put right: `nullable` and the boolean `exclusiveMinimum`."""
    if isinstance(schema, list):
        return [normalised(part) for part in schema]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(schema, dict):
        return schema
    put: dict[str, Any] = {key: normalised(value) for key, value in schema.items()}  # pyright: ignore[reportUnknownVariableType]
    if put.get("exclusiveMinimum") is True:
        put["exclusiveMinimum"] = put.pop("minimum")
    return {"anyOf": [put, {"type": "null"}]} if put.pop("nullable", None) is True else put


@pytest.mark.skipif(not CONTRACT.exists(), reason=f"the API's schemas are not at {CONTRACT}")
def test_what_is_answered_fits_the_published_schemas(client: OpenAI, clock: Clock) -> None:
    components = normalised(json.loads(CONTRACT.read_text()))["components"]
    del components["schemas"]["FineTuningJob"]["properties"]["error"]["anyOf"][0]["required"]
    # the guide sends readers to events of the type `moderation_checks`, which the schema does not list
    components["schemas"]["FineTuningJobEvent"]["properties"]["type"]["enum"].append("moderation_checks")
    job = succeeded(client, clock, seed=3, metadata={"a": "b"})
    path = f"/fine_tuning/jobs/{job.id}"
    asked: Any = {"model": job.fine_tuned_model, "messages": corpus(1, 5)[0]["messages"][:1], "tools": TOOLS}
    answers = {
        "FineTuningJob": raw(client, path),
        "ListPaginatedFineTuningJobsResponse": raw(client, "/fine_tuning/jobs"),
        "ListFineTuningJobCheckpointsResponse": raw(client, f"{path}/checkpoints"),
        "ListFineTuningJobEventsResponse": raw(client, f"{path}/events"),
        "OpenAIFile": raw(client, f"/files/{job.training_file}"),
        "ListFilesResponse": raw(client, "/files"),
        "ListModelsResponse": raw(client, "/models"),
        "Model": raw(client, f"/models/{BASE}"),
        "CreateChatCompletionResponse": client.post("/chat/completions", body=asked, cast_to=object),
        "DeleteFileResponse": client.delete(f"/files/{job.training_file}", cast_to=object),
        "DeleteModelResponse": client.delete(f"/models/{job.fine_tuned_model}", cast_to=object),
    }
    for name, answer in answers.items():
        jsonschema.validate(answer, {"$ref": f"#/components/schemas/{name}", "components": components})
