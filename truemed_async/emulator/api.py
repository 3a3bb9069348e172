"""All routes of the documented API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truemed_async.emulator.catalog_items.routes import ROUTES as CATALOG_ITEMS
from truemed_async.emulator.payment_sessions.routes import ROUTES as PAYMENT_SESSIONS
from truemed_async.emulator.payment_tokens.routes import ROUTES as PAYMENT_TOKENS
from truemed_async.emulator.qualification_sessions.handlers import ROUTES as QUALIFICATION_SESSIONS
from truemed_async.emulator.reconciliations.handlers import ROUTES as RECONCILIATIONS

if TYPE_CHECKING:
    from truemed_async.emulator.routing import Route

ROUTES: Final[tuple[Route, ...]] = (
    *PAYMENT_SESSIONS,
    *PAYMENT_TOKENS,
    *QUALIFICATION_SESSIONS,
    *CATALOG_ITEMS,
    *RECONCILIATIONS,
)
