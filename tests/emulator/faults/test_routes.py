"""Every named fault on every route: narrowed to one, it acts there and nowhere else."""

import json
import re

import pytest

from tests.support.factories import CREATE, ORDER, REFUND, make_authorized, make_captured, order, session_path
from tests.support.paths import FIXTURES
from tests.support.waiting import wait_until
from truemed_async.emulator import FAULTS, ROUTES

DAYS = "?start_date=2026-01-01&end_date=2099-12-31"
OF_WRITES = {"key_reuse_mismatch", "conflict_409", "declined_422"}
OF_LISTINGS = {
    "replica_lag", "unstable_ties", "clamp_page_size", "insert_between_pages", "delete_between_pages", "null_pagination",
}  # fmt: skip
# Required parameters of faults, and parameters that make them quick.
PARAMETERS = {
    "latency": {"seconds": 0},
    "stale_keepalive": {"after": 0},
    "dribble": {"delay": 0},
    "bandwidth": {"kbps": 1000},
    "slow_close": {"delay": 0},
    "bomb": {"size": 1024},
    "oversize_error_body": {"size": 1024},
    "missing_field": {"path": "*"},
    "wrong_type": {"path": "*"},
    "null_field": {"path": "*"},
    "unknown_enum": {"path": "*"},
    "status": {"code": 418},
    "rate_limit": {"n": 1, "burst": 1},
    "redirect": {"target": "https://elsewhere.example/"},
    "should_retry": {"value": True},
    "outage": {"duration": 60},
    "flaky": {"p": 1},
}
# Nothing comes back, and the connection stays.
SILENT = {"hang", "applied_then_hang"}
# One that acts only when something is used up, or open for long.
LATER = {"rate_limit", "stale_keepalive"}
NAMES = [name for name, definition in FAULTS.items() if definition.phase != "connect" and name not in LATER]


def requests(emulator):
    """One request to each route that succeeds, in the order of the routes."""
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
        "qualification_sessions.update": (f"/api/v1/qualification_session/{session}/update", key),
        "catalog_items.list": (f"{catalog}/items/list", None),
        "catalog_items.checkout_method": (f"{catalog}/truemed_checkout_method", {"items": []}),
        "catalog_items.create": (f"{catalog}/items/create", {"sku": "new", "name": "n"}),
        "catalog_items.update": (f"{catalog}/items/update", item),
        "catalog_items.get": (f"{catalog}/items/detail", {"sku": sku}),
        "reconciliations.list_payouts": (f"/api/v1/reconciliation/payouts{DAYS}", None),
        "reconciliations.list_transactions": (f"/api/v1/reconciliation/transactions{DAYS}", None),
    }  # fmt: skip


def sample_request(route, ids):
    """Return the path of a route with ids of the emulator, and the body of its first sample that succeeds."""
    path = route.path
    for name in re.findall(r"\{(\w+)\}", path):
        path = path.replace(f"{{{name}}}", ids.get(name, "unknown"))
    samples = json.loads((FIXTURES / f"{route.name}.json").read_text(encoding="utf-8"))["samples"]
    return path, next(sample["request"]["body"] for sample in samples if sample["response"]["status"] < 300)


def test_every_route_has_a_request_that_succeeds(emulator, raw):
    """Otherwise the test below would show less than it says."""
    sent = requests(emulator)
    for route in ROUTES:
        assert raw.send(route.method, *sent[route.name]).status == route.status, (
            f"add a request to {route.name} that succeeds to `requests`"
        )


@pytest.mark.parametrize("name", NAMES)
def test_fault_restricted_to_route_acts_only_there(emulator, raw, name):
    sent = requests(emulator)
    for route in ROUTES:
        acts = not (name in OF_WRITES and route.method == "GET")
        if name in OF_LISTINGS - {"null_pagination"}:
            acts = route.listing is not None
        elsewhere = next(other for other in ROUTES if other.method == route.method and other is not route)
        options = {"method": route.method, "route": route.name, "times": 1}
        with emulator.faults.add(name, **PARAMETERS.get(name, {}), **options) as fault:
            other = emulator.faults.add(name, **PARAMETERS.get(name, {}), **{**options, "route": elsewhere.name})
            # As long as it takes to see that nothing comes; what comes, comes at once.
            received = raw.send(route.method, *sent[route.name], timeout=0.02 if name in SILENT else 10)
            if name in SILENT:
                wait_until(lambda fault=fault: fault.hits)
            assert (fault.hits, other.hits) == (int(acts), 0), route.name
            other.remove()
        assert emulator.requests[-1].route == route.name
        if name in SILENT:
            assert received.content == b""


@pytest.mark.parametrize("name", sorted(OF_LISTINGS))
def test_list_faults_act_on_every_list(emulator, raw, name):
    """The faults of listings do to each what they do to qualification sessions."""
    for _ in range(3):
        make_captured(emulator)
        emulator.state.payment_tokens.add()
        emulator.state.catalog_items.add()
        emulator.state.payouts.pay_out()
        emulator.state.qualification_sessions.add()
    sent = requests(emulator)
    for route in ROUTES:
        if route.listing is None:
            continue
        store = emulator.state.stores[route.listing.store]
        before = store.count
        parameters = {"n": 2} if name == "clamp_page_size" else {}
        with emulator.faults.add(name, route=route.name, **parameters):
            answer = raw.send(route.method, *sent[route.name]).json
            assert answer[route.listing.key]
            assert (answer["pagination"] is None) is (name == "null_pagination")
            if name == "clamp_page_size":
                assert len(answer[route.listing.key]) == answer["pagination"]["page_size"] == 2
        grown = {"insert_between_pages": 1, "delete_between_pages": -1}
        assert store.count == before + grown.get(name, 0), route.name


APPLIED = ["applied_then_reset", "applied_then_hang", "applied_then_500", "applied_then_400_server_error"]


@pytest.mark.parametrize("name", APPLIED)
@pytest.mark.parametrize("route", ["payment_sessions.create", "payment_sessions.capture", "payment_sessions.refund"])
def test_lost_response_is_applied_once(emulator, raw, name, route):
    """docs/truemed-api.md 1.5: `ServerError` may be retried with the same key; same key, same result."""
    hold, payment = make_authorized(emulator), make_captured(emulator)
    target, body = {
        "payment_sessions.create": (CREATE, order()),
        "payment_sessions.capture": (session_path(hold, "capture"), {"total_amount": 100_00, "idempotency_key": "k"}),
        "payment_sessions.refund": (
            REFUND, {"payment_id": payment, "amount": 1, "reason": "fraudulent", "idempotency_key": "k"},
        ),
    }[route]  # fmt: skip
    sessions = emulator.state.payment_sessions

    def effects():
        return (
            sessions.count,
            len(emulator.state.transactions.rows),
            sessions.get(payment).refund_amount,
        )

    before = effects()
    fault = emulator.faults.add(name, route=route, nth=1)
    lost = raw.send("POST", target, body, timeout=0.02 if name == "applied_then_hang" else 10)
    wait_until(lambda: fault.hits)
    match name:
        case "applied_then_500":
            assert lost.status == 500
        case "applied_then_400_server_error":
            assert (lost.status, lost.json["error"]) == (400, "ServerError")
        case _:
            assert lost.content == b""
    after = effects()
    assert after != before
    first, second = (raw.send("POST", target, body) for _ in range(2))
    assert (first.status, second.status) == (200, 200)
    assert first.json == second.json
    assert effects() == after
