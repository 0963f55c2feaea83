"""The emulated Uploads API, driven by the stock SDK on a clock that moves only when told."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import openai
import pytest
from openai import OpenAI
from openai._types import RequestOptions

from cloudistill.emulators.clock import Clock
from cloudistill.emulators.openai import OpenAIEmulator

CONTRACT = Path(__file__).parents[2].parent / "shared" / "contracts" / "openai-api.json"
CONTENT = b'{"row": 1}\n{"row": 2}\n'
HALVES = (CONTENT[:11], CONTENT[11:])
PROMISED: dict[str, Any] = {
    "filename": "train.jsonl",
    "purpose": "fine-tune",
    "bytes": len(CONTENT),
    "mime_type": "text/jsonl",
}
HOUR = 3600


def begun(client: OpenAI, **members: Any) -> str:
    return client.uploads.create(**(PROMISED | members)).id


def sent(client: OpenAI, upload: str, *contents: bytes) -> list[str]:
    return [client.uploads.parts.create(upload, data=content).id for content in contents]


def refusal(call: Any) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        call()
    return caught.value


def test_parts_become_a_file_in_the_order_that_is_named(client: OpenAI):
    upload = begun(client)
    second, first = sent(client, upload, *HALVES[::-1])
    done = client.uploads.complete(upload, part_ids=[first, second])
    assert done.status == "completed"
    assert done.file is not None
    assert (done.file.filename, done.file.bytes, done.file.purpose) == ("train.jsonl", len(CONTENT), "fine-tune")
    assert client.files.content(done.file.id).read() == CONTENT
    assert [file.id for file in client.files.list(purpose="fine-tune")] == [done.file.id]


def test_parts_may_come_at_once(client: OpenAI):
    content = bytes(range(64))
    upload = begun(client, bytes=len(content))

    def send(place: int) -> str:
        return sent(client, upload, content[place : place + 1])[0]

    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(send, range(len(content))))
    done = client.uploads.complete(upload, part_ids=parts)
    assert done.file is not None
    assert client.files.content(done.file.id).read() == content


def test_the_sdks_own_helper_works(client: OpenAI, tmp_path: Path):
    file = tmp_path / "train.jsonl"
    file.write_bytes(CONTENT)
    done = client.uploads.upload_file_chunked(file=file, mime_type="text/jsonl", purpose="fine-tune", part_size=5)
    assert done.file is not None
    assert client.files.content(done.file.id).read() == CONTENT


def test_a_part_that_is_not_named_is_left_out(client: OpenAI):
    upload = begun(client)
    parts = sent(client, upload, HALVES[0], b"sent twice", HALVES[1])
    assert client.uploads.complete(upload, part_ids=[parts[0], parts[2]]).status == "completed"


def test_an_upload_expires_an_hour_after_it_was_begun(client: OpenAI, clock: Clock):
    upload = begun(client)
    parts = sent(client, upload, HALVES[0])
    clock.advance(HOUR - 1)
    parts += sent(client, upload, HALVES[1])
    clock.advance(1)
    for call in (
        lambda: sent(client, upload, b"late"),
        lambda: client.uploads.complete(upload, part_ids=parts),
        lambda: client.uploads.cancel(upload),
    ):
        assert "'expired'" in refusal(call).message
    assert not client.files.list().data


def test_what_is_completed_or_cancelled_takes_nothing_more(client: OpenAI):
    done, cancelled = begun(client), begun(client)
    parts = sent(client, done, CONTENT)
    client.uploads.complete(done, part_ids=parts)
    assert client.uploads.cancel(cancelled).status == "cancelled"
    for upload, state in ((done, "completed"), (cancelled, "cancelled")):
        for call in (
            lambda upload=upload: sent(client, upload, b"more"),
            lambda upload=upload: client.uploads.complete(upload, part_ids=parts),
            lambda upload=upload: client.uploads.cancel(upload),
        ):
            error = refusal(call)
            assert (error.status_code, f"'{state}'" in error.message) == (400, True)
    assert len(client.files.list().data) == 1


@pytest.mark.parametrize("contents", [HALVES[:1], (*HALVES, b"x"), ()])
def test_the_length_must_be_what_was_promised(client: OpenAI, contents: tuple[bytes, ...]):
    upload = begun(client)
    parts = sent(client, upload, *contents)
    error = refusal(lambda: client.uploads.complete(upload, part_ids=parts))
    assert (error.status_code, error.param) == (400, "part_ids")
    assert not client.files.list().data


def test_the_checksum_must_fit_and_a_wrong_one_leaves_the_upload_open(client: OpenAI):
    upload = begun(client)
    parts = sent(client, upload, CONTENT)
    wrong, right = (hashlib.md5(said, usedforsecurity=False).hexdigest() for said in (b"other", CONTENT))
    assert refusal(lambda: client.uploads.complete(upload, part_ids=parts, md5=wrong)).param == "md5"
    assert client.uploads.complete(upload, part_ids=parts, md5=right).status == "completed"


def test_a_part_of_another_upload_or_named_twice_is_refused(client: OpenAI):
    upload, other = begun(client), begun(client)
    parts, strange = sent(client, upload, *HALVES), sent(client, other, CONTENT)

    def complete(named: list[str]) -> str:
        return refusal(lambda: client.uploads.complete(upload, part_ids=named)).message

    for named in (strange, [parts[0], parts[0]], ["part_none"]):
        assert "Invalid part ID" in complete(named)


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("filename", None, "missing_required_parameter"),
        ("mime_type", None, "missing_required_parameter"),
        ("bytes", None, "missing_required_parameter"),
        ("bytes", 0, "integer_below_min_value"),
        ("bytes", 8 * 1024**3 + 1, "integer_above_max_value"),
        ("bytes", "1", "invalid_type"),
        ("purpose", "evals", "invalid_value"),
        ("filename", "train.txt", None),
        ("speed", "high", "unknown_parameter"),
        ("expires_after", {"anchor": "created_at", "seconds": 60}, "integer_below_min_value"),
        ("expires_after", {"anchor": "last_active_at", "seconds": 3600}, "invalid_value"),
        ("expires_after", {"anchor": "created_at", "seconds": 3600, "days": 1}, "unknown_parameter"),
    ],
)
def test_an_upload_is_refused(emulator: OpenAIEmulator, client: OpenAI, member: str, value: object, code: str | None):
    error = refusal(lambda: client.post("/uploads", body=PROMISED | {member: value}, cast_to=object))
    assert (error.status_code, error.code) == (400, code)
    assert emulator.uploads.made == {}


def test_a_part_has_64_mb_and_all_of_them_8_gb(emulator: OpenAIEmulator, client: OpenAI):
    assert (emulator.uploads.max_part_bytes, emulator.uploads.max_bytes) == (64 * 1024**2, 8 * 1024**3)
    emulator.uploads.max_part_bytes, emulator.uploads.max_bytes = 11, len(CONTENT)
    upload = begun(client)
    sent(client, upload, HALVES[0])
    assert refusal(lambda: sent(client, upload, HALVES[1] + b"x")).status_code == 413
    sent(client, upload, HALVES[1])
    assert refusal(lambda: sent(client, upload, b"x")).status_code == 413


def test_a_part_is_called_data_and_an_upload_must_be_there(client: OpenAI):
    upload = begun(client)
    path, form = f"/uploads/{upload}/parts", RequestOptions(headers={"Content-Type": "multipart/form-data"})
    named = refusal(lambda: client.post(path, files={"file": CONTENT}, options=form, cast_to=object))
    assert (named.status_code, named.code) == (400, "unknown_parameter")
    empty = refusal(lambda: client.post(path, body={}, cast_to=object))
    assert (empty.status_code, empty.code, empty.param) == (400, "missing_required_parameter", "data")
    assert refusal(lambda: sent(client, "upload_none", CONTENT)).status_code == 404


def test_the_file_of_an_upload_lives_as_long_as_was_asked(client: OpenAI, clock: Clock):
    upload = begun(client, expires_after={"anchor": "created_at", "seconds": HOUR})
    file = client.uploads.complete(upload, part_ids=sent(client, upload, CONTENT)).file
    assert file is not None
    clock.advance(HOUR)
    assert refusal(lambda: client.files.retrieve(file.id)).status_code == 404


@pytest.mark.skipif(not CONTRACT.exists(), reason=f"the API's schemas are not at {CONTRACT}")
def test_what_is_answered_fits_the_published_schemas(client: OpenAI):
    components = json.loads(CONTRACT.read_text())["components"]
    # `nullable` beside `allOf` is OpenAPI 3.0's way; the file is left out, not null, until there is one
    upload = client.post("/uploads", body=PROMISED, cast_to=object)
    path = f"/uploads/{begun(client)}"
    part: Any = client.uploads.parts.create(path.rpartition("/")[2], data=CONTENT).model_dump()
    answers: list[tuple[str, Any]] = [
        ("Upload", upload),
        ("UploadPart", part),
        ("Upload", client.post(f"{path}/complete", body={"part_ids": [part["id"]]}, cast_to=object)),
        ("Upload", client.post(f"/uploads/{begun(client)}/cancel", cast_to=object)),
    ]
    for name, answer in answers:
        jsonschema.validate(answer, {"$ref": f"#/components/schemas/{name}", "components": components})
