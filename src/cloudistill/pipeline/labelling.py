"""Where answers are missing the teacher is asked: bounded, resumable, each answer on disk as soon as it is there."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec

from cloudistill.backends.backend import Answer, Answers, Request
from cloudistill.core.errors import CloudistillError, InvalidRequest, RunConflict
from cloudistill.core.example import Example, Message
from cloudistill.core.finding import Finding
from cloudistill.core.jsonl import dump
from cloudistill.core.refs import ModelRef
from cloudistill.formats.dataset import DataRow, Dataset
from cloudistill.pipeline.progress import Event, Notify, silent
from cloudistill.pipeline.retry import Patience, ask

AT_ONCE = 4


class _Kept(msgspec.Struct):
    """One line of the answers file: which question (by digest), and what was said."""

    digest: str
    answer: Message | None = None
    refusal: str | None = None
    cut_at: int | None = None


@dataclass
class Labels:
    """The teacher's answers to one dataset, kept in `path` (mode 0600: it holds the answers' text)."""

    teacher: ModelRef
    path: Path
    kept: dict[str, _Kept] = field(default_factory=dict[str, _Kept])

    def __post_init__(self) -> None:
        if self.path.exists():
            decoder = msgspec.json.Decoder(_Kept)
            for line in self.path.read_bytes().splitlines():
                try:
                    kept = decoder.decode(line)
                except msgspec.DecodeError:
                    continue  # a line cut by a crash: that question is asked again
                self.kept[kept.digest] = kept

    def lacks(self, digest: str, max_tokens: int) -> bool:
        """Whether the question is still to be asked: never was, or was cut off at fewer tokens than allowed now."""
        kept = self.kept.get(digest)
        return kept is None or (kept.cut_at is not None and kept.cut_at < max_tokens)


class Labelled(Dataset):
    """A dataset with the teacher's answers filled in; a question without a usable answer is refused."""

    def __init__(self, asked: Dataset, labels: Labels) -> None:
        super().__init__(asked.path)
        self._asked, self._labels = asked, labels

    def rows(self) -> Iterator[DataRow]:
        """The rows, each with the answer it had or was given."""
        return map(self._answered, self._asked.rows())

    def _answered(self, row: DataRow) -> DataRow:
        if row.example is None or row.example.answer is not None:
            return row
        kept = self._labels.kept.get(_digest(row.example))
        if kept is not None and kept.answer is not None:
            return DataRow(row.line, row.example.answered_by(kept.answer), row.findings, row.file)
        why = kept.refusal if kept is not None else "the teacher has not been asked"
        finding = Finding(
            rule="teacher-gave-no-answer",
            message=f"{self._labels.teacher} gave no usable answer: {why}.",
            remedy="Write the answer yourself, or allow the loss with --drop-refused.",
            file=row.file,
            line=row.line,
        )
        return DataRow(row.line, None, (*row.findings, finding), row.file)


def label(
    dataset: Dataset,
    teacher: ModelRef,
    backend: Answers,
    path: Path,
    *,
    max_tokens: int,
    patience: Patience | None = None,
    notify: Notify = silent,
    run: str = "",
) -> Labelled:
    """Ask `teacher` for every answer that is missing and not yet in `path`.

    Four questions at once; an answer is appended and flushed before it counts, so a killed process loses at
    most the answers then in flight. A cut-off or empty answer is kept as a refusal, not as a lesson.

    Raises:
        AuthenticationFailed, PermissionDenied: the teacher may not be asked at all.
        PlatformError: the teacher cannot be reached in spite of retries; run again to go on.
    """
    labels = Labels(teacher, path)
    wanted = {_digest(example): example for example in _unanswered(dataset)}
    wanted = {digest: example for digest, example in wanted.items() if labels.lacks(digest, max_tokens)}
    if not wanted:
        return Labelled(dataset, labels)

    def answer(example: Example) -> Answer:
        asked = Example(messages=example.prompt, tools=example.tools, parallel_tool_calls=example.parallel_tool_calls)
        request = Request(example=asked, max_tokens=max_tokens)
        return ask(backend, lambda: backend.generate(teacher, request), patience)

    with _only_writer(path) as file, ThreadPoolExecutor(AT_ONCE) as pool:
        labels = Labels(teacher, path)  # another process may have asked some of them in the meantime
        wanted = {digest: example for digest, example in wanted.items() if labels.lacks(digest, max_tokens)}
        questions = iter(wanted.items())
        flying = {pool.submit(answer, example): digest for digest, example in islice(questions, AT_ONCE)}
        try:
            for done in range(1, len(wanted) + 1):
                future = _first(flying)
                _keep(file, labels, flying.pop(future), future, max_tokens)
                notify(Event(run=run, step="label", message=f"{teacher} answers", done=done, total=len(wanted)))
                for digest, example in islice(questions, 1):
                    flying[pool.submit(answer, example)] = digest
        finally:
            for future, digest in flying.items():  # stopped in the middle: what was asked is paid, so it is kept
                with suppress(CloudistillError, CancelledError):
                    _keep(file, labels, digest, future, max_tokens)
    return Labelled(dataset, labels)


@contextmanager
def _only_writer(path: Path) -> Generator[BinaryIO]:
    """The answers file, to append to, while no other process asks the same questions; a torn last line is ended.

    Raises:
        RunConflict: another process is asking them now.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunConflict(f"another process is asking the same questions ({path}): let it finish first") from error
        if file.seek(0, os.SEEK_END) and not path.read_bytes().endswith(b"\n"):
            file.write(b"\n")
        yield file


def _unanswered(dataset: Dataset) -> Iterable[Example]:
    return (row.example for row in dataset.rows() if row.example is not None and row.example.answer is None)


def _first(flying: Iterable[Future[Answer]]) -> Future[Answer]:
    return next(iter(wait(flying, return_when=FIRST_COMPLETED).done))


def _keep(file: BinaryIO, labels: Labels, digest: str, future: Future[Answer], max_tokens: int) -> None:
    try:
        answer = future.result()
    except InvalidRequest as error:
        labels.kept[digest] = _Kept(digest, refusal=str(error))  # cost nothing: the next run asks again
        return
    labels.kept[digest] = kept = _judged(digest, answer, max_tokens)
    file.write(dump(kept) + b"\n")
    file.flush()


def _judged(digest: str, answer: Answer, max_tokens: int) -> _Kept:
    if answer.cut_off:
        why = f"the answer was cut off at {max_tokens} tokens; raise teacher_max_tokens (--teacher-max-tokens)"
        return _Kept(digest, refusal=why, cut_at=max_tokens)
    if not (answer.message.content or answer.message.tool_calls):
        return _Kept(digest, refusal=f"the answer is empty ({answer.finish_reason})")
    return _Kept(digest, answer=answer.message)


def _digest(example: Example) -> str:
    """Which question: the same prompt and tools get the same answer."""
    asked = msgspec.json.encode((example.prompt, example.tools, example.parallel_tool_calls))
    return hashlib.sha256(asked).hexdigest()[:32]
