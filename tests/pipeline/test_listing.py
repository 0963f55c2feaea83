"""Runs and vendors' jobs in one order: merged, filtered, read only as far as asked, and no vendor hides another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

import pytest

from cloudistill import Job, JobStatus, RunStatus, Store, errors, jobs
from cloudistill.core.refs import JobRef
from cloudistill.pipeline.retry import Patience
from tests.conftest import STUDENTS

from . import acme


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state.db") as store:
        yield store


def account(platform: str, hours: list[int], status: JobStatus = JobStatus.RUNNING) -> acme.Vendor:
    """A vendor with a job begun so many hours after another."""
    vendor = acme.Vendor(platform=platform)
    for hour in hours:
        ref = JobRef(platform, f"job-{hour}")
        began = acme.BEGAN + timedelta(hours=hour)
        vendor.jobs[ref.id] = Job(ref=ref, status=status, native_status=str(status), created=began)
    return vendor


def refs(found: Iterator[Job] | list[Job]) -> list[str]:
    return [str(job.ref) for job in found]


def test_jobs_of_several_vendors_stand_in_one_order_newest_first(store: Store) -> None:
    both = [account("openai", [1, 4]), account("bedrock", [2, 3])]
    listed = jobs(at=["openai", "bedrock"], backends=both, store=store)
    assert refs(list(listed)) == ["openai:job-4", "bedrock:job-3", "bedrock:job-2", "openai:job-1"]


def test_a_list_is_read_no_further_than_it_is_asked_for(store: Store) -> None:
    openai = account("openai", list(range(1, 50)))
    assert len(list(jobs(at="openai", backends=[openai], store=store, limit=3))) == 3
    assert len(openai.asked) <= 4
    openai.asked.clear()
    assert len(list(islice(jobs(at="openai", backends=[openai], store=store), 2))) == 2
    assert len(openai.asked) <= 3


def test_the_next_page_begins_after_the_last_job_of_this_one(store: Store) -> None:
    both = [account("openai", [1, 4]), account("bedrock", [2, 3])]

    def page(after: str | None) -> list[str]:
        return refs(list(jobs(at=["openai", "bedrock"], backends=both, store=store, limit=3, after=after)))

    assert page(page(None)[-1]) == ["openai:job-1"]
    with pytest.raises(errors.UsageError, match="none of the jobs"):
        page("openai:job-99")


def test_jobs_are_picked_by_status_and_by_day(store: Store) -> None:
    done = account("openai", [1, 15], JobStatus.SUCCEEDED)  # the second at midnight
    both = [done, account("bedrock", [2, 40])]
    at = ["openai", "bedrock"]
    assert refs(list(jobs(at=at, backends=both, store=store, status="succeeded"))) == ["openai:job-15", "openai:job-1"]
    since = jobs(at=at, backends=both, store=store, since=date(2026, 11, 25))
    assert refs(list(since)) == ["bedrock:job-40", "openai:job-15"]


def test_one_vendors_trouble_hides_no_others_jobs(store: Store) -> None:
    broken = account("openai", [1])
    broken.troubles = [errors.PermissionDenied("not yours", platform="openai")]
    listed = jobs(at=["openai", "bedrock"], backends=[broken, account("bedrock", [2])], store=store)
    assert refs(list(listed)) == ["bedrock:job-2"]
    assert list(listed.troubles) == ["openai"]


def test_a_page_that_failed_is_asked_for_again_and_no_job_comes_twice(store: Store) -> None:
    openai = account("openai", [1, 2, 3])
    listed = jobs(at="openai", backends=[openai], store=store)
    listed.patience = Patience(sleep=lambda _seconds: None)
    found = iter(listed)
    first = next(found)
    openai.troubles = [errors.ServiceTrouble("reset", platform="openai")]
    assert refs([first, *found]) == ["openai:job-3", "openai:job-2", "openai:job-1"]
    assert listed.troubles == {}


def test_a_job_that_was_ordered_here_names_its_run(store: Store) -> None:
    order = {"student": STUDENTS["openai"]}
    store.add("mine", status=RunStatus.WAITING, payer="p", order=order, facts={"job": "openai:job-1"})
    listed = jobs(at="openai", backends=[account("openai", [1, 2])], store=store)
    assert [listed.runs.get(job.ref) for job in listed] == [None, "mine"]


def test_an_unknown_platform_or_status_is_wrong_usage(store: Store) -> None:
    with pytest.raises(errors.UsageError, match="installed here"):
        jobs(at="azure", store=store)
    with pytest.raises(errors.UsageError, match="succeeded"):
        jobs(at="openai", status="done", store=store)
    with pytest.raises(errors.UsageError, match="ready"):
        jobs(status="succeeded", store=store)


def test_recorded_runs_are_picked_the_same_way(store: Store) -> None:
    for name, status in (("a", RunStatus.READY), ("b", RunStatus.WAITING), ("c", RunStatus.READY)):
        store.add(name, status=status, payer="p", order={"student": STUDENTS["openai"]}, facts={})
    assert [run.name for run in jobs(store=store)] == ["c", "b", "a"]
    assert [run.name for run in jobs(store=store, status="ready")] == ["c", "a"]
    assert [run.name for run in jobs(store=store, after="c", limit=1)] == ["b"]
    assert jobs(store=store, since=date(2100, 1, 1)) == []
    with pytest.raises(errors.UsageError, match="no run is called"):
        jobs(store=store, after="zzz")


class Oracle(acme.Backend):
    """A platform that does not train."""

    platform = "oracle"


def test_everywhere_means_where_something_is_trained(store: Store) -> None:
    backends = [account(name, [1]) for name in ("openai", "bedrock", "vertex")]
    everywhere = jobs(at="all", backends=[*backends, Oracle()], store=store)
    assert len(list(everywhere)) == 3
    assert everywhere.troubles == {}
    named = jobs(at=["oracle", "openai"], backends=[*backends, Oracle()], store=store)
    assert len(list(named)) == 1
    assert "does not train" in str(named.troubles["oracle"])


def test_the_last_page_of_a_vendor_in_trouble_is_not_called_unknown(store: Store) -> None:
    broken = account("openai", [1, 2])
    broken.troubles = [errors.PermissionDenied("not yours", platform="openai")]
    listed = jobs(at=["openai", "bedrock"], backends=[broken, account("bedrock", [3])], store=store)
    listed.after = JobRef.parse("openai:job-2")
    with pytest.raises(errors.PermissionDenied, match="not yours"):
        list(listed)
