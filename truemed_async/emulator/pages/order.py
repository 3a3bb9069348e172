"""The order beside the form: lines with their eligibility, discounts, charges and the total."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from truemed_async.emulator.resources.payment_sessions import EmulatedPaymentSession, LineItem
    from truemed_async.emulator.resources.state import State

MAX_LINES: Final = 25
_MAX_NAMED: Final = 10
_DISCOUNTS: Final = "Discounts"
_CHARGES: Final = "Taxes, shipping and fees"
# The three results of a review of the catalog, each with the style of its badge. Nothing is said of other products.
_MARKS: Final = MappingProxyType(
    {
        "eligible": ("HSA/FSA eligible", "good"),
        "eligible_with_lmn": ("Eligible with a Letter of Medical Necessity", "info"),
        "ineligible": ("Not HSA/FSA eligible", "warn"),
    }
)
_NO_MARK: Final = (None, None)


@attrs.frozen
class OrderLine:
    """One line: ``price`` is that of one unit, in cents; ``mark`` says whether it is eligible, ``style`` is its badge."""

    name: str
    quantity: int
    price: int
    mark: str | None
    style: str | None


@attrs.frozen
class OrderSummary:
    """The first lines of an order, how many more there are, and its amounts in cents; discounts are negative."""

    lines: tuple[OrderLine, ...]
    more: int
    subtotal: int
    adjustments: Mapping[str, int]
    total: int


def summarize_order(state: State, session: EmulatedPaymentSession) -> OrderSummary:
    """Return what the page of a payment session shows of its order."""
    items = session.order_items
    return OrderSummary(
        lines=tuple(_line(state, item) for item in items[:MAX_LINES]),
        more=max(0, len(items) - MAX_LINES),
        subtotal=sum(item.quantity * item.price for item in items),
        adjustments=_adjustments(session),
        total=session.total_amount,
    )


def _line(state: State, item: LineItem) -> OrderLine:
    reviewed = item.sku is not None and item.sku in state.catalog_items
    mark, style = _MARKS.get(state.catalog_items.get(item.sku or "").status, _NO_MARK) if reviewed else _NO_MARK
    return OrderLine(item.name, item.quantity, item.price, mark, style)


def _adjustments(session: EmulatedPaymentSession) -> Mapping[str, int]:
    """Return the discounts, then the charges: those of the order by their names, those of its lines in one sum."""
    order = session.amount_details or {}
    lines = [item.amount_details or {} for item in session.order_items]
    discounts = _list_adjustments(order, "discounts_details", "total_discounts", _DISCOUNTS)
    charges = _list_adjustments(order, "additional_charges_details", "total_additional_charges", _CHARGES)
    discounts += [(_DISCOUNTS, abs(line.get("total_discounts", 0))) for line in lines]
    charges += [(_CHARGES, line.get("total_additional_charges", 0)) for line in lines]
    summed = _sum_by_name((name, -abs(amount)) for name, amount in discounts) | _sum_by_name(charges)
    return {name: amount for name, amount in summed.items() if amount}


def _sum_by_name(amounts: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for name, amount in amounts:
        sums[name] = sums.get(name, 0) + amount
    return sums


def _list_adjustments(details: Mapping[str, Any], members: str, total: str, name: str) -> list[tuple[str, int]]:
    """Return the members by their names if they have names and amounts that make up the total, otherwise the total.

    Truemed does not document the fields of a member: ``name`` and ``amount`` are assumptions.
    """
    found = [(each.get("name"), each.get("amount")) for each in details.get(members) or ()]
    named = [(label, amount) for label, amount in found if isinstance(label, str) and isinstance(amount, int)]
    expected = details.get(total, 0)
    complete = len(named) == len(found) <= _MAX_NAMED and sum(abs(amount) for _, amount in named) == abs(expected)
    return named if complete else [(name, expected)]
