"""Payment tokens: a customer's stored payment method, for subscriptions."""

from __future__ import annotations

from datetime import datetime

import attrs

from truemed_async._sensitive import mask
from truemed_async.models._base import Model
from truemed_async.models._enums import OpenEnum


class PaymentTokenNextAction(OpenEnum):
    """What the customer has to do before a token can be charged. Other values come as they are."""

    HEALTH_SURVEY = "HealthSurvey"
    """Answer the health survey again. Truemed has more values; the page at hand is cut off after this one."""


@attrs.frozen(kw_only=True)
class StoredPaymentMethod(Model):
    """A card behind a token. Truemed says that its last digits and expiry are shown, and no page at hand shows how.

    All fields are in ``extra``. The properties read the names that third parties have seen, and are ``None`` where
    there is no such field: guesses, all of them.
    """

    @property
    def brand(self) -> str | None:
        """The card's brand. A guess."""
        return self._text("brand")

    @property
    def last4(self) -> str | None:
        """The last four digits of its number. A guess."""
        return self._text("last4")

    @property
    def exp_month(self) -> int | None:
        """The month in which it expires, from 1. A guess."""
        return self._number("exp_month")

    @property
    def exp_year(self) -> int | None:
        """The year in which it expires. A guess."""
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
        payment_token: The token: what ``payment_sessions.create`` charges.
        created_at: When it was made.
        customer_email: The customer's e-mail address.
        customer_name: The customer's first and last name.
        lmn_expires_at: When the first of its Letters of Medical Necessity expires; ``None`` without a verified one.
        payment_methods: The cards behind it.
    """

    payment_token: str = attrs.field(repr=mask)
    created_at: datetime | None = None
    customer_email: str | None = attrs.field(default=None, repr=mask)
    customer_name: str | None = attrs.field(default=None, repr=mask)
    lmn_expires_at: datetime | None = None
    payment_methods: tuple[StoredPaymentMethod, ...] | None = None


@attrs.frozen(kw_only=True)
class PaymentTokenCreation(Model):
    """A token that is on its way: there is none until the customer has been through the redirect.

    ``repr`` masks ``redirect_url``. Source: Truemed API reference, "Create Payment Token".

    Attributes:
        provision_token_request_id: What the webhook ``payment_token_updated`` and ``get_provision_request`` know the
            request by.
        redirect_url: Where to send the customer.
    """

    provision_token_request_id: str
    redirect_url: str | None = attrs.field(default=None, repr=mask)


@attrs.frozen(kw_only=True)
class PaymentTokenUpdate(Model):
    """The answer to the change of a token. ``repr`` masks ``redirect_url``. Source: Truemed, "Update Payment Token".

    Attributes:
        next_action: What the customer has to do, or ``None``.
        redirect_url: Where to send the customer, if there is something to do.
        provision_token_request_id: What the webhook ``payment_token_updated`` and ``get_provision_request`` know the
            request by.
    """

    next_action: PaymentTokenNextAction | None = None
    redirect_url: str | None = attrs.field(default=None, repr=mask)
    provision_token_request_id: str | None = None

    @property
    def needs_customer(self) -> bool:
        """Whether the customer has to act: until the webhook ``payment_token_updated``, charging may fail.

        Truemed's page writes the absence of an action as "None"; should that come as a text, it is one too.
        """
        return str(self.next_action) != "None"  # the null and the text


@attrs.frozen(kw_only=True)
class ProvisionTokenRequest(Model):
    """What became of a request to make or change a token. There is no status: a token is there, or not yet.

    ``repr`` masks ``payment_token`` and ``metadata``. Source: Truemed, "Retrieve Provision Token Request".

    Attributes:
        payment_token: The token, or ``None`` while it is not provisioned.
        metadata: Your text, as you gave it.
    """

    payment_token: str | None = attrs.field(default=None, repr=mask)
    metadata: str | None = attrs.field(default=None, repr=mask)

    @property
    def is_provisioned(self) -> bool:
        """Whether the token is there."""
        return self.payment_token is not None
