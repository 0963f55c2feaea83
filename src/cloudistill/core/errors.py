"""Everything that can go wrong, as one tree; the number is the command line's exit code.

CloudistillError
├── UsageError                    2  a flag, name or file that makes no sense
├── Refused                       3  nothing was sent; the way out is in the message
│   ├── InvalidDataset               rows that break a rule; carries the findings
│   ├── ModelUnavailable             past its end date, unknown, or cannot do what is asked
│   ├── BudgetExceeded               the estimate is above --budget, or no price is known
│   ├── MissingExtra                 a package is missing; the message is the line that installs it
│   ├── MissingSetup                 credentials, bucket, role, project or location missing or wrong
│   └── RunConflict                  the name is taken by other content, or by another payer
├── PlatformError                 4  the vendor answered, or failed to
│   ├── AuthenticationFailed         the credentials are refused
│   ├── PermissionDenied             the credentials are good and not allowed to
│   ├── NotFound                     the vendor does not know the thing
│   ├── NameConflict                 the name is in use at the vendor
│   ├── InvalidRequest               the vendor refused what was asked
│   ├── QuotaExceeded                an account limit, not a passing one
│   ├── RateLimited                  ask again after `retry_after` seconds        (retryable)
│   ├── ServiceTrouble               5xx, time-out, connection lost               (retryable)
│   └── UnusableAnswer               an answer that is not what was promised      (retryable)
├── JobFailed                     5  the vendor's job failed or was cancelled
├── StillRunning                  6  a time limit or Ctrl-C; the job goes on
└── OutcomeUnknown                7  a paid order may or may not have arrived
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

from cloudistill.core.finding import Finding

Outcome = Literal["refused", "not-sent", "maybe"]


class CloudistillError(Exception):
    """The root of the tree. `str` is fit for a person: it names the thing, the rule and the way out."""

    exit_code: ClassVar[int] = 4
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.__dict__.update(facts)

    def __reduce__(self) -> tuple[Callable[..., CloudistillError], tuple[Any, ...]]:
        return _rebuild, (type(self), self.message, {k: v for k, v in self.__dict__.items() if k != "message"})


def _rebuild(kind: type[CloudistillError], message: str, facts: dict[str, Any]) -> CloudistillError:
    error = kind.__new__(kind, message)
    error.message = message
    error.__dict__.update(facts)
    return error


class UsageError(CloudistillError):
    """A flag, name or file that makes no sense."""

    exit_code = 2


class Refused(CloudistillError):
    """We refuse before anything is sent. `findings` lists the broken rules, if rules were broken."""

    exit_code = 3

    def __init__(self, message: str, findings: Sequence[Finding] = (), **facts: Any) -> None:
        super().__init__(message, **facts)
        self.findings = tuple(findings)


class InvalidDataset(Refused):
    """Rows break rules; `findings` says which, where, and the way out."""


class ModelUnavailable(Refused):
    """The model is unknown, past its end date, or cannot do what is asked of it."""


class BudgetExceeded(Refused):
    """The estimate is above the budget, or a budget was given and no price is known."""


class MissingExtra(Refused):
    """A package is not installed; the message holds the line that installs it."""


class MissingSetup(Refused):
    """Credentials, a bucket, a role, a project or a location is missing or does not fit."""


class RunConflict(Refused):
    """The run's name is taken by other content, or its payer is another."""


class PlatformError(CloudistillError):
    """A vendor's refusal or failure.

    Attributes:
        platform: which platform was asked.
        code: the vendor's own error code, verbatim, or None.
        status: the HTTP status, or None if no answer came.
        request_id: the vendor's id of the request, for its support.
        retry_after: seconds the vendor asks us to wait, or None.
        outcome: for a request that creates something: `refused` and `not-sent` created nothing,
            `maybe` must be settled by looking.
    """

    def __init__(
        self,
        message: str,
        *,
        platform: str,
        code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        outcome: Outcome = "maybe",
    ) -> None:
        super().__init__(message)
        self.platform = platform
        self.code = code
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        self.outcome: Outcome = outcome


class AuthenticationFailed(PlatformError):
    """The vendor does not accept the credentials."""


class PermissionDenied(PlatformError):
    """The credentials are good, but not allowed to do this."""


class NotFound(PlatformError):
    """The vendor does not know the thing asked for."""


class NameConflict(PlatformError):
    """The name is already in use at the vendor."""


class InvalidRequest(PlatformError):
    """The vendor refused what was asked."""


class QuotaExceeded(PlatformError):
    """An account limit that waiting a moment does not lift."""


class RateLimited(PlatformError):
    """Too many requests: ask again later."""

    retryable = True


class ServiceTrouble(PlatformError):
    """No answer, or one that says the trouble is the vendor's and passing."""

    retryable = True


class UnusableAnswer(PlatformError):
    """A success whose body is not what was promised (truncated, HTML, empty, no id)."""

    retryable = True


class JobFailed(CloudistillError):
    """The vendor's job failed or was cancelled; nothing more will come of it."""

    exit_code = 5


class StillRunning(CloudistillError):
    """We stopped waiting; the vendor's job goes on."""

    exit_code = 6


class OutcomeUnknown(CloudistillError):
    """A paid order may or may not have arrived, and looking did not settle it."""

    exit_code = 7
