"""One request to each route of the emulator that succeeds."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.support.factories import CREATE, ORDER, REFUND, make_authorized, make_captured, session_path
from tests.support.paths import FIXTURES
from truemed_async.emulator import ROUTES

if TYPE_CHECKING:
    from truemed_async.emulator import Emulator, Route

DAYS = "?start_date=2026-01-01&end_date=2099-12-31"


def make_requests(emulator: Emulator) -> dict[str, tuple[str, Any]]:
    """Add the objects that the requests are about; return target and body by the name of the route."""
    state = emulator.state
    session, token = state.qualification_sessions.add(), state.payment_tokens.add()
    request = state.provision_requests.create().id
    sku = state.catalog_items.add()
    item = {"sku": sku, "name": "n", "description": "d", "image_urls": [], "url": "u"}
    tokens, catalog = "/api/v1/payment_tokens", "/api/v1/product_catalog"
    key = {"idempotency_key": "k"}
    ids = {
        "payment_session_id": make_captured(emulator),
        "qualification_session_id": session,
        "payment_token": token,
        "provision_token_request_id": request,
    }
    return {route.name: sample_request(route, ids) for route in ROUTES} | {
        "payment_sessions.create": (CREATE, ORDER),
        "payment_sessions.get": (session_path(make_captured(emulator)), None),
        "payment_sessions.list": ("/payments/v1/payment_sessions", None),
        "payment_sessions.capture": (session_path(make_authorized(emulator), "capture"), {"total_amount": 100_00}),
        "payment_sessions.void": (session_path(make_authorized(emulator), "void"), key),
        "payment_sessions.cancel": (session_path(state.payment_sessions.add(), "cancel"), {}),
        "payment_sessions.refund": (
            REFUND, {"payment_id": make_captured(emulator), "amount": 1, "reason": "fraudulent", **key},
        ),
        "payment_tokens.create": (f"{tokens}/create", {}),
        "payment_tokens.get": (f"{tokens}/{token}", None),
        "payment_tokens.list": (tokens, None),
        "payment_tokens.update": (f"{tokens}/{token}/update", {}),
        "payment_tokens.delete": (f"{tokens}/{state.payment_tokens.add()}/delete", {}),
        "payment_tokens.get_provision_request": (f"{tokens}/provision_request/{request}", None),
        "qualification_sessions.get": (f"/api/v1/qualification_session/{session}", None),
        "qualification_sessions.list": ("/api/v1/qualification_sessions", None),
        "qualification_sessions.update": (f"/api/v1/qualification_session/{session}/update", {"user_id": "u", **key}),
        "catalog_items.list": (f"{catalog}/items/list", None),
        "catalog_items.checkout_method": (f"{catalog}/truemed_checkout_method", {"items": []}),
        "catalog_items.create": (f"{catalog}/items/create", {"sku": "new", "name": "n"}),
        "catalog_items.update": (f"{catalog}/items/update", item),
        "catalog_items.get": (f"{catalog}/items/detail", {"sku": sku}),
        "reconciliations.list_payouts": (f"/api/v1/reconciliation/payouts{DAYS}", None),
        "reconciliations.list_transactions": (f"/api/v1/reconciliation/transactions{DAYS}", None),
    }  # fmt: skip


def sample_request(route: Route, ids: dict[str, str]) -> tuple[str, Any]:
    """Return the path of a route with ids of the emulator, and the body of its first sample that succeeds."""
    path = route.path
    for name in re.findall(r"\{(\w+)\}", path):
        path = path.replace(f"{{{name}}}", ids.get(name, "unknown"))
    samples = json.loads((FIXTURES / f"{route.name}.json").read_text(encoding="utf-8"))["samples"]
    return path, next(sample["request"]["body"] for sample in samples if sample["response"]["status"] < 300)
