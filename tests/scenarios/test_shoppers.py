"""The merchant's jobs around shoppers, as the guides tell them: docs/letters.md, docs/attach-accounts.md, docs/catch-up.md."""

import asyncio
import csv
import io
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from truemed_async import AsyncTruemed, AttachStatus, OrderItem, Truemed, UserMatch
from truemed_async.cli.output import Streams
from truemed_async.cli.start import run
from truemed_async.webhooks import (
    AsyncReceiver,
    DeliveryStatus,
    MemoryDedupStore,
    PaymentSessionUpdated,
    PaymentTokenUpdated,
    QualificationSessionCompleted,
    Receiver,
)

BOX = OrderItem(name="Monthly box", price=2999, quantity=1, sku="BOX")
THANKS = "https://shop.example/thanks"


async def test_shopper_who_qualified_before_signing_up_skips_the_survey_until_the_letter_ends(emulator, shop, customer):
    """Truemed guide, "Update a Qualification Session": an ungated entry, an account later, a visit that is recognized."""
    sessions = emulator.state.qualification_sessions
    id = sessions.add(status="processing", email="Ann@Example.com", skus_param="MAT", user_id=None)
    other = sessions.add(status="processing", email="joann@example.com", user_id=None)
    for each in (id, other):
        sessions.approve(each)
    assert await shop.qualifications.find_valid(user_id="customer-1") is None
    assert (await shop.qualifications.find_valid(email="ann@example.com")).qualification_session_id == id

    matches = [UserMatch("ann@example.com", "customer-1"), UserMatch("nobody@example.com", "customer-2")]
    for expected in (AttachStatus.PLANNED, AttachStatus.ATTACHED, AttachStatus.ALREADY_ATTACHED):
        outcomes = await shop.qualifications.attach_users(
            matches, run_id="today", dry_run=expected is AttachStatus.PLANNED
        )
        assert Counter(each.status for each in outcomes) == {expected: 1, AttachStatus.UNMATCHED: 1}
    assert sessions.get(other).user_id is None

    found = await shop.qualifications.find_valid(user_id="customer-1")
    assert (found.qualification_session_id, found.is_valid_at()) == (id, True)
    end = found.expires_at
    expiring = await shop.qualifications.iter_expiring(end - timedelta(days=3), end + timedelta(days=3))
    assert {each.qualification_session_id for each in expiring} == {id, other}
    assert not found.is_valid_at(end)


def test_command_line_gives_the_same_result(emulator, tmp_path, monkeypatch):
    monkeypatch.setenv("TRUEMED_API_KEY", emulator.api_key)
    monkeypatch.setenv("TRUEMED_BASE_URL", emulator.url)
    sessions = emulator.state.qualification_sessions
    id = sessions.add(
        status="approved", email="ann@example.com", user_id=None, expires_at=datetime.now(UTC) + timedelta(days=9)
    )
    (tmp_path / "matches.csv").write_text("email,user_id\nANN@example.com,customer-1\n", encoding="utf-8")

    def truemed(*line):
        streams = Streams(io.StringIO(), io.StringIO())
        assert run(line, streams) == 0, streams.err.getvalue()
        return streams.out.getvalue()

    counts = truemed("sessions", "attach", str(tmp_path / "matches.csv"), "--format", "csv")
    assert "attached,1" in counts.splitlines()
    text = truemed("sessions", "expiring", "--qualification-id", "tm_qual_1", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert (row["qualification_session_id"], row["user_id"]) == (id, "customer-1")
    assert row["renewal_link"].endswith("tm_qual_1?source=renewal&user_id=customer-1")


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_outage_of_the_endpoint_is_caught_up_and_truemeds_redeliveries_are_recognized(emulator, kind):
    """Docs "Catch up on missed webhooks". The deliveries are those of the emulator, which knows nothing of the client."""
    handled, is_up = [], False

    def handle(event):
        handled.append(event)

    cls, client_class = (AsyncReceiver, AsyncTruemed) if kind == "async" else (Receiver, Truemed)
    receiver = cls(handle, secrets="a secret", store=MemoryDedupStore())
    client = client_class(emulator.api_key, base_url=emulator.url)

    async def call(function, *args, **options):
        return await (function(*args, **options) if kind == "async" else asyncio.to_thread(function, *args, **options))

    async def endpoint(request):
        if not is_up:
            return web.Response(status=503)
        result = await call(receiver.receive, await request.read(), request.headers)
        return web.Response(status=result.http_status)

    app = web.Application()
    app.router.add_post("/", endpoint)
    state, since = emulator.state, datetime.now(UTC) - timedelta(minutes=1)
    async with TestServer(app, host="127.0.0.1") as server:
        emulator.webhooks.register(str(server.make_url("/")), secret="a secret")
        payment = await call(
            client.payment_sessions.create,
            total_amount=2999,
            order_items=[BOX],
            success_url=THANKS,
            tokenize=True,
        )
        state.payment_sessions.submit(payment.id)
        state.payment_sessions.approve(payment.id)
        requests = [
            (await call(client.payment_tokens.create, order_items=[BOX], success_url=THANKS)).provision_token_request_id
            for _ in range(2)
        ]
        for each in requests:
            state.provision_requests.submit(each)
        state.qualification_sessions.reject(state.qualification_sessions.add(status="processing"))
        assert await asyncio.to_thread(emulator.webhooks.wait_until_idle)
        assert handled == []

        # The id of the second request is not passed: its token is handed over without an origin.
        result = await call(client.catch_up, receiver, since=since, provision_token_request_ids=requests[:1])
        assert (result.ok, result.counts[DeliveryStatus.HANDLED]) == (True, 5)
        kinds = Counter(type(event) for event in handled)
        assert kinds == {PaymentSessionUpdated: 1, PaymentTokenUpdated: 3, QualificationSessionCompleted: 1}

        is_up = True
        emulator.clock.advance(60)
        assert await asyncio.to_thread(emulator.webhooks.wait_until_idle)
    last = {delivery.attempts[-1].status for delivery in emulator.webhooks.deliveries}
    assert last == {204}
    # Only the status between two others was not known: it is handled when it arrives.
    assert [event.data.status for event in handled[5:]] == ["processing"]
    await call(client.aclose if kind == "async" else client.close)
