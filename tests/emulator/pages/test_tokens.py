"""Stored payment methods as their customers see them: a first one, a changed one, one whose charge failed."""

import pytest

from tests.support.browser import Shopper
from tests.support.factories import CREATE, order

TOKENS = "/api/v1/payment_tokens"
YEAR = 366 * 24 * 3600


@pytest.fixture
def shopper(emulator):
    return Shopper(emulator)


@pytest.fixture
def request_token(api):
    """Ask for a token; return the id of the request and where the customer is sent."""

    def request_token(**body):
        response = api.post(f"{TOKENS}/create", {"success_url": "https://shop.example/stored", **body}).json
        return response["provision_token_request_id"], response["redirect_url"]

    return request_token


@pytest.fixture
def change(api, emulator):
    """Ask for a change of a token; return the token and where the customer is sent."""

    def change(**body):
        token = emulator.state.payment_tokens.add(skus=("A",))
        response = api.post(f"{TOKENS}/{token}/update", {"success_url": "https://shop.example/changed", **body}).json
        return token, response["redirect_url"]

    return change


def provisioned(api, id):
    return api.read(f"{TOKENS}/provision_request/{id}").json["payment_token"]


class TestProvision:
    def test_provisioning_leads_through_survey_and_card_to_the_shop(self, api, shopper, request_token):
        id, url = request_token()
        card = shopper.submit(url, condition="yes")
        assert (card.status, provisioned(api, id)) == (303, None)
        assert shopper.get(card.onward).page.choices("card") == ["good", "declined", "once"]
        done = shopper.submit(card.onward)
        assert (done.status, done.onward) == (303, "https://shop.example/stored")
        token = provisioned(api, id)
        assert api.post(CREATE, order(payment_token=token)).status == 200

    def test_card_that_works_once_fails_at_next_charge(self, api, shopper, request_token):
        id, url = request_token()
        shopper.submit(f"{url}/card", card="once")
        assert api.post(CREATE, order(payment_token=provisioned(api, id))).json["error"] == "CardDeclined"

    def test_declined_card_is_not_stored(self, api, shopper, request_token):
        id, url = request_token()
        assert shopper.submit(f"{url}/card", card="declined").status == 422
        assert provisioned(api, id) is None

    @pytest.mark.parametrize("step", ["", "/card"])
    def test_empty_form_is_shown_again(self, api, shopper, request_token, step):
        id, url = request_token()
        response = shopper.post(url + step)
        assert (response.status, response.page.alert, provisioned(api, id)) == (422, True, None)

    @pytest.mark.parametrize("step", ["", "/card"])
    def test_completed_request_shows_a_message(self, api, shopper, request_token, step):
        id, url = request_token()
        shopper.submit(f"{url}/card")
        token = provisioned(api, id)
        again = shopper.post(url + step, {"card": "good", "condition": "yes"})
        assert (again.status, again.page.heading) == (200, "Already done")
        assert again.page.links == ["https://shop.example/stored"]
        assert provisioned(api, id) == token

    @pytest.mark.parametrize(
        ("failure_url", "links"), [("https://shop.example/no", ["https://shop.example/no"]), (None, [])]
    )
    def test_general_health_order_is_not_eligible(self, api, shopper, request_token, failure_url, links):
        id, url = request_token(**({"failure_url": failure_url} if failure_url else {}))
        response = shopper.submit(url, condition="no")
        assert (response.page.heading, response.page.links) == ("This is not eligible", links)
        assert provisioned(api, id) is None

    def test_missing_success_url_shows_a_message(self, emulator, shopper):
        request = emulator.state.provision_requests.create()
        done = shopper.submit(f"/_emulator/hosted/provision_requests/{request.id}/card")
        assert (done.status, done.page.heading, done.page.links) == (200, "Thank you", [])


class TestUpdate:
    def test_card_update_asks_for_card_only(self, emulator, shopper, change):
        token, url = change(update_card_info=True)
        card = shopper.get(url)
        assert card.status == 303
        assert shopper.get(card.onward).page.heading == "Your new card"
        assert shopper.submit(card.onward).onward == "https://shop.example/changed"
        row = emulator.state.payment_tokens.get(token)
        assert (row.next_action, row.payment_methods[0].exp_year > 2026) == (None, True)

    def test_item_update_asks_for_survey_only(self, emulator, shopper, change):
        items = [{"sku": "B", "name": "B", "price": 1, "quantity": 1}]
        token, url = change(order_items=items)
        assert shopper.get(url).page.heading == "Health survey"
        assert shopper.submit(url).onward == "https://shop.example/changed"
        row = emulator.state.payment_tokens.get(token)
        assert (row.next_action, row.skus, row.lmn_expires_at is not None) == (None, ("B",), True)

    @pytest.mark.parametrize("step", ["", "/card"])
    def test_deleted_token_is_409(self, api, emulator, shopper, change, step):
        token, url = change(order_items=[{"sku": "B", "name": "B", "price": 1, "quantity": 1}])
        form = shopper.get(url + step).page.chosen
        api.post(f"{TOKENS}/{token}/delete")
        refused = shopper.post(url + step, form)
        assert (refused.status, refused.page.heading) == (409, "This is no longer possible")
        assert emulator.state.provision_requests.rows[0].status == "pending"


class TestRepair:
    @pytest.fixture
    def failed(self, api, emulator):
        """Charge a token that cannot be charged; return it and where the customer is sent."""

        def failed(failure=None, **fields):
            token = emulator.state.payment_tokens.add(**fields)
            if failure is not None:
                emulator.state.payment_tokens.fail_next_charge(token, failure)
            response = api.post(CREATE, order(payment_token=token, idempotency_key=f"renewal-{token}"))
            assert response.status == 422
            return token, response.json["redirect_url"]

        return failed

    def charge(self, api, token):
        return api.post(CREATE, order(payment_token=token, idempotency_key="again")).status

    @pytest.mark.parametrize(
        ("failure", "says"),
        [
            ("CardExpired", "Your card has expired."),
            ("CardDeclined", "Your card was declined."),
            ("CardRequired", "an ordinary card is needed"),
        ],
    )
    def test_new_card_repairs_payment_method(self, api, emulator, shopper, failed, failure, says):
        token, url = failed(failure)
        session = emulator.state.payment_tokens.get(token).failed_payment_session_id
        response = shopper.get(url)
        assert (response.status, response.page.heading) == (200, "Your payment failed")
        assert says in response.page.text
        declined = shopper.submit(url, card="declined")
        assert (declined.status, self.charge(api, token)) == (422, 422)
        session = emulator.state.payment_tokens.get(token).failed_payment_session_id
        done = shopper.submit(url)
        assert (done.status, done.onward) == (303, f"https://shop.example/thanks?session={session}")
        assert self.charge(api, token) == 422  # the answer of its key
        assert api.post(CREATE, order(payment_token=token, idempotency_key="new")).status == 200

    def test_survey_repairs_payment_method(self, api, emulator, shopper, failed):
        token, url = failed("RequalificationRequired")
        assert shopper.get(url).page.heading == "Health survey"
        assert shopper.post(url).status == 422
        assert shopper.submit(url, condition="no").page.heading == "This is not eligible"
        assert emulator.state.payment_tokens.get(token).failure == "RequalificationRequired"
        assert shopper.submit(url).status == 303
        assert self.charge(api, token) == 200

    def test_expired_lmn_is_repaired_by_survey(self, api, emulator, shopper, failed):
        token = emulator.state.payment_tokens.provision({"payment_session_id": "s"})
        emulator.clock.advance(YEAR)
        url = api.post(CREATE, order(payment_token=token)).json["redirect_url"]
        assert shopper.submit(url, condition="yes").status == 303
        assert self.charge(api, token) == 200

    def test_expired_card_is_repaired_by_card(self, api, shopper, failed):
        token, url = failed(payment_methods=[{"exp_month": 1, "exp_year": 2020}])
        assert "Your card has expired." in shopper.get(url).page.text
        assert shopper.submit(url).status == 303
        assert self.charge(api, token) == 200

    def test_repair_with_card_that_works_once_fails_again(self, api, shopper, failed):
        token, url = failed("CardDeclined")
        assert shopper.submit(url, card="once").status == 303
        assert self.charge(api, token) == 422

    def test_repaired_payment_method_needs_no_action(self, shopper, failed):
        _, url = failed("CardDeclined")
        form = shopper.get(url).page.chosen
        shopper.post(url, form)
        again = shopper.post(url, form)
        assert (again.status, again.page.heading) == (200, "No action needed")

    @pytest.mark.parametrize("deleted", [False, True])
    def test_valid_payment_method_needs_no_action(self, emulator, shopper, deleted):
        token = emulator.state.payment_tokens.add()
        if deleted:
            emulator.state.payment_tokens.fail_next_charge(token)
            emulator.state.payment_tokens.delete(token)
        assert shopper.get(f"/_emulator/hosted/payment_tokens/{token}").page.heading == "No action needed"

    @pytest.mark.parametrize("charged", [False, True])
    def test_repair_without_failed_payment_shows_a_message(self, emulator, shopper, failed, charged):
        """The token was never charged, or the session is gone."""
        token = failed("CardDeclined")[0] if charged else emulator.state.payment_tokens.add()
        if charged:
            emulator.state.payment_sessions.remove(emulator.state.payment_tokens.get(token).failed_payment_session_id)
        else:
            emulator.state.payment_tokens.fail_next_charge(token)
        done = shopper.submit(f"/_emulator/hosted/payment_tokens/{token}")
        assert (done.status, done.page.heading) == (200, "Thank you")
        assert emulator.state.payment_tokens.get(token).failure is None
