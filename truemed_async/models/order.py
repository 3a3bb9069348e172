"""The parts of a payment: charges, discounts, the lines of an order. Amounts are integers in cents."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import attrs

from truemed_async._validation.money import validate_cents
from truemed_async.errors import InvalidArgumentError
from truemed_async.models._base import Model

__all__ = [
    "AmountDetails",
    "NextBillInfo",
    "OrderItem",
    "PaymentSessionItem",
]


def _validate_text(_: object, field: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not value:
        raise InvalidArgumentError(f"{field.name} must be a non-empty string")


def _validate_cents(_: object, field: attrs.Attribute[int], value: object) -> None:
    validate_cents(field.name, value)


def _validate_count(_: object, field: attrs.Attribute[int], value: object) -> None:
    if type(value) is not int or value < 1:
        raise InvalidArgumentError(f"{field.name} must be a whole number >= 1")


def _validate_date(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if isinstance(value, dt.datetime) or not isinstance(value, (dt.date, str)) or not value:
        raise InvalidArgumentError(f"{field.name} must be a date, or a non-empty string")


def _validate_part(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not isinstance(value, AmountDetails):
        raise InvalidArgumentError(f"{field.name} must be AmountDetails(…), not {type(value).__name__}")


def _objects(values: Sequence[Mapping[str, Any]] | None) -> tuple[Mapping[str, Any], ...] | None:
    """Return a list of JSON objects as a tuple."""
    if values is None:
        return None
    if not isinstance(values, (list, tuple)) or not all(isinstance(each, Mapping) for each in values):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgumentError("discounts_details must be a list of mappings")
    return tuple(values)


def validate_extra(extra: object, known: Collection[str]) -> dict[str, Any]:
    """Return undocumented fields; a field that has a parameter is rejected, because the two could differ."""
    if not isinstance(extra, Mapping) or not all(isinstance(name, str) for name in cast("Any", extra)):
        raise InvalidArgumentError("extra must be a mapping from the names of fields")
    fields = dict(cast("Mapping[str, Any]", extra))
    conflicts = [name for name in known if name in fields]
    if conflicts:
        raise InvalidArgumentError(f"extra must not contain {', '.join(conflicts)}, which this library knows")
    return fields


def _check_extra(part: Model) -> None:
    validate_extra(part.extra, [field.name for field in attrs.fields(type(part))])


@attrs.frozen(kw_only=True)
class AmountDetails(Model):
    """Charges and discounts of an order, or of one of its lines. Amounts are integers in cents.

    Truemed's pages contradict each other on the sign of ``total_discounts``: the rule for ``total_amount`` adds it, as
    if it were negative, and the worked example subtracts it, as if it were positive. This library sends it unchanged.
    The form of a member of ``discounts_details`` is undocumented, and so is the name of the list of single charges;
    pass that list in ``extra``.

    Source: Truemed API reference, "Create Payment Session"; guide on itemized amounts.

    Attributes:
        total_additional_charges: The sum of shipping, tax and other charges, in cents.
        total_discounts: The sum of all discounts, in cents. Omit it if there are none.
        discounts_details: The single discounts, as JSON objects. Omit it if there are none.
        extra: Further fields, sent unchanged.
    """

    total_additional_charges: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(_validate_cents)
    )
    total_discounts: int | None = attrs.field(default=None, validator=attrs.validators.optional(_validate_cents))
    discounts_details: tuple[Mapping[str, Any], ...] | None = attrs.field(default=None, converter=_objects)

    def __attrs_post_init__(self) -> None:
        _check_extra(self)


@attrs.frozen(kw_only=True)
class OrderItem(Model):
    """One line of an order, as it is sent. Amounts are integers in cents.

    Source: Truemed API reference, "Create Payment Session".

    Attributes:
        name: The product's name, as the customer sees it.
        price: The price of **one**, in cents: ``1999``, or ``cents("19.99")``.
        quantity: The quantity, at least 1.
        sku: Your SKU.
        amount_details: Charges and discounts of this line. Omit it if there are none.
        extra: Further fields, sent unchanged.

    Raises:
        InvalidArgumentError: A value has the wrong type or is out of range, for example a price that is a float.
    """

    name: str = attrs.field(validator=_validate_text)
    price: int = attrs.field(validator=_validate_cents)
    quantity: int = attrs.field(validator=_validate_count)
    sku: str | None = attrs.field(default=None, validator=attrs.validators.optional(_validate_text))
    amount_details: AmountDetails | None = attrs.field(default=None, validator=_validate_part)

    def __attrs_post_init__(self) -> None:
        _check_extra(self)


@attrs.frozen(kw_only=True)
class NextBillInfo(Model):
    """The first bill after a free trial, as shown to the customer. Source: Truemed, "Create Payment Session".

    Attributes:
        total_amount: The amount of the next bill. Cents are assumed, like the amounts around it.
        date: The date of the next bill. A date is sent as ``YYYY-MM-DD``, which is assumed; a text is sent unchanged.
        extra: Further fields, sent unchanged.
    """

    total_amount: int = attrs.field(validator=_validate_cents)
    date: dt.date | str = attrs.field(validator=_validate_date)

    def __attrs_post_init__(self) -> None:
        _check_extra(self)


@attrs.frozen(kw_only=True)
class PaymentSessionItem(Model):
    """The current state of one line of a session's order. Amounts are integers in cents.

    Source: Truemed API reference, "List Payment Sessions"; "payment_session_complete" webhook.

    Attributes:
        item_id: Truemed's id of the line.
        name: The product's name.
        price: The price of one, in cents.
        quantity: The quantity.
        sku: Your SKU.
        amount_details: Charges and discounts of the line.
        total_refundable: The refundable amount, in cents; absent unless captured.
        quantity_refundable: The refundable quantity; absent unless captured.
        total_capturable: The capturable amount, in cents; absent unless the session is authorized.
        quantity_capturable: The capturable quantity; absent unless the session is authorized.
    """

    item_id: str | None = None
    name: str | None = None
    price: int | None = None
    quantity: int | None = None
    sku: str | None = None
    amount_details: AmountDetails | None = None
    total_refundable: int | None = None
    quantity_refundable: int | None = None
    total_capturable: int | None = None
    quantity_capturable: int | None = None


def to_send(part: Model) -> dict[str, Any]:
    """Return a part of a request as JSON-ready data, without fields that are ``None``."""
    fields = {field.name: getattr(part, field.name) for field in attrs.fields(type(part)) if field.name != "extra"}
    return {name: _to_json(value) for name, value in fields.items() if value is not None} | dict(part.extra)


def _to_json(value: Any) -> Any:
    if isinstance(value, Model):
        return to_send(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    return [dict(each) for each in cast("tuple[Mapping[str, Any], ...]", value)] if isinstance(value, tuple) else value
