"""The events of webhooks and their payloads.

Some names of members are undocumented by Truemed. Members with an assumed name are optional and marked as such.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs
import orjson

from truemed_async._sensitive import mask
from truemed_async.models import Model, OpenEnum, QualificationStatus
from truemed_async.models.catalog_items import CatalogItem
from truemed_async.models.order import PaymentSessionItem
from truemed_async.models.payment_sessions import PaymentSessionStatus

_TOKEN_ORIGINS = ("payment_session_id", "failed_payment_session_id", "provision_token_request_id")


class EventType(OpenEnum):
    """What happened, by the names of Truemed's API reference. The names of new types are kept as they are."""

    PAYMENT_SESSION_UPDATED = "payment_session_complete"
    """A payment session's status changed. Despite its name it is sent once for every change."""
    PAYMENT_TOKEN_UPDATED = "payment_token_updated"  # noqa: S105
    """A stored payment method was created or repaired."""
    QUALIFICATION_SESSION_COMPLETED = "qualification_session_complete"
    """A qualification session was approved or rejected."""
    CATALOG_ITEM_ELIGIBILITY_UPDATED = "product_catalog_item_eligibility_updated"
    """A catalog item was reviewed, or its eligibility changed."""
    UNKNOWN = "unknown"
    """Not a name of Truemed's: the body names no type, and its members are those of no documented event."""


@attrs.frozen(kw_only=True)
class PaymentSessionPayload(Model):
    """A payment session whose status changed. Source: Truemed, "Payment Session Complete" webhook.

    ``repr`` masks ``metadata`` and ``payment_token``.

    Attributes:
        payment_session_id: The session's id, as ``payment_sessions.create`` returned it. The member's name is assumed:
            Truemed's pages also use ``payment_id``, and integrations have read ``id``. The first of the three that is
            present is here; ``None`` if there is none, and other members are in ``extra``.
        status: The session's status. Fulfill the order only if ``status.may_fulfill``.
        created_at: When the session was created. The member's name is assumed.
        order_items: The lines of the order. The member's name is assumed.
        capture_amount: The captured amount in cents. Always present for ``one_time_payment``; for ``authorization``
            absent until captured.
        metadata: The text given to ``payment_sessions.create``.
        payment_token: The stored payment method, if the session creates or uses one.
    """

    payment_session_id: str | None = None
    status: PaymentSessionStatus
    created_at: datetime | None = None
    order_items: tuple[PaymentSessionItem, ...] | None = None
    capture_amount: int | None = None
    metadata: str | None = attrs.field(default=None, repr=mask)
    payment_token: str | None = attrs.field(default=None, repr=mask)


@attrs.frozen(kw_only=True)
class PaymentTokenPayload(Model):
    """A stored payment method that can be charged now. Source: Truemed, "Payment Token Updated" webhook.

    Exactly one of the three ids identifies its origin. ``repr`` masks ``metadata`` and ``payment_token``.

    Attributes:
        payment_token: The token.
        payment_session_id: The session that created it (``tokenize=True``).
        failed_payment_session_id: The session whose charge failed before the customer repaired the token.
        provision_token_request_id: The request of ``payment_tokens.create`` or ``update``.
        lmn_expires_at: When the earliest Letter of Medical Necessity of this token expires. The member's name is
            assumed.
        metadata: The text given at creation.
    """

    payment_token: str = attrs.field(repr=mask)
    payment_session_id: str | None = None
    failed_payment_session_id: str | None = None
    provision_token_request_id: str | None = None
    lmn_expires_at: datetime | None = None
    metadata: str | None = attrs.field(default=None, repr=mask)


@attrs.frozen(kw_only=True)
class QualificationSessionPayload(Model):
    """A qualification session that was completed. Source: Truemed, "Qualification Session Completed" webhook.

    ``repr`` masks ``email`` and ``user_id``.

    Attributes:
        qualification_session_id: The session's id; ``qualification_sessions.get`` returns the whole session.
        status: Approved or rejected.
        email: The e-mail address of the customer who completed the session.
        expires_at: When the Letter of Medical Necessity expires.
        source: The ``source`` of the qualification link.
        user_id: The ``user_id`` of the qualification link, or as set by an update.
    """

    qualification_session_id: str
    status: QualificationStatus
    email: str | None = attrs.field(default=None, repr=mask)
    expires_at: datetime | None = None
    source: str | None = None
    user_id: str | None = attrs.field(default=None, repr=mask)


@attrs.frozen(kw_only=True)
class Event(Model):
    """One verified delivery, or a change that ``client.catch_up`` found. Unknown members of the envelope are in ``extra``.

    Attributes:
        type: What happened. Truemed's pages use several names for one event; this is the same for all of them.
        raw_type: The name in the delivery; ``None`` if it has none, as in most unsigned deliveries.
        delivery_id: Truemed's ``webhook_delivery_id``, the same for each delivery of an event. ``None`` if unsigned, or
            found by ``client.catch_up``.
        signed_at: When the delivery was signed; ``None`` if unsigned, or found by ``client.catch_up``.
        data: The payload.
    """

    type: EventType
    raw_type: str | None = None
    delivery_id: str | None = None
    signed_at: datetime | None = None
    data: Any

    @property
    def dedup_key(self) -> str:
        """A key that is the same for each delivery of this event and unique to it: at most 255 characters, none of them NUL.

        If the event says into which state an object came, a digest of both: of the id and the status of a payment or
        qualification session, of the token and the session or request that it comes from. Then it is also the key of
        the change that ``client.catch_up`` finds, and of the same event from another webhook. Otherwise the delivery
        id; or a digest of the whole payload if there is none.
        """
        state, id = self._state(), self.delivery_id
        if state is None and id is not None and len(id) < 256 and "\0" not in id:
            return id
        return _digest([self.type, *([id, *self._payload()] if state is None else state)])

    def _state(self) -> list[str] | None:
        """Return the object and its state, or ``None`` if the event does not identify both."""
        return None

    def _payload(self) -> list[Any]:
        return [self.data.to_dict()]


def _digest(identity: list[Any]) -> str:
    return f"sha256:{hashlib.sha256(orjson.dumps(identity, option=orjson.OPT_SORT_KEYS)).hexdigest()}"


@attrs.frozen(kw_only=True)
class PaymentSessionUpdated(Event):
    """A payment session's status changed. The order of events is not guaranteed: read the session where it matters."""

    data: PaymentSessionPayload

    def _state(self) -> list[str] | None:
        id = self.data.payment_session_id
        return None if id is None else [id, self.data.status]


@attrs.frozen(kw_only=True)
class PaymentTokenUpdated(Event):
    """A stored payment method can be charged now: it was created or repaired."""

    data: PaymentTokenPayload

    def _state(self) -> list[str] | None:
        origins = [(name, id) for name in _TOKEN_ORIGINS if (id := getattr(self.data, name)) is not None]
        if not origins:
            return [self.data.payment_token]
        return [self.data.payment_token, *origins[0]] if len(origins) == 1 else None

    @property
    def creation_keys(self) -> tuple[str, str] | None:
        """Two further keys if this may be the event of the token's creation, whose origin ``client.catch_up`` may not see.

        The first is that of the first such event with an origin, the second that of the same event without an origin.
        """
        if self.data.failed_payment_session_id is not None or self._state() in (None, [self.data.payment_token]):
            return None
        token = self.data.payment_token
        return _digest([self.type, token, "created"]), _digest([self.type, token])


@attrs.frozen(kw_only=True)
class QualificationSessionCompleted(Event):
    """A qualification session was approved or rejected. Sent once per session."""

    data: QualificationSessionPayload

    def _state(self) -> list[str] | None:
        return [self.data.qualification_session_id, self.data.status]


@attrs.frozen(kw_only=True)
class CatalogItemEligibilityUpdated(Event):
    """A catalog item was reviewed, or its eligibility changed.

    Attributes:
        timestamp: When it happened, according to Truemed.
    """

    timestamp: datetime | None = None
    data: CatalogItem


@attrs.frozen(kw_only=True)
class UnknownEvent(Event):
    """An event that this version does not know. ``data`` is its JSON, which ``repr`` masks."""

    data: Mapping[str, Any] = attrs.field(repr=mask, hash=False)

    def _payload(self) -> list[Any]:
        return [self.raw_type, self.data]
