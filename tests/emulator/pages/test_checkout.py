"""A payment session as its shopper sees it: the journeys."""

import json
import re

import pytest

from tests.support.browser import Shopper
from tests.support.factories import CREATE, one, order


@pytest.fixture
def shopper(emulator):
    return Shopper(emulator)


@pytest.fixture
def session(emulator, api):
    """Create a payment session as a shop does; return its id and where its customer is sent."""

    def session(**changes):
        created = api.post(CREATE, order(**changes)).json
        return created["id"], created["redirect_url"]

    return session


def status(api, id):
    return api.read(one(id)).json["status"]


@pytest.mark.parametrize(
    ("kind", "review", "becomes"),
    [
        ("one_time_payment", "approve", "captured"),
        ("authorization", "approve", "authorized"),
        ("one_time_payment", "reject", "rejected"),
        ("one_time_payment", "later", "processing"),
    ],
)
def test_checkout_leads_through_survey_and_card_to_the_shop(api, shopper, session, kind, review, becomes):
    """The shopper is shown success from `processing` on, whatever the review decides (Truemed: Payment Session)."""
    id, url = session(kind=kind)
    survey = shopper.get(url)
    assert (survey.status, survey.page.heading) == (200, "Health survey")
    assert "Sauna" in survey.page.text
    assert "$600.00" in survey.page.text
    card = shopper.submit(url, condition="yes")
    assert (card.status, status(api, id)) == (303, "pending")
    assert shopper.get(card.onward).page.heading == "Payment"
    done = shopper.submit(card.onward, card="good", review=review)
    assert (done.status, done.onward) == (303, f"https://shop.example/thanks?session={id}")
    assert status(api, id) == becomes


def test_default_choices_capture_the_payment(api, shopper, session):
    id, url = session()
    shopper.submit(shopper.submit(url).onward)
    assert status(api, id) == "captured"


def test_later_review_leaves_payment_processing(api, shopper, session, emulator):
    id, url = session()
    shopper.submit(f"{url}/card", review="later")
    emulator.state.payment_sessions.reject(id)
    assert status(api, id) == "rejected"


def test_general_health_order_is_not_eligible(api, shopper, session):
    id, url = session()
    told = shopper.submit(url, condition="no")
    assert (told.status, told.page.heading) == (200, "This order is not eligible")
    (back,) = told.page.links
    left = shopper.get(back)
    assert (left.status, left.onward) == (303, "https://shop.example/cart")
    assert status(api, id) == "pending"


def test_declined_card_can_be_replaced(api, shopper, session):
    id, url = session()
    declined = shopper.submit(f"{url}/card", card="declined")
    assert (declined.status, declined.page.alert) == (422, True)
    assert "Nothing was charged" in declined.page.text
    assert status(api, id) == "pending"
    assert shopper.post(f"{url}/card", declined.page.chosen).onward.startswith("https://shop.example/thanks")
    assert status(api, id) == "captured"


@pytest.mark.parametrize("step", ["", "/card"])
def test_leaving_does_not_change_the_session(api, shopper, session, step):
    id, url = session(failure_url="https://shop.example/cart/{{payment_session_id}}")
    (away,) = shopper.get(url + step).page.links
    assert shopper.get(away).onward == f"https://shop.example/cart/{id}"
    assert status(api, id) == "pending"


def test_leaving_without_failure_url_shows_a_message(shopper, session):
    _, url = session(failure_url=None)
    left = shopper.get(f"{url}/leave")
    assert (left.status, left.page.heading, left.page.links) == (200, "You have left the checkout", [])


@pytest.mark.parametrize("step", ["", "/card"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_canceled_session_shows_timeout(api, shopper, session, step, method):
    """Truemed: the customer then sees a timed-out page linking to failure_url (Cancel Payment Session)."""
    id, url = session()
    api.post(one(id, "cancel"), {})
    shown = getattr(shopper, method)(url + step)
    assert (shown.status, shown.page.heading) == (200, "This checkout has timed out")
    assert shown.page.links == ["https://shop.example/cart"]
    assert status(api, id) == "canceled"


@pytest.mark.parametrize("step", ["", "/card"])
def test_completed_session_shows_completion(emulator, api, shopper, session, step):
    id, url = session()
    form = shopper.get(f"{url}/card").page.chosen
    shopper.post(f"{url}/card", form)
    moves = []
    emulator.state.on_transition.append(moves.append)
    again = shopper.post(url + step, form)
    assert (again.status, again.page.heading) == (200, "This checkout is complete")
    assert again.page.links == [f"https://shop.example/thanks?session={id}"]
    assert moves == []


@pytest.mark.parametrize(
    ("step", "form", "says"),
    [
        ("", {}, "Answer the question"),
        ("", {"condition": "perhaps"}, "Answer the question"),
        ("/card", {"review": "approve"}, "Choose a card"),
        ("/card", {"review": "approve", "card": "4242424242424242"}, "Choose a card"),
        ("/card", {"review": "approve", "card": "once"}, "Choose a card"),
        ("/card", {"card": "good"}, "Choose the result of the review"),
        ("/card", {"card": "good", "review": "capture"}, "Choose the result of the review"),
    ],
)
def test_empty_form_is_shown_again(api, shopper, session, step, form, says):
    id, url = session()
    shown = shopper.post(url + step, form)
    assert (shown.status, shown.page.alert) == (422, True)
    assert says in shown.page.text
    assert status(api, id) == "pending"


class TestCardThatWorksOnce:
    def test_card_is_offered_for_tokenized_payments_only(self, shopper, session):
        _, url = session()
        _, tokenizing = session(tokenize=True, idempotency_key="other")
        assert shopper.get(f"{url}/card").page.choices("card") == ["good", "declined"]
        assert shopper.get(f"{tokenizing}/card").page.choices("card") == ["good", "declined", "once"]

    def test_next_charge_of_card_fails(self, api, shopper, session):
        id, url = session(tokenize=True)
        shopper.submit(f"{url}/card", card="once")
        token = api.read(one(id)).json["payment_token"]
        renewal = api.post(CREATE, order(payment_token=token, idempotency_key="renewal"))
        assert (renewal.status, renewal.json["error"]) == (422, "CardDeclined")
        assert renewal.json["redirect_url"].startswith(shopper.emulator.url)

    def test_rejected_review_stores_no_card(self, emulator, api, shopper, session):
        id, url = session(tokenize=True)
        assert shopper.submit(f"{url}/card", card="once", review="reject").status == 303
        assert (status(api, id), emulator.state.payment_tokens.count) == ("rejected", 0)

    def test_card_requires_decided_review(self, api, shopper, session):
        id, url = session(tokenize=True)
        shown = shopper.submit(f"{url}/card", card="once", review="later")
        assert (shown.status, status(api, id)) == (422, "pending")
        assert "choose approve or reject" in shown.page.text


class TestIframe:
    """The guide "iFrame": `message` events with `{success, redirect_url}`."""

    @pytest.fixture
    def framed(self, session):
        return session(use_iframe=True)

    def test_iframe_pages_may_be_framed(self, api, shopper, framed):
        id, url = framed
        pages = [shopper.get(url), shopper.get(f"{url}/card"), shopper.get(f"{url}/leave")]
        pages += [shopper.submit(url, condition="no"), shopper.submit(f"{url}/card", card="declined")]
        api.post(one(id, "cancel"), {})
        pages += [shopper.get(url)]
        assert {shopper.framing(page) for page in pages} == {"*"}

    def test_other_pages_may_not_be_framed(self, shopper, session):
        _, url = session()
        pages = [shopper.get(url), shopper.get(f"{url}/card"), shopper.submit(url, condition="no")]
        assert {shopper.framing(page) for page in pages} == {"'none'"}

    def test_shop_receives_a_success_message(self, shopper, framed):
        id, url = framed
        done = shopper.submit(f"{url}/card")
        assert (done.status, done.page.heading) == (200, "Thank you")
        assert self.message(done) == {"success": True, "redirect_url": f"https://shop.example/thanks?session={id}"}
        (way_out,) = done.page.all("a")
        assert (way_out["href"], way_out["target"]) == (f"https://shop.example/thanks?session={id}", "_top")

    def test_shop_receives_a_failure_message(self, shopper, framed):
        left = shopper.get(f"{framed[1]}/leave")
        assert self.message(left) == {"success": False, "redirect_url": "https://shop.example/cart"}

    def test_iframe_without_failure_url_posts_no_message(self, shopper, session):
        _, url = session(use_iframe=True, failure_url=None)
        left = shopper.get(f"{url}/leave")
        assert left.page.scripts == []
        assert shopper.framing(left) == "*"

    def message(self, seen):
        (script,) = seen.page.scripts
        (said,) = re.findall(r'window\.parent\.postMessage\((.*), "\*"\);', script)
        return json.loads(said)


class TestOrder:
    def test_long_order_is_shortened(self, emulator, shopper):
        items = [{"name": "é" * 500, "price": 100, "quantity": 1} for _ in range(1000)]
        id = emulator.state.payment_sessions.add(order_items=items)
        shown = shopper.get(f"/_emulator/hosted/payment_sessions/{id}")
        assert shown.text.count("<tr>") == 28  # the head, 25 lines, how many more there are, the total
        assert "and 975 more" in shown.page.text
        assert "é" * 101 not in shown.text

    def test_empty_list_shows_a_note(self, emulator, shopper):
        id = emulator.state.payment_sessions.add()
        assert "The order has no items." in shopper.get(f"/_emulator/hosted/payment_sessions/{id}").page.text
