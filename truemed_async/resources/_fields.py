"""The fields of every write and the filters of every list: one check each, in the order of Truemed's tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from yarl import URL

from truemed_async._core.bulk_update import UpdateRequest
from truemed_async._sensitive import MASK
from truemed_async._validation import payments, scalars, urls
from truemed_async._validation.money import validate_cents
from truemed_async._validation.urls import validate_return_url
from truemed_async.errors import InvalidArgumentError
from truemed_async.models import AmountDetails, Model, NextBillInfo
from truemed_async.models.order import to_send, validate_extra
from truemed_async.options import UNSET, Unset

Check = Callable[[str, Any], Any]
"""Takes the name and the value of an argument, and returns the value to send."""


def _cents_from_zero(name: str, value: object) -> int:
    return validate_cents(name, value, minimum=0)


def _cents_above_zero(name: str, value: object) -> int:
    return validate_cents(name, value, minimum=1)


def _amount_details(name: str, value: object) -> AmountDetails:
    return scalars.validate_instance(name, value, AmountDetails)


def _next_bill(name: str, value: object) -> NextBillInfo:
    return scalars.validate_instance(name, value, NextBillInfo)


def _payment_id(_: str, value: object) -> str:
    return scalars.validate_id("payment_session_id", value)  # the name of the argument


def _optional_text(name: str, value: object) -> str:
    return scalars.validate_text(name, value, allow_empty=True)


def _nullable_text(name: str, value: object) -> str | None:
    return None if value is None else scalars.validate_text(name, value)


def _public_url(name: str, value: object) -> str:
    """Check the URL of a page or picture of the shop. It may be http, because it carries no secret."""
    return urls.validate_web_url(name, value, allow_http=True)


def _public_urls(name: str, value: object) -> list[str]:
    return scalars.validate_items(name, value, _public_url)


def _joined_ids(name: str, value: object) -> str:
    return ",".join(scalars.validate_non_empty_items(name, value, scalars.validate_id))


CREATE_SESSION_FIELDS: Mapping[str, Check] = {
    "total_amount": _cents_from_zero,
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
CAPTURE_FIELDS: Mapping[str, Check] = {"total_amount": _cents_above_zero}
REFUND_FIELDS: Mapping[str, Check] = {
    "amount": _cents_above_zero,
    "payment_id": _payment_id,
    "reason": scalars.validate_text,
    "item_details": payments.validate_json_objects,
}
CREATE_TOKEN_FIELDS: Mapping[str, Check] = {
    "order_items": payments.validate_order_items,
    "success_url": validate_return_url,
    "metadata": payments.validate_note,
}
UPDATE_TOKEN_FIELDS: Mapping[str, Check] = {
    "update_card_info": scalars.validate_bool,
    "order_items": payments.validate_order_items,
}
ITEM_FIELDS: Mapping[str, Check] = {
    "description": _optional_text,
    "image_urls": _public_urls,
    "name": scalars.validate_text,
    "url": _public_url,
    "gtin": _nullable_text,
    "metadata": _optional_text,
    "product_id": scalars.validate_text,
}
UPDATE_QUALIFICATION_FIELDS: Mapping[str, Check] = {
    "user_id": scalars.validate_text,
    "metadata": scalars.validate_metadata,
    "success_url": urls.validate_customer_url,
    "failure_url": urls.validate_customer_url,
}
NO_FIELDS: Mapping[str, Check] = {}

PAGE_PARAMETERS: Mapping[str, Check] = {
    "page": scalars.validate_positive_int,
    "page_size": scalars.validate_positive_int,
}
QUALIFICATION_FILTERS: Mapping[str, Check] = {
    "status": scalars.validate_text,
    "user_id": scalars.validate_text,
    "expires_at": scalars.parse_date,
    "search": scalars.validate_text,
}
SESSION_FILTERS: Mapping[str, Check] = {
    "search": scalars.validate_text,
    "include_order_items": scalars.validate_bool,
    "summarize_refunds": scalars.validate_bool,
}
TOKEN_FILTERS: Mapping[str, Check] = {
    "email": scalars.validate_text,
    "name": scalars.validate_text,
    "card_expires_before": scalars.parse_month,
    "lmn_expires_before": scalars.parse_date,
}
ITEM_FILTERS: Mapping[str, Check] = {"eligibility": scalars.validate_text}
DAYS: Mapping[str, Check] = {"start_date": scalars.parse_date, "end_date": scalars.parse_date}
TRANSACTION_FILTERS: Mapping[str, Check] = {
    "payout_ids": _joined_ids,
    "include_pending_payouts": scalars.validate_bool,
}


def build_body(fields: Mapping[str, Check], extra: object = None, **values: object) -> dict[str, Any]:
    """Return the body of a write: the values that are set, checked, and the undocumented fields of ``extra``."""
    return _serialize(_check(fields, values), fields, extra)


def build_update(fields: Mapping[str, Check], extra: object = None, **values: object) -> dict[str, Any]:
    """Return the body of an update, as :func:`build_body` does; an empty one is refused."""
    body = build_body(fields, extra, **values)
    if not body:
        raise InvalidArgumentError(f"nothing to change: set at least one of {', '.join(fields)}")
    return body


def build_session(extra: object, **values: object) -> dict[str, Any]:
    """Return the body of a new payment session, whose amounts must add up."""
    checked = _check(CREATE_SESSION_FIELDS, values)
    if checked["total_amount"] == 0 and not (checked.get("tokenize") and "display_next_bill_info" in checked):
        raise InvalidArgumentError(
            "total_amount is 0, which is only for a free trial: it also takes tokenize=True and display_next_bill_info"
        )
    payments.validate_total(checked["total_amount"], checked["order_items"], checked.get("amount_details"))
    return _serialize(checked, CREATE_SESSION_FIELDS, extra)


def _check(fields: Mapping[str, Check], values: Mapping[str, object]) -> dict[str, Any]:
    return {name: check(name, values[name]) for name, check in fields.items() if values[name] is not UNSET}


def _serialize(checked: Mapping[str, Any], fields: Mapping[str, Check], extra: object) -> dict[str, Any]:
    body = {name: _to_json(value) for name, value in checked.items()}
    return body if extra is None else body | validate_extra(extra, fields)


def _to_json(value: Any) -> Any:
    if value.__class__ is list:
        return [_to_json(each) for each in value]
    return to_send(value) if isinstance(value, Model) else value


def build_query(
    filters: Mapping[str, Check], extra: object = None, **values: object
) -> dict[str, str | int | bool | None]:
    """Return the query of a list: the filters that are not ``None``, checked, and the undocumented ones of ``extra``."""
    query = {name: None if values[name] is None else check(name, values[name]) for name, check in filters.items()}
    return payments.resolve_filters(query, extra)


def _validate_json(extra: Mapping[str, Any]) -> None:
    """Refuse what JSON cannot represent; the values are part of a derived idempotency key, which is made of JSON."""
    try:
        json.dumps(extra, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        pass  # raise outside the handler: the text of the error may quote the value
    else:
        return
    raise InvalidArgumentError("extra contains a value that JSON cannot represent")


def _masked_unless_none(value: object) -> str:
    return repr(value) if value is None else MASK


def _masked_unless_unset(value: object) -> str:
    """Return what ``repr`` shows of a field: whether it is set, not its value."""
    return repr(value) if value is UNSET else MASK


@attrs.frozen
class QualificationSessionUpdateParams(UpdateRequest):
    """One update of many: the arguments of :meth:`~truemed_async.resources.QualificationSessions.update` as an object.

    Its values are checked when the update is made. ``repr`` masks them.

    Attributes:
        qualification_session_id: The session's id.
        user_id: Your identifier of the user. It can be set only while the session has none.
        metadata: Your data: a mapping, or any JSON text.
        success_url: Where the customer returns; https, http on localhost, or a :class:`~truemed_async.DeepLink`.
        failure_url: As ``success_url``, for a customer who does not qualify.
        extra: Further fields, sent unchanged.
        idempotency_key: Your own key for this update. By default one is generated.
    """

    qualification_session_id: str
    user_id: str | Unset = attrs.field(default=UNSET, kw_only=True, repr=_masked_unless_unset)
    metadata: Mapping[str, Any] | str | Unset = attrs.field(default=UNSET, kw_only=True, repr=_masked_unless_unset)
    success_url: str | URL | Unset = attrs.field(default=UNSET, kw_only=True, repr=_masked_unless_unset)
    failure_url: str | URL | Unset = attrs.field(default=UNSET, kw_only=True, repr=_masked_unless_unset)
    extra: Mapping[str, Any] | None = attrs.field(default=None, kw_only=True, repr=_masked_unless_none)

    @property
    def id(self) -> str:
        """The session's id."""
        return self.qualification_session_id

    def fields(self) -> dict[str, Any]:
        """Check the values and return them. Equal mappings give equal text, whatever the order of their members."""
        scalars.validate_id("qualification_session_id", self.qualification_session_id)
        values = {name: getattr(self, name) for name in UPDATE_QUALIFICATION_FIELDS}
        body = build_update(UPDATE_QUALIFICATION_FIELDS, self.extra, **values)
        if self.extra:
            further = {name: body.pop(name) for name in self.extra}
            _validate_json(further)
            body["extra"] = further
        if isinstance(self.metadata, Mapping):
            body["metadata"] = json.dumps(
                json.loads(body["metadata"]), sort_keys=True, ensure_ascii=False, separators=(",", ":")
            )
        return body
