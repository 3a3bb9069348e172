"""The canaries of the customer and of the server through every write about payments, and through what they return."""

import json

import pytest

from tests.support import canary
from tests.support.canary import (
    EMAIL,
    HOSTILE,
    NAME,
    OF_CALLER,
    OF_SERVER,
    USER_ID,
    USER_NAME,
    VALUE_SURFACES,
    Log,
    error_of_call,
    found_in,
    found_in_error,
    leaks,
)
from tests.support.fault_matrix import ROWS, send_json
from tests.support.recording_server import KEY, respond_with
from tests.support.timeouts import HURRIED, PATIENT
from truemed_async import AmountDetails, NextBillInfo, OrderItem, Outcome, RetryPolicy, errors

ONCE_MORE = RetryPolicy(max_attempts=2, base=0.001, cap=0.001)
STREET = f"1 {USER_NAME} Street"


def create(client):
    return client.payment_sessions.create(
        total_amount=1999,
        order_items=[OrderItem(name="Sauna", price=1999, quantity=1, extra={"engraving": USER_NAME})],
        amount_details=AmountDetails(total_discounts=0, discounts_details=[{"name": f"for {USER_NAME}"}]),
        success_url=f"https://shop.example/{USER_ID}?s={{{{payment_session_id}}}}",
        failure_url=f"https://shop.example/{USER_ID}",
        customer_email=USER_ID,
        customer_name=USER_NAME,
        metadata={"to": STREET, USER_ID: 1},
        payment_token="ptok_1",
        display_next_bill_info=NextBillInfo(total_amount=1, date=f"ask {USER_NAME}"),
        extra={"shipping_address": {"street": STREET, "email": USER_ID}},
    )


SECRET = {"shipping_address": {"street": STREET, "email": USER_ID}}
WRITES = {
    "sessions.create": create,
    "sessions.capture": lambda client: client.payment_sessions.capture("s", total_amount=1, extra=SECRET),
    "sessions.void": lambda client: client.payment_sessions.void("s", extra=SECRET),
    "sessions.cancel": lambda client: client.payment_sessions.cancel("s", extra=SECRET),
    "sessions.refund": lambda client: client.payment_sessions.refund(
        "s", amount=1, reason="fraudulent", item_details=[{"to": USER_NAME}], extra=SECRET
    ),
    "tokens.create": lambda client: client.payment_tokens.create(metadata=f"{USER_NAME} {USER_ID}", extra=SECRET),
    "tokens.update": lambda client: client.payment_tokens.update("t", update_card_info=True, extra=SECRET),
}
READS = {
    "sessions.get": lambda client: client.payment_sessions.get("s"),
    "sessions.list": lambda client: client.payment_sessions.list(search=f"{USER_NAME} {USER_ID}", extra={"q": USER_ID}),
    "tokens.get": lambda client: client.payment_tokens.get("t"),
    "tokens.list": lambda client: client.payment_tokens.list(email=USER_ID, name=USER_NAME),
    "tokens.get_provision_request": lambda client: client.payment_tokens.get_provision_request("r"),
}
SLOW = ("hang", "dribble")
FAULTS = {row.name: row.script for row in ROWS} | HOSTILE
# Each fault meets one write in turn. Those of success are left out: what is read of these answers differs.
CASES = [
    pytest.param(fault, list(WRITES)[at % len(WRITES)], id=f"{fault}-{list(WRITES)[at % len(WRITES)]}")
    for at, fault in enumerate(
        name for name in FAULTS if not name.startswith("200_") and name not in ("empty_200", "unexpected_204", "wrong_shape")
    )
]  # fmt: skip


def below_the_method(error):
    return [each for each in canary.below_the_method(error) if leaks(each, (*OF_SERVER, *OF_CALLER))]


@pytest.mark.parametrize(("fault", "write"), CASES)
async def test_error_surfaces_of_a_write_show_no_canary(serve, client_for, fault, write):
    server = await serve(FAULTS[fault])
    attempts = []
    client = await client_for(
        server, retry=ONCE_MORE, timeout=HURRIED if fault in SLOW else PATIENT, hooks=[attempts.append]
    )
    with Log() as log:
        error = await error_of_call(client, WRITES[write])
    assert error is not None
    assert found_in_error(error) == []
    assert below_the_method(error) == []
    assert attempts
    assert leaks(f"{log.text()} {attempts} {client}") == []
    assert server.requests


@pytest.mark.parametrize("read", READS)
async def test_error_surfaces_of_a_read_show_no_canary(serve, client_for, read):
    server = await serve(HOSTILE["400_told"])
    client = await client_for(server, retry=ONCE_MORE, timeout=PATIENT)
    with Log() as log:
        error = await error_of_call(client, READS[read])
    assert type(error) is errors.BadRequestError
    assert found_in_error(error) == []
    assert below_the_method(error) == []
    assert leaks(log.text()) == []


@pytest.mark.parametrize("write", WRITES)
async def test_canaries_are_sent(serve, client_for, write):
    """The tests above would also pass if nothing personal were sent."""
    server = await serve(HOSTILE["404_told"])
    client = await client_for(server, retry=ONCE_MORE, timeout=PATIENT)
    assert await error_of_call(client, WRITES[write]) is not None
    assert leaks(server.requests[0].body.decode(), OF_CALLER) != []


WHOLE = {
    "id": "s",
    "status": "captured",
    "payment_token": EMAIL,
    "customer_email": EMAIL,
    "customer_name": NAME,
    "metadata": f"{NAME} {EMAIL}",
    "redirect_url": f"https://app.truemed.com/{EMAIL}",
    "refund_id": "r",
    "provision_token_request_id": "p",
    "payment_methods": [{"last4": "4242", "holder": NAME}],
    "order_items": [{"name": "Sauna", "engraving": NAME}],
    "a_new_field": {EMAIL: [NAME]},
}
PAGE = {"payment_sessions": [WHOLE], "payment_tokens": [WHOLE], "pagination": None, EMAIL: NAME}


@pytest.mark.parametrize("call", [*WRITES, *READS])
async def test_result_surfaces_show_no_canary(serve, client_for, call):
    server = await serve(respond_with(json.dumps(PAGE if call.endswith("list") else WHOLE).encode()))
    client = await client_for(server, timeout=PATIENT)
    value = await {**WRITES, **READS}[call](client)
    assert found_in(VALUE_SURFACES, value) == []
    assert found_in(VALUE_SURFACES, Outcome(id="s", value=value)) == []
    rows = list(value) if call.endswith("list") else [value]
    assert rows
    assert all(found_in(VALUE_SURFACES, row) == [] for row in rows)


@pytest.mark.parametrize("field", ["customer_email", "customer_name", "metadata", "payment_token", "order_items", "created_at"])  # fmt: skip
@pytest.mark.parametrize("read", ["sessions.get", "tokens.get"])
async def test_decode_error_shows_only_the_path(serve, client_for, read, field):
    if (read, field) == ("tokens.get", "metadata") or (read, field) == ("tokens.get", "order_items"):
        field = "payment_methods"  # what a session has and a token has not
    server = await serve(send_json(json.dumps({**WHOLE, field: [EMAIL, {NAME: EMAIL}]}).encode()))
    client = await client_for(server, retry=ONCE_MORE, timeout=PATIENT)
    error = await error_of_call(client, READS[read])
    assert type(error) is errors.DecodeError
    assert error.path.startswith(field)
    assert found_in_error(error) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"customer_email": [USER_ID]},
        {"customer_name": {USER_NAME: 1}},
        {"metadata": [USER_ID]},
        {"metadata": {"x": {USER_ID}}},
        {"success_url": f"https://shop.example/{USER_ID}/{{x}}"},
        {"failure_url": f"http://{USER_ID}"},
        {"kind": [USER_ID]},
        {"payment_token": [USER_ID]},
        {"total_amount": USER_ID},
        {"order_items": USER_ID},
        {"order_items": [USER_ID]},
        {"amount_details": USER_ID},
        {"tokenize": USER_ID},
        {"extra": {"x": {USER_ID}}},
        {"extra": [USER_ID]},
        {"idempotency_key": f"{USER_NAME}"},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_rejection_does_not_show_the_value(serve, client_for, changes):
    server = await serve(respond_with(b"{}"))
    client = await client_for(server)
    cart = {"total_amount": 1, "order_items": [], "success_url": "https://shop.example"}
    with pytest.raises(errors.InvalidArgumentError) as caught:
        await client.payment_sessions.create(**{**cart, **changes})
    assert leaks(f"{caught.value} {caught.value!r} {caught.value.args} {vars(caught.value)}") == []
    assert [str(each) for each in canary.chain(caught.value)] == [str(caught.value)]
    assert server.requests == []


async def test_redirect_url_of_a_declined_token_is_an_attribute_only(serve, client_for):
    server = await serve(HOSTILE["422_told"])
    client = await client_for(server, timeout=PATIENT)
    error = await error_of_call(client, create)
    assert type(error) is errors.PaymentMethodError
    assert EMAIL in error.redirect_url
    assert found_in_error(error) == []
    assert KEY not in str(error)
