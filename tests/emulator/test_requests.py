"""How every route treats invalid requests, unknown objects and repeated idempotency keys.

The table is written from docs/truemed-api.md, and the emulator is compared with it; what is not documented there is our
choice, see docs/emulator.md. Paging is tested in test_listings.py.
"""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

import attrs
import pytest

from tests.support.emulator_requests import make_requests
from tests.support.factories import assert_refused
from truemed_async.emulator import ROUTES
from truemed_async.emulator.routing import PAGE_PARAMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOT_A_STRING = (None, 5, ["u"])
EMPTY_OR_NO_STRING = ("", *NOT_A_STRING)
NOT_A_BOOLEAN = ("1", "yes", "True", "")
# A date of another form, or one that does not exist.
NOT_A_DATE = ("20270501", "2027-5-1", "2027-02-30", "2027-W18-6", "2027-05-01T00:00:00Z", "x", "")


@attrs.frozen(kw_only=True)
class Rules:
    """What a route requires of a request.

    error: the ``error`` of an invalid request; ``errors`` those of members that have their own.
    required: members and parameters without which a request is refused; a dot leads into the first item of a list.
    invalid: values that are refused, by member; every member has some. query: texts, by parameter.
    another: members that make a request another one.
    unknown: status and ``error`` for an object that does not exist: 404 unless stated. id: the member that names it, if
    it is not in the path.
    """

    error: str = "ValidationError"
    errors: Mapping[str, str] = attrs.field(factory=dict)
    required: Sequence[str] = ()
    invalid: Mapping[str, Sequence[object]] = attrs.field(factory=dict)
    query: Mapping[str, Sequence[str]] = attrs.field(factory=dict)
    another: Mapping[str, object] | None = None
    unknown: tuple[int, str] | None = None
    id: str | None = None


def give_each(*members, values=NOT_A_STRING):
    return dict.fromkeys(members, values)


AMOUNT_DETAILS = ({"total_discounts": "5"}, {"discounts_details": [5]}, {"total_additional_charges": None}, [])
KEY = {"idempotency_key": EMPTY_OR_NO_STRING}
TOKEN_MEMBERS = {
    "order_items": ({}, [1], [{"sku": 1}], [{"name": 1}], [{"price": -1}], [{"quantity": 0}]),
    **give_each("success_url", "failure_url", values=EMPTY_OR_NO_STRING),
    **give_each("customer_email", "customer_name", "metadata"),
    **KEY,
}
CATALOG_MEMBERS = {
    **give_each("sku", values=("", 1)),
    **give_each("name", "description", "url"),
    **give_each("gtin", "metadata", "product_id", values=(5, [])),
    "image_urls": ("x", [1], None),
}
DAYS = {"start_date": NOT_A_DATE, "end_date": NOT_A_DATE}
NO_SESSION = (400, "PaymentSessionDoesNotExist")
RULES = {
    "payment_sessions.create": Rules(
        error="MissingField",
        errors={"total_amount": "TotalAmountInvalid"},
        required=(
            *("total_amount", "order_items", "success_url"),
            *("order_items.name", "order_items.price", "order_items.quantity"),
        ),
        invalid={
            "total_amount": ("600.00", 600.5, True, [], 2**53, None),
            "order_items": ({}, [1], None),
            **give_each("order_items.name", "order_items.sku"),
            "order_items.price": (1.5, -1, "1"),
            "order_items.quantity": (0, True, 1.5),
            **dict.fromkeys(("amount_details", "order_items.amount_details"), AMOUNT_DETAILS),
            "kind": ("hold", None),
            **dict.fromkeys(("tokenize", "use_iframe"), ("true", 1, None)),
            **give_each("success_url", "failure_url", "payment_token", values=EMPTY_OR_NO_STRING),
            **give_each("customer_email", "customer_name", "customer_state", "order_id"),
            "metadata": ({"order": 1}, None),
            "display_next_bill_info": (5, [], None),
            **KEY,
        },
        another={"customer_name": "Someone Else"},
        unknown=(404, "NotFound"),
        id="payment_token",
    ),
    "payment_sessions.list": Rules(
        query={**dict.fromkeys(("include_order_items", "summarize_refunds"), NOT_A_BOOLEAN), "search": ()}
    ),
    "payment_sessions.capture": Rules(
        error="MissingField",
        errors={"total_amount": "TotalAmountInvalid"},
        required=("total_amount",),
        invalid={"total_amount": ("100", 100.5, None), **KEY},
        another={"total_amount": 99_00},
        unknown=NO_SESSION,
    ),
    "payment_sessions.void": Rules(
        error="MissingField", required=("idempotency_key",), invalid=KEY, another={"note": "x"}, unknown=NO_SESSION
    ),
    "payment_sessions.cancel": Rules(error="MissingField", invalid=KEY, another={"note": "x"}, unknown=NO_SESSION),
    "payment_sessions.refund": Rules(
        error="MissingField",
        errors={"amount": "AmountInvalid", "payment_id": "InvalidPaymentId"},
        required=("amount", "idempotency_key", "payment_id", "reason"),
        invalid={
            "amount": ("10", 1.5, None),
            **give_each("payment_id"),
            "reason": ("regret", None),
            "item_details": ({}, [1]),
            **KEY,
        },
        another={"amount": 2},
        unknown=(400, "InvalidPaymentId"),
        id="payment_id",
    ),
    "payment_tokens.create": Rules(invalid=TOKEN_MEMBERS, another={"metadata": "m"}),
    "payment_tokens.list": Rules(
        query={
            "card_expires_before": ("2027", "2027-13", "2027-00", ""),
            "lmn_expires_before": NOT_A_DATE,
            **give_each("email", "name", values=()),
        }
    ),
    "payment_tokens.update": Rules(
        invalid={**TOKEN_MEMBERS, "update_card_info": ("true", 1, None)}, another={"metadata": "m"}
    ),
    "qualification_sessions.list": Rules(
        query={
            "status": ("qualified", "", "Approved", "approved,rejected"),
            "expires_at": NOT_A_DATE,
            **give_each("user_id", "search", values=()),
        }
    ),
    "qualification_sessions.update": Rules(
        required=("idempotency_key",),
        invalid={
            **give_each("user_id", "success_url", "failure_url"),
            "metadata": ({"order": 1}, "{order: 1}", "", None, 5),
            **KEY,
        },
        another={"success_url": "b"},
    ),
    "catalog_items.list": Rules(query={"eligibility": ("pending", "", "ELIGIBLE")}),
    "catalog_items.checkout_method": Rules(
        required=("items",), invalid={"items": ("A", [1], [{}], [{"sku": ""}], [{"sku": 1}])}
    ),
    "catalog_items.create": Rules(
        required=("sku", "name"), invalid={**CATALOG_MEMBERS, **KEY}, another={"name": "Other"}
    ),
    "catalog_items.update": Rules(
        required=("sku", "name", "description", "image_urls", "url"),
        invalid=CATALOG_MEMBERS,
        unknown=(404, "NotFound"),
        id="sku",
    ),
    "catalog_items.get": Rules(required=("sku",), invalid={"sku": ("", 1)}, unknown=(404, "NotFound"), id="sku"),
    "reconciliations.list_payouts": Rules(required=tuple(DAYS), query=DAYS),
    "reconciliations.list_transactions": Rules(
        required=tuple(DAYS), query={**DAYS, "payout_ids": (), "include_pending_payouts": NOT_A_BOOLEAN}
    ),
}


def rules_of(route):
    """Return the rules of a route; those of one that is not in the table follow from its declaration."""
    return RULES.get(route.name, Rules(error=route.error))


def each_route(select):
    """Parametrize a test by the routes whose rules ``select`` accepts."""
    routes = [route for route in ROUTES if select(route)]
    return pytest.mark.parametrize("route", routes, ids=[route.name for route in routes])


MISSING = object()


def replace(body, member, value=MISSING):
    """Return a body with another value of a member, or without the member."""
    body = copy.deepcopy(body)
    *parents, name = member.split(".")
    owner = body
    for parent in parents:
        owner = owner[parent][0]
    if value is MISSING:
        del owner[name]
    else:
        owner[name] = value
    return body


def replace_parameter(target, name, value=MISSING):
    """Return a target with another value of a query parameter, or without the parameter."""
    path, _, query = target.partition("?")
    parameters = {**dict(parse_qsl(query)), name: value}
    return f"{path}?{urlencode({name: value for name, value in parameters.items() if value is not MISSING})}"


def dump(emulator):
    """Return the whole state but for the clock, which never stands still."""
    return {**emulator.state.dump(), "clock": None}


@pytest.fixture
def refuse(emulator, api):
    """Return a function that sends a request, and asserts that it is refused and changes nothing."""

    def send(method, target, body=None, *, error, status=400, mentions=""):
        before = dump(emulator)
        response = api.send(method, target, body)
        assert response.status == status, (target, body)
        assert_refused(response, error, status)
        assert response.json.keys() == {"error", "message"}, (target, body)
        assert mentions in response.json["message"], (target, body)
        assert dump(emulator) == before, (target, body)

    return send


@pytest.mark.parametrize("name", RULES)
def test_table_has_every_member_and_parameter_of_the_route(name):
    (route,) = (route for route in ROUTES if route.name == name)
    rules = RULES[name]
    members, required = (route.body.properties, route.body.required) if route.body else ({}, {})
    assert {member for member in rules.invalid if "." not in member} == set(members)
    assert rules.query.keys() == route.query.keys() - PAGE_PARAMS.keys()
    needed = {*required, *(name for name, parameter in route.query.items() if parameter.required)}
    assert {member for member in rules.required if "." not in member} == needed


@each_route(lambda route: rules_of(route).required)
def test_request_without_a_required_member_is_refused(emulator, refuse, route):
    """docs/truemed-api.md 2: the columns "required"."""
    rules = rules_of(route)
    target, body = make_requests(emulator)[route.name]
    for member in rules.required:
        name = member.rpartition(".")[2]
        if member in rules.query:
            refuse("GET", replace_parameter(target, member), error=rules.error, mentions=name)
        else:
            refuse("POST", target, replace(body, member), error=rules.error, mentions=name)


@each_route(lambda route: rules_of(route).invalid)
def test_invalid_member_is_refused(emulator, refuse, route):
    """docs/truemed-api.md 2: the types of its tables."""
    rules = rules_of(route)
    target, body = make_requests(emulator)[route.name]
    for member, values in rules.invalid.items():
        error = rules.errors.get(member, rules.error)
        for value in values:
            refuse("POST", target, replace(body, member, value), error=error, mentions=member.rpartition(".")[2])


@each_route(lambda route: rules_of(route).query)
def test_invalid_query_parameter_is_refused(emulator, refuse, route):
    """docs/truemed-api.md 2: the types of its tables."""
    target, _ = make_requests(emulator)[route.name]
    for parameter, values in rules_of(route).query.items():
        for value in values:
            refuse("GET", replace_parameter(target, parameter, value), error="ValidationError", mentions=parameter)


@each_route(lambda route: route.body is not None)
def test_body_that_is_no_object_is_refused(emulator, refuse, route):
    """docs/truemed-api.md 1.3: all bodies are JSON objects."""
    target, _ = make_requests(emulator)[route.name]
    # An empty body is one without members.
    empty = [b""] if route.body.required else []
    for body in [b"{", b"[]", b'"text"', b"null", b"\xff", b"user_id=u", *empty]:
        refuse("POST", target, body, error=rules_of(route).error, mentions="JSON")


@each_route(lambda route: rules_of(route).unknown or "{" in route.path)
def test_unknown_object_is_refused(emulator, refuse, route):
    """docs/truemed-api.md 1.4: 404 Not Found, but PaymentSessionDoesNotExist and InvalidPaymentId are a 400."""
    rules = rules_of(route)
    status, error = rules.unknown or (404, "NotFound")
    target, body = make_requests(emulator)[route.name]
    if rules.id is None:
        target = re.sub(r"\{\w+\}", "unknown", route.path)
    else:
        body = replace(body, rules.id, "unknown")
    refuse(route.method, target, body, error=error, status=status, mentions="no such")


@each_route(lambda route: rules_of(route).another)
def test_repeated_key_repeats_the_response_and_nothing_else(emulator, api, route):
    """docs/truemed-api.md 1.5: the same key, the same result, also with white space and the members in another order."""
    target, body = make_requests(emulator)[route.name]
    body = {**body, "idempotency_key": "key-1"}
    first = api.post(target, body)
    assert first.status == 200
    before = dump(emulator)
    repeated = api.post(target, json.dumps(dict(reversed(body.items())), indent=2).encode())
    assert (repeated.status, repeated.content) == (200, first.content)
    assert dump(emulator) == before


@each_route(lambda route: rules_of(route).another)
def test_key_with_another_request_is_refused(emulator, api, refuse, route):
    """docs/truemed-api.md 1.5: 400 validation error; stated for the update of a qualification session only."""
    target, body = make_requests(emulator)[route.name]
    body = {**body, "idempotency_key": "key-1"}
    assert api.post(target, body).status == 200
    another = {**body, **rules_of(route).another}
    refuse("POST", target, another, error="ValidationError", mentions="idempotency_key")
