"""Every route that Truemed documents: those that are answered, and those that say 501 until they are."""

from collections.abc import Mapping
from types import MappingProxyType
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


_FIXED: Final[Mapping[str, tuple[Route, ...]]] = MappingProxyType(
    {
        route.path: tuple(other for other in ROUTES if other.path == route.path)
        for route in ROUTES
        if "{" not in route.path
    }
)


def find_route(method: str, path: str) -> Found | Problem:
    """Return the route of a verb and raw path, or the 404 or 405 to answer.

    A path that is a route's to the letter is that route's alone: `create` is no payment token.
    """
    allowed: set[str] = set()
    for route in _FIXED.get(path, ROUTES):
        params = route.match(path)
        if params is not None:
            if route.method == method:
                return Found(route, params)
            allowed.add(route.method)
    if allowed:
        return Problem(405, "MethodNotAllowed", "this path has other methods", allow=", ".join(sorted(allowed)))
    return Problem(404, "NotFound", "no such path")
