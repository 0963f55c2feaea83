"""What Amazon Bedrock is asked."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from typing import Any

from cloudistill.backends.bedrock import orders
from cloudistill.backends.bedrock.outputs import Outputs
from cloudistill.core.errors import PlatformError
from cloudistill.core.job import Job, JobStatus
from cloudistill.platforms.platform import load
from scripts.verify_live.desk import Desk, Verdict, codes, decided, probe, verdict, words
from scripts.verify_live.probes.bedrock_account import (
    CAP,
    GOLDEN,
    PROMPTS,
    ROWS,
    STUDENT,
    TEACHER,
    TOO_FEW,
    TOO_MANY,
    accepted,
    called_row,
    checked,
    deployment,
    distillation,
    job_from_logs,
    logged_job,
    native,
    outputs_of,
    processed,
    prompt_rows,
    raw,
    row_of,
    sent,
    tuned_job,
    turn,
)
from scripts.verify_live.tuned import Tuned, answers

_LONGEST_WORD_PIECE = 8
"""Characters that a token of English does not exceed on average."""


# -- what costs nothing


@probe("bedrock-model-list")
def _model_list(desk: Desk) -> Verdict:
    listed = desk.ask(desk.backend.client("bedrock").list_foundation_models)["modelSummaries"]
    ids, today = {row["modelId"] for row in listed}, desk.today
    ended = sorted(model.id for model in load("bedrock").models if model.ended(today) and model.id in ids)
    suffixed = STUDENT.id in ids
    return verdict(
        suffixed and not ended, f"{STUDENT.id} {'listed' if suffixed else 'absent'}; ended and listed: {ended}"
    )


@probe("bedrock-both-sources")
def _both_sources(desk: Desk) -> Verdict:
    spec = native(desk, training=desk.upload(prompt_rows(TOO_FEW, "Both")))
    request = raw(desk, spec)
    source = {"invocationLogSource": {"s3Uri": f"s3://{desk.backend.bucket}/cloudistill"}}
    request["trainingDataConfig"] |= {"invocationLogsConfig": source}
    refused = sent(desk, spec, request)
    return verdict(codes(refused)[0] == "ValidationException", str(refused or "accepted"))


@probe("bedrock-cap-zero")
def _cap_zero(desk: Desk) -> Verdict:
    spec = native(desk, training=desk.upload(prompt_rows(TOO_FEW, "Zero")))
    request = raw(desk, spec)
    request["customizationConfig"]["distillationConfig"]["teacherModelConfig"]["maxResponseLengthForInference"] = 0
    refused = sent(desk, spec, request)
    return verdict(refused is not None, str(refused or "accepted"))


# -- jobs that are stopped before they learn


@probe("bedrock-text-blocks")
def _text_blocks(desk: Desk) -> Verdict:
    system = {"system": [{"text": "Count."}, {"text": "Answer with a number."}]}
    asked = [turn("user", "Blocks.", f"What follows {n}?") for n in range(ROWS)]
    return accepted(desk, [row_of(one, turn("assistant", str(n + 1)), **system) for n, one in enumerate(asked)])


@probe("bedrock-tool-config")
def _tool_config(desk: Desk) -> Verdict:
    return accepted(desk, [called_row(number) for number in range(ROWS)])


@probe("bedrock-bad-prompts")
def _bad_prompts(desk: Desk) -> Verdict:
    bad = [called_row(0), row_of(turn("user", "Bot: what is a reserved word?"))]
    spec = native(desk, training=desk.upload([*prompt_rows(PROMPTS, "Bad"), *bad]))
    job = desk.judged(spec, checked)
    return verdict(job.status is not JobStatus.FAILED, words(job))


@probe("bedrock-too-few")
def _too_few(desk: Desk) -> Verdict:
    return _fails(desk, TOO_FEW, processed)


@probe("bedrock-too-many")
def _too_many(desk: Desk) -> Verdict:
    return _fails(desk, TOO_MANY, checked)


def _fails(desk: Desk, prompts: int, judged: Callable[[Job], bool]) -> Verdict:
    spec = native(desk, training=desk.upload(prompt_rows(prompts, "Counted")))
    try:
        job = desk.judged(spec, judged)
    except PlatformError as refused:
        return Verdict("does not hold", f"refused at once: {decided(refused)}")
    return verdict(job.status is JobStatus.FAILED, words(job))


@probe("bedrock-not-equals")
def _not_equals(desk: Desk) -> Verdict:
    job = logged_job(desk)
    return verdict(job.status is not JobStatus.FAILED, words(job))


@probe("bedrock-log-prefix")
def _log_prefix(desk: Desk) -> Verdict:
    right = logged_job(desk)
    if right.status is JobStatus.FAILED:
        return Verdict("could not tell", f"below BedrockModelInvocationLogs too: {words(right)}")
    try:
        elsewhere = job_from_logs(desk, "elsewhere")
    except PlatformError as refused:
        return Verdict("holds", str(decided(refused)))
    return verdict(elsewhere.status is JobStatus.FAILED, f"elsewhere: {words(elsewhere)}")


# -- what a tuned job tells


@probe("bedrock-name-in-use")
def _name_in_use(desk: Desk) -> Verdict:
    done = tuned_job(desk)
    other = desk.spec(STUDENT)
    request = raw(desk, done.spec) | {"clientRequestToken": other.marker, "customModelName": orders.name_of(other)}
    refused = sent(desk, done.spec, request)
    known = ("ConflictException", "ValidationException", "ResourceInUseException")
    return verdict(codes(refused)[0] in known, str(refused or "accepted"))


@probe("bedrock-request-token")
def _request_token(desk: Desk) -> Verdict:
    done, client = tuned_job(desk), desk.backend.client("bedrock")
    try:
        again = desk.once(lambda: client.create_model_customization_job(**raw(desk, done.spec)))["jobArn"]
    except PlatformError as refused:
        return Verdict("does not hold", str(decided(refused)))
    hours = (
        (done.job.finished - done.job.created).total_seconds() / 3600 if done.job.finished and done.job.created else 0
    )
    return verdict(again == done.job.ref.id, f"sent again {hours:.1f} h after the order, answered with {again}")


@probe("bedrock-validation-steps")
def _validation_steps(desk: Desk) -> Verdict:
    outputs = outputs_of(desk, tuned_job(desk))
    training, validation = (_steps(outputs, name) for name in ("step_wise_training_metrics", "validation_metrics"))
    told = f"training steps {training[:3]}…{training[-1:]}, validation steps {validation[:3]}…{validation[-1:]}"
    if not training or not validation:
        return Verdict("could not tell", told)
    from_zero = min(validation) == 0 or max(validation) <= max(training)
    return verdict(min(training) == 0 and from_zero, told)


def _steps(outputs: Outputs, name: str) -> list[int]:
    keys = outputs.keys(re.compile(rf"{name}\.csv$"))
    return [int(float(row["step_number"])) for key in keys for row in csv.DictReader(outputs.lines(key))]


# -- what a distillation tells


@probe("bedrock-report-files")
def _report_files(desk: Desk) -> Verdict:
    done = distillation(desk)
    names = [key.rpartition("/cloudistill/")[2].partition("model-customization-job-")[2] for key in _keys(desk, done)]
    report = desk.ask(lambda: desk.backend.prompt_report(done.job.ref))
    told = f"accepted {report.accepted}, rejected {report.rejected}" if report else "nothing was read"
    return verdict(report is not None, f"{told}; {', '.join(names)}")


def _keys(desk: Desk, done: Tuned) -> list[str]:
    return outputs_of(desk, done).keys(re.compile(r"\.jsonl?$"))


@probe("bedrock-golden-answers")
def _golden_answers(desk: Desk) -> Verdict:
    answers = _sampled(desk)
    golden = sum(answer == GOLDEN for answer in answers)
    return verdict(True if golden else None, f"{golden} of {len(answers)} sampled answers are the ones that were given")


@probe("bedrock-cap-cuts")
def _cap_cuts(desk: Desk) -> Verdict:
    lengths = sorted(len(answer) for answer in _sampled(desk) if answer != GOLDEN)
    within = not lengths or lengths[-1] <= CAP * _LONGEST_WORD_PIECE
    told = f"{len(lengths)} sampled answers of at most {lengths[-1] if lengths else 0} characters, for {CAP} tokens"
    return verdict(within if lengths else None, told)


def _sampled(desk: Desk) -> list[str]:
    """The assistant's texts in whatever the distillation left."""
    done = distillation(desk)
    outputs = outputs_of(desk, done)
    lines = [line for key in _keys(desk, done) for line in outputs.lines(key)]
    return [text for line in lines for text in _assistants(line)]


def _assistants(line: str) -> list[str]:
    try:
        found: Any = json.loads(line)
        turns = found["messages"]
        return [block["text"] for turn in turns if turn["role"] == "assistant" for block in turn["content"]]
    except (ValueError, KeyError, TypeError):
        return []


@probe("bedrock-distillation-members")
def _members(desk: Desk) -> Verdict:
    done, client = distillation(desk), desk.backend.client("bedrock")
    found = desk.ask(lambda: client.get_model_customization_job(jobIdentifier=done.job.ref.id))
    epochs: Any = found.get("hyperParameters", {}).get("epochCount")
    losses: Any = found.get("validationMetrics")
    return verdict(epochs == "1" and bool(losses), f"epochCount {epochs!r} as ordered '1'; validation losses {losses}")


@probe("bedrock-legacy-teacher")
def _legacy_teacher(desk: Desk) -> Verdict:
    says = desk.ask(lambda: desk.backend.offer(TEACHER)).says
    if "LEGACY" not in says:
        return Verdict("could not tell", f"{TEACHER.id} is {says}: nothing to be seen yet")
    done = distillation(desk)
    return Verdict("holds", f"{TEACHER.id} is {says}; the distillation {done.job.native_status}")


# -- what removes


@probe("bedrock-deletion-words")
def _deletion_words(desk: Desk) -> Verdict:
    served, model, client = deployment(desk).ref, tuned_job(desk).model, desk.backend.client("bedrock")
    desk.once(lambda: client.delete_custom_model_deployment(customModelDeploymentIdentifier=served.id))
    refused = codes(
        answers(desk, served),
        desk.refusal(lambda: client.delete_custom_model_deployment(customModelDeploymentIdentifier=served.id)),
        desk.refusal(lambda: client.delete_custom_model(modelIdentifier=model.id)),
    )
    if desk.refusal(lambda: desk.backend.poll_deployment(served)):
        return Verdict("could not tell", "the deployment was gone before it could be asked for")
    told = f"Converse {refused[0]}, second deletion {refused[1]}, deletion of the model {refused[2]}"
    wanted = ["ResourceNotFoundException", "ConflictException", "ConflictException"]
    return verdict([*refused] == wanted, told)
