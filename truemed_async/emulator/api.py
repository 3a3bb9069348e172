"""All routes of the documented API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truemed_async.emulator.resources import (
    catalog_items,
    payment_sessions,
    payment_tokens,
    qualification_sessions,
    reconciliations,
)

if TYPE_CHECKING:
    from truemed_async.emulator.routing import Route

ROUTES: Final[tuple[Route, ...]] = (
    *payment_sessions.ROUTES,
    *payment_tokens.ROUTES,
    *qualification_sessions.ROUTES,
    *catalog_items.ROUTES,
    *reconciliations.ROUTES,
)
