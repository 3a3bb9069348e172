"""The fault matrix for every write, and for a read that is a POST: what is retried, with which key, and which error is raised.

Every row meets a read, a write with a key and one without, in turn, through both clients; ``TRUEMED_LONG=1`` takes all
of each.
"""

import json

import pytest

from tests.support.both_clients import error_of
from tests.support.fault_matrix import ROWS
from tests.support.recording_server import respond_with
from tests.support.scale import LONG
from tests.support.timeouts import time_for
from truemed_async import OrderItem, errors

CART = {
    "total_amount": 1999,
    "order_items": [OrderItem(name="Sauna", price=1999, quantity=1)],
    "success_url": "https://shop.example/thanks",
}
DONE = b'{"id": "x", "refund_id": "x", "provision_token_request_id": "x", "sku": "A-1"}'

# How often each is sent stands in the matrix under: read, write with a key, write without one.
READ, KEYED, UNKEYED = 0, 1, 2
CALLS = {
    "payment_sessions.create": (KEYED, lambda client: client.payment_sessions.create(**CART)),
    "payment_sessions.capture": (KEYED, lambda client: client.payment_sessions.capture("s", total_amount=1)),
    "payment_sessions.void": (KEYED, lambda client: client.payment_sessions.void("s")),
    "payment_sessions.refund": (KEYED, lambda client: client.payment_sessions.refund("s", amount=1, reason="fraudulent")),
    "payment_sessions.cancel": (UNKEYED, lambda client: client.payment_sessions.cancel("s")),
    "payment_tokens.create": (UNKEYED, lambda client: client.payment_tokens.create(metadata="m")),
    "payment_tokens.update": (UNKEYED, lambda client: client.payment_tokens.update("t", update_card_info=True)),
    "payment_tokens.delete": (UNKEYED, lambda client: client.payment_tokens.delete("t")),
    "catalog_items.create": (UNKEYED, lambda client: client.catalog_items.create("A-1", name="Sauna")),
    "catalog_items.update": (UNKEYED, lambda client: client.catalog_items.update("A-1", name="Sauna")),
    "catalog_items.get": (READ, lambda client: client.catalog_items.get("A-1")),
}  # fmt: skip
# Responses of which no field is required, so that none can be missing; and one of which nothing is read at all.
NO_FAULT = {
    "payment_sessions.cancel": {"empty_200", "unexpected_204", "wrong_shape"},
    "payment_tokens.update": {"empty_200", "unexpected_204", "wrong_shape"},
    "catalog_items.create": {"empty_200", "unexpected_204", "wrong_shape"},
    "catalog_items.update": {"empty_200", "unexpected_204", "wrong_shape"},
    "payment_tokens.delete": {
        "empty_200", "unexpected_204", "wrong_shape", "close_delimited_empty", "truncate_gzip_clean",
        "truncate_close_delimited", "invalid_utf8", "nan", "deep_json", "wrong_top",
    },
}  # fmt: skip


def cases():
    """Yield the cases of this run: row, name of the call, whether through the sync client."""
    turns = {kind: [name for name, (each, _) in CALLS.items() if each == kind] for kind in (READ, KEYED, UNKEYED)}
    for at, row in enumerate(ROWS):
        for kind, names in turns.items():
            fit = [name for name in names if row.name not in NO_FAULT.get(name, ())]
            for name in fit if LONG else [fit[at % len(fit)]]:
                for sync in (False, True) if LONG else [(at // len(names) + kind) % 2 == 0]:
                    yield pytest.param(row, name, sync, id=f"{row.name}-{name}-{'sync' if sync else 'async'}")


@pytest.mark.parametrize(("row", "name", "sync"), list(cases()))
async def test_fault(serve, client_for, row, name, sync):
    kind, call = CALLS[name]
    server = await serve(row.script)
    error = await error_of(client_for, server, call, time_for(row.error), sync=sync)
    assert type(error) is getattr(errors, row.error)
    assert len(server.requests) == row.sent[kind] == error.attempts
    assert (error.outcome, error.endpoint) == (row.outcome, name)
    bodies = {request.body for request in server.requests}
    assert len(bodies) == 1, "every attempt sends the same bytes"
    if kind == KEYED:
        assert json.loads(bodies.pop())["idempotency_key"] == error.idempotency_key
    else:
        assert error.idempotency_key is None
        assert b"idempotency_key" not in bodies.pop()


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize("name", CALLS)
async def test_lost_response_is_retried_unless_the_write_has_no_key(serve, client_for, name, sync):
    """The first attempt may have been applied. A read, or a write with a key, is the same request again."""
    kind, call = CALLS[name]
    done = respond_with(DONE)

    async def script(exchange):
        if exchange.number == 1:
            exchange.close()
        else:
            await done(exchange)

    server = await serve(script)
    error = await error_of(client_for, server, call, 90.0, sync=sync)
    if kind != UNKEYED:
        assert error is None
        assert len(server.requests) == 2
        assert server.requests[0].raw == server.requests[1].raw
    else:
        assert (type(error), error.outcome) == (errors.DisconnectedError, "unknown")
        assert len(server.requests) == 1


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize("name", ["payment_sessions.cancel", "payment_tokens.delete"])
async def test_post_without_body_sends_content_length_zero(serve, client_for, name, sync):
    """Truemed, "Delete Payment Token": the body must be empty."""
    server = await serve(respond_with(b"", status=204))
    assert await error_of(client_for, server, CALLS[name][1], 90.0, sync=sync) is None
    (request,) = server.requests
    assert (request.verb, request.body) == ("POST", b"")
    assert request.header("content-length") in (["0"], [])
    assert request.header("transfer-encoding") == []


def test_every_call_is_tried_with_every_row():
    """Every row, and each call through both clients."""
    tried = [case.values for case in cases()]
    assert {row.name for row, _, _ in tried} == {row.name for row in ROWS}
    assert {(name, sync) for _, name, sync in tried} == {(name, sync) for name in CALLS for sync in (False, True)}
