"""What an author tells the suite about a vendor: the backend, the vendor's clock and store, its words, and the wire."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Protocol

from cloudistill.core.errors import PlatformError
from cloudistill.core.refs import FileRef, JobRef, ModelRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer as a vendor would write it."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict[str, str])


class Wire(Protocol):
    """What lies between the backend and the emulated vendor's job API; `cloudistill.emulators.server.Server` is one."""

    requests: list[str]
    """Every request so far, as `METHOD /path`."""

    def fail(self, pattern: str, **fault: Any) -> None:
        """Script a fault for the next request that matches the regular expression `pattern`.

        `kind` is `refuse`, the default (answer `status`, `headers`, `body` and do nothing), `drop-before` or
        `drop-after` (close the connection before or after the request is processed) or `html` (process it, answer
        200 with an HTML page). `times` says how often, once by default. What is left of it when a test ends is for the
        fixture of the subject to forget.
        """
        ...


class Subject(ABC):
    """A vendor under test, emulated. Every test may find jobs and files of other tests in it.

    Attributes:
        backend: your backend, already pointing at the emulated vendor.
        student: a model that can be tuned there.
        secret: the key in use; it must show nowhere. Empty where there is none.
        wire: what counts requests and plays faults.
        page: how many jobs the vendor puts on one page of its list.
        measures: whether the vendor tells what it measured step by step, for `ReportsPromises`.
        pair: teacher and student that the vendor itself distils, for `DistilsPromises`.
    """

    backend: Any
    student: ModelRef
    secret: str
    wire: Wire
    page: int = 100
    measures: bool = True
    pair: tuple[ModelRef, ModelRef] | None = None

    @abstractmethod
    def advance(self, seconds: float) -> None:
        """Let time pass at the vendor."""

    @abstractmethod
    def stored(self, ref: FileRef) -> bytes | None:
        """The bytes of an uploaded file as the vendor has them; None where it has none."""

    @abstractmethod
    def says(self, kind: type[PlatformError], words: str) -> Said:
        """How the vendor says `words` in an answer that means `kind`: its own error object, with its own code."""

    @abstractmethod
    def job_answer(self, ref: JobRef, word: str, *, model: bool = True) -> dict[str, Any]:
        """The vendor's own object for a job of that id, with `word` as its status, and a trained model if `model`."""

    @abstractmethod
    def elsewhere(self, url: str) -> Any:
        """The backend with the same settings, but for the vendor's address."""
