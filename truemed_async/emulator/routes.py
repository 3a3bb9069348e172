"""Every route that Truemed documents: those that are answered, and those that say 501 until they are."""

import re
from collections.abc import Callable
from urllib.parse import unquote

import attrs

from truemed_async.emulator.call import Call, Problem
from truemed_async.emulator.qualification import get_session, list_sessions, update_session
from truemed_async.emulator.state import State

Handler = Callable[[State, Call], object]


def _pattern_of(route: "Route") -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path))


@attrs.frozen
class Route:
    """A documented endpoint: name, verb, path template, and the handler, which returns the body of a 200."""

    name: str
    method: str
    path: str
    handler: Handler | None = None
    _pattern: re.Pattern[str] = attrs.field(
        init=False, repr=False, eq=False, default=attrs.Factory(_pattern_of, takes_self=True)
    )

    def match(self, path: str) -> dict[str, str] | None:
        """Return the decoded parameters when the raw path is this route's, else None."""
        found = self._pattern.fullmatch(path)
        return None if found is None else {name: unquote(value) for name, value in found.groupdict().items()}


# create_qualification_session is missing: Truemed names it, but no page gives its path.
ROUTES = (
    Route("payment_sessions.create", "POST", "/payments/v1/create_payment_session"),
    Route("payment_sessions.get", "GET", "/payments/v1/payment_session/{payment_session_id}"),
    Route("payment_sessions.list", "GET", "/payments/v1/payment_sessions"),
    Route("payment_sessions.capture", "POST", "/payments/v1/payment_session/{payment_session_id}/capture"),
    Route("payment_sessions.void", "POST", "/payments/v1/payment_session/{payment_session_id}/void"),
    Route("payment_sessions.cancel", "POST", "/payments/v1/payment_session/{payment_session_id}/cancel"),
    Route("payment_sessions.refund", "POST", "/payments/v1/refund"),
    Route("payment_tokens.create", "POST", "/api/v1/payment_tokens/create"),
    Route("payment_tokens.get", "GET", "/api/v1/payment_tokens/{payment_token}"),
    Route("payment_tokens.list", "GET", "/api/v1/payment_tokens"),
    Route("payment_tokens.update", "POST", "/api/v1/payment_tokens/{payment_token}/update"),
    Route("payment_tokens.delete", "POST", "/api/v1/payment_tokens/{payment_token}/delete"),
    Route(
        "payment_tokens.get_provision_request",
        "GET",
        "/api/v1/payment_tokens/provision_request/{provision_token_request_id}",
    ),
    Route(
        "qualification_sessions.get",
        "GET",
        "/api/v1/qualification_session/{qualification_session_id}",
        get_session,
    ),
    Route("qualification_sessions.list", "GET", "/api/v1/qualification_sessions", list_sessions),
    Route(
        "qualification_sessions.update",
        "POST",
        "/api/v1/qualification_session/{qualification_session_id}/update",
        update_session,
    ),
    Route("catalog_items.list", "GET", "/api/v1/product_catalog/items/list"),
    Route("catalog_items.checkout_method", "POST", "/api/v1/product_catalog/truemed_checkout_method"),
    Route("catalog_items.create", "POST", "/api/v1/product_catalog/items/create"),
    Route("catalog_items.update", "POST", "/api/v1/product_catalog/items/update"),
    Route("catalog_items.get", "POST", "/api/v1/product_catalog/items/detail"),
    Route("reconciliations.list_payouts", "GET", "/api/v1/reconciliation/payouts"),
    Route("reconciliations.list_transactions", "GET", "/api/v1/reconciliation/transactions"),
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
