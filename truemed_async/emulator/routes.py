"""Every route that Truemed documents: those that are answered, and those that say 501 until they are."""

from typing import Final

import attrs

from truemed_async.emulator.call import Problem
from truemed_async.emulator.payment_sessions.routes import ROUTES as PAYMENT_SESSIONS
from truemed_async.emulator.qualification_sessions.handlers import ROUTES as QUALIFICATION_SESSIONS
from truemed_async.emulator.route import Route

ROUTES: Final = (
    *PAYMENT_SESSIONS,
    Route(name="payment_tokens.create", method="POST", path="/api/v1/payment_tokens/create"),
    Route(name="payment_tokens.get", method="GET", path="/api/v1/payment_tokens/{payment_token}"),
    Route(name="payment_tokens.list", method="GET", path="/api/v1/payment_tokens"),
    Route(name="payment_tokens.update", method="POST", path="/api/v1/payment_tokens/{payment_token}/update"),
    Route(name="payment_tokens.delete", method="POST", path="/api/v1/payment_tokens/{payment_token}/delete"),
    Route(
        name="payment_tokens.get_provision_request",
        method="GET",
        path="/api/v1/payment_tokens/provision_request/{provision_token_request_id}",
    ),
    *QUALIFICATION_SESSIONS,
    Route(name="catalog_items.list", method="GET", path="/api/v1/product_catalog/items/list"),
    Route(name="catalog_items.checkout_method", method="POST", path="/api/v1/product_catalog/truemed_checkout_method"),
    Route(name="catalog_items.create", method="POST", path="/api/v1/product_catalog/items/create"),
    Route(name="catalog_items.update", method="POST", path="/api/v1/product_catalog/items/update"),
    Route(name="catalog_items.get", method="POST", path="/api/v1/product_catalog/items/detail"),
    Route(name="reconciliations.list_payouts", method="GET", path="/api/v1/reconciliation/payouts"),
    Route(name="reconciliations.list_transactions", method="GET", path="/api/v1/reconciliation/transactions"),
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
