"""The routes about payment tokens, and what goes over them.

Truemed's tables of the requests of create and update were not at hand whole: what is not shown to be required is
optional here, and members of the sibling requests are taken.
"""

from collections.abc import Mapping
from typing import Final

from truemed_async.emulator.pagination import DATETIME, page_schema
from truemed_async.emulator.payment_tokens import handlers
from truemed_async.emulator.payment_tokens.model import NEXT_ACTIONS
from truemed_async.emulator.routing import PAGE_PARAMS, Listing, Parameter, Route
from truemed_async.emulator.schema import Array, Boolean, Date, Enum, Integer, Month, Nullable, Object, Schema, String

_ONE: Final = "/api/v1/payment_tokens/{payment_token}"
_ITEMS: Final = Array(Object(optional={"sku": String(), "name": String(), "price": Integer(0), "quantity": Integer(1)}))
_OPTIONAL: Mapping[str, Schema] = {
    "order_items": _ITEMS,
    "success_url": String(min_length=1),
    "failure_url": String(min_length=1),
    "metadata": String(),
    "idempotency_key": String(min_length=1),
    "customer_email": String(),
    "customer_name": String(),
}

_CARD: Final = Object(
    {"id": String(), "brand": String(), "last4": String(), "exp_month": Integer(1, 12), "exp_year": Integer()}
)
_TOKEN: Final = Object(
    {
        "payment_token": String(),
        "created_at": DATETIME,
        "customer_email": String(),
        "customer_name": String(),
        "lmn_expires_at": DATETIME,
        "payment_methods": Nullable(Array(_CARD)),
    }
)

ROUTES: Final = (
    Route(
        name="payment_tokens.create",
        method="POST",
        path="/api/v1/payment_tokens/create",
        handler=handlers.create_token,
        summary="Create Payment Token",
        body=Object(optional=_OPTIONAL),
        response=Object({"provision_token_request_id": String(), "redirect_url": String()}),
    ),
    Route(
        name="payment_tokens.get",
        method="GET",
        path=_ONE,
        handler=handlers.get_token,
        summary="Retrieve Payment Token",
        response=_TOKEN,
        errors={404: ("NotFound",)},
    ),
    Route(
        name="payment_tokens.list",
        method="GET",
        path="/api/v1/payment_tokens",
        handler=handlers.list_tokens,
        summary="List Payment Tokens",
        query={
            **PAGE_PARAMS,
            "email": Parameter(String()),
            "name": Parameter(String()),
            "card_expires_before": Parameter(Month()),
            "lmn_expires_before": Parameter(Date()),
        },
        response=page_schema("payment_tokens", _TOKEN),
        listing=Listing("payment_tokens", "payment_tokens", "payment_token"),
    ),
    Route(
        name="payment_tokens.update",
        method="POST",
        path=f"{_ONE}/update",
        handler=handlers.update_token,
        summary="Update Payment Token",
        body=Object(optional={**_OPTIONAL, "update_card_info": Boolean()}),
        response=Object(
            {
                "next_action": Nullable(Enum(NEXT_ACTIONS)),
                "redirect_url": Nullable(String()),
                "provision_token_request_id": String(),
            }
        ),
        errors={404: ("NotFound",)},
    ),
    Route(
        name="payment_tokens.delete",
        method="POST",
        path=f"{_ONE}/delete",
        handler=handlers.delete_token,
        summary="Delete Payment Token",
        errors={404: ("NotFound",)},
    ),
    Route(
        name="payment_tokens.get_provision_request",
        method="GET",
        path="/api/v1/payment_tokens/provision_request/{provision_token_request_id}",
        handler=handlers.get_provision_request,
        summary="Retrieve Provision Token Request",
        response=Object({"payment_token": Nullable(String()), "metadata": Nullable(String())}),
        errors={404: ("NotFound",)},
    ),
)
