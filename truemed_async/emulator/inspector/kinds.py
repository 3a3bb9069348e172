"""The kinds of objects that the inspector lists, and what can be done to one."""

from __future__ import annotations

import inspect
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import attrs

from truemed_async.emulator.request import HOSTED
from truemed_async.emulator.resources import payment_sessions, qualification_sessions
from truemed_async.emulator.resources.catalog_items import ELIGIBILITIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.store import Action, Row, Store

INSPECTOR: Final = "/_emulator/inspector"
# Longer ones are in no link: a server reads about 8 kB of a request line.
MAX_ID_BYTES: Final = 1_000
# What cannot be undone, or takes money or a permission away, and what to tell before it is done.
DESTRUCTIVE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cancel": "The customer can no longer pay.",
        "delete": "The customer's stored payment method can no longer be charged.",
        "expire_hold": "The bank releases the money now, not after 6.95 days: the next capture fails.",
        "expire_lmn": "The Letter of Medical Necessity ends now: charges fail until the customer requalifies.",
        "lose_dispute": "The bank takes back what was not refunded: it is deducted from the next payout.",
        "refund": "The money goes back to the customer.",
        "reject": "The review finds that the order, or the shopper, is not eligible.",
        "void": "The hold is released: nothing can be captured.",
    }
)


@attrs.frozen(kw_only=True)
class Kind:
    """One kind of object.

    slug: its part of the inspector's paths. resource: the name of its store. statuses: those to filter by.
    hosted: the status in which its hosted page waits for the customer, if it has one.
    """

    slug: str
    resource: str
    title: str
    singular: str
    statuses: tuple[str, ...]
    hosted: str = ""

    @property
    def path(self) -> str:
        """The path of the list."""
        return f"{INSPECTOR}/{self.slug}"

    def object_path(self, id: str) -> str:
        """Return the path of the page of an object; empty if its id is too long."""
        quoted = quote(id, safe="")
        return f"{self.path}/{quoted}" if 0 < len(quoted) <= MAX_ID_BYTES and quoted not in {".", ".."} else ""

    def hosted_path(self, row: Row) -> str:
        """Return the path of the hosted page of an object; empty if none waits for its customer."""
        return f"{HOSTED}/{self.resource}/{quote(row.id, safe='')}" if self.hosted == row.status else ""

    def store(self, context: EmulatorContext) -> Store[Any]:
        """Return the store of the objects."""
        return context.state.stores[self.resource]


KINDS: Final = (
    Kind(
        slug="payments",
        resource="payment_sessions",
        title="Payment sessions",
        singular="payment session",
        statuses=payment_sessions.STATUSES,
        hosted="pending",
    ),
    Kind(
        slug="tokens",
        resource="payment_tokens",
        title="Payment tokens",
        singular="payment token",
        statuses=("active", "deleted"),
    ),
    Kind(
        slug="token-requests",
        resource="provision_requests",
        title="Token requests",
        singular="token request",
        statuses=("pending", "provisioned"),
        hosted="pending",
    ),
    Kind(
        slug="qualification",
        resource="qualification_sessions",
        title="Qualification sessions",
        singular="qualification session",
        statuses=qualification_sessions.STATUSES,
        hosted="pending",
    ),
    Kind(
        slug="catalog",
        resource="catalog_items",
        title="Catalog items",
        singular="catalog item",
        statuses=("pending", *ELIGIBILITIES),
    ),
    Kind(
        slug="transactions",
        resource="transactions",
        title="Transactions",
        singular="transaction",
        statuses=("pending", "paid_out"),
    ),
    Kind(slug="payouts", resource="payouts", title="Payouts", singular="payout", statuses=("paid_out",)),
)
KIND_OF: Final[Mapping[str, Kind]] = MappingProxyType({kind.resource: kind for kind in KINDS})
# The members that hold the id of another object, and its resource.
_REFERENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "failed_payment_session_id": "payment_sessions",
        "payment_session_id": "payment_sessions",
        "payment_token": "payment_tokens",
        "payout_id": "payouts",
        "sku": "catalog_items",
        "updates": "payment_tokens",
    }
)


@attrs.frozen(kw_only=True)
class Button:
    """A transition of a row. One that has parameters, or is destructive, leads to a page of its own, ``href``."""

    transition: str
    label: str
    destructive: bool
    href: str


def find_reference(context: EmulatorContext, name: str, value: object) -> str:
    """Return the path of the object to which a member of this name refers; empty if there is none."""
    resource = _REFERENCES.get(name)
    if resource is None or not isinstance(value, str):
        return ""
    kind = KIND_OF[resource]
    return kind.object_path(value) if value in kind.store(context) else ""


def buttons_of(context: EmulatorContext, kind: Kind, row: Row) -> list[Button]:
    """Return the transitions that a row allows; none if its id is in no link."""
    path = kind.object_path(row.id)
    return [
        Button(
            transition=action.name,
            label=action.name.replace("_", " "),
            destructive=action.name in DESTRUCTIVE,
            href=f"{path}/{action.name}" if action.name in DESTRUCTIVE or action.params.properties else "",
        )
        for action in kind.store(context).actions().values()
        if path
        and action.on_row
        and (not action.statuses or row.status in action.statuses)
        and (action.offered is None or action.offered(row))
    ]


def find_action(context: EmulatorContext, kind: Kind, name: str) -> tuple[Action, str]:
    """Return a transition of one row and what it does; KeyError if there is none of this name."""
    store = kind.store(context)
    action = store.actions()[name]
    if not action.on_row:
        raise KeyError(name)
    documentation = (inspect.getdoc(getattr(store, name)) or "").partition("\n\n")[0]
    return action, DESTRUCTIVE.get(name) or documentation.replace("\n", " ")
