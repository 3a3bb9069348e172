"""Payment tokens: the requests that are made, and the answers that are returned."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from truemed_async import (
    OrderItem,
    PaymentTokenCreation,
    PaymentTokenNextAction,
    PaymentTokenUpdate,
)
from truemed_async.errors import DeadlineExceededError, InvalidArgumentError

TOKEN = {"payment_token": "ptok_1", "created_at": "2024-01-15T09:30:00Z", "payment_methods": [{"last4": "4242"}]}
ROUTE = "/api/v1/payment_tokens"
BOX = OrderItem(name="Box", price=2999, quantity=1)
BOX_ON_THE_WIRE = {"name": "Box", "price": 2999, "quantity": 1}


async def test_create_returns_a_request_and_no_token(client, server):
    server.respond({"provision_token_request_id": "ptr_1", "redirect_url": "https://app.truemed.com/p/1"})
    token = await client.payment_tokens.create(
        order_items=[BOX],
        success_url="https://shop.example/account",
        metadata={"customer": 17},
        extra={"customer_email": "jane@example.com"},
    )
    assert token == PaymentTokenCreation(provision_token_request_id="ptr_1", redirect_url="https://app.truemed.com/p/1")
    assert server.only.body == {
        "order_items": [BOX_ON_THE_WIRE],
        "success_url": "https://shop.example/account",
        "metadata": '{"customer":17}',
        "customer_email": "jane@example.com",
    }


async def test_create_sends_an_object_even_when_it_has_no_fields(client, server):
    server.respond({"provision_token_request_id": "ptr_1"})
    assert (await client.payment_tokens.create()).redirect_url is None
    assert server.only.body == {}


async def test_get_many_gives_an_outcome_for_each_token(client, server):
    server.respond(lambda request: {**TOKEN, "payment_token": request.path.rsplit("/")[-1]})
    outcomes = [each async for each in client.payment_tokens.get_many(["a", "b", ".."], ordered=True)]
    assert [each.ok for each in outcomes] == [True, True, False]
    assert outcomes[1].unwrap().payment_token == "b"


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ({"card_expires_before": "2027-12"}, {"card_expires_before": "2027-12"}),
        ({"card_expires_before": date(2027, 1, 31)}, {"card_expires_before": "2027-01"}),
        (
            {"card_expires_before": datetime(2027, 1, 31, 23, tzinfo=timezone(-timedelta(hours=8)))},
            {"card_expires_before": "2027-02"},
        ),
        ({"lmn_expires_before": date(2025, 2, 1)}, {"lmn_expires_before": "2025-02-01"}),
        ({"lmn_expires_before": "2025-02-01"}, {"lmn_expires_before": "2025-02-01"}),
        ({"email": "jane@", "name": "Jane D"}, {"email": "jane@", "name": "Jane D"}),
        ({"page": 2, "page_size": 10, "extra": {"x": 1}}, {"page": "2", "page_size": "10", "x": "1"}),
        ({}, {}),
    ],
)
async def test_list_requests_one_page(client, server, value, sent):
    server.respond({"payment_tokens": [TOKEN], "pagination": None})
    page = await client.payment_tokens.list(**value)
    assert [each.payment_token for each in page] == ["ptok_1"]
    assert server.only.query == sent


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"card_expires_before": "2027-13"}, "card_expires_before must be a date, a datetime or a valid 'YYYY-MM'"),
        ({"card_expires_before": "2027-1"}, "card_expires_before must be"),
        ({"card_expires_before": "0000-01"}, "card_expires_before must be"),
        ({"card_expires_before": 2027}, "card_expires_before must be"),
        ({"lmn_expires_before": "2027-02-30"}, "lmn_expires_before must be a date"),
        ({"email": ""}, "email must not be empty"),
        ({"name": 7}, "name must be a string"),
        ({"page_size": 0}, "page_size must be a whole number"),
        ({"extra": {"email": "x"}}, "extra must not contain email"),
    ],
)
async def test_list_and_iter_with_invalid_arguments_raise(client, server, filters, message):
    with pytest.raises(InvalidArgumentError, match=message):
        await client.payment_tokens.list(**filters)
    with pytest.raises(InvalidArgumentError, match=message):
        client.payment_tokens.iter(**filters)
    assert server.requests == []


async def test_iter_reads_the_list_with_its_filters_down_to_a_moment(client, server):
    def row(number: int) -> dict[str, Any]:
        return {"payment_token": f"t{number}", "created_at": f"2024-01-{number:02}T00:00:00Z"}

    server.respond({"payment_tokens": [row(3), row(2), row(1)], "pagination": None})
    found = client.payment_tokens.iter(name="Jane", since=date(2024, 1, 2), look_back=timedelta(0), prefetch=1)
    assert [each.payment_token async for each in found] == ["t3", "t2"]
    assert {request.query["name"] for request in server.requests} == {"Jane"}


async def test_update_returns_the_next_action(client, server):
    server.respond(
        {
            "next_action": "HealthSurvey",
            "redirect_url": "https://app.truemed.com/p/2",
            "provision_token_request_id": "r",
        }
    )
    done = await client.payment_tokens.update("ptok_1", order_items=[BOX], extra={"success_url": "https://a.example"})
    assert done == PaymentTokenUpdate(
        next_action=PaymentTokenNextAction.HEALTH_SURVEY,
        redirect_url="https://app.truemed.com/p/2",
        provision_token_request_id="r",
    )
    assert done.needs_customer
    assert server.only.body == {"order_items": [BOX_ON_THE_WIRE], "success_url": "https://a.example"}


async def test_update_without_next_action_is_done(client, server):
    server.respond({"next_action": None, "redirect_url": None, "provision_token_request_id": "r"})
    assert not (await client.payment_tokens.update("ptok_1", update_card_info=True)).needs_customer
    assert server.only.body == {"update_card_info": True}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda tokens: tokens.create(order_items=[{}]), r"order_items\[0\] must be OrderItem"),
        (lambda tokens: tokens.create(success_url="https://a.example/{x}"), "success_url has braces"),
        (lambda tokens: tokens.create(metadata=7), "metadata must be a string"),
        (lambda tokens: tokens.create(extra={"metadata": "x"}), "extra must not contain metadata"),
        (
            lambda tokens: tokens.update("ptok_1"),
            "nothing to change: set at least one of update_card_info, order_items",
        ),
        (lambda tokens: tokens.update("ptok_1", extra={}), "nothing to change"),
        (lambda tokens: tokens.update("ptok_1", update_card_info=1), "update_card_info must be True or False"),
        (lambda tokens: tokens.update("../x", update_card_info=True), "payment_token must be"),
        (lambda tokens: tokens.get(""), "payment_token must be"),
        (lambda tokens: tokens.delete("a/b"), "payment_token must be"),
        (lambda tokens: tokens.get_provision_request(".."), "provision_token_request_id must be"),
    ],
)
async def test_invalid_arguments_raise_before_sending(client, server, call, message):
    with pytest.raises(InvalidArgumentError, match=message):
        await call(client.payment_tokens)
    assert server.requests == []


async def test_delete_returns_nothing(client, server):
    server.respond(b"", 204)
    assert await client.payment_tokens.delete("ptok_1") is None


# --- wait_until_provisioned ---------------------------------------------------------------------------------------


async def test_waiting_polls_the_request_until_the_token_exists(client, server, clock):
    for token in (None, None, None, "ptok_1"):
        server.respond({"payment_token": token, "metadata": "m"})
    found = await client.payment_tokens.wait_until_provisioned("ptr_1")
    assert (found.payment_token, found.metadata, clock.slept) == ("ptok_1", "m", [1, 2, 4])
    assert {request.path for request in server.requests} == {f"{ROUTE}/provision_request/ptr_1"}


async def test_waiting_for_a_token_ends_with_one_last_look(client, server, clock):
    server.respond({"payment_token": None})
    with pytest.raises(DeadlineExceededError, match="the token is not provisioned after 2.5 seconds") as caught:
        await client.payment_tokens.wait_until_provisioned("ptr_1", timeout=2.5)
    assert clock.slept == [1, 1.5]
    assert (caught.value.endpoint, caught.value.attempts) == ("payment_tokens.get_provision_request", 3)
