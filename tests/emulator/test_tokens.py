"""The endpoints about payment tokens: docs/truemed-api.md 2.2 T1 to T6."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.factories import CREATE, assert_refused, order

TOKENS = "/api/v1/payment_tokens"
T0 = datetime(2026, 5, 1, tzinfo=UTC)
FIELDS = {"payment_token", "created_at", "customer_email", "customer_name", "lmn_expires_at", "payment_methods"}


def request_of(api, id):
    return api.read(f"{TOKENS}/provision_request/{id}")


# --- create, and the request that it makes ------------------------------------------------------------------------


def test_create_makes_a_request_and_no_token(emulator, api):
    """docs/truemed-api.md 2.2 T1: 200, provision_token_request_id and redirect_url; "Returns no token"."""
    body = {"order_items": [{"sku": "A"}, {"name": "B"}], "success_url": "https://shop.example", "metadata": "m"}
    response = api.post(f"{TOKENS}/create", body)
    assert response.status == 200
    assert response.json.keys() == {"provision_token_request_id", "redirect_url"}
    id = response.json["provision_token_request_id"]
    assert response.json["redirect_url"] == f"{emulator.url}/_emulator/hosted/provision_requests/{id}"
    assert request_of(api, id).json == {"payment_token": None, "metadata": "m"}
    assert emulator.state.payment_tokens.count == 0
    stored = emulator.state.provision_requests.get(id)
    assert (stored.skus, stored.success_url, stored.status) == (("A",), "https://shop.example", "pending")


def test_request_has_its_token_after_the_customer_submits(emulator, api):
    """docs/truemed-api.md 2.2 T6: null = not provisioned yet."""
    body = {"order_items": [{"sku": "A"}], "customer_email": "sam@example.com", "customer_name": "Sam"}
    id = api.post(f"{TOKENS}/create", body).json["provision_token_request_id"]
    token = emulator.state.provision_requests.submit(id)
    assert request_of(api, id).json == {"payment_token": token, "metadata": None}
    row = api.read(f"{TOKENS}/{token}").json
    assert (row["customer_email"], row["customer_name"]) == ("sam@example.com", "Sam")


def test_create_accepts_an_empty_request(emulator, api):
    """docs/truemed-api.md 2.2 T1: what is required was not visible: our choice."""
    id = api.post(f"{TOKENS}/create").json["provision_token_request_id"]
    token = emulator.state.provision_requests.submit(id)
    assert api.read(f"{TOKENS}/{token}").json["customer_email"] == "customer@example.com"


# --- retrieve and list --------------------------------------------------------------------------------------------


def test_get_shows_a_token(emulator, api):
    """docs/truemed-api.md 2.2 T2: its table; no status and no metadata. The members of a card are those of a third party."""
    card = {"id": "pm_1", "brand": "visa", "last4": "1234", "exp_month": 3, "exp_year": 2030}
    token = emulator.state.payment_tokens.add(
        created_at=T0, customer_email="sam@example.com", lmn_expires_at=T0 + timedelta(days=365), payment_methods=[card]
    )
    row = api.read(f"{TOKENS}/{token}").json
    assert row.keys() == FIELDS
    assert (row["created_at"], row["lmn_expires_at"]) == ("2026-05-01T00:00:00.000Z", "2027-05-01T00:00:00.000Z")
    assert row["payment_methods"] == [card]


def test_token_has_no_letter_that_is_not_verified(emulator, api):
    """docs/truemed-api.md 2.2 T2: lmn_expires_at is null if no verified LMN."""
    assert api.read(f"{TOKENS}/{emulator.state.payment_tokens.add()}").json["lmn_expires_at"] is None


def list_ids(api, query=""):
    return [row["payment_token"] for row in api.read(TOKENS + query).json["payment_tokens"]]


def test_list_has_tokens_newest_first(emulator, api):
    """docs/truemed-api.md 1.6: `payment_tokens`, created_at descending; 30 on a page."""
    for day in range(31):
        emulator.state.payment_tokens.add(payment_token=f"{day}", created_at=T0 + timedelta(days=day))
    assert list_ids(api) == [f"{day}" for day in range(30, 0, -1)]
    assert api.read(f"{TOKENS}?page=2").json["payment_tokens"] == [api.read(f"{TOKENS}/0").json]
    assert api.read(TOKENS).json["pagination"]["last_page"] == 2


def card(month, year):
    return {"exp_month": month, "exp_year": year}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?email=SAM@", {"a"}),
        ("?name=smith", {"b"}),
        ("?email=&name=", {"a", "b", "c"}),
        ("?card_expires_before=2027-02", set()),
        ("?card_expires_before=2027-03", {"a"}),
        ("?card_expires_before=2028-01", {"a", "b"}),
        ("?lmn_expires_before=2027-04-30", set()),
        ("?lmn_expires_before=2027-05-01", {"a"}),
        ("?lmn_expires_before=2027-05-01&name=smith", set()),
    ],
)
def test_list_filters_by_email_name_card_and_letter(emulator, api, query, found):
    """docs/truemed-api.md 2.2 T3: substrings of email and name; cards in or before the month, letters on or before the day."""
    add = emulator.state.payment_tokens.add
    add(payment_token="a", customer_email="sam@example.com", customer_name="Sam", payment_methods=[card(3, 2027)],
        lmn_expires_at=T0.replace(year=2027, hour=23))  # fmt: skip
    add(payment_token="b", customer_name="Bo SMITH", payment_methods=[card(5, 2031), card(1, 2028)])
    add(payment_token="c", payment_methods=[])
    assert set(list_ids(api, query)) == found


# --- update -------------------------------------------------------------------------------------------------------


@pytest.fixture
def token(emulator):
    return emulator.state.payment_tokens.add(skus=("A", "B"), lmn_expires_at=datetime(2099, 1, 1, tzinfo=UTC))


def update(api, token, body):
    return api.post(f"{TOKENS}/{token}/update", body)


def test_update_that_needs_no_customer_is_done_at_once(emulator, api, token):
    """docs/truemed-api.md 2.2 T4: next_action null → done; which changes need nothing is our choice: fewer items."""
    response = update(api, token, {"order_items": [{"sku": "A"}]})
    assert response.status == 200
    request = response.json.pop("provision_token_request_id")
    assert (response.json["next_action"], response.json["redirect_url"]) == (None, None)
    assert request_of(api, request).json["payment_token"] == token
    assert emulator.state.payment_tokens.get(token).skus == ("A",)


def test_update_sends_the_customer_to_the_survey_for_new_items(emulator, api, token):
    """docs/truemed-api.md 2.2 T4: `HealthSurvey` = requalify; redirect_url when the customer must act."""
    response = update(api, token, {"order_items": [{"sku": "A"}, {"sku": "C"}], "metadata": "m"}).json
    assert response["next_action"] == "HealthSurvey"
    request = response["provision_token_request_id"]
    assert response["redirect_url"].endswith(request)
    assert request_of(api, request).json == {"payment_token": None, "metadata": "m"}
    before = emulator.state.payment_tokens.get(token)
    assert emulator.state.provision_requests.submit(request) == token
    after = emulator.state.payment_tokens.get(token)
    assert (before.skus, after.skus) == (("A", "B"), ("A", "C"))
    assert after.lmn_expires_at < before.lmn_expires_at  # twelve months from now, not the 2099 of before


def test_update_sends_the_customer_to_give_a_card(emulator, api, token):
    """docs/truemed-api.md 2.2 T4: update_card_info asks for new cards; the value of next_action is assumed."""
    response = update(api, token, {"update_card_info": True}).json
    assert response["next_action"] == "UpdateCard"
    before = emulator.state.payment_tokens.get(token).payment_methods
    emulator.state.provision_requests.submit(response["provision_token_request_id"])
    after = emulator.state.payment_tokens.get(token)
    assert (after.payment_methods != before, after.skus) == (True, ("A", "B"))
    assert update(api, token, {"update_card_info": False}).json["next_action"] is None


# --- delete -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, {}])
def test_deleted_token_is_unknown_everywhere(api, token, body):
    """docs/truemed-api.md 2.2 T5: the body must be empty; 204 No Content; irreversible."""
    response = api.post(f"{TOKENS}/{token}/delete", body)
    assert (response.status, response.content) == (204, b"")
    assert list_ids(api) == []
    for again in (api.read(f"{TOKENS}/{token}"), update(api, token, {}), api.post(f"{TOKENS}/{token}/delete")):
        assert_refused(again, "NotFound", 404)
    assert_refused(api.post(CREATE, order(payment_token=token)), "NotFound", 404)


@pytest.mark.parametrize("body", [{"reason": "x"}, b"[]", b"text"], ids=str)
def test_delete_with_a_body_is_rejected(api, token, body):
    """docs/truemed-api.md 2.2 T5: the body must be empty."""
    assert_refused(api.post(f"{TOKENS}/{token}/delete", body), "ValidationError")
    assert list_ids(api) == [token]
