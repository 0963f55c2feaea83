"""The demo's story: one corpus, three vendors on loopback, the real SDKs, and each student asked held-out questions."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from cloudistill.backends.backend import Answer, load_sdk
from cloudistill.core.errors import PlatformError
from cloudistill.core.example import Example, Message
from cloudistill.core.refs import ModelRef
from cloudistill.demo import corpus
from cloudistill.demo.page import SampleAnswer, StudentResult, price, render, share
from cloudistill.formats.dataset import Dataset
from cloudistill.pipeline import verbs
from cloudistill.pipeline.progress import Notify
from cloudistill.pipeline.run import Run
from cloudistill.pipeline.store import Store
from cloudistill.pipeline.watching import watch
from cloudistill.platforms.platform import load

STUDENTS = (
    "openai:gpt-4.1-mini-2025-04-14",
    "bedrock:amazon.nova-micro-v1:0:128k",
    "vertex:gemini-3.1-flash-lite",
)
TEACHER = "openai:gpt-4.1-2025-04-14"
ROWS, UNANSWERED, HELD_OUT, SEED = 800, 40, 100, 7
VENDOR_SECONDS = 400.0  # per real second
NOTES = (
    (
        "Everything on this page ran on one machine, on loopback: the requests went through the vendors' own SDKs to "
        "emulators of OpenAI, Amazon Bedrock and Google Vertex AI. No account was used and nothing was paid."
    ),
    (
        "The students are small linear learners that were really fitted on the uploaded rows, and the base models are "
        "the same kind of learner untrained. The figures show that the pipeline carries lessons whole to each vendor; "
        "they say nothing about how good the vendors' models are."
    ),
    (
        f"The answers of {UNANSWERED} of the {ROWS} training rows were missing; the emulated teacher gave them from "
        "its key. Held-out questions use order numbers, addresses and core sentences that do not occur in the training "
        "rows; greetings, closing words and the phrases that stand for a choice occur in both."
    ),
)

Follow = Callable[[Sequence[Run], Iterable[Run]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the demo found, and where its page lies."""

    results: tuple[StudentResult, ...]
    page: Path

    def to_json(self) -> dict[str, Any]:
        """The figures as `--json` prints them."""
        return {"page": str(self.page), "students": [asdict(result) for result in self.results]}

    def table(self) -> Table:
        """The figures for a person."""
        grid = Table(title="Held-out questions, exactly right", title_justify="left", box=None, header_style="bold")
        for column in ("student", "vendor says", "tool right", "call right", "untuned base", "estimate", "vendor time"):
            grid.add_column(column)
        for r in self.results:
            minutes = f"{r.vendor_minutes:.0f} min" if r.vendor_minutes else "–"
            right = (share(n, r.asked) for n in (r.tool_right, r.call_right, r.base_call_right))
            cost = price(r.price_low, r.price_high)
            grid.add_row(f"{r.platform}:{r.student}", r.native_status, *right, cost, minutes)
        return grid


def tell(folder: Path, *, today: date, notify: Notify, follow: Follow) -> Story:
    """Write the corpus, distil it on all three emulated vendors, ask the students, write the page.

    Raises:
        MissingExtra: the emulators, an SDK or the report's packages are not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    emulate = load_sdk("cloudistill.emulators", extra="all").emulate
    train, key, held_out = folder / "train.jsonl", folder / "teacher-key.jsonl", folder / "held-out.jsonl"
    _write_lessons(train, key, held_out)
    (folder / "state.db").unlink(missing_ok=True)
    with (
        emulate(speed=VENDOR_SECONDS, today=today, teacher_key=key) as world,
        _environment(world.environment),
        Store(folder / "state.db") as store,
    ):
        runs = verbs.distill(
            train,
            student=list(STUDENTS),
            teacher=TEACHER,
            name="support-desk",
            wait=False,
            store=store,
            today=today,
            notify=notify,
        )
        follow(runs, watch(runs, pace=0.5))
        for run in runs:
            run.or_raise()
        lessons = [row.example for row in Dataset(held_out).rows() if row.example is not None]
        answers = {run.name: _ask(run, str(run.model), lessons) for run in runs}
        bases = {run.name: _ask(run, _base(run.student), lessons) for run in runs}
    results = tuple(_result(run, lessons, answers[run.name], bases[run.name]) for run in runs)
    page = folder / "report.html"
    title = "One support desk, distilled on three platforms"
    samples = _samples(runs, lessons, answers)
    page.write_text(render(results, title=title, notes=NOTES, samples=samples), "utf-8")
    return Story(results=results, page=page)


def _write_lessons(train: Path, key: Path, held_out: Path) -> None:
    """The training rows, some of them without an answer; the teacher's key has them all."""
    corpus.write(key, ROWS, SEED, "train")
    corpus.write(held_out, HELD_OUT, SEED, "held-out")
    rows = [json.loads(line) for line in key.read_text("utf-8").splitlines()]
    for index in range(UNANSWERED):
        rows[index] = corpus.unanswered(rows[index])
    train.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


@contextmanager
def _environment(variables: dict[str, str]) -> Generator[None]:
    """The emulators' variables for as long as they run, and nothing of the caller's accounts."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(("AWS_", "OPENAI_", "GOOGLE_", "CLOUDISTILL_"))]:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _base(student: ModelRef) -> str:
    """The untuned model as it is called."""
    model = load(student.platform).model(student.id)
    return f"{student.platform}:{(model and model.called_as) or student.id}"


def _ask(run: Run, model: str, lessons: Sequence[Example]) -> list[Answer | None]:
    def one(lesson: Example) -> Answer | None:
        try:
            return verbs.chat(
                model,
                messages=lesson.prompt,
                tools=lesson.tools,
                max_tokens=500,
                store=run.store,
                backend=run.trains(),
            )
        except PlatformError:
            return None  # no answer is a wrong answer

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(one, lessons))


def _result(
    run: Run, lessons: Sequence[Example], answers: Sequence[Answer | None], base: Sequence[Answer | None]
) -> StudentResult:
    facts, model = run.record.facts, load(run.student.platform).model(run.student.id)
    cost = facts["cost_estimate_usd"]
    return StudentResult(
        platform=run.student.platform,
        student=run.student.id,
        run=run.name,
        native_status=run.native_status or "",
        status=run.status,
        price_low=cost["low"],
        price_high=cost["high"],
        asked=len(lessons),
        tool_right=_count(lessons, answers, _tools),
        call_right=_count(lessons, answers, _calls),
        base_tool_right=_count(lessons, base, _tools),
        base_call_right=_count(lessons, base, _calls),
        vendor_minutes=_minutes(facts),
        ends=model.ends if model else None,
    )


def _minutes(facts: dict[str, Any]) -> float | None:
    if not (facts.get("job_created") and facts.get("job_finished")):
        return None
    took = datetime.fromisoformat(facts["job_finished"]) - datetime.fromisoformat(facts["job_created"])
    return took.total_seconds() / 60


Reading = Callable[[Message], list[str]]


def _count(lessons: Sequence[Example], answers: Sequence[Answer | None], read: Reading) -> int:
    return sum(_right(lesson, answer, read) for lesson, answer in zip(lessons, answers, strict=True))


def _right(lesson: Example, answer: Answer | None, read: Reading) -> bool:
    assert lesson.answer is not None  # noqa: S101 - held-out rows are answered
    return answer is not None and read(answer.message) == read(lesson.answer)


def _tools(message: Message) -> list[str]:
    return sorted(call.name for call in message.tool_calls)


def _calls(message: Message) -> list[str]:
    return sorted(f"{call.name}({json.dumps(call.arguments, sort_keys=True)})" for call in message.tool_calls)


def _samples(
    runs: Sequence[Run], lessons: Sequence[Example], answers: dict[str, list[Answer | None]]
) -> list[SampleAnswer]:
    """A few questions on which the students differ, or the first few where they agree on everything."""

    def verdicts(index: int) -> set[bool]:
        return {_right(lessons[index], answers[run.name][index], _calls) for run in runs}

    order = sorted(range(len(lessons)), key=lambda index: (-len(verdicts(index)), index))
    return [_sample(lessons[index], {run: answers[run.name][index] for run in runs}) for index in order[:6]]


def _sample(lesson: Example, said: dict[Any, Answer | None]) -> SampleAnswer:
    assert lesson.answer is not None  # noqa: S101 - held-out rows are answered
    asked = [message.content or "" for message in lesson.prompt if message.role == "user"]
    return SampleAnswer(
        question=" / ".join(asked),
        expected=_shown(lesson.answer),
        answers={run.student.id: _shown(answer.message) if answer else "no answer" for run, answer in said.items()},
        right=frozenset(run.student.id for run, answer in said.items() if _right(lesson, answer, _calls)),
    )


def _shown(message: Message) -> str:
    return "; ".join(_calls(message)) or (message.content or "")
