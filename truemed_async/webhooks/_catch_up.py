"""Find the changes whose deliveries were missed, as the events that Truemed would have delivered.

Truemed's lists show the state of an object and, for some states, since when it has it; they cannot be filtered by the
time of a change. A change is therefore one that is known to be recent enough, or one of an object that is so young that
the receiver's store would remember it.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Self, cast

import attrs

from truemed_async._core.bulk import fan_out
from truemed_async._core.stream import Stream
from truemed_async._validation import scalars
from truemed_async.errors import InvalidArgumentError
from truemed_async.models import PaymentSession, PaymentSessionStatus, PaymentToken, QualificationSession
from truemed_async.webhooks._events import (
    Event,
    EventType,
    PaymentSessionPayload,
    PaymentSessionUpdated,
    PaymentTokenPayload,
    PaymentTokenUpdated,
    QualificationSessionCompleted,
    QualificationSessionPayload,
)
from truemed_async.webhooks._receiver import AsyncReceiver, Receiver
from truemed_async.webhooks._results import CatchUpResult

if TYPE_CHECKING:
    from truemed_async import AsyncTruemed, RequestOptions

CLOCK_SKEW = timedelta(minutes=5)  # between Truemed's clock and this one
RUN_TIME = timedelta(hours=1)  # in which the store must not forget
CONCURRENCY = 8


@attrs.frozen
class CatchUpWindow:
    """Which changes to look for.

    Attributes:
        since: When the first change can have been missed.
        created_from: Objects that were created earlier are not read.
        remembered_from: The store remembers every event of objects that were created later.
    """

    since: datetime
    created_from: datetime
    remembered_from: datetime

    @classmethod
    def of(cls, since: object, look_back: object, retention: timedelta | None, now: float) -> Self:
        """Validate the options."""
        start = scalars.parse_datetime("since", since)
        created_from = cast("datetime", scalars.resolve_since(start, look_back, now))
        if retention is None:
            return cls(start - CLOCK_SKEW, created_from, created_from)
        remembered_from = datetime.fromtimestamp(now, UTC) - retention + RUN_TIME
        if start < remembered_from:
            raise InvalidArgumentError(
                f"the store forgets after {retention}, so it does not know what was handled since then: pass a later "
                "since, and set a longer retention for the next time"
            )
        return cls(start - CLOCK_SKEW, created_from, max(created_from, remembered_from))

    def covers(self, changed_at: datetime | None, created_at: datetime | None) -> bool:
        """Whether a change may have been missed, and whether the store would know if it was handled."""
        if changed_at is not None:
            return changed_at >= self.since
        return created_at is not None and created_at >= self.remembered_from


@attrs.define(repr=False)
class Origins:
    """The payment sessions in which tokens were created."""

    _sessions: dict[str, list[PaymentSession]] = attrs.field(factory=dict[str, list[PaymentSession]])

    def add(self, sessions: Sequence[PaymentSession]) -> None:
        """Note the sessions that have a token."""
        for session in sessions:
            if session.payment_token is not None and session.id:
                self._sessions.setdefault(session.payment_token, []).append(attrs.evolve(session, order_items=None))

    def of(self, token: PaymentToken) -> PaymentSession | None:
        """Return the session that created a token: the others with the token are younger than it."""
        return next(
            (
                session
                for session in self._sessions.get(token.payment_token, ())
                if session.created_at is not None
                and token.created_at is not None
                and session.created_at <= token.created_at
            ),
            None,
        )


def find_changes(
    client: "AsyncTruemed",
    receiver: object,
    *,
    since: date,
    look_back: timedelta,
    provision_token_request_ids: Collection[str],
    options: "RequestOptions | None",
) -> Stream[Event]:
    """Return the changes as events, for a receiver that has a store."""
    if not isinstance(receiver, (AsyncReceiver, Receiver)):
        raise InvalidArgumentError("receiver must be an AsyncReceiver or a Receiver")
    if not receiver.has_store:
        raise InvalidArgumentError("receiver has no store, which would remember what was handled")
    window = CatchUpWindow.of(since, look_back, receiver.retention, client.clock.wall())
    requests = scalars.validate_items("provision_token_request_ids", provision_token_request_ids, scalars.validate_id)
    return Stream(_read(client, window, requests, options))


async def _read(
    client: "AsyncTruemed", window: CatchUpWindow, requests: Sequence[str], options: "RequestOptions | None"
) -> AsyncGenerator[Sequence[Event], None]:
    """Read events with an origin before tokens, whose list does not show one."""

    async def read_request(id: str) -> Event | None:
        request = await client.payment_tokens.get_provision_request(id, options=options)
        if request.payment_token is None:
            return None
        payload = PaymentTokenPayload(
            payment_token=request.payment_token, provision_token_request_id=id, metadata=request.metadata
        )
        return PaymentTokenUpdated(type=EventType.PAYMENT_TOKEN_UPDATED, data=payload)

    origins = Origins()
    exactly = timedelta(0)  # the window already looks back
    payments = client.payment_sessions.iter(
        since=window.created_from, look_back=exactly, include_order_items=True, options=options
    )
    async with payments:
        async for sessions in payments.batches():
            origins.add(sessions)
            yield [event for each in sessions if (event := _payment_event(each, window))]
    async with aclosing(fan_out(requests, read_request, concurrency=CONCURRENCY, ordered=True)) as provisioned:
        async for batch in provisioned:
            yield [event for event in batch if event]
    tokens = client.payment_tokens.iter(since=window.since, look_back=exactly, options=options)
    async with tokens:
        async for created in tokens.batches():
            yield [_token_event(each, origins.of(each)) for each in created]
    qualifications = client.qualification_sessions.iter(since=window.created_from, look_back=exactly, options=options)
    async with qualifications:
        async for reviewed in qualifications.batches():
            yield [event for each in reviewed if (event := _qualification_event(each, window))]


def _payment_event(session: PaymentSession, window: CatchUpWindow) -> Event | None:
    """Return the event of a session's status. A new session is ``pending`` and has no event."""
    # `authorized_on` is not used: the card may be held before the review, and the status follows it.
    changed_at = session.captured_on if session.status is PaymentSessionStatus.CAPTURED else None
    if not session.id or session.status is PaymentSessionStatus.PENDING:
        return None
    if not window.covers(changed_at, session.created_at):
        return None
    payload = PaymentSessionPayload(
        payment_session_id=session.id,
        status=session.status,
        created_at=session.created_at,
        order_items=session.order_items,
        capture_amount=session.capture_amount,
        metadata=session.metadata,
        payment_token=session.payment_token,
    )
    return PaymentSessionUpdated(type=EventType.PAYMENT_SESSION_UPDATED, data=payload)


def _token_event(token: PaymentToken, origin: PaymentSession | None) -> Event:
    """Return the event of a new token, with the payment session that created it, if it is known."""
    payload = PaymentTokenPayload(
        payment_token=token.payment_token,
        payment_session_id=None if origin is None else origin.id,
        lmn_expires_at=token.lmn_expires_at,
        metadata=None if origin is None else origin.metadata,
    )
    return PaymentTokenUpdated(type=EventType.PAYMENT_TOKEN_UPDATED, data=payload)


def _qualification_event(session: QualificationSession, window: CatchUpWindow) -> Event | None:
    """Return the event of a session's decision."""
    if not session.status.is_final or not window.covers(session.lmn_reviewed_at, session.created_at):
        return None
    payload = QualificationSessionPayload(
        qualification_session_id=session.qualification_session_id,
        status=session.status,
        email=session.email,
        expires_at=session.expires_at,
        source=session.source,
        user_id=session.user_id,
    )
    return QualificationSessionCompleted(type=EventType.QUALIFICATION_SESSION_COMPLETED, data=payload)


async def hand_over(changes: Stream[Event], receiver: AsyncReceiver | Receiver) -> CatchUpResult:
    """Hand changes to a receiver of either kind; one that may block runs in a worker thread."""
    async with changes:
        if isinstance(receiver, AsyncReceiver):
            return await receiver.handle_events(changes)
        results = [await asyncio.to_thread(receiver.handle_events, batch) async for batch in changes.batches()]
    return CatchUpResult.merge(results)
