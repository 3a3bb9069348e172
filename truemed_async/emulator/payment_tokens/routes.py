"""The routes about payment tokens, and what goes over them.

Truemed's tables of the requests of create and update were not at hand whole: what is not shown to be required is
optional here, and members of the sibling requests are taken.
"""

from collections.abc import Mapping
from typing import Final

from truemed_async.emulator.kinds import Choice, Day, Flag, Integer, Kind, Many, Members, Month, Nullable, Text
from truemed_async.emulator.listing import MOMENT, PAGING, listing
from truemed_async.emulator.payment_tokens import handlers
from truemed_async.emulator.payment_tokens.model import NEXT_ACTIONS
from truemed_async.emulator.route import Listing, Parameter, Route

_ONE: Final = "/api/v1/payment_tokens/{payment_token}"
_ITEMS: Final = Many(Members(optional={"sku": Text(), "name": Text(), "price": Integer(0), "quantity": Integer(1)}))
_OPTIONAL: Mapping[str, Kind] = {
    "order_items": _ITEMS,
    "success_url": Text(shortest=1),
    "failure_url": Text(shortest=1),
    "metadata": Text(),
    "idempotency_key": Text(shortest=1),
    "customer_email": Text(),
    "customer_name": Text(),
}

_CARD: Final = Members(
    {"id": Text(), "brand": Text(), "last4": Text(), "exp_month": Integer(1, 12), "exp_year": Integer()}
)
_TOKEN: Final = Members(
    {
        "payment_token": Text(),
        "created_at": MOMENT,
        "customer_email": Text(),
        "customer_name": Text(),
        "lmn_expires_at": MOMENT,
        "payment_methods": Nullable(Many(_CARD)),
    }
)

ROUTES: Final = (
    Route(
        name="payment_tokens.create",
        method="POST",
        path="/api/v1/payment_tokens/create",
        handler=handlers.create_token,
        summary="Create Payment Token",
        body=Members(optional=_OPTIONAL),
        answer=Members({"provision_token_request_id": Text(), "redirect_url": Text()}),
    ),
    Route(
        name="payment_tokens.get",
        method="GET",
        path=_ONE,
        handler=handlers.get_token,
        summary="Retrieve Payment Token",
        answer=_TOKEN,
        errors={404: ("NotFound",)},
    ),
    Route(
        name="payment_tokens.list",
        method="GET",
        path="/api/v1/payment_tokens",
        handler=handlers.list_tokens,
        summary="List Payment Tokens",
        query={
            **PAGING,
            "email": Parameter(Text()),
            "name": Parameter(Text()),
            "card_expires_before": Parameter(Month()),
            "lmn_expires_before": Parameter(Day()),
        },
        answer=listing("payment_tokens", _TOKEN),
        listing=Listing("payment_tokens", "payment_tokens", "payment_token"),
    ),
    Route(
        name="payment_tokens.update",
        method="POST",
        path=f"{_ONE}/update",
        handler=handlers.update_token,
        summary="Update Payment Token",
        body=Members(optional={**_OPTIONAL, "update_card_info": Flag()}),
        answer=Members(
            {
                "next_action": Nullable(Choice(NEXT_ACTIONS)),
                "redirect_url": Nullable(Text()),
                "provision_token_request_id": Text(),
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
        answer=Members({"payment_token": Nullable(Text()), "metadata": Nullable(Text())}),
        errors={404: ("NotFound",)},
    ),
)
