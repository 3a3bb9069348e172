"""What deliveries carry, as models. What no page of Truemed's confirms is optional, and said to be a guess."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar, cast

import attrs

from truemed_async._sensitive import masked
from truemed_async.models import Model, QualificationStatus
from truemed_async.models._compile import StructureError
from truemed_async.models._converter import structurer
from truemed_async.models.order import PaymentSessionItem
from truemed_async.models.payment_sessions import PaymentSessionStatus

M = TypeVar("M", bound=Model)


@attrs.frozen(kw_only=True)
class PaymentSessionPayload(Model):
    """A payment session whose status changed. Source: Truemed, "Payment Session Complete" webhook.

    ``repr`` masks ``metadata`` and ``payment_token``.

    Attributes:
        payment_session_id: The session's id, as ``payment_sessions.create`` returned it. The field's name is a guess:
            Truemed's pages also speak of ``payment_id``, and others have read ``id``. The first of the three that is
            there is here; ``None`` if none is, and whatever else came is in ``extra``.
        status: Where the session stands. Fulfil the order if ``status.may_fulfill``, not before.
        created_at: When the session was created. The name is a guess.
        order_items: The lines of the order. The name is a guess.
        capture_amount: What was captured, in cents. Always there for ``one_time_payment``; for ``authorization``
            absent until it is captured.
        metadata: Your text of ``payment_sessions.create``.
        payment_token: The stored payment method, if the session makes or uses one.
    """

    payment_session_id: str | None = None
    status: PaymentSessionStatus
    created_at: datetime | None = None
    order_items: tuple[PaymentSessionItem, ...] | None = None
    capture_amount: int | None = None
    metadata: str | None = attrs.field(default=None, repr=masked)
    payment_token: str | None = attrs.field(default=None, repr=masked)


@attrs.frozen(kw_only=True)
class PaymentTokenPayload(Model):
    """A stored payment method that can be charged now. Source: Truemed, "Payment Token Updated" webhook.

    Exactly one of the three ids says where it comes from. ``repr`` masks ``metadata`` and ``payment_token``.

    Attributes:
        payment_token: The token.
        payment_session_id: The session that made it (``tokenize=True``).
        failed_payment_session_id: The session whose charge had failed before the customer mended the token.
        provision_token_request_id: The request of ``payment_tokens.create`` or ``update``.
        lmn_expires_at: When the earliest Letter of Medical Necessity of this token expires. The name is a guess.
        metadata: Your text of the creation.
    """

    payment_token: str = attrs.field(repr=masked)
    payment_session_id: str | None = None
    failed_payment_session_id: str | None = None
    provision_token_request_id: str | None = None
    lmn_expires_at: datetime | None = None
    metadata: str | None = attrs.field(default=None, repr=masked)


@attrs.frozen(kw_only=True)
class QualificationSessionPayload(Model):
    """A qualification session that has come to its end. Source: Truemed, "Qualification Session Completed" webhook.

    ``repr`` masks ``email`` and ``user_id``.

    Attributes:
        qualification_session_id: The session's id; ``qualification_sessions.get`` tells the rest.
        status: Approved or rejected.
        email: Who completed the session.
        expires_at: When the Letter of Medical Necessity expires.
        source: The ``source`` of the qualification link.
        user_id: The ``user_id`` of the qualification link, or as set by an update.
    """

    qualification_session_id: str
    status: QualificationStatus
    email: str | None = attrs.field(default=None, repr=masked)
    expires_at: datetime | None = None
    source: str | None = None
    user_id: str | None = attrs.field(default=None, repr=masked)


# Fields whose name or type is a guess: what comes there in another shape must not make a whole delivery unreadable.
_UNCERTAIN: Mapping[type[Model], frozenset[str]] = {
    PaymentSessionPayload: frozenset({"payment_session_id", "created_at", "order_items"}),
    PaymentTokenPayload: frozenset({"lmn_expires_at"}),
}
SESSION_IDS = ("payment_session_id", "payment_id", "id")


def payload(kind: type[M], data: Mapping[str, Any]) -> M:
    """Return the model of a payload, or raise :class:`StructureError`.

    A value of the wrong shape in a field that is a guess counts as unknown: it is in ``extra``, under its name.
    """
    given: dict[str, Any] = dict(data)
    if kind is PaymentSessionPayload:
        given["payment_session_id"] = next((data[name] for name in SESSION_IDS if data.get(name) is not None), None)
    unknown: dict[str, Any] = {}
    while True:
        try:
            model: M = structurer(cast("Any", kind))(given)
        except StructureError as mismatch:
            field = mismatch.path.partition(".")[0].partition("[")[0]
            if field not in _UNCERTAIN.get(kind, ()) or field in unknown:
                raise
            unknown[field] = given.pop(field)
            continue
        return attrs.evolve(model, extra={**model.extra, **unknown}) if unknown else model
