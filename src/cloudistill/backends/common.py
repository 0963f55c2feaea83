"""What the backends share: setup named when it is missing, orders checked before sending, answers named by status."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from cloudistill.core.errors import (
    AuthenticationFailed,
    InvalidRequest,
    MissingSetup,
    NotFound,
    Outcome,
    PermissionDenied,
    PlatformError,
    RateLimited,
    Refused,
    ServiceTrouble,
    UnusableAnswer,
    UsageError,
)
from cloudistill.core.finding import Finding
from cloudistill.core.job import Checkpoint, JobSpec, StepMetrics
from cloudistill.core.refs import ModelRef
from cloudistill.formats.format import CannotCarry
from cloudistill.platforms.hyperparameter import Value
from cloudistill.platforms.platform import Limits, Pair, Platform, load

MARKER, RUN, RENDERING = "cloudistill-marker", "cloudistill-run", "cloudistill-rendering"
# aliases, because in the class of a backend its verb hides the type `list`
Findings = list[Finding]
"""What `preflight` returns."""
Metrics = list[StepMetrics]
"""What `metrics` returns."""
Kept = list[Checkpoint]
"""What `checkpoints` returns."""

Cause = tuple[tuple[type[Exception], ...], type[PlatformError], Outcome]
"""Exceptions of an SDK, the error of ours that they are, and what that leaves of a create."""

_OF_NATIVE = ("logs", "teacher_max_tokens", "teacher")
_SHOWN = 500


def missing(rule: str, message: str, remedy: str) -> MissingSetup:
    """The refusal, before anything is sent, for setup that is missing or does not fit; it carries its Finding."""
    return MissingSetup(f"{message} {remedy}", [Finding(rule=rule, message=message, remedy=remedy)])


def setting(given: str | None, variable: str, *, rule: str, message: str, remedy: str) -> str:
    """What was given, else what the environment's `variable` says, else a refusal."""
    value = given or os.environ.get(variable)
    if not value:
        raise missing(rule, message, remedy)
    return value


def checked_secret(secret: str, name: str) -> str:
    """`secret`, unless an SDK would choke on it and show it in its exception."""
    if secret.isascii() and secret.isprintable() and " " not in secret:
        return secret
    raise missing(
        "malformed-credentials",
        f"{name} holds white space, control or non-ASCII characters, so it is not a key.",
        "Copy it again without the line end.",
    )


def require_secure(url: str, name: str) -> str:
    """`url`, unless a key would travel to another machine in the clear."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname in {"127.0.0.1", "localhost", "::1"}:
        return url
    raise missing(
        "insecure-endpoint",
        f"{name} is {parts.scheme}://{parts.hostname}, which would carry keys and data in the clear.",
        "Use https; plain http is for this machine alone.",
    )


def host_of(url: str) -> str:
    """Host and port of a URL, without the credentials that may stand before them."""
    return urlsplit(url).netloc.rpartition("@")[2]


def probe(backend: Any, call: Callable[[], Any], rules: Mapping[type[PlatformError], tuple[str, str]]) -> Findings:
    """No finding if `call` works, else one: the rule and remedy of the first type in `rules` that fits.

    What is missing here speaks for itself; what fits nothing is `unreachable`.
    """
    try:
        call()
    except Refused as error:
        return list(error.findings) or [Finding(rule="missing-extra", message=str(error), remedy="")]
    except Exception as error:
        named: PlatformError = error if isinstance(error, PlatformError) else backend.classify(error)
        for kind, (rule, remedy) in rules.items():
            if isinstance(named, kind):
                return [Finding(rule=rule, message=str(named), remedy=remedy)]
        return [
            Finding(rule="unreachable", message=str(named), remedy="Check endpoint, proxy and network, then try again.")
        ]
    return []


def require_tuned_in(place: str, student: ModelRef, *, kind: str, remedy: str) -> None:
    """Refuse a student that is not tuned in `place`; `remedy` holds `{place}` for one where it is."""
    model = load(student.platform).model(student.id)
    if model and model.regions and place not in model.regions:
        message = f"{student.id} is not tuned in the {kind} {place}, only in {', '.join(model.regions)}."
        raise missing("student-not-in-region", message, remedy.format(place=model.regions[0]))


# -- orders


def refuse_members(spec: JobSpec, *members: str) -> None:
    """Refuse what the platform has no place for, and what goes with the method native alone.

    An order is carried whole or not at all.
    """
    for member in (*members, *(_OF_NATIVE if spec.method == "sft" else ())):
        if getattr(spec, member) not in (None, "", {}, ()):
            raise UsageError(
                f"{spec.student.platform} takes no {member} with an order of the method {spec.method}: "
                "leave it out of this student's order"
            )


def native_pair(spec: JobSpec) -> Pair:
    """The facts about teacher and student together; whether the pair is still live is for who knows the date.

    Raises:
        UsageError: no teacher is named, or the vendor never distilled it into the student.
    """
    vendor, teacher, student = load(spec.student.platform), spec.teacher, spec.student
    if teacher is None:
        raise UsageError(f"the method native needs a teacher for {student}: name one that {vendor.title} runs itself")
    pair = vendor.pair(teacher.id, student.id) if teacher.platform == student.platform else None
    if pair is None:
        known = [pair for pair in vendor.pairs if pair.student == student.id]
        named = ", ".join(f"{pair.teacher} (until {pair.ended})" if pair.ended else pair.teacher for pair in known)
        raise UsageError(
            f"{vendor.title} does not distil {teacher} into {student.id}; "
            f"its teachers for that: {named or 'none'}. Or use the method sft, which learns from any teacher's answers."
        )
    return pair


def training_file(spec: JobSpec) -> str:
    """The vendor's id of the file to train on.

    Raises:
        UsageError: the order names none.
    """
    if spec.training is None:
        raise UsageError(f"the order of run {spec.run!r} names no training file")
    return spec.training.id


def hyperparameters(spec: JobSpec) -> dict[str, Value]:
    """The order's hyperparameters by their native names, spelled as the vendor wants them.

    Raises:
        UsageError: the model takes none of that name, or not that value.
    """
    model = load(spec.student.platform).model(spec.student.id)
    known = model.hyperparameters if model else {}
    for name in spec.hyperparameters:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none that is known here"
            raise UsageError(f"{spec.student} takes no hyperparameter {name!r}; it takes {listed}")
    return {known[name].native: known[name].spell(value) for name, value in spec.hyperparameters.items()}


def native_members(spec: JobSpec, legal: Iterable[str], ours: Iterable[str]) -> dict[str, Any]:
    """The order's `native` members, once each is known to be the vendor's and not one that we set.

    Raises:
        UsageError: with the members that are allowed.
    """
    allowed = sorted(set(legal) - set(ours))
    for member in spec.native:
        if member not in allowed:
            why = "is set by cloudistill" if member in set(ours) else "is no member of the vendor's create request"
            raise UsageError(
                f"native {member!r} {why} ({spec.student.platform}); allowed here: {', '.join(allowed) or 'none'}"
            )
    return spec.native


def tags(spec: JobSpec) -> dict[str, str]:
    """What the vendor keeps with the job: our marker, the run's name as the vendor can spell it, and the order's tags.

    Raises:
        UsageError: the order's tags break the vendor's limits.
    """
    limits = load(spec.student.platform).limits
    ours = {MARKER: spec.marker, RUN: _as_tag(spec.run, limits)}
    if spec.rendering:
        ours[RENDERING] = spec.rendering
    for key, value in spec.tags.items():
        if key in {MARKER, RUN, RENDERING}:
            raise UsageError(f"the tag {key!r} is cloudistill's own; choose another key")
        within(key, "tag key", limits.tag_key_length, limits.tag_key_pattern)
        within(value, f"the value of tag {key!r}", limits.tag_value_length, limits.tag_value_pattern)
    both = ours | spec.tags
    if limits.tags is not None and len(both) > limits.tags:
        raise UsageError(
            f"{len(spec.tags)} tags are too many: {spec.student.platform} keeps {limits.tags}, and "
            f"cloudistill needs {len(ours)} of them"
        )
    return both


def _as_tag(text: str, limits: Limits) -> str:
    """`text` as a tag's value: a character that the vendor does not keep is lower-cased, or becomes a dash."""

    def kept(char: str) -> str:
        fitting = (c for c in (char, char.lower()) if re.fullmatch(limits.tag_value_pattern or ".*", c, re.DOTALL))
        return next(fitting, "-")

    return "".join(map(kept, text))[: limits.tag_value_length]


def within(text: str, what: str, length: int | None, pattern: str | None = None) -> None:
    """Refuse text that is longer than `length` or does not match `pattern`; None is no limit."""
    if length is not None and len(text) > length:
        raise UsageError(f"{what} {text[:40]!r} has {len(text)} characters; at most {length} are allowed")
    if pattern is not None and not re.fullmatch(pattern, text):
        raise UsageError(f"{what} {text!r} does not match {pattern}")


# -- questions and answers


@contextmanager
def spelling(platform: str, outcome: Outcome) -> Generator[None]:
    """What a format cannot carry is one question's trouble: refused, with the format's words and way out."""
    try:
        yield
    except CannotCarry as error:
        message = f"{load(platform).title}: {error} {error.remedy}"
        raise InvalidRequest(message, platform=platform, code=error.rule, outcome=outcome) from error


def unusable(platform: str, asked: str, answer: object, *, request_id: str | None = None) -> UnusableAnswer:
    """A success that is not what was promised: a proxy's page, a truncated body, an object without an id."""
    shown = repr(answer)
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
    return UnusableAnswer(
        f"{platform}: {asked}: the answer is not what was promised but {type(answer).__name__} {shown}",
        platform=platform,
        request_id=request_id,
    )


def by_status(status: int) -> type[PlatformError]:
    """The class of error for an HTTP status when no code says more."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    by_hundred: dict[int, type[PlatformError]] = {4: InvalidRequest, 5: ServiceTrouble}
    return by_hundred.get(status // 100, PlatformError)


_BY_STATUS: dict[int, type[PlatformError]] = {
    401: AuthenticationFailed,
    403: PermissionDenied,
    404: NotFound,
    408: ServiceTrouble,
    409: ServiceTrouble,
    425: ServiceTrouble,
    429: RateLimited,
}


def answered(
    platform: Platform,
    *,
    asked: str,
    words: str,
    status: int,
    code: str | None,
    kind: type[PlatformError] | None = None,
    vendors_own: bool,
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
    retry_after: float | None = None,
) -> PlatformError:
    """The error for an answer with an HTTP status.

    `vendors_own`: the body is the vendor's error object, not a proxy's page. Only then is a 4xx a refusal.
    """
    kind = kind or by_status(status)
    refused = vendors_own and status // 100 == 4 and status not in (408, 409, 425)  # noqa: PLR2004 - 4xx
    for rule in platform.texts.values():
        if refused and rule.matches(code, words):
            kind = ServiceTrouble
    details = ", ".join(
        [f"HTTP {status}", *([code] if code else []), *([f"request {request_id}"] if request_id else [])]
    )
    return kind(
        f"{platform.title}: {asked}: {words[:_SHOWN] or 'no words'} ({details})",
        platform=platform.name,
        code=code,
        status=status,
        request_id=request_id,
        retry_after=retry_after if retry_after is not None else retry_after_of(headers or {}),
        outcome="refused" if refused else "maybe",
    )


def without_secret(error: PlatformError, secret: str) -> PlatformError:
    """The error with `secret` struck out, should a vendor or a proxy have echoed it."""
    if secret and secret in error.message:
        error.message = error.message.replace(secret, "[key]")
        error.args = (error.message,)
    return error


def unanswered(platform: Platform, error: Exception, asked: str, causes: Iterable[Cause]) -> PlatformError:
    """The error for a request that got no answer, by the first of `causes` that fits, with the innermost words."""
    unknown: Cause = ((Exception,), PlatformError, "maybe")
    _, kind, outcome = next((cause for cause in causes if isinstance(error, cause[0])), unknown)
    innermost: BaseException = error
    while innermost.__cause__ is not None:
        innermost = innermost.__cause__
    words, inner = str(error) or type(error).__name__, str(innermost)
    if inner not in words:
        words = f"{words} ({type(innermost).__name__}: {inner})"
    return kind(f"{platform.title}: {asked}: {words[:_SHOWN]}", platform=platform.name, outcome=outcome)


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Seconds until the vendor wants to be asked again: `Retry-After` as seconds or as an HTTP date, else None."""
    value = next((headers[name] for name in headers if name.lower() == "retry-after"), None)
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
