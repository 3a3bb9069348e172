"""Every row of the fault matrix for the catalog: its writes take no key, and one of its reads is a POST."""

import pytest

from tests.support.both_clients import error_of
from tests.support.fault_matrix import ROWS
from tests.support.recording_server import answering
from tests.support.timeouts import time_for
from truemed_async import errors

# How often each is sent stands in the matrix under: read, write with a key, write without one.
READ, UNKEYED = 0, 2
CALLS = {
    "catalog_items.create": (UNKEYED, lambda client: client.catalog_items.create("A-1", name="Sauna")),
    "catalog_items.update": (UNKEYED, lambda client: client.catalog_items.update("A-1", name="Sauna")),
    "catalog_items.get": (READ, lambda client: client.catalog_items.get("A-1")),
}
# No page shows a field of these answers, so no field of them can be wrong or missing: any object is one, and none too.
SHAPELESS = {"catalog_items.create", "catalog_items.update"}
NO_FAULT = {"wrong_shape", "empty_200", "unexpected_204"}
SYNC = (False, True)


def cases():
    """Yield the cases: each row meets each call, through the two clients in turn."""
    for at, row in enumerate(ROWS):
        for number, name in enumerate(CALLS):
            if not (row.name in NO_FAULT and name in SHAPELESS):
                sync = (at + number) % 2 == 0
                yield pytest.param(row, name, sync, id=f"{row.name}-{name}-{'sync' if sync else 'async'}")


@pytest.mark.parametrize(("row", "name", "sync"), list(cases()))
async def test_fault(serve, client_for, row, name, sync):
    kind, call = CALLS[name]
    server = await serve(row.script)
    error = await error_of(client_for, server, call, time_for(row.error), sync=sync)
    assert type(error) is getattr(errors, row.error)
    assert len(server.requests) == row.sent[kind] == error.attempts
    assert (error.outcome, error.endpoint, error.idempotency_key) == (row.outcome, name, None)
    bodies = {request.body for request in server.requests}
    assert len(bodies) == 1, "every attempt sends the same bytes"
    assert b"idempotency_key" not in bodies.pop()


@pytest.mark.parametrize("sync", SYNC, ids=["async", "sync"])
@pytest.mark.parametrize("name", CALLS)
async def test_lost_response_is_retried_only_for_reads(serve, client_for, name, sync):
    kind, call = CALLS[name]
    done = answering(b'{"sku": "A-1"}')

    async def script(exchange):
        if exchange.number == 1:
            exchange.close()
        else:
            await done(exchange)

    server = await serve(script)
    error = await error_of(client_for, server, call, 90.0, sync=sync)
    if kind == READ:
        assert error is None
        assert server.requests[0].raw == server.requests[1].raw
    else:
        assert (type(error), error.outcome, len(server.requests)) == (errors.DisconnectedError, "unknown", 1)


def test_every_call_is_tried_through_both_clients():
    tried = {(name, sync) for _, name, sync in (case.values for case in cases())}
    assert tried == {(name, sync) for name in CALLS for sync in SYNC}
