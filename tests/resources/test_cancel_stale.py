"""Cancellation of stale payment sessions while their customers come back, and answers are lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.support.scale import scale
from truemed_async import CancellationOutcome, CancellationResult, PaymentCancellation, PaymentSession, Stream
from truemed_async.errors import BadRequestError, DisconnectedError, InvalidArgumentError, NotFoundError
from truemed_async.resources._cancel_stale import cancel_stale_sessions

NEXT = {"pending": "processing", "processing": "captured"}


@attrs.define
class Truemed:
    """Payment sessions whose customers act, and whose answers get lost, before chosen calls.

    Attributes:
        statuses: The status of each session.
        script: What happens at each call: nothing, a step of the customer, a lost answer, a request that is not sent.
    """

    statuses: dict[str, str]
    script: list[str]
    canceled: list[str] = attrs.field(factory=list)

    def _event(self, id: str) -> str:
        event = self.script.pop() if self.script else "fine"
        if event == "step":
            self.statuses[id] = NEXT.get(self.statuses[id], self.statuses[id])
        if event == "canceled_elsewhere" and self.statuses[id] == "pending":
            self.statuses[id] = "canceled"
        return event

    def _read(self, id: str) -> PaymentSession:
        return PaymentSession(id=id, status=self.statuses[id])

    async def get(self, id: str) -> PaymentSession:
        event = self._event(id)
        if event in ("lost", "not_sent"):
            raise DisconnectedError("gone", endpoint="payment_sessions.get", attempts=4)
        return self._read(id)

    async def cancel(self, id: str) -> PaymentCancellation:
        event = self._event(id)
        if event == "not_sent":
            raise DisconnectedError("gone", endpoint="payment_sessions.cancel", attempts=1, outcome="not_sent")
        refused = self.statuses[id] != "pending"
        if not refused:
            self.statuses[id] = "canceled"
            self.canceled.append(id)
        if event == "lost":
            raise DisconnectedError("gone", endpoint="payment_sessions.cancel", attempts=1, outcome="unknown")
        if refused:
            raise BadRequestError(
                "SessionProcessing", endpoint="payment_sessions.cancel", attempts=1, outcome="rejected"
            )
        return PaymentCancellation(id=id, status="canceled") if event == "step" else PaymentCancellation()


Cancel = Callable[[Truemed], Awaitable[list[CancellationOutcome]]]


async def cancel_stale(truemed: Truemed) -> list[CancellationOutcome]:
    """Run the real function over all sessions that a list showed as pending."""

    async def stream_sessions():
        yield [PaymentSession(id=id, status="pending") for id in truemed.statuses]

    batches = cancel_stale_sessions(
        Stream(stream_sessions()), truemed.get, truemed.cancel, dry_run=False, concurrency=1
    )
    return [outcome async for batch in batches for outcome in batch]


async def cancel_without_settling(truemed: Truemed) -> list[CancellationOutcome]:
    """Trust each error, as a loop that a merchant writes: the negative control."""
    outcomes = []
    for id in truemed.statuses:
        try:
            await truemed.cancel(id)
        except (BadRequestError, DisconnectedError) as error:
            outcomes.append(CancellationOutcome(id=id, error=error, result=CancellationResult.FAILED))
        else:
            outcomes.append(CancellationOutcome(id=id, result=CancellationResult.CANCELED))
    return outcomes


async def check(truemed: Truemed, cancel: Cancel) -> None:
    """Run a cancellation, and compare every report with what really happened."""
    started = dict(truemed.statuses)
    outcomes = await cancel(truemed)
    assert [outcome.id for outcome in outcomes] == list(started)
    for outcome in outcomes:
        status = truemed.statuses[outcome.id]
        match outcome.result:
            case CancellationResult.CANCELED:
                assert status == "canceled"
                assert outcome.ok
            case CancellationResult.CHANGED:
                assert status not in ("pending", "canceled")
                assert outcome.ok
                assert outcome.unwrap().status in ("processing", "captured")
            case _:
                assert not outcome.ok
                assert outcome.value is None or outcome.value.status == "pending", "a race is reported as one"
    assert len(set(truemed.canceled)) == len(truemed.canceled)
    # Whatever failed, the next run ends it.
    truemed.script.clear()
    again = await cancel(truemed)
    assert "pending" not in truemed.statuses.values()
    assert all(outcome.ok for outcome in again)


EVENTS = st.sampled_from(["fine", "fine", "step", "lost", "not_sent", "canceled_elsewhere"])
WORLDS = st.builds(
    Truemed,
    st.lists(st.sampled_from(["pending", "processing", "captured"]), min_size=1, max_size=6).map(
        lambda statuses: {f"p{number}": status for number, status in enumerate(statuses)}
    ),
    st.lists(EVENTS, max_size=20),
)


@settings(max_examples=scale(200, 5000), deadline=None, suppress_health_check=list(HealthCheck))
@given(WORLDS)
async def test_every_race_and_lost_response_is_reported_as_it_ended(truemed):
    await check(truemed, cancel_stale)


async def test_check_finds_a_cancellation_that_trusts_its_errors():
    with pytest.raises(AssertionError):
        await check(Truemed({"p0": "pending"}, ["lost"]), cancel_without_settling)


async def test_response_that_states_another_status_is_no_cancellation():
    async def stream_sessions():
        yield [PaymentSession(id="p0", status="pending")]

    async def cancel(id: str) -> PaymentCancellation:
        return PaymentCancellation(id=id, status="captured")

    truemed = Truemed({"p0": "pending"}, [])
    batches = cancel_stale_sessions(Stream(stream_sessions()), truemed.get, cancel, dry_run=False, concurrency=2)
    ((outcome,),) = [batch async for batch in batches]
    assert (outcome.result, outcome.unwrap().status) == (CancellationResult.CHANGED, "captured")


async def test_session_that_is_gone_is_a_failure():
    async def stream_sessions():
        yield [PaymentSession(id="p0", status="pending")]

    async def get(id: str) -> PaymentSession:
        raise NotFoundError("NotFound", endpoint="payment_sessions.get", attempts=1, outcome="rejected")

    batches = cancel_stale_sessions(
        Stream(stream_sessions()), get, Truemed({}, []).cancel, dry_run=False, concurrency=2
    )
    ((outcome,),) = [batch async for batch in batches]
    assert (outcome.result, outcome.value, type(outcome.error)) == (CancellationResult.FAILED, None, NotFoundError)


@pytest.mark.parametrize(
    "arguments",
    [
        {"older_than": 7},
        {"older_than": timedelta(0)},
        {"older_than": timedelta(days=-1)},
        {"older_than": timedelta.max},
        {"older_than": timedelta(days=7), "look_back": timedelta(days=7)},
        {"older_than": timedelta(days=7), "dry_run": "yes"},
        {"older_than": timedelta(days=7), "concurrency": 0},
    ],
)
async def test_bad_argument_is_refused_before_anything_is_sent(client, server, arguments):
    with pytest.raises(InvalidArgumentError):
        client.payment_sessions.cancel_stale(**arguments)
    assert server.requests == []


async def test_sessions_of_unknown_age_are_left_alone(client, server, clock):
    now = datetime.fromtimestamp(clock.wall(), UTC)
    ages = [None, timedelta(days=1), timedelta(days=8)]
    rows = [
        {"id": f"p{number}", "status": "pending", "created_at": None if age is None else (now - age).isoformat()}
        for number, age in enumerate(ages)
    ]
    pagination = {"count": 3, "current_page": 1, "last_page": 1, "page_size": 100}
    server.respond({"payment_sessions": [rows[1], rows[2], rows[0]], "pagination": pagination})
    outcomes = client.payment_sessions.cancel_stale(older_than=timedelta(days=7), dry_run=True)
    assert [(each.id, each.result) async for each in outcomes] == [("p2", CancellationResult.PLANNED)]
