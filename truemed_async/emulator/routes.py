"""Every route that Truemed documents: those that are answered, and those that say 501 until they are."""

from typing import Final

import attrs

from truemed_async.emulator.call import Problem
from truemed_async.emulator.catalog_items.routes import ROUTES as CATALOG_ITEMS
from truemed_async.emulator.payment_sessions.routes import ROUTES as PAYMENT_SESSIONS
from truemed_async.emulator.payment_tokens.routes import ROUTES as PAYMENT_TOKENS
from truemed_async.emulator.qualification_sessions.handlers import ROUTES as QUALIFICATION_SESSIONS
from truemed_async.emulator.reconciliations.handlers import ROUTES as RECONCILIATIONS
from truemed_async.emulator.route import Route

ROUTES: Final[tuple[Route, ...]] = (
    *PAYMENT_SESSIONS,
    *PAYMENT_TOKENS,
    *QUALIFICATION_SESSIONS,
    *CATALOG_ITEMS,
    *RECONCILIATIONS,
)


@attrs.frozen
class Found:
    """A route, and the decoded path parameters of one request to it."""

    route: Route
    params: dict[str, str]


def find_route(method: str, path: str) -> Found | Problem:
    """Return the route of a verb and raw path, or the 404 or 405 to answer."""
    allowed: set[str] = set()
    for route in ROUTES:
        params = route.match(path)
        if params is not None:
            if route.method == method:
                return Found(route, params)
            allowed.add(route.method)
    if allowed:
        return Problem(405, "MethodNotAllowed", "this path has other methods", allow=", ".join(sorted(allowed)))
    return Problem(404, "NotFound", "no such path")
