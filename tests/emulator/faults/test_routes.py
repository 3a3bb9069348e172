"""Every named fault on every route: narrowed to one, it acts there and nowhere else."""

import pytest

from tests.support.emulator_requests import make_requests
from tests.support.factories import CREATE, REFUND, make_authorized, make_captured, order, session_path
from tests.support.waiting import wait_until
from truemed_async.emulator import FAULTS, ROUTES

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


def test_every_route_has_a_request_that_succeeds(emulator, raw):
    """Otherwise the test below would show less than it says."""
    sent = make_requests(emulator)
    for route in ROUTES:
        assert raw.send(route.method, *sent[route.name]).status == route.status, (
            f"add a request to {route.name} that succeeds to tests/support/emulator_requests.py"
        )


@pytest.mark.parametrize("name", NAMES)
def test_fault_restricted_to_route_acts_only_there(emulator, raw, name):
    sent = make_requests(emulator)
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
    sent = make_requests(emulator)
    for route in ROUTES:
        if route.listing is None:
            continue
        store = emulator.state.stores[route.listing.store]
        before = store.count
        parameters = {"n": 2} if name == "clamp_page_size" else {}
        with emulator.faults.add(name, route=route.name, **parameters):
            response = raw.send(route.method, *sent[route.name]).json
            assert response[route.listing.key]
            assert (response["pagination"] is None) is (name == "null_pagination")
            if name == "clamp_page_size":
                assert len(response[route.listing.key]) == response["pagination"]["page_size"] == 2
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
