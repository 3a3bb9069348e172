"""The bodies of the writes about payments: a check for each field, in the order of Truemed's tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from truemed_async._validation import payments, scalars
from truemed_async._validation.money import validate_cents
from truemed_async._validation.payments import validate_total
from truemed_async._validation.urls import validate_return_url
from truemed_async.errors import InvalidArgumentError
from truemed_async.models import AmountDetails, Model, NextBillInfo
from truemed_async.models.order import checked_extra, to_send
from truemed_async.options import UNSET

Check = Callable[[str, Any], Any]


def _from_zero(name: str, value: object) -> int:
    return validate_cents(name, value, minimum=0)


def _above_zero(name: str, value: object) -> int:
    return validate_cents(name, value, minimum=1)


def _amount_details(name: str, value: object) -> AmountDetails:
    return scalars.validate_instance(name, value, AmountDetails)


def _next_bill(name: str, value: object) -> NextBillInfo:
    return scalars.validate_instance(name, value, NextBillInfo)


def _payment_id(_: str, value: object) -> str:
    return scalars.validate_id("payment_session_id", value)  # its name everywhere else


SESSION: Mapping[str, Check] = {
    "total_amount": _from_zero,
    "order_items": payments.validate_order_items,
    "amount_details": _amount_details,
    "success_url": validate_return_url,
    "failure_url": validate_return_url,
    "customer_email": scalars.validate_text,
    "customer_name": scalars.validate_text,
    "customer_state": scalars.validate_text,
    "metadata": payments.validate_note,
    "kind": scalars.validate_text,
    "tokenize": scalars.validate_bool,
    "payment_token": scalars.validate_text,
    "display_next_bill_info": _next_bill,
    "use_iframe": scalars.validate_bool,
}
CAPTURE: Mapping[str, Check] = {"total_amount": _above_zero}
REFUND: Mapping[str, Check] = {
    "amount": _above_zero,
    "payment_id": _payment_id,
    "reason": scalars.validate_text,
    "item_details": payments.validate_json_objects,
}
TOKEN: Mapping[str, Check] = {
    "order_items": payments.validate_order_items,
    "success_url": validate_return_url,
    "metadata": payments.validate_note,
}
TOKEN_CHANGE: Mapping[str, Check] = {
    "update_card_info": scalars.validate_bool,
    "order_items": payments.validate_order_items,
}
NOTHING: Mapping[str, Check] = {}


def body(checks: Mapping[str, Check], extra: object, **given: object) -> dict[str, Any]:
    """Return the fields that were given, checked, with the undocumented ones behind them."""
    fields = {name: check(name, given[name]) for name, check in checks.items() if given[name] is not UNSET}
    if checks is SESSION:
        _check_amounts(fields)
    sent = {name: _plain(value) for name, value in fields.items()}
    return sent if extra is None else sent | checked_extra(extra, checks)


def _check_amounts(fields: Mapping[str, Any]) -> None:
    if fields["total_amount"] == 0 and not (fields.get("tokenize") and "display_next_bill_info" in fields):
        raise InvalidArgumentError(
            "total_amount is 0, which is for a free trial: give tokenize=True and display_next_bill_info, too"
        )
    validate_total(fields["total_amount"], fields["order_items"], fields.get("amount_details"))


def _plain(value: Any) -> Any:
    if value.__class__ is list:
        return [_plain(each) for each in value]
    return to_send(value) if isinstance(value, Model) else value


def changes(checks: Mapping[str, Check], extra: object, **given: object) -> dict[str, Any]:
    """Return the fields that were given, as :func:`body` does, if there is one."""
    fields = body(checks, extra, **given)
    if not fields:
        raise InvalidArgumentError(f"nothing to change: give {', '.join(checks)} or extra")
    return fields
