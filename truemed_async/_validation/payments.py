"""Checks of the arguments that only payments and tokens take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from truemed_async._validation import scalars
from truemed_async.errors import InvalidArgumentError
from truemed_async.models.order import AmountDetails, OrderItem, validate_extra


def validate_note(name: str, value: object) -> str:
    """Return the merchant's own text: a string unchanged, or a mapping as JSON."""
    if isinstance(value, Mapping):
        return scalars.validate_metadata(name, cast("object", value))
    return scalars.validate_text(name, value, allow_empty=True)


def validate_order_items(name: str, value: object) -> list[OrderItem]:
    """Return the lines of an order, which may be empty."""
    return scalars.validate_items(name, value, lambda at, item: scalars.validate_instance(at, item, OrderItem))


def validate_json_objects(name: str, value: object) -> list[dict[str, Any]] | None:
    """Return JSON objects whose fields Truemed does not document, or ``None``, which it allows in their place."""
    return None if value is None else scalars.validate_items(name, value, _validate_mapping)


def _validate_mapping(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidArgumentError(f"{name} must be a mapping, not {type(value).__name__}")
    return dict(cast("Mapping[str, Any]", value))


def resolve_filters(
    filters: Mapping[str, str | int | bool | None], extra: object
) -> dict[str, str | int | bool | None]:
    """Return the filters of a list, followed by the undocumented ones in ``extra``."""
    further = {} if extra is None else validate_extra(extra, [*filters, "page", "page_size"])
    if not all(isinstance(value, (str, int)) for value in further.values()):  # True and False are integers, too
        raise InvalidArgumentError("extra must contain strings, whole numbers, True and False: it goes into the query")
    return {**filters, **further}


_MAX_LINES_SHOWN = 20


def validate_total(total_amount: int, order_items: Sequence[OrderItem], amount_details: AmountDetails | None) -> None:
    """Reject a total that is not the sum of its parts, and show the arithmetic; amounts are not personal.

    Truemed's pages contradict each other on the sign of discounts: the rule adds them, the worked example subtracts
    them. Either way they lower the total, so both signs are accepted, but not both in one order.

    An order without any ``amount_details`` is accepted with any total: Truemed's guide keeps old requests working,
    whose totals contain shipping and tax that no field names.
    """
    details = [item.amount_details for item in order_items] + [amount_details]
    if all(detail is None for detail in details):
        return
    discounts = [detail.total_discounts or 0 for detail in details if detail is not None]
    if min(discounts) < 0 < max(discounts):
        raise InvalidArgumentError(
            "total_discounts is negative in some places and positive in others: use one sign for all discounts"
        )
    lines = [_line(f"order_items[{index}]", item) for index, item in enumerate(order_items)]
    if amount_details is not None:
        lines.append(("amount_details", "".join(_adjustment_terms(amount_details)), _adjustment(amount_details)))
    due = sum(value for *_, value in lines)
    if due == total_amount:
        return
    terms = [f"{name}: {parts.removeprefix(' + ')} = {value}" for name, parts, value in lines[:_MAX_LINES_SHOWN]]
    if len(lines) > _MAX_LINES_SHOWN:
        rest = lines[_MAX_LINES_SHOWN:]
        terms.append(f"{len(rest)} more: {sum(value for *_, value in rest)}")
    raise InvalidArgumentError(
        f"total_amount is {total_amount}, but the parts add up to {due} cents ({'; '.join(terms)})"
    )


def _line(name: str, item: OrderItem) -> tuple[str, str, int]:
    details = item.amount_details or AmountDetails()
    parts = f"{item.quantity} * {item.price}{''.join(_adjustment_terms(details))}"
    return name, parts, item.quantity * item.price + _adjustment(details)


def _adjustment(details: AmountDetails) -> int:
    return (details.total_additional_charges or 0) - abs(details.total_discounts or 0)


def _adjustment_terms(details: AmountDetails) -> Iterator[str]:
    if details.total_additional_charges:
        yield f" + {details.total_additional_charges} charges"
    if details.total_discounts:
        yield f" - {abs(details.total_discounts)} discounts"
