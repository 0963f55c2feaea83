"""Places a paid order so that it is paid once: intent before the call, every doubt settled by looking.

Holds for every kind of operation (tuning, deployment). The vendor is asked whether an order with our marker
exists before the first send too, because a colleague's store may be empty. A create is sent once per intent;
it is repeated only when the vendor certainly did not take it, or drops a second one by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from cloudistill.backends.backend import Backend
from cloudistill.core.errors import CloudistillError, NameConflict, OutcomeUnknown, PlatformError
from cloudistill.pipeline.retry import Patience, ask, once
from cloudistill.pipeline.store import Intent, Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(Generic[T]):
    """A paid operation: how to look for it, how to send it, and what it is called at the vendor."""

    run: str
    kind: str
    attempt: int
    marker: str
    payer: str
    spec: dict[str, Any]
    idempotent: bool
    find: Callable[[], T | None]
    create: Callable[[], T]
    poll: Callable[[str], T]
    ref: Callable[[T], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """How doubt is settled: seconds of looking after a lost answer, seconds after which an order that was not
    found is sent again (only where the vendor keeps no key), and how patiently to ask."""

    look_for: float = 20.0
    resubmit_after: float = 600.0
    patience: Patience = field(default_factory=Patience)


def place(order: Order[T], store: Store, backend: Backend, doubt: Doubt) -> T:
    """The vendor's operation for `order`: found, or sent and confirmed.

    Raises:
        OutcomeUnknown: the order may have arrived and looking did not show it.
        PlatformError: the vendor refused it, or could not be asked.
    """
    known = store.intent(order.run, order.kind, order.attempt)
    if known is not None and known.state == "confirmed" and known.ref is not None:
        ref = known.ref
        return ask(backend, lambda: order.poll(ref), doubt.patience)
    found = _first_look(order, known, backend, doubt)
    if found is None:
        if known is not None and not _may_send_again(known, order, doubt):
            raise _unknown(order, known, doubt)
        intent = _intend(order, store, known)
        try:
            found = _send(order, backend, doubt)
        except PlatformError as error:
            found = _settle(order, intent, error, store=store, backend=backend, doubt=doubt)
        except CloudistillError:  # the backend would not spell it: nothing was sent
            store.settle(intent, "refused")
            raise
    else:
        intent = known or _intend(order, store, None)
    store.settle(intent, "confirmed", order.ref(found))
    return found


def _intend(order: Order[T], store: Store, known: Intent | None) -> Intent:
    return store.intend(
        order.run,
        order.kind,
        order.attempt,
        marker=order.marker,
        payer=order.payer,
        spec=order.spec,
        unless_changed_since=known,
    )


def _first_look(order: Order[T], known: Intent | None, backend: Backend, doubt: Doubt) -> T | None:
    try:
        return ask(backend, order.find, doubt.patience)
    except PlatformError as error:
        if known is not None and known.state in {"sending", "unconfirmed"}:
            raise _unknown(order, known, doubt) from error  # a forbidden look is no absence
        error.outcome = "not-sent"
        raise


def _may_send_again(known: Intent, order: Order[T], doubt: Doubt) -> bool:
    """An order that was refused was not taken; a doubtful one may be repeated where the vendor drops the second,
    or once looking has gone on long enough."""
    age = (datetime.now(UTC) - known.sent).total_seconds()
    return known.state == "refused" or order.idempotent or age >= doubt.resubmit_after


def _send(order: Order[T], backend: Backend, doubt: Doubt) -> T:
    def certainly_not_taken(error: CloudistillError) -> bool:
        return error.retryable and isinstance(error, PlatformError) and error.outcome != "maybe"

    return ask(backend, order.create, doubt.patience, again=certainly_not_taken)


def _settle(
    order: Order[T], intent: Intent, error: PlatformError, *, store: Store, backend: Backend, doubt: Doubt
) -> T:
    if error.outcome != "maybe" and not isinstance(error, NameConflict):
        store.settle(intent, "refused")
        raise error
    found = _look(order, backend, doubt)
    if found is None and order.idempotent and not isinstance(error, NameConflict):
        with suppress(PlatformError):  # the first may have arrived, whatever becomes of the second
            found = ask(backend, order.create, doubt.patience)
    if found is None:
        store.settle(intent, "refused" if isinstance(error, NameConflict) else "unconfirmed")
        raise error if isinstance(error, NameConflict) else _unknown(order, intent, doubt) from error
    return found


def _look(order: Order[T], backend: Backend, doubt: Doubt) -> T | None:
    """Look again and again, because a vendor's list may lag behind its create."""
    waited, pause = 0.0, 1.0
    while True:
        try:
            found = once(backend, order.find)
        except PlatformError as error:
            found = None  # a failed look is not an absence: keep looking, if looking is allowed at all
            if not error.retryable:
                return None
        if found is not None or waited >= doubt.look_for:
            return found
        doubt.patience.sleep(pause)
        waited, pause = waited + pause, min(pause * 2, 8.0)


def _unknown(order: Order[Any], intent: Intent, doubt: Doubt) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"whether the {order.kind} order of run {order.run!r} reached the vendor is not known: it was about to be "
        f"sent at {intent.sent:%Y-%m-%d %H:%M:%S} UTC and looking for marker {order.marker} does not show it. Run the "
        f"same command again: it looks first, and sends again only when {doubt.resubmit_after:.0f} s have passed "
        "since then (--resubmit-after SECONDS changes that; 0 says: it did not arrive, pay now)",
        run=order.run,
    )
