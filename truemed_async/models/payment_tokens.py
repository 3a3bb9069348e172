"""Payment tokens: a customer's stored payment method, for subscriptions."""

from __future__ import annotations

from datetime import datetime

import attrs

from truemed_async._sensitive import mask
from truemed_async.models._base import Model
from truemed_async.models._enums import OpenEnum

__all__ = [
    "PaymentToken",
    "PaymentTokenCreation",
    "PaymentTokenNextAction",
    "PaymentTokenUpdate",
    "ProvisionTokenRequest",
    "StoredPaymentMethod",
]


class PaymentTokenNextAction(OpenEnum):
    """The action that a customer must take before a token can be charged. Unknown values are kept."""

    HEALTH_SURVEY = "HealthSurvey"
    """Take the health survey again. Truemed has more values, which are undocumented."""


@attrs.frozen(kw_only=True)
class StoredPaymentMethod(Model):
    """A card of a token. Truemed documents that its last digits and expiry are shown, but not the names of the fields.

    All fields are in ``extra``. The properties read names that third parties have seen, and are ``None`` if there is no
    such field.
    """

    @property
    def brand(self) -> str | None:
        """The brand of the card. The name is assumed."""
        return self._text("brand")

    @property
    def last4(self) -> str | None:
        """The last four digits of its number. The name is assumed."""
        return self._text("last4")

    @property
    def exp_month(self) -> int | None:
        """The month in which it expires, from 1. The name is assumed."""
        return self._number("exp_month")

    @property
    def exp_year(self) -> int | None:
        """The year in which it expires. The name is assumed."""
        return self._number("exp_year")

    def _text(self, name: str) -> str | None:
        value = self.extra.get(name)
        return value if isinstance(value, str) else None

    def _number(self, name: str) -> int | None:
        value = self.extra.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 4:
            return int(value)
        return value if type(value) is int else None


@attrs.frozen(kw_only=True)
class PaymentToken(Model):
    """A stored payment method. Times are aware; Truemed sends UTC.

    ``repr`` masks ``payment_token``, ``customer_email`` and ``customer_name``.
    Source: Truemed API reference, "Retrieve Payment Token".

    Attributes:
        payment_token: The token, for ``payment_sessions.create``.
        created_at: When it was created.
        customer_email: The customer's e-mail address.
        customer_name: The customer's first and last name.
        lmn_expires_at: When the first of its Letters of Medical Necessity expires; ``None`` without a verified one.
        payment_methods: Its cards.
    """

    payment_token: str = attrs.field(repr=mask)
    created_at: datetime | None = None
    customer_email: str | None = attrs.field(default=None, repr=mask)
    customer_name: str | None = attrs.field(default=None, repr=mask)
    lmn_expires_at: datetime | None = None
    payment_methods: tuple[StoredPaymentMethod, ...] | None = None


@attrs.frozen(kw_only=True)
class PaymentTokenCreation(Model):
    """The start of the provisioning of a token: it exists only after the customer has completed the redirect.

    ``repr`` masks ``redirect_url``. Source: Truemed API reference, "Create Payment Token".

    Attributes:
        provision_token_request_id: The id of the request in the webhook ``payment_token_updated`` and for
            ``get_provision_request``.
        redirect_url: The page to which to redirect the customer.
    """

    provision_token_request_id: str
    redirect_url: str | None = attrs.field(default=None, repr=mask)


@attrs.frozen(kw_only=True)
class PaymentTokenUpdate(Model):
    """The response to the update of a token. ``repr`` masks ``redirect_url``. Source: Truemed, "Update Payment Token".

    Attributes:
        next_action: The action that the customer must take, or ``None``.
        redirect_url: The page to which to redirect the customer, if an action is needed.
        provision_token_request_id: The id of the request in the webhook ``payment_token_updated`` and for
            ``get_provision_request``.
    """

    next_action: PaymentTokenNextAction | None = None
    redirect_url: str | None = attrs.field(default=None, repr=mask)
    provision_token_request_id: str | None = None

    @property
    def needs_customer(self) -> bool:
        """Whether the customer must act: until the webhook ``payment_token_updated``, charging may fail.

        Truemed's page writes "None" for no action, so both null and that text count as none.
        """
        return str(self.next_action) != "None"  # the null and the text


@attrs.frozen(kw_only=True)
class ProvisionTokenRequest(Model):
    """The result of a request to create or update a token. It has no status: either the token exists, or not yet.

    ``repr`` masks ``payment_token`` and ``metadata``. Source: Truemed, "Retrieve Provision Token Request".

    Attributes:
        payment_token: The token, or ``None`` until it is provisioned.
        metadata: Your text, unchanged.
    """

    payment_token: str | None = attrs.field(default=None, repr=mask)
    metadata: str | None = attrs.field(default=None, repr=mask)

    @property
    def is_provisioned(self) -> bool:
        """Whether the token exists."""
        return self.payment_token is not None
