"""What OpenAI is asked."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cloudistill.backends.backend import connect
from cloudistill.core.errors import NotFound, PermissionDenied
from cloudistill.core.job import Job, JobSpec, JobStatus
from cloudistill.core.refs import FileRef, ModelRef
from cloudistill.platforms.platform import load
from scripts.verify_live.desk import Desk, Unsettled, Verdict, codes, leftovers, probe, verdict, words
from scripts.verify_live.tuned import Tuned, answers, tuned

STUDENT = ModelRef("openai", "gpt-4.1-mini-2025-04-14")
ROWS, EPOCHS = 12, 3


def _rows(salt: str) -> list[dict[str, Any]]:
    said = [(f"{salt}: what follows {number}?", str(number + 1)) for number in range(ROWS)]
    return [
        {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": told}]}
        for asked, told in said
    ]


def _order(desk: Desk, salt: str) -> JobSpec:
    return desk.spec(STUDENT, training=desk.upload(_rows(salt)), hyperparameters={"epochs": EPOCHS})


def _job(desk: Desk) -> Tuned:
    return desk.step("openai-job", lambda desk: tuned(desk, _order(desk, "Counting")))


@leftovers("openai")
def _remove_results(desk: Desk, _spec: JobSpec, job: Job) -> None:
    """The checkpoints, which outlive the model, and the result files, which OpenAI keeps among the project's files."""
    for kept in desk.backend.checkpoints(job.ref):
        desk.remove_model(kept.model)
    for file in desk.backend.client.fine_tuning.jobs.retrieve(job.ref.id).result_files:
        desk.backend.delete_file(FileRef("openai", file))


@probe("openai-shutdown-date")
def _shutdown_date(desk: Desk) -> Verdict:
    offer, known = desk.ask(lambda: desk.backend.offer(STUDENT)), load("openai").model(STUDENT.id)
    return verdict(known is not None and offer.ends == known.ends, f"{STUDENT.id}: {offer.says}")


@probe("openai-uploads")
def _uploads(desk: Desk) -> Verdict:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "parts.jsonl"
        path.write_text('{"messages": []}\n' * 3 + f"{date.today()}\n", "utf-8")  # noqa: DTZ011 - content of its own
        size = path.stat().st_size
        stored = desk.upload_file(path, connect("openai", single_upload_bytes=1))
    found = desk.ask(lambda: desk.backend.client.files.retrieve(stored.id))
    told = f"{found.id}: purpose {found.purpose}, status {found.status}, {found.bytes} of {size} bytes"
    return verdict((found.purpose, found.bytes) == ("fine-tune", size), told)


@probe("openai-missing-file")
def _missing_file(desk: Desk) -> Verdict:
    stored = desk.upload(_rows("Missing"))
    desk.ask(lambda: desk.backend.delete_file(stored))
    refused = desk.refusal(lambda: desk.backend.client.files.retrieve(stored.id))
    return verdict(isinstance(refused, NotFound), codes(refused)[0])


@probe("openai-closed-account")
def _closed_account(desk: Desk) -> Verdict:
    try:
        job = _job(desk).job
    except Unsettled as refused:
        denied = isinstance(refused.__cause__, PermissionDenied)
        return verdict(True if denied else None, str(refused))
    return Verdict("could not tell", f"this account may tune: {job.native_status}")


@probe("openai-find-by-metadata")
def _find(desk: Desk) -> Verdict:
    return _job(desk).found


@probe("openai-model-lags")
def _model_lags(desk: Desk) -> Verdict:
    after = _job(desk).named_after
    return Verdict("holds", f"the model was named {after:.0f} s after the first `succeeded`")


@probe("openai-result-files")
def _result_files(desk: Desk) -> Verdict:
    done, client = _job(desk), desk.backend.client
    found = desk.ask(lambda: client.fine_tuning.jobs.retrieve(done.job.ref.id)).result_files
    heads = [desk.ask(lambda file=file: client.files.content(file).read()).partition(b"\n")[0][:100] for file in found]
    steps = desk.ask(lambda: desk.backend.metrics(done.job.ref))
    good = bool(steps) and steps[0].step >= 1 and steps[0].training_loss is not None
    return verdict(good, f"{len(steps)} steps from {steps[0].step if steps else None}; {heads}")


@probe("openai-event-order")
def _event_order(desk: Desk) -> Verdict:
    ref, jobs = _job(desk).job.ref, desk.backend.client.fine_tuning.jobs
    times = [event.created_at for event in desk.ask(lambda: jobs.list_events(ref.id, limit=100)).data]
    good = len(times) > 1 and times == sorted(times, reverse=True)
    return verdict(good, f"{len(times)} events on the first page, {times[0] - times[-1] if times else 0} s back")


@probe("openai-tuned-shutdown")
def _tuned_shutdown(desk: Desk) -> Verdict:
    offer = desk.ask(lambda: desk.backend.offer(_job(desk).model))
    return verdict(offer.served and offer.ends is None, offer.says)


@probe("openai-checkpoints")
def _checkpoints(desk: Desk) -> Verdict:
    kept = desk.ask(lambda: desk.backend.checkpoints(_job(desk).job.ref))
    if not kept:
        return Verdict("does not hold", f"no checkpoint after {EPOCHS} epochs")
    refused = answers(desk, kept[0].model)
    told = f"{len(kept)} checkpoints at steps {[one.step for one in kept]}; the first {codes(refused)[0]}"
    return verdict(refused is None and len(kept) == EPOCHS, told)


@probe("openai-pause")
def _pause(desk: Desk) -> Verdict:
    backend, ref = desk.backend, desk.order(_order(desk, "Pausing")).ref
    running = desk.wait(lambda: backend.poll(ref), lambda job: job.status is not JobStatus.PENDING)
    if running.status is not JobStatus.RUNNING:
        return Verdict("could not tell", f"never seen running: {words(running)}")
    desk.once(lambda: backend.pause(ref))
    held = desk.wait(lambda: backend.poll(ref), lambda job: job.status is JobStatus.PAUSED or job.status.is_final)
    if held.status is not JobStatus.PAUSED:
        return Verdict("could not tell", f"over before it was held: {words(held)}")
    desk.once(lambda: backend.resume(ref))
    again = desk.wait(lambda: backend.poll(ref), lambda job: job.status is not JobStatus.PAUSED)
    return verdict(again.status is not JobStatus.FAILED, f"held as {held.native_status}, then {again.native_status}")


@probe("openai-delete-model")
def _delete_model(desk: Desk) -> Verdict:
    done = _job(desk)
    desk.remove_model(done.model)
    called, again = answers(desk, done.model), desk.refusal(lambda: desk.backend.client.models.delete(done.model.id))
    told = f"called: {codes(called)[0]}; deleted again: {codes(again)[0]}"
    return verdict(isinstance(called, NotFound) and isinstance(again, NotFound), told)


@probe("openai-deleted-checkpoints")
def _deleted_checkpoints(desk: Desk) -> Verdict:
    done = _job(desk)
    kept = desk.ask(lambda: desk.backend.checkpoints(done.job.ref))
    if not kept:
        return Verdict("could not tell", "the job left no checkpoint")
    desk.remove_model(done.model)
    refused = answers(desk, kept[0].model)
    return verdict(refused is None, f"called: {codes(refused)[0]}")
