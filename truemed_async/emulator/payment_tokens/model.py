"""What a payment token is, and a request for one."""

from datetime import date, datetime
from typing import Any, Final, Literal

import attrs

# Why a stored payment method is not charged. Truemed says that an enum names the cause, and not its values: a guess.
Failure = Literal["CardExpired", "CardDeclined", "CardRequired", "RequalificationRequired"]
FAILURES: Final[tuple[Failure, ...]] = ("CardExpired", "CardDeclined", "CardRequired", "RequalificationRequired")

# What the customer has to do. Only `HealthSurvey` is published; the other value is a guess.
NextAction = Literal["HealthSurvey", "UpdateCard"]
NEXT_ACTIONS: Final[tuple[NextAction, ...]] = ("HealthSurvey", "UpdateCard")


@attrs.frozen(kw_only=True)
class PaymentMethod:
    """One card. Truemed says that its last four digits and its expiry are shown, and not under which names: a guess."""

    id: str = "pm_example"
    brand: str = "visa"
    last4: str = "4242"
    exp_month: int = 12
    exp_year: int = 2099

    @property
    def expires(self) -> tuple[int, int]:
        """The year and the month after which it is not charged."""
        return self.exp_year, self.exp_month


@attrs.frozen(kw_only=True)
class PaymentToken:
    """One stored payment method of one customer: what Truemed shows of it, then what it only stores.

    `status` is `active` or `deleted`; Truemed shows none, and a deleted token not at all. Datetimes are aware, in UTC.
    failure: why charges fail until the customer mends it. failed_payment_session_id: the last one that did.
    next_action: what the customer was asked to do by an update and has not done.
    """

    payment_token: str
    created_at: datetime
    customer_email: str = "customer@example.com"
    customer_name: str = "Sam Example"
    lmn_expires_at: datetime | None = None
    payment_methods: tuple[PaymentMethod, ...] = (PaymentMethod(),)

    status: str = "active"
    skus: tuple[str, ...] = ()
    metadata: str | None = None
    failure: Failure | None = None
    failed_payment_session_id: str | None = None
    next_action: NextAction | None = None

    @property
    def id(self) -> str:
        """The id, under the name that all listed rows share."""
        return self.payment_token


@attrs.frozen(kw_only=True)
class ProvisionRequest:
    """A request for a token, or for a change of the one in `updates`; `status` is `pending` or `provisioned`.

    payment_token: the token, as soon as it can be charged. skus: what is subscribed to.
    """

    provision_token_request_id: str
    created_at: datetime
    status: str = "pending"
    payment_token: str | None = None
    updates: str | None = None
    next_action: NextAction | None = None
    skus: tuple[str, ...] | None = None
    metadata: str | None = None
    success_url: str | None = None
    failure_url: str | None = None
    customer_email: str | None = None
    customer_name: str | None = None

    @property
    def id(self) -> str:
        """The id, under the name that all listed rows share."""
        return self.provision_token_request_id


@attrs.frozen
class Filters:
    """What a listing is narrowed by; deleted tokens are in none. `email` and `name` are case-folded."""

    email: str | None = None
    name: str | None = None
    card_expires: tuple[int, int] | None = None
    lmn_expires: date | None = None

    def match(self, token: PaymentToken) -> bool:
        """Tell whether the token belongs in the listing."""
        return (
            token.status == "active"
            and (self.email is None or self.email in token.customer_email.casefold())
            and (self.name is None or self.name in token.customer_name.casefold())
            and (self.card_expires is None or any(card.expires <= self.card_expires for card in token.payment_methods))
            and (
                self.lmn_expires is None
                or (token.lmn_expires_at is not None and token.lmn_expires_at.date() <= self.lmn_expires)
            )
        )


def skus_of(order_items: Any) -> tuple[str, ...]:
    """Return the SKUs of the items of a request, those without one left out."""
    return tuple(item["sku"] for item in order_items if "sku" in item)
