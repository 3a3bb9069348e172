"""Truemed's rule for the amount of a payment session, checked before anything is sent. All money is in integer cents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from truemed_async.errors import InvalidArgumentError
from truemed_async.models.order import AmountDetails, OrderItem

_MOST_SHOWN = 20


def check_sum(total_amount: int, order_items: Sequence[OrderItem], amount_details: AmountDetails | None) -> None:
    """Refuse a total that is not the sum of its parts, and show the arithmetic; amounts are not personal.

    Truemed's pages contradict each other on the sign of discounts: the rule adds them, the worked example subtracts
    them. Either way they lower the total, so both spellings are taken, but not both at once.

    An order without any ``amount_details`` is let through whatever it adds up to: Truemed's guide keeps old requests
    working, whose totals hold shipping and tax that no field names.
    """
    details = [item.amount_details for item in order_items] + [amount_details]
    if all(each is None for each in details):
        return
    discounts = [each.total_discounts or 0 for each in details if each is not None]
    if min(discounts) < 0 < max(discounts):
        raise InvalidArgumentError(
            "total_discounts is negative in some places and positive in others: write all discounts with one sign"
        )
    lines = [_line(f"order_items[{at}]", item) for at, item in enumerate(order_items)]
    if amount_details is not None:
        lines.append(("amount_details", "".join(_changes(amount_details)), _changed(amount_details)))
    due = sum(value for *_, value in lines)
    if due == total_amount:
        return
    shown = [f"{name}: {parts.removeprefix(' + ')} = {value}" for name, parts, value in lines[:_MOST_SHOWN]]
    if len(lines) > _MOST_SHOWN:
        rest = lines[_MOST_SHOWN:]
        shown.append(f"{len(rest)} more: {sum(value for *_, value in rest)}")
    raise InvalidArgumentError(
        f"total_amount is {total_amount}, but the parts add up to {due} cents ({'; '.join(shown)})"
    )


def _line(name: str, item: OrderItem) -> tuple[str, str, int]:
    details = item.amount_details or AmountDetails()
    parts = f"{item.quantity} * {item.price}{''.join(_changes(details))}"
    return name, parts, item.quantity * item.price + _changed(details)


def _changed(details: AmountDetails) -> int:
    return (details.total_additional_charges or 0) - abs(details.total_discounts or 0)


def _changes(details: AmountDetails) -> Iterator[str]:
    if details.total_additional_charges:
        yield f" + {details.total_additional_charges} charges"
    if details.total_discounts:
        yield f" - {abs(details.total_discounts)} discounts"
