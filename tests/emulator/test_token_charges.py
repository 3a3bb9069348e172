"""Charging a stored payment method, and everything that keeps it from being charged: docs/truemed-api.md 4.4."""

from datetime import UTC, datetime

import pytest

from tests.support.factories import CREATE, assert_refused, order, session_path
from truemed_async.emulator import InvalidTransitionError

TOKENS = "/api/v1/payment_tokens"


@pytest.fixture
def tokens(emulator):
    return emulator.state.payment_tokens


def charge(api, token, key="renewal-1", **changes):
    return api.post(CREATE, order(payment_token=token, idempotency_key=key, **changes))


def test_charge_of_a_token_captures_without_the_customer(api, tokens):
    """docs/truemed-api.md 2.1 P1: charge a stored token, customer absent; 200."""
    token = tokens.add()
    response = charge(api, token)
    assert response.status == 200
    row = api.read(session_path(response.json["id"])).json
    assert (row["status"], row["payment_token"]) == ("captured", token)


def test_charge_of_the_kind_authorization_is_a_hold(api, tokens):
    """docs/truemed-api.md 2.1 P1: `kind=authorization` is a hold only."""
    id = charge(api, tokens.add(), kind="authorization").json["id"]
    assert api.read(session_path(id)).json["status"] == "authorized"


def test_charge_rejects_an_unknown_token(emulator, api):
    """docs/truemed-api.md 2.1 P1: NotFound; its status is assumed."""
    assert_refused(charge(api, "nobody"), "NotFound", 404)
    assert emulator.state.payment_sessions.count == 0


@pytest.mark.parametrize("failure", ["CardExpired", "CardDeclined", "CardRequired", "RequalificationRequired"])
def test_failed_charge_responds_422(emulator, api, tokens, failure):
    """docs/truemed-api.md 2.1 P1: 422 with redirect_url and an enum naming the cause (values and key are assumed)."""
    token = tokens.add()
    tokens.fail_next_charge(token, failure)
    response = charge(api, token)
    assert_refused(response, failure, 422)
    assert response.json.keys() == {"error", "message", "redirect_url"}
    assert response.json["redirect_url"] == f"{emulator.url}/_emulator/hosted/payment_tokens/{token}"
    # The same key is the same answer, and the same one session.
    assert charge(api, token).content == response.content
    (session,) = emulator.state.payment_sessions.rows
    assert session.status == "pending"
    tokens.resolve_failure(token)
    assert charge(api, token, "renewal-2").status == 200


def test_charge_of_an_expired_card_responds_422(emulator, api, tokens):
    """docs/truemed-api.md 4.4, failure class (a): card expired."""
    now = emulator.clock.now()
    token = tokens.add(payment_methods=[{"exp_month": now.month, "exp_year": now.year}])
    assert charge(api, token).status == 200
    emulator.clock.advance(32 * 86400)
    assert_refused(charge(api, token, "2"), "CardExpired", 422)
    tokens.resolve_failure(token)
    assert charge(api, token, "3").status == 200


def test_charge_without_a_card_responds_422(api, tokens):
    """docs/truemed-api.md 4.4, failure class (a): no ordinary card on file."""
    token = tokens.add(payment_methods=[])
    assert_refused(charge(api, token), "CardRequired", 422)
    tokens.resolve_failure(token)
    assert charge(api, token, "2").status == 200


def test_charge_with_an_expired_letter_responds_422(emulator, api, tokens):
    """docs/truemed-api.md 4.4, failure class (b): LMN older than 12 months."""
    emulator.state.payment_sessions.submit(
        id := api.post(CREATE, order(tokenize=True)).json["id"],
    )
    emulator.state.payment_sessions.approve(id)
    token = api.read(session_path(id)).json["payment_token"]
    emulator.clock.advance(364 * 86400)
    assert charge(api, token).status == 200
    emulator.clock.advance(2 * 86400)
    assert_refused(charge(api, token, "2"), "RequalificationRequired", 422)
    tokens.resolve_failure(token)
    assert charge(api, token, "3").status == 200


def test_charge_after_expire_lmn_responds_422(api, tokens):
    """docs/truemed-api.md 4.4, failure class (b): Truemed demands a new survey."""
    token = tokens.add(lmn_expires_at=datetime(2099, 1, 1, tzinfo=UTC))
    tokens.expire_lmn(token)
    assert_refused(charge(api, token), "RequalificationRequired", 422)


@pytest.mark.parametrize(
    ("body", "failure"),
    [({"update_card_info": True}, "CardRequired"), ({"order_items": [{"sku": "new"}]}, "RequalificationRequired")],
)
def test_charge_while_the_customer_must_act_responds_422(emulator, api, tokens, body, failure):
    """docs/truemed-api.md 2.2 T4: while next_action is set, charging is not guaranteed to work: here it never does."""
    token = tokens.add()
    request = api.post(f"{TOKENS}/{token}/update", body).json["provision_token_request_id"]
    assert_refused(charge(api, token), failure, 422)
    emulator.state.provision_requests.submit(request)
    assert charge(api, token, "2").status == 200


def test_resolve_failure_without_a_failure_is_rejected(tokens):
    """A repair is the answer to a failure."""
    token = tokens.add()
    with pytest.raises(InvalidTransitionError, match="nothing to resolve"):
        tokens.resolve_failure(token)
    with pytest.raises(ValueError, match="CardExpired, CardDeclined"):
        tokens.fail_next_charge(token, "Bankrupt")


@pytest.mark.parametrize("move", ["fail_next_charge", "expire_lmn", "resolve_failure", "delete"])
def test_deleted_token_allows_no_transition(tokens, move):
    """docs/truemed-api.md 2.2 T5: irreversible."""
    token = tokens.add(status="deleted")
    with pytest.raises(InvalidTransitionError, match="deleted"):
        getattr(tokens, move)(token)
    with pytest.raises(KeyError):
        getattr(tokens, move)("nobody")


def test_provision_request_transitions_once(emulator, tokens):
    """docs/truemed-api.md 2.2 T6: provisioned or not."""
    requests = emulator.state.provision_requests
    new = requests.create()
    requests.submit(new.id)
    changed = requests.create(updates=tokens.add())
    for id in (new.id, changed.id):
        with pytest.raises(InvalidTransitionError, match="provisioned"):
            requests.submit(id)
    gone = tokens.add()
    waiting = requests.create(updates=gone, next_action="UpdateCard")
    tokens.delete(gone)
    with pytest.raises(InvalidTransitionError, match="deleted"):
        requests.submit(waiting.id)
    assert requests.get(waiting.id).status == "pending"
