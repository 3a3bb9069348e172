"""Which moves Truemed tells of, and in which words. Dates are ISO 8601 in UTC, money is in cents.

Truemed's page of `payment_session_complete` was at hand without the names of some members; the names of `event_type`
but for the catalog's are those seen in use. Both are listed in docs/emulator.md.
"""

from __future__ import annotations

import uuid
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import attrs

from truemed_async.emulator.clock import wire_datetime
from truemed_async.emulator.payment_sessions.wire import shown_items

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from truemed_async.emulator.catalog_items.model import CatalogItem
    from truemed_async.emulator.payment_sessions.model import PaymentSession
    from truemed_async.emulator.payment_tokens.model import PaymentToken
    from truemed_async.emulator.qualification_sessions.model import QualificationSession
    from truemed_async.emulator.transition import Transition

PAYMENT_SESSION: Final = "payment_session_complete"
PAYMENT_TOKEN: Final = "payment_token_updated"  # noqa: S105 - no secret: the name of an event
QUALIFICATION_SESSION: Final = "qualification_session_complete"
CATALOG_ITEM: Final = "product_catalog_item_eligibility_updated"
EVENTS: Final = (PAYMENT_SESSION, PAYMENT_TOKEN, QUALIFICATION_SESSION, CATALOG_ITEM)

_TYPES: Final = MappingProxyType(
    {
        PAYMENT_SESSION: "payment_session.updated",
        PAYMENT_TOKEN: "payment_token.updated",
        QUALIFICATION_SESSION: "qualification_status.updated",
        CATALOG_ITEM: "product_catalog.item.eligibility_updated",
    }
)
_SPACE: Final = uuid.UUID("5f6f7a0e-94b5-5d0c-8f0a-3a1d6a1c2b11")


@attrs.frozen
class Event:
    """What a merchant is told: the name, the name in an envelope, the payload, and whose event it is."""

    name: str
    type: str
    data: Mapping[str, Any]
    transition: Transition

    def delivery_id(self, endpoint: str, number: int) -> str:
        """Return the id of its delivery, which hangs on the event and the endpoint alone, however often it is sent.

        The time keeps apart what two runs with the same saved webhooks number alike.
        """
        move = self.transition
        return f"whd_{uuid.uuid5(_SPACE, f'{endpoint} {number} {self.name} {move.id} {move.at.isoformat()}').hex}"

    def body(self, delivery_id: str | None) -> Mapping[str, Any]:
        """Return what is sent: in the envelope of signed webhooks, or flat without a delivery id."""
        if delivery_id is not None:
            return {"webhook_delivery_id": delivery_id, "event_type": self.type, "data": self.data}
        if self.name == CATALOG_ITEM:
            return {"event_type": self.type, "timestamp": wire_datetime(self.transition.at), "data": self.data}
        return self.data


def event_of(transition: Transition) -> Event | None:
    """Return what Truemed tells of a move, if it tells of it."""
    tell = _TELLERS.get(transition.resource)
    told = None if tell is None else tell(transition)
    return None if told is None else Event(told[0], _TYPES[told[0]], told[1], transition)


def _payment_session(transition: Transition) -> tuple[str, Mapping[str, Any]] | None:
    if transition.before is None or not transition.changed:
        return None
    session: PaymentSession = transition.row
    told: dict[str, Any] = {
        "payment_session_id": session.id,
        "status": session.status,
        "created_at": wire_datetime(session.created_at),
        "order_items": shown_items(session),
    }
    # One that is captured at once tells from the beginning what that will be.
    planned = session.total_amount if session.kind == "one_time_payment" else None
    given = {
        "capture_amount": planned if session.capture_amount is None else session.capture_amount,
        "metadata": session.metadata,
        "payment_token": session.payment_token,
    }
    return PAYMENT_SESSION, told | {name: value for name, value in given.items() if value is not None}


def _payment_token(transition: Transition) -> tuple[str, Mapping[str, Any]] | None:
    if not transition.origin:
        return None
    token: PaymentToken = transition.row
    told = {"payment_token": token.id, **transition.origin}
    given = {"lmn_expires_at": wire_datetime(token.lmn_expires_at), "metadata": token.metadata}
    return PAYMENT_TOKEN, told | {name: value for name, value in given.items() if value is not None}


def _qualification_session(transition: Transition) -> tuple[str, Mapping[str, Any]] | None:
    if not transition.changed or transition.after not in ("approved", "rejected") or transition.before is None:
        return None
    session: QualificationSession = transition.row
    names = ("qualification_session_id", "status", "email", "expires_at", "source", "user_id")
    return QUALIFICATION_SESSION, {name: session.wire()[name] for name in names}


def _catalog_item(transition: Transition) -> tuple[str, Mapping[str, Any]] | None:
    if transition.name != "review":
        return None
    item: CatalogItem = transition.row
    told: dict[str, Any] = {
        "sku": item.sku,
        "name": item.name,
        "created_at": wire_datetime(item.created_at),
        "description": item.description,
        "eligibility": item.eligibility,
        "gtin": item.gtin,
        "image_urls": list(item.image_urls),
        "metadata": item.metadata,
        "product_id": item.product_id,
        "reviewed_at": wire_datetime(item.reviewed_at),
        "url": item.url,
    }
    return CATALOG_ITEM, {"object": told}


_TELLERS: Final[Mapping[str, Callable[[Transition], tuple[str, Mapping[str, Any]] | None]]] = MappingProxyType(
    {
        "payment_sessions": _payment_session,
        "payment_tokens": _payment_token,
        "qualification_sessions": _qualification_session,
        "catalog_items": _catalog_item,
    }
)
