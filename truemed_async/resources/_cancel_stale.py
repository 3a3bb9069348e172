"""Cancels payment sessions that customers left, and settles every race with one who comes back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from enum import StrEnum

import attrs

from truemed_async._core.bulk import Outcome, fan_out
from truemed_async._core.stream import Stream
from truemed_async.errors import CallError, TruemedError
from truemed_async.models import PaymentCancellation, PaymentSession, PaymentSessionStatus


class CancellationResult(StrEnum):
    """What became of one stale session."""

    CANCELED = "canceled"
    """It is canceled."""
    CHANGED = "changed"
    """It was not canceled, because it is no longer pending: its customer came back. ``value`` has the new status."""
    FAILED = "failed"
    """It may still be pending: see ``error``. The next run tries it again."""
    PLANNED = "planned"
    """It would be canceled; this is a dry run."""


@attrs.frozen(kw_only=True)
class CancellationOutcome(Outcome[PaymentSession]):
    """The result of the cancellation of one session.

    Attributes:
        id: The id of the session.
        value: The session as it was last read, or ``None`` if it could not be read again.
        error: Why the cancellation failed, or ``None``.
        result: What became of it.
    """

    value: PaymentSession | None = None
    result: CancellationResult


async def cancel_stale_sessions(
    sessions: Stream[PaymentSession],
    get: Callable[[str], Awaitable[PaymentSession]],
    cancel: Callable[[str], Awaitable[PaymentCancellation]],
    *,
    dry_run: bool,
    concurrency: int,
) -> AsyncGenerator[list[CancellationOutcome], None]:
    """Yield the outcomes of a list of pending sessions."""

    async def settle(session: PaymentSession) -> CancellationOutcome:
        if dry_run:
            return CancellationOutcome(id=session.id, value=session, result=CancellationResult.PLANNED)
        return await _cancel_if_pending(session.id, get, cancel)

    async with (
        sessions,
        aclosing(fan_out(sessions, settle, concurrency=concurrency, ordered=False)) as batches,
    ):
        async for batch in batches:
            yield batch


async def _cancel_if_pending(
    id: str,
    get: Callable[[str], Awaitable[PaymentSession]],
    cancel: Callable[[str], Awaitable[PaymentCancellation]],
) -> CancellationOutcome:
    """Cancel a session, unless it has changed since the list was read.

    Truemed is the arbiter: it cancels pending sessions only. A cancellation without a response, or one that is refused,
    is settled by reading the session again.
    """
    session: PaymentSession | None = None
    try:
        session = await get(id)
        if session.status != PaymentSessionStatus.PENDING:
            return _outcome_of(session)
        response = await cancel(id)
    except TruemedError as error:
        failure = error
    else:
        if response.status in (None, PaymentSessionStatus.CANCELED):
            return CancellationOutcome(id=id, value=session, result=CancellationResult.CANCELED)
        return _outcome_of(attrs.evolve(session, status=response.status))
    if session is not None:
        try:
            session = await get(id)
        except CallError:  # the first error tells more
            pass
        else:
            if session.status != PaymentSessionStatus.PENDING:
                return _outcome_of(session)
    return CancellationOutcome(id=id, value=session, error=failure, result=CancellationResult.FAILED)


def _outcome_of(session: PaymentSession) -> CancellationOutcome:
    is_canceled = session.status == PaymentSessionStatus.CANCELED
    return CancellationOutcome(
        id=session.id,
        value=session,
        result=CancellationResult.CANCELED if is_canceled else CancellationResult.CHANGED,
    )
