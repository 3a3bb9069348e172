"""Every row of the fault matrix, for a read, a write with a key, and a write without one; async and sync."""

import asyncio

import pytest

from tests.support.fault_matrix import ROWS
from tests.support.recording_server import KEY, RecordingServer, respond_with
from tests.support.timeouts import time_for
from truemed_async import (
    AsyncTruemed,
    Endpoint,
    Idempotency,
    QualificationSession,
    RetryPolicy,
    Truemed,
    errors,
)

QUICK = RetryPolicy(base=0.001, cap=0.001)

READ = Endpoint("things.get", "GET", "/things/{id}", QualificationSession)
KEYED = Endpoint("things.set", "POST", "/things/{id}", QualificationSession, idempotency=Idempotency.KEYED)
UNKEYED = Endpoint("things.do", "POST", "/things/{id}", QualificationSession)
KINDS = {"read": READ, "keyed": KEYED, "unkeyed": UNKEYED}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_fault(serve, client_for, row, kind):
    server = await serve(row.script)
    client = await client_for(server, retry=QUICK, timeout=time_for(row.error))
    endpoint = KINDS[kind]
    sent = row.sent[list(KINDS).index(kind)]
    with pytest.raises(getattr(errors, row.error)) as caught:
        await client.send(endpoint, path={"id": "x"}, body={"a": 1} if endpoint is not READ else None)
    error = caught.value
    assert type(error) is getattr(errors, row.error)
    assert len(server.requests) == sent == error.attempts
    assert error.outcome == row.outcome
    assert error.endpoint == endpoint.name
    assert (error.idempotency_key is not None) == (kind == "keyed")
    if row.status is not None:
        assert error.status == row.status
    bodies = {request.body for request in server.requests}
    assert len(bodies) == 1, "every attempt sends the same bytes"
    if kind == "keyed":
        assert error.idempotency_key.encode() in bodies.pop()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_fault_through_the_sync_facade(serve, row, kind):
    server = await serve(row.script)
    endpoint = KINDS[kind]
    sent = row.sent[list(KINDS).index(kind)]

    def call():
        with Truemed(KEY, base_url=server.url, retry=QUICK, timeout=time_for(row.error)) as client:
            client.send(endpoint, path={"id": "x"}, body={"a": 1} if endpoint is not READ else None)

    with pytest.raises(getattr(errors, row.error)) as caught:
        await asyncio.to_thread(call)
    assert (len(server.requests), caught.value.attempts, caught.value.outcome) == (sent, sent, row.outcome)


@pytest.mark.parametrize("kind", KINDS)
async def test_refused_connection_is_tried_again_and_was_never_sent(free_port, kind):
    async with AsyncTruemed(KEY, base_url=f"http://127.0.0.1:{free_port}", retry=QUICK) as client:
        with pytest.raises(errors.ConnectError) as caught:
            await client.send(KINDS[kind], path={"id": "x"})
    assert (caught.value.attempts, caught.value.outcome) == (3, "not_sent")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_call_recovers_when_the_fault_passes(serve, client_for, row, kind):
    """After one fault the server is well: what may be repeated succeeds with the same bytes, the rest fails once."""
    healthy = respond_with(b'{"qualification_session_id": "qs_1", "status": "approved"}')

    async def script(exchange):
        await (row.script if exchange.number == 1 else healthy)(exchange)

    server = await serve(script)
    client = await client_for(server, retry=QUICK, timeout=time_for(row.error))
    if row.sent[list(KINDS).index(kind)] == 1:
        with pytest.raises(getattr(errors, row.error)):
            await client.send(KINDS[kind], path={"id": "x"})
        assert len(server.requests) == 1
    else:
        response = await client.send(KINDS[kind], path={"id": "x"})
        assert (response.attempts, len(server.requests)) == (2, 2)
        assert server.requests[0].raw == server.requests[1].raw


async def test_outcome_stays_unknown_if_later_attempts_are_not_sent(serve, client_for):
    """The first attempt may have been applied; that the next ones found no server does not undo it."""

    async def script(exchange):
        server._server.close()
        exchange.close()

    server: RecordingServer = await serve(script)
    client = await client_for(server, retry=QUICK)
    with pytest.raises(errors.ConnectError) as caught:
        await client.send(KEYED, path={"id": "x"})
    assert (caught.value.outcome, caught.value.attempts) == ("unknown", 3)
