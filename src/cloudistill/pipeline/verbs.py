"""The public verbs: what `import cloudistill` offers, each a thin door to the room that does the work."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypedDict, Unpack, overload

from cloudistill.backends.backend import Answer, Answers, Backend, Request
from cloudistill.core.errors import BudgetExceeded, CloudistillError, RunConflict, UsageError
from cloudistill.core.example import Example, Message, Tool
from cloudistill.core.job import JobSpec, Logs, Method, RunStatus, Vpc
from cloudistill.core.refs import ModelRef
from cloudistill.formats import registry
from cloudistill.formats.dataset import Conversion, Dataset
from cloudistill.formats.dataset import convert as convert_rows
from cloudistill.pipeline import checking, distilling, listing, preparing, vetting, watching
from cloudistill.pipeline import spec as specs
from cloudistill.pipeline.listing import Jobs
from cloudistill.pipeline.moving import submit_order
from cloudistill.pipeline.ordering import Doubt
from cloudistill.pipeline.progress import Notify, silent
from cloudistill.pipeline.questions import asked, offered, trained_as
from cloudistill.pipeline.recipe import Choice, Recipe
from cloudistill.pipeline.retry import Patience, ask, once
from cloudistill.pipeline.run import Run
from cloudistill.pipeline.settings import connected
from cloudistill.pipeline.store import Store

Ref = str | ModelRef


class Options(TypedDict, total=False):
    """The keyword arguments of `distill`: its own, then those of `Recipe`."""

    name: str | None
    wait: bool
    timeout: float | None
    pace: float | None
    again: bool
    force_new: bool
    resubmit_after: float
    store: Store | None
    today: date | None
    notify: Notify
    confirm: preparing.Confirm | None
    backends: Sequence[Backend]
    teacher: Ref | None
    method: Choice
    logs: Logs | None
    rendering: str | None
    validation: str | Path | None
    drop_refused: int
    allow_hourly: bool
    budget: float | None
    price: float | None
    teacher_max_tokens: int | None
    hyperparameters: Mapping[str, int | float | str]
    native: Mapping[str, Any]
    seed: int | None
    suffix: str | None
    tags: Mapping[str, str]
    kms_key: str | None
    vpc: Vpc | None
    service_account: str | None


@overload
def distill(data: str | Path | None = None, *, student: Ref, **options: Unpack[Options]) -> Run: ...
@overload
def distill(data: str | Path | None = None, *, student: Sequence[Ref], **options: Unpack[Options]) -> list[Run]: ...
def distill(
    data: str | Path | None = None,
    *,
    student: Ref | Sequence[Ref],
    name: str | None = None,
    wait: bool = True,
    timeout: float | None = None,
    pace: float | None = None,
    again: bool = False,
    force_new: bool = False,
    resubmit_after: float = 600.0,
    store: Store | None = None,
    today: date | None = None,
    notify: Notify = silent,
    confirm: preparing.Confirm | None = None,
    backends: Sequence[Backend] = (),
    **recipe: Any,
) -> Run | list[Run]:
    """Distil a teacher's answers into a student; the whole story, resumable, and never paid twice.

    Args:
        data: JSON Lines in any of the three vendors' spellings; None where `logs` are the source.
        student: `platform:model`, or several of them; several give a list of runs in the same order.
        name: the run's name, by default the data's and the student's; the same name and content again resumes.
        wait: follow the job until the student can be called. Without it, the runs of several students are given as
            they are, an `error` on each that has one.
        timeout: seconds to wait; then StillRunning is raised and the job goes on.
        pace: seconds between two looks; by default each platform's own.
        again: pay for another attempt after a failed or cancelled one.
        force_new: pay for another job under this name whatever became of the last.
        resubmit_after: seconds of not finding a doubtful order after which it is sent again.
        store: where runs are recorded, by default `.cloudistill/state.db` or CLOUDISTILL_STATE.
        today: the date by which models have ended or not.
        notify: is told what happens.
        confirm: is shown the estimate before the first paid call, and may say no.
        backends: ready ones (with your own client, session or credentials), used instead of connecting anew.
        recipe: everything in `Recipe`: teacher, method, logs, budget, price, hyperparameters, drop_refused, tags, …

    Raises:
        Refused: before anything was sent (data, model, setup, budget, another run's name).
        PlatformError: the vendor refused, or could not be reached in spite of retries.
        JobFailed, StillRunning, OutcomeUnknown: as their names say.
    """
    several = not isinstance(student, str | ModelRef)
    students = [ModelRef.parse(ref) for ref in (student if several else [student])]
    setting = preparing.Setting(
        store=store or Store(),
        today=today or datetime.now(UTC).date(),
        doubt=Doubt(resubmit_after=resubmit_after),
        notify=notify,
        again=again,
        force_new=force_new,
        confirm=confirm,
        backends={backend.platform: backend for backend in backends},
    )
    asked = Recipe.of(**recipe)
    names = run_names(name, students, setting.store)
    prepared = [
        distilling.prepare(data, ref, run_name, asked, setting) for ref, run_name in zip(students, names, strict=True)
    ]
    _require_common_budget(prepared, asked.budget)
    runs = [distilling.begin(order, setting) for order in prepared]
    for run, order in zip(runs, prepared, strict=True):
        _carry_out(run, order, setting)
    if not several:
        runs[0].or_raise()
    if wait:
        watching.follow([run for run in runs if run.error is None], timeout=timeout, pace=pace)
        runs = [run.or_raise() for run in runs]
    return runs if several else runs[0]


def _require_common_budget(orders: Sequence[distilling.Prepared], budget: float | None) -> None:
    """Hold the students' costs together against the budget, before any of them is ordered."""
    together = sum(order.cost for order in orders)
    if budget is not None and together > budget:
        raise BudgetExceeded(f"the students together may cost {together:.2f} USD, above the budget of {budget:.2f}")


def _carry_out(run: Run, order: distilling.Prepared, setting: preparing.Setting) -> None:
    """Order it, or keep the error on the run: one vendor's refusal does not stop the other students."""
    try:
        distilling.carry_out(run, order, setting)
    except CloudistillError as error:
        run.error = error


def run_names(name: str | None, students: Sequence[ModelRef], store: Store) -> list[str | None]:
    """One name per student: the given one for a single student, or for the one it was given to before; else with the
    student's own words behind it."""
    if len(set(students)) != len(students):
        raise UsageError("a student is named twice: give each one once")
    if name is None or len(students) == 1:
        return [name] * len(students)
    known = store.find(name)
    first = known.order["student"] if known else None
    return [name if str(ref) == first else preparing.default_name(name, ref) for ref in students]


def check(
    data: str | Path,
    *,
    student: Ref,
    teacher: Ref | None = None,
    method: Method = "sft",
    allow_hourly: bool = False,
    rendering: str | None = None,
    today: date | None = None,
    ask_service: bool = False,
) -> checking.Check:
    """Every broken rule of a dataset for a student, with line and remedy; nothing is sent.

    With a `teacher`, rows without an answer are fine; with the method `native` they are held against the pair's rules.
    With `ask_service` the vendor's service is asked, free of charge, whether it still has the student.
    """
    ref = ModelRef.parse(student)
    return vetting.check_data(
        Dataset(Path(data)),
        ref,
        Recipe.of(teacher=teacher, method=method, allow_hourly=allow_hourly, rendering=rendering),
        today or datetime.now(UTC).date(),
        connected(ref.platform) if ask_service else None,
    )


def convert(data: str | Path, *, to: str, out: str | Path, rendering: str | None = None) -> Conversion:
    """Spell a dataset in another format. Rows that cannot be carried are findings; the rest keep their order.

    `out` is replaced at once when the last row is written, never left half written.

    Raises:
        UsageError: an unknown format, or a file that cannot be read or written.
    """
    target, dataset = Path(out).resolve(), Dataset(Path(data))
    spelling = registry.get(to, rendering)
    if target.exists() and not target.is_file():
        raise UsageError(f"{str(target)!r} is not a file that can be replaced: name one")
    try:
        descriptor, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise UsageError(f"{str(target)!r} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            conversion = convert_rows(dataset, spelling, file)
        Path(draft).chmod(0o666 & ~_umask())
        Path(draft).replace(target)
    finally:
        Path(draft).unlink(missing_ok=True)
    return conversion


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def chat(
    model: Ref,
    text: str | None = None,
    *,
    system: str | None = None,
    messages: Sequence[Message | Mapping[str, Any]] = (),
    tools: Sequence[Tool | Mapping[str, Any]] = (),
    parallel_tool_calls: bool | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    rendering: str | None = None,
    store: Store | None = None,
    backend: Backend | None = None,
    patience: Patience | None = None,
) -> Answer:
    """One call to any model of any platform; a student is called as it was trained.

    Args:
        model: `platform:model`, as `Run.model` gives it.
        text: the last user message, after `messages`.
        system: a system message before everything else.
        messages, tools: ours, or OpenAI-shaped dictionaries.
        parallel_tool_calls: False allows at most one call.
        max_tokens: the answer's limit.
        temperature: as the vendor takes it; a value the vendor does not take is refused.
        rendering: how the student was trained to see tools, where neither run store nor vendor's tags say it.
        store: where to look how the student was trained.
        backend: a ready one; many questions are asked faster by one backend, from as many threads as you like.
        patience: how long to repeat a call that may be repeated.

    Raises:
        UsageError: nothing is asked, or a message or tool is malformed.
        PlatformError: the vendor refused or failed.
    """
    ref = ModelRef.parse(model)
    backend = backend or connected(ref.platform)
    if not isinstance(backend, Answers):
        raise UsageError(f"the platform {ref.platform!r} does not answer questions")
    conversation, on_offer = asked(text, system, messages), offered(tools)
    if rendering is None and (on_offer or any(message.tool_calls for message in conversation)):
        rendering = trained_as(ref, backend, store)
    request = Request(
        example=Example(messages=tuple(conversation), tools=tuple(on_offer), parallel_tool_calls=parallel_tool_calls),
        max_tokens=max_tokens,
        temperature=temperature,
        rendering=rendering,
    )
    return ask(backend, lambda: backend.generate(ref, request), patience)


def submit(spec: JobSpec, *, store: Store | None = None, doubt: Doubt | None = None) -> Run:
    """Place a complete order under the run `spec.run`; placed before, it is found and not paid again.

    Raises:
        ModelUnavailable: of the method native, and the vendor distils this pair no more today, or never did.
        RunConflict: the run exists with another order or payer.
        PlatformError, OutcomeUnknown: as their names say.
    """
    store = store or Store()
    backend = connected(spec.student.platform)
    order = specs.to_json(spec) | {"marker": None}
    record = store.find(spec.run)
    if spec.method == "native" and not (record and Run(store, record).is_ordered()):
        _require_pair(spec, backend)
    if record is None:
        payer = once(backend, backend.payer)
        record = store.add(spec.run, status=RunStatus.PLANNED, payer=payer, order=order, facts={})
    run = Run(store, record, backend, doubt or Doubt())
    run.trains()
    if specs.said(record.order) != specs.said(order):
        raise RunConflict(f"run {spec.run!r} exists with another order: give the spec another run name")
    if run.job is None:
        submit_order(run, spec if spec.marker else specs.marked(spec, run.record.attempt))
    return run


def _require_pair(spec: JobSpec, backend: Backend) -> None:
    recipe = Recipe.of(method=spec.method, teacher=spec.teacher, logs=spec.logs)
    vetting.check_pair(recipe, spec.student, backend, datetime.now(UTC).date())


def get(name: str, *, store: Store | None = None) -> Run:
    """The run of that name.

    Raises:
        UsageError: there is none.
    """
    store = store or Store()
    return Run(store, store.get(name))


class Filters(TypedDict, total=False):
    """What `jobs` may be narrowed to."""

    status: str | None
    since: date | None
    limit: int | None
    after: str | None
    store: Store | None


@overload
def jobs(*, at: None = None, **filters: Unpack[Filters]) -> list[Run]: ...
@overload
def jobs(*, at: str | Sequence[str], backends: Sequence[Backend] = (), **filters: Unpack[Filters]) -> Jobs: ...
def jobs(
    *,
    at: str | Sequence[str] | None = None,
    status: str | None = None,
    since: date | None = None,
    limit: int | None = None,
    after: str | None = None,
    backends: Sequence[Backend] = (),
    store: Store | None = None,
) -> list[Run] | Jobs:
    """The recorded runs of every platform, newest first; with `at`, the tuning jobs of the accounts themselves.

    Args:
        at: platforms whose accounts are asked, or `all`. Their jobs come merged, one by one, page by page.
        status: a word of `RunStatus`, or with `at` of `JobStatus`.
        since: the first day of what is wanted, UTC.
        limit: how many at the most.
        after: what stands before the first that is wanted: a run's name, or with `at` a job's reference.
        backends: ready ones, used instead of connecting anew.
        store: where runs are recorded.

    Raises:
        UsageError: no such platform, status, run or job.
    """
    store = store or Store()
    if at is None:
        return listing.recorded(store, status=status, since=since, limit=limit, after=after)
    named = [at] if isinstance(at, str) else at
    return listing.at_vendors(named, store, status=status, since=since, limit=limit, after=after, backends=backends)


def watch(
    runs: Sequence[Run | str], *, timeout: float | None = None, pace: float | None = None, store: Store | None = None
) -> Iterator[Run]:
    """Follow runs of any platforms together, yielding one after each look at it, until all are final."""
    handles = [run if isinstance(run, Run) else get(run, store=store) for run in runs]
    return watching.watch(handles, timeout=timeout, pace=pace)
