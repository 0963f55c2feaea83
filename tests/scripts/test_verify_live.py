"""The script against the emulated vendors: asks before it spends, settles, records, and leaves nothing behind."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudistill.backends.bedrock import BedrockBackend
from cloudistill.backends.openai import OpenAIBackend
from cloudistill.backends.vertex import VertexBackend
from cloudistill.backends.vertex.rest import Rest
from cloudistill.core.job import Job, JobSpec
from cloudistill.emulators import World
from cloudistill.emulators.server import Fault
from scripts.verify_live import desk as desks
from scripts.verify_live import listing, tuned
from scripts.verify_live.__main__ import main, total
from scripts.verify_live.desk import PROBES, Desk, Verdict

THROTTLED = {"status": 429, "headers": {"x-amzn-errortype": "ThrottlingException"}}
DENIED = {"status": 403, "headers": {"x-amzn-errortype": "AccessDeniedException"}}
ROOT = Path(__file__).parents[2]
EVERYTHING = listing.read()
NOTHING_TO_SEE = {"openai-closed-account", "bedrock-legacy-teacher", "vertex-metrics-file"}
"""What an account that may tune, a teacher that is not in Legacy, and a job without metrics cannot show."""
TOO_QUICK = {"bedrock-deletion-words", "openai-pause"}
"""What is over before it can be seen, on a clock this fast."""


@pytest.fixture
def run(vendors: World, tmp_path: Path) -> Callable[..., int]:
    """The script at the tests' pace and date, its answers in a file of this test's."""

    def run(*arguments: str, **settings: Any) -> int:
        fixed = ("--every", "0.1", "--today", "2026-11-24", "--answers", str(tmp_path / "answers.toml"))
        return main([*arguments, *fixed], **settings)

    return run


@pytest.fixture
def answers(tmp_path: Path) -> Callable[[], dict[str, listing.Answer]]:
    return lambda: listing.answers(tmp_path / "answers.toml")


@pytest.fixture(autouse=True)
def _bucket_of_our_own(vendors: World) -> None:
    """The emulated S3 is one account per process: what other rooms' tests stored there is none of ours."""
    backend = BedrockBackend()
    for found in left("bedrock")["files"]:
        backend.client("s3").delete_object(Bucket=backend.bucket, Key=found["Key"])


def left(platform: str) -> dict[str, list[Any]]:
    """What there is at a vendor that was made by somebody, as its own SDK lists it."""
    match platform:
        case "openai":
            client = OpenAIBackend().client
            owned = [model.id for model in client.models.list() if model.id.startswith("ft:")]
            return {"files": [file.id for file in client.files.list()], "models": owned}
        case "bedrock":
            backend = BedrockBackend()
            client, s3 = backend.client("bedrock"), backend.client("s3")
            return {
                "files": s3.list_objects_v2(Bucket=backend.bucket).get("Contents", []),
                "models": client.list_custom_models()["modelSummaries"],
                "deployments": client.list_custom_model_deployments()["modelDeploymentSummaries"],
            }
        case _:
            backend = VertexBackend()
            rest = Rest(backend.credentials, os.environ["GOOGLE_VERTEX_BASE_URL"], 10)
            home = f"projects/{backend.project}/locations"
            return {
                "files": [blob.name for blob in backend.storage.list_blobs(backend.bucket)],
                "models": (rest.get(f"{home}/{backend.location}/models") or {}).get("models", []),
                "endpoints": (rest.get(f"{home}/us/endpoints") or {}).get("endpoints", []),
            }


def open_jobs(world: World) -> list[str]:
    """Jobs that a vendor still works at."""
    backends: list[Any] = [OpenAIBackend(), BedrockBackend(), VertexBackend()]
    jobs: Iterator[Job] = (job for backend in backends for job in backend.list())
    return [str(job.ref) for job in jobs if not job.status.is_final]


@pytest.mark.parametrize("platform", listing.PLATFORMS)
def test_every_probe_settles_its_assumption_and_nothing_is_left(
    platform: str,
    run: Callable[..., int],
    answers: Callable[[], dict[str, listing.Answer]],
    vendors: World,
    capsys: Any,
) -> None:
    run(platform, "--yes")
    probed = {one.id for one in EVERYTHING.assumptions if one.platform == platform and not one.person}
    found = answers()
    assert set(found) == probed
    unsettled = {id_: one.evidence for id_, one in found.items() if one.verdict != "holds"}
    assert set(unsettled) <= (NOTHING_TO_SEE | TOO_QUICK), unsettled
    assert "left at" not in capsys.readouterr().err
    assert not any(left(platform).values()), left(platform)
    assert not open_jobs(vendors)


def test_the_evidence_names_no_account_project_bucket_or_key(
    run: Callable[..., int], answers: Callable[[], dict[str, listing.Answer]], vendors: World
) -> None:
    run("openai-uploads", "bedrock-both-sources", "bedrock-too-few", "--yes")
    told = " ".join(one.evidence + one.payer for one in answers().values())
    private = [vendors.environment[name] for name in vendors.environment if re.search("KEY|BUCKET|ROLE|PROJECT", name)]
    assert len(private) > 4
    assert not [word for word in [*private, "123456789012"] if word in told]


def test_nothing_is_spent_without_a_yes(
    run: Callable[..., int], vendors: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def no(question: str) -> str:
        asked.append(question)
        return ""

    def yes(_: str) -> str:
        return "y"

    before = [len(vendor.jobs) for vendor in (vendors.openai, vendors.bedrock, vendors.vertex)]
    assert run("openai", ask=no) == 1
    assert asked
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdin", (ROOT / "README.md").open("rb"))
        assert run("openai") == 1
        sys.stdin.close()
    assert run("--list") == 0
    assert before == [len(vendor.jobs) for vendor in (vendors.openai, vendors.bedrock, vendors.vertex)]
    assert run("openai-shutdown-date", ask=yes) == 0


def test_the_total_that_is_printed_is_the_sum_and_each_step_counts_once(run: Callable[..., int], capsys: Any) -> None:
    run("--list", "bedrock-name-in-use", "bedrock-request-token", "bedrock-too-many")
    rows = {row.id: row for row in (*EVERYTHING.steps, *EVERYTHING.assumptions)}
    summed = ("bedrock-job", "bedrock-name-in-use", "bedrock-request-token", "bedrock-too-many")
    low, high = total([rows[id_] for id_ in summed])
    assert high == sum(rows[id_].usd[1] for id_ in summed)
    shown = capsys.readouterr().out
    assert f"total: {low:.2f} to {math.ceil(high * 100) / 100:.2f} USD" in shown
    assert shown.count("bedrock-job: ") == 1


def test_a_platform_or_assumption_that_nobody_knows_is_wrong_usage(run: Callable[..., int], capsys: Any) -> None:
    assert run("openai-nonsense", "--list") == 2
    assert "openai-nonsense" in capsys.readouterr().err


def test_one_probe_that_breaks_does_not_stop_the_others(
    run: Callable[..., int], answers: Callable[[], dict[str, listing.Answer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_: Desk) -> Verdict:
        raise KeyError("a member that the vendor dropped")

    monkeypatch.setitem(PROBES, "openai-shutdown-date", breaks)
    assert run("openai-shutdown-date", "openai-uploads", "--yes") == 1
    assert answers()["openai-shutdown-date"].verdict == "could not tell"
    assert "dropped" in answers()["openai-shutdown-date"].evidence
    assert answers()["openai-uploads"].verdict == "holds"


@pytest.mark.parametrize("keep", [False, True])
def test_ctrl_c_removes_what_was_made_and_keep_leaves_and_names_it(
    keep: bool, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def interrupted(desk: Desk) -> Verdict:
        desk.upload([{"messages": []}])
        raise KeyboardInterrupt

    monkeypatch.setitem(PROBES, "bedrock-model-list", interrupted)
    assert run("bedrock-model-list", "--yes", *(["--keep"] if keep else [])) == 1
    assert bool(left("bedrock")["files"]) is keep
    assert ("left at bedrock: file bedrock:s3://" in capsys.readouterr().err) is keep
    for found in left("bedrock")["files"]:
        BedrockBackend().client("s3").delete_object(Bucket=BedrockBackend().bucket, Key=found["Key"])


def test_what_cannot_be_removed_is_named_and_the_rest_is_removed(run: Callable[..., int], tmp_path: Path) -> None:
    desk = Desk("openai", tmp_path, today=listing.date(2026, 11, 24), every=0.1)
    removed: list[str] = []

    def stuck() -> None:
        raise OSError("it will not go")

    desk.later("first", lambda: removed.append("first"))
    desk.later("stuck", stuck)
    desk.clean()
    (told,) = desk.left
    assert told.startswith("stuck: ")
    assert "it will not go" in told
    assert removed == ["first"]


def test_ctrl_c_while_removing_names_what_is_left_and_goes_on_to_no_other_vendor(
    run: Callable[..., int], vendors: World, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    def leaves(desk: Desk) -> Verdict:
        desk.later("first", stopped)
        desk.later("last", stopped)
        return Verdict("holds", "yes")

    monkeypatch.setitem(PROBES, "openai-shutdown-date", leaves)
    before = len(vendors.bedrock.jobs)
    assert run("openai-shutdown-date", "bedrock-cap-zero", "--yes") == 1
    told = capsys.readouterr().err
    assert [line for line in told.splitlines() if "left at" in line] == [
        "left at openai: last",
        "left at openai: first",
    ]
    assert "Interrupted" in told
    assert "bedrock-cap-zero" not in told
    assert len(vendors.bedrock.jobs) == before


@pytest.mark.parametrize(
    ("name", "request_", "fault"),
    [
        ("bedrock-cap-zero", "POST /model-customization-jobs$", {"status": 500}),
        ("bedrock-cap-zero", "POST /model-customization-jobs$", {"kind": "drop-before"}),
        ("bedrock-cap-zero", "POST /model-customization-jobs$", THROTTLED),
        ("bedrock-both-sources", "POST /model-customization-jobs$", DENIED),
        ("bedrock-log-prefix", "POST /model-customization-jobs$", THROTTLED),
        ("bedrock-too-few", "POST /model-customization-jobs$", {"status": 502, "body": b"<html>"}),
    ],
)
def test_what_is_no_decision_of_the_vendor_settles_nothing(
    name: str,
    request_: str,
    fault: dict[str, Any],
    run: Callable[..., int],
    answers: Callable[[], dict[str, listing.Answer]],
    vendors: World,
) -> None:
    vendors.bedrock.server.fail(request_, **fault, times=9)
    run(name, "--yes")
    vendors.bedrock.server.faults.clear()
    assert answers()[name].verdict == "could not tell"
    assert not open_jobs(vendors)


def test_a_job_that_somebody_else_stopped_settles_nothing(
    run: Callable[..., int],
    answers: Callable[[], dict[str, listing.Answer]],
    vendors: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stops(desk: Desk, spec: JobSpec) -> Job:
        ordered = order(desk, spec)
        desk.stop(ordered.ref)
        return ordered

    order = Desk.order
    monkeypatch.setattr(Desk, "order", stops)
    run("bedrock-tool-config", "--yes")
    assert answers()["bedrock-tool-config"].verdict == "could not tell"


def test_a_step_that_fails_is_not_paid_for_twice(
    run: Callable[..., int],
    vendors: World,
    answers: Callable[[], dict[str, listing.Answer]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(self: Desk, *_: Any, **__: Any) -> Any:
        raise desks.Unsettled("gave up waiting")

    before = len(vendors.openai.jobs)
    monkeypatch.setattr(tuned, "_until_listed", fails)
    run("openai-find-by-metadata", "openai-model-lags", "openai-delete-model", "--yes")
    assert len(vendors.openai.jobs) == before + 1
    assert {one.evidence for one in answers().values()} == {"openai-job: gave up waiting"}
    assert not open_jobs(vendors)


def test_an_order_whose_fate_is_unknown_is_looked_for_and_stopped(
    run: Callable[..., int], vendors: World, answers: Callable[[], dict[str, listing.Answer]], capsys: Any
) -> None:
    vendors.openai.server.faults.append(Fault(r"POST /v1/fine_tuning/jobs$", "drop-after"))
    run("openai-pause", "--yes")
    vendors.openai.server.faults.clear()
    assert answers()["openai-pause"].verdict == "could not tell"
    assert not open_jobs(vendors)
    assert not any(left("openai").values())


def test_a_vendor_that_is_not_set_up_is_named_before_anything_is_made(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.delenv("CLOUDISTILL_BEDROCK_BUCKET")
    assert run("bedrock-model-list", "--yes") == 1
    assert "CLOUDISTILL_BEDROCK_BUCKET" in capsys.readouterr().err


def test_what_an_emulator_says_is_not_recorded_among_the_real_answers(vendors: World, capsys: Any) -> None:
    assert main(["openai-shutdown-date", "--yes", "--today", "2026-11-24"]) == 1
    assert "--answers" in capsys.readouterr().err
    assert "127.0.0.1" not in (listing.ANSWERS.read_text("utf-8") if listing.ANSWERS.exists() else "")


def test_it_is_run_as_a_module_from_the_checkout() -> None:
    command = [sys.executable, "-m", "scripts.verify_live", "--list", "vertex"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert "vertex-job: " in shown
    assert "total: " in shown


def test_a_wait_that_is_too_long_is_given_up(tmp_path: Path, vendors: World) -> None:
    desk = Desk("openai", tmp_path, today=listing.date(2026, 11, 24), every=0.01)
    with pytest.raises(desks.Unsettled, match="gave up"):
        desk.wait(lambda: False, bool, longest=0.05)
