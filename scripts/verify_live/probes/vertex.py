"""What Google Vertex AI is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloudistill.backends.common import MARKER
from cloudistill.backends.vertex.answers import quiet
from cloudistill.backends.vertex.orders import location_of
from cloudistill.backends.vertex.rest import entries
from cloudistill.core.errors import NotFound, PlatformError
from cloudistill.core.job import Job, JobSpec, JobStatus
from cloudistill.core.refs import JobRef, ModelRef
from cloudistill.platforms.platform import load
from scripts.verify_live.desk import Desk, Verdict, codes, decided, probe, verdict, words
from scripts.verify_live.tuned import Tuned, answers, tuned

STUDENT = ModelRef("vertex", "gemini-3.1-flash-lite")
ROWS, EPOCHS = 12, 2
Row = dict[str, Any]


def _lesson(number: int) -> Row:
    asked, told = f"Counting: what follows {number}?", str(number + 1)
    return {"contents": [{"role": "user", "parts": [{"text": asked}]}, {"role": "model", "parts": [{"text": told}]}]}


def _called(number: int, **members: str) -> Row:
    schema = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}
    declared = {"name": "get_weather", "description": "The weather in a city.", "parameters": schema}
    call = {"name": "get_weather", "args": {"city": f"City {number}"}, **members}
    return {
        "contents": [
            {"role": "user", "parts": [{"text": f"What is the weather in City {number}?"}]},
            {"role": "model", "parts": [{"functionCall": call}]},
        ],
        "tools": [{"functionDeclarations": [declared]}],
    }


def _order(desk: Desk, rows: list[Row]) -> JobSpec:
    return desk.spec(STUDENT, training=desk.upload(rows), hyperparameters={"epochs": EPOCHS})


def _job(desk: Desk) -> Tuned:
    return desk.step("vertex-job", lambda desk: tuned(desk, _order(desk, [_lesson(n) for n in range(ROWS)])))


def _tuning(job: Job) -> bool:
    """Whether Google is through with the rows."""
    return (job.last_event or "") in {"TUNING_JOB_STATE_TUNING", "TUNING_JOB_STATE_POST_PROCESSING"}


@probe("vertex-label-filter")
def _label_filter(desk: Desk) -> Verdict:
    spec = _job(desk).spec
    config = {"page_size": 100, "filter": f"labels.{MARKER}={spec.marker}"}
    client = desk.backend.client(desk.backend.location)
    try:
        with quiet():
            found = desk.once(lambda: client.tunings.list(config=config).page)
    except PlatformError as refused:
        return Verdict("does not hold", str(decided(refused)))
    return Verdict("holds", f"{len(found)} jobs on the first page, {sum(_is(spec, one) for one in found)} of them ours")


def _is(spec: JobSpec, found: Any) -> bool:
    labels: dict[str, str] = found.labels or {}
    return labels.get(MARKER) == spec.marker


@probe("vertex-find-by-label")
def _find(desk: Desk) -> Verdict:
    return _job(desk).found


@probe("vertex-endpoint-lags")
def _endpoint_lags(desk: Desk) -> Verdict:
    return Verdict("holds", f"the endpoint was named {_job(desk).named_after:.0f} s after success")


@probe("vertex-tuned-location")
def _tuned_location(desk: Desk) -> Verdict:
    model = _job(desk).model
    home, known = location_of(model.id), load("vertex").model(STUDENT.id)
    elsewhere = next(place for place in (known.tuned_locations if known else ()) if place != home)
    with_home = answers(desk, model)
    refused = answers(desk, ModelRef("vertex", model.id.replace(f"/{home}/", f"/{elsewhere}/")))
    told = f"at {home}: {codes(with_home)[0]}; at {elsewhere}: {codes(refused)[0]}"
    return verdict(None if with_home else refused is not None, told)


@probe("vertex-metrics-file")
def _metrics_file(desk: Desk) -> Verdict:
    ref = _job(desk).job.ref
    named = _stored(desk, ref).gcs_metrics_uri
    if not named:
        return Verdict("could not tell", "the job names no metrics file")
    steps = desk.ask(lambda: desk.backend.metrics(ref))
    return verdict(bool(steps), f"{named.rpartition('/')[2]}: {len(steps)} steps, {steps[-1:]}")


@probe("vertex-example-count")
def _example_count(desk: Desk) -> Verdict:
    told = _stored(desk, _job(desk).job.ref).tuning_data_stats
    stats = told.supervised_tuning_data_stats if told else None
    if stats is None:
        return Verdict("could not tell", "the job tells no statistics")
    count, dropped = stats.tuning_dataset_example_count, stats.truncated_example_indices
    return verdict(count == ROWS and not dropped, f"{count} of {ROWS} rows, dropped: {dropped}")


@probe("vertex-model-versions")
def _model_versions(desk: Desk) -> Verdict:
    tuned_model = _stored(desk, _job(desk).job.ref).tuned_model
    name = str(tuned_model.model).partition("@")[0]
    found = entries(desk.ask(lambda: desk.backend.rest().get(f"{name}:listVersions")), "models")
    return verdict(len(found) == 1, f"{len(found)} versions: {[one.get('versionId') for one in found]}")


@probe("vertex-output-uri")
def _output_uri(desk: Desk) -> Verdict:
    native = {"output_uri": f"gs://{desk.backend.bucket}/"}
    return _refused(desk, replace(_order(desk, [_lesson(n) for n in range(ROWS)]), native=native))


@probe("vertex-retired-teacher")
def _retired_teacher(desk: Desk) -> Verdict:
    pair = next(pair for pair in load("vertex").pairs if pair.format)
    prompts = [{"messages": [{"role": "user", "content": f"What follows {n}?"}]} for n in range(ROWS)]
    members = {"method": "native", "teacher": ModelRef("vertex", pair.teacher), "training": desk.upload(prompts)}
    return _refused(desk, desk.spec(ModelRef("vertex", pair.student), **members))


def _refused(desk: Desk, spec: JobSpec) -> Verdict:
    """Whether Google refuses the order; a job that it makes nevertheless is stopped."""
    desk.remove_order_later(spec)
    made: list[Job] = []
    refused = desk.refusal(lambda: made.append(desk.backend.submit(spec)))
    for job in made:
        desk.stop(job.ref)
    return verdict(refused is not None, str(refused or "accepted"))


def _stored(desk: Desk, ref: JobRef) -> Any:
    """Google's own object."""
    with quiet():
        return desk.ask(lambda: desk.backend.client(location_of(ref.id)).tunings.get(name=ref.id))


@probe("vertex-function-calls")
def _function_calls(desk: Desk) -> Verdict:
    job = _judged(desk, [_called(number) for number in range(ROWS)])
    return verdict(job.status is not JobStatus.FAILED, words(job))


@probe("vertex-call-ids")
def _call_ids(desk: Desk) -> Verdict:
    job = _judged(desk, [_called(number, id=f"call-{number}") for number in range(ROWS)])
    return verdict(job.status is JobStatus.FAILED, words(job))


def _judged(desk: Desk, rows: list[Row]) -> Job:
    """A job on the rows, final or stopped when it began to learn from them."""
    return desk.judged(_order(desk, rows), _tuning)


@probe("vertex-delete-model")
def _delete_model(desk: Desk) -> Verdict:
    model = _job(desk).model
    desk.remove_model(model)
    called = answers(desk, model)
    return verdict(isinstance(called, NotFound), f"called: {codes(called)[0]}")
