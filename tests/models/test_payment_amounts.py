"""The parts of a payment session's amount, and the rule by which they add up."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import assume, given, strategies as st

from truemed_async import AmountDetails, NextBillInfo, OrderItem
from truemed_async._validation.payments import validate_total
from truemed_async.errors import InvalidArgumentError
from truemed_async.models.order import to_send

MONEY = st.integers(0, 10**7)


@st.composite
def details(draw: Any, sign: int) -> AmountDetails | None:
    if draw(st.booleans()):
        return None
    return AmountDetails(
        total_additional_charges=draw(st.none() | MONEY),
        total_discounts=draw(st.none() | MONEY.map(lambda value: sign * value)),
    )


@st.composite
def orders(draw: Any) -> tuple[list[OrderItem], AmountDetails | None]:
    sign = draw(st.sampled_from([1, -1]))
    items = st.builds(
        OrderItem, name=st.just("x"), price=MONEY, quantity=st.integers(1, 99), amount_details=details(sign)
    )
    return draw(st.lists(items, max_size=30)), draw(details(sign))


def itemized(items: list[OrderItem], order: AmountDetails | None) -> list[AmountDetails]:
    return [each for each in [*(item.amount_details for item in items), order] if each is not None]


def due(items: list[OrderItem], order: AmountDetails | None) -> int:
    """The rule, written down once more: discounts lower the total, whichever sign they have."""
    total = sum(item.quantity * item.price for item in items)
    for part in itemized(items, order):
        total += part.total_additional_charges or 0
        total -= abs(part.total_discounts or 0)
    return total


@given(orders())
def test_matching_total_is_accepted(order):
    validate_total(due(*order), *order)


@given(orders(), st.integers(-(10**6), 10**6).filter(bool))
def test_mismatching_total_raises_with_both_sums(order, off):
    """The negative control of the test above."""
    assume(itemized(*order))
    total = due(*order)
    with pytest.raises(InvalidArgumentError) as caught:
        validate_total(total + off, *order)
    assert f"total_amount is {total + off}, but the parts add up to {total} cents" in str(caught.value)


@given(orders(), MONEY)
def test_order_that_itemizes_nothing_may_hold_anything_in_its_total(order, total):
    """Truemed's guide: every itemization field is optional, and old requests keep working."""
    items = [attrs.evolve(item, amount_details=None) for item in order[0]]
    validate_total(total, items, None)


def item(price: int, quantity: int = 1, **details: int) -> OrderItem:
    return OrderItem(
        name="x", price=price, quantity=quantity, amount_details=AmountDetails(**details) if details else None
    )


@pytest.mark.parametrize("sign", [1, -1], ids=["as the example", "as the rule"])
def test_truemeds_worked_example_balances_with_either_sign(sign):
    items = [
        item(5500, 3, total_additional_charges=4500, total_discounts=sign * 1000),
        item(15000, 2),
        item(2000, 4, total_discounts=sign * 500),
    ]
    validate_total(100_000, items, AmountDetails(total_additional_charges=5000 + 10000 + 27500))


def test_error_shows_the_arithmetic():
    with pytest.raises(InvalidArgumentError) as caught:
        validate_total(
            9000,
            [item(5500, 3, total_additional_charges=4500, total_discounts=1000), item(2000)],
            AmountDetails(total_additional_charges=700, total_discounts=200),
        )
    assert str(caught.value) == (
        "total_amount is 9000, but the parts add up to 22500 cents (order_items[0]: 3 * 5500 + 4500 charges"
        " - 1000 discounts = 20000; order_items[1]: 1 * 2000 = 2000; amount_details: 700 charges - 200 discounts = 500)"
    )


def test_arithmetic_of_a_long_order_is_cut_short_and_still_adds_up():
    with pytest.raises(InvalidArgumentError) as caught:
        validate_total(1, [item(100)] * 200, AmountDetails())
    text = str(caught.value)
    assert "order_items[19]: 1 * 100 = 100; 181 more: 18000)" in text
    assert "order_items[20]" not in text


def test_discounts_have_one_sign():
    with pytest.raises(InvalidArgumentError, match="use one sign"):
        validate_total(100, [item(100, total_discounts=-10)], AmountDetails(total_discounts=10))


def test_discount_that_raises_the_total_raises():
    with pytest.raises(InvalidArgumentError, match="add up to 90 cents"):
        validate_total(110, [item(100)], AmountDetails(total_discounts=10))


# --- the parts ----------------------------------------------------------------------------------------------------


def test_absent_fields_of_a_part_are_not_sent():
    assert to_send(OrderItem(name="Sauna", price=100, quantity=1)) == {"name": "Sauna", "price": 100, "quantity": 1}
    assert to_send(AmountDetails()) == {}


def test_part_is_sent_as_it_was_given():
    """No sign is corrected, and undocumented fields go with it."""
    parts = AmountDetails(
        total_additional_charges=5,
        total_discounts=-7,
        discounts_details=[{"name": "spring", "amount": 7}],
        extra={"additional_charges_details": [{"name": "tax", "amount": 5}]},
    )
    sent = to_send(OrderItem(name="Sauna", price=100, quantity=1, sku="S", amount_details=parts, extra={"brand": "B"}))
    assert orjson.loads(orjson.dumps(sent)) == {
        "name": "Sauna",
        "price": 100,
        "quantity": 1,
        "sku": "S",
        "amount_details": {
            "total_additional_charges": 5,
            "total_discounts": -7,
            "discounts_details": [{"name": "spring", "amount": 7}],
            "additional_charges_details": [{"name": "tax", "amount": 5}],
        },
        "brand": "B",
    }


@pytest.mark.parametrize(("day", "sent"), [(date(2026, 12, 1), "2026-12-01"), ("December 1", "December 1")])
def test_next_bill_is_sent_with_its_day(day, sent):
    assert to_send(NextBillInfo(total_amount=2999, date=day)) == {"total_amount": 2999, "date": sent}


ITEM: dict[str, Any] = {"name": "x", "price": 100, "quantity": 1}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OrderItem(**ITEM | {"price": 1.0}), "price must be an integer in cents, not float"),
        (lambda: OrderItem(**ITEM | {"price": True}), "price must be an integer in cents, not bool"),
        (lambda: OrderItem(**ITEM | {"price": "1"}), "price must be an integer in cents, not str"),
        (lambda: OrderItem(**ITEM | {"quantity": 0}), "quantity must be a whole number >= 1"),
        (lambda: OrderItem(**ITEM | {"quantity": True}), "quantity must be a whole number >= 1"),
        (lambda: OrderItem(**ITEM | {"quantity": 1.0}), "quantity must be a whole number >= 1"),
        (lambda: OrderItem(**ITEM | {"name": ""}), "name must be a non-empty string"),
        (lambda: OrderItem(**ITEM | {"name": None}), "name must be a non-empty string"),
        (lambda: OrderItem(**ITEM | {"sku": 7}), "sku must be a non-empty string"),
        (lambda: OrderItem(**ITEM | {"amount_details": {}}), r"amount_details must be AmountDetails\(…\), not dict"),
        (lambda: OrderItem(**ITEM | {"extra": {"price": 1}}), "extra must not contain price"),
        (lambda: OrderItem(**ITEM | {"extra": {"extra": 1}}), "extra must not contain extra"),
        (lambda: OrderItem(**ITEM | {"extra": [1]}), "extra must be a mapping"),
        (lambda: OrderItem(**ITEM | {"extra": {1: 1}}), "extra must be a mapping"),
        (lambda: AmountDetails(total_discounts=0.5), "total_discounts must be an integer in cents, not float"),
        (lambda: AmountDetails(total_additional_charges="1"), "total_additional_charges must be an integer in cents"),
        (lambda: AmountDetails(discounts_details={"a": 1}), "discounts_details must be a list of mappings"),
        (lambda: AmountDetails(discounts_details=[1]), "discounts_details must be a list of mappings"),
        (lambda: AmountDetails(extra={"total_discounts": 1}), "extra must not contain total_discounts"),
        (lambda: NextBillInfo(total_amount=1.5, date="x"), "total_amount must be an integer in cents, not float"),
        (lambda: NextBillInfo(total_amount=1, date=""), "date must be a date, or a non-empty string"),
        (lambda: NextBillInfo(total_amount=1, date=7), "date must be a date, or a non-empty string"),
        (lambda: NextBillInfo(total_amount=1, date=datetime.now(UTC)), "date must be a date, or a non-empty string"),
        (lambda: NextBillInfo(total_amount=1, date="x", extra={"date": 1}), "extra must not contain date"),
    ],
)
def test_part_that_cannot_be_one_is_rejected_where_it_is_made(make, message):
    with pytest.raises(InvalidArgumentError, match=message):
        make()
