"""A payment session as its shopper sees it: the journeys."""

import json
import re

import pytest

from tests.support.browser import Shopper
from tests.support.factories import CREATE, order, session_path
from truemed_async.emulator import Emulator


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
    return api.read(session_path(id)).json["status"]


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
    response = shopper.submit(url, condition="no")
    assert (response.status, response.page.heading) == (200, "This order is not eligible")
    (back,) = response.page.links
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
    away = shopper.get(url + step).page.links[-1]
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
    api.post(session_path(id, "cancel"), {})
    response = getattr(shopper, method)(url + step)
    assert (response.status, response.page.heading) == (200, "This checkout has timed out")
    assert response.page.links == ["https://shop.example/cart"]
    assert status(api, id) == "canceled"


@pytest.mark.parametrize("step", ["", "/card"])
def test_completed_session_shows_completion(emulator, api, shopper, session, step):
    id, url = session()
    form = shopper.get(f"{url}/card").page.chosen
    shopper.post(f"{url}/card", form)
    moves = []
    emulator.state.on_transition.append(moves.append)
    again = shopper.post(url + step, form)
    assert (again.status, again.page.heading) == (200, "Your payment is complete")
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
    response = shopper.post(url + step, form)
    assert (response.status, response.page.alert) == (422, True)
    assert says in response.page.text
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
        token = api.read(session_path(id)).json["payment_token"]
        renewal = api.post(CREATE, order(payment_token=token, idempotency_key="renewal"))
        assert (renewal.status, renewal.json["error"]) == (422, "CardDeclined")
        assert renewal.json["redirect_url"].startswith(shopper.emulator.url)

    def test_rejected_review_stores_no_card(self, emulator, api, shopper, session):
        id, url = session(tokenize=True)
        assert shopper.submit(f"{url}/card", card="once", review="reject").status == 303
        assert (status(api, id), emulator.state.payment_tokens.count) == ("rejected", 0)

    def test_card_requires_decided_review(self, api, shopper, session):
        id, url = session(tokenize=True)
        response = shopper.submit(f"{url}/card", card="once", review="later")
        assert (response.status, status(api, id)) == (422, "pending")
        assert "choose approve or reject" in response.page.text


class TestIframe:
    """The guide "iFrame": `message` events with `{success, redirect_url}`."""

    @pytest.fixture
    def framed(self, session):
        return session(use_iframe=True)

    def test_iframe_pages_may_be_framed(self, api, shopper, framed):
        id, url = framed
        pages = [shopper.get(url), shopper.get(f"{url}/card"), shopper.get(f"{url}/leave")]
        pages += [shopper.submit(url, condition="no"), shopper.submit(f"{url}/card", card="declined")]
        api.post(session_path(id, "cancel"), {})
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
        (message_text,) = re.findall(r'window\.parent\.postMessage\((.*), "\*"\);', script)
        return json.loads(message_text)


class TestOutcomes:
    """The page of a session that is no longer open, in different words for each status."""

    def show(self, emulator, shopper, *transitions, **fields):
        sessions = emulator.state.payment_sessions
        id = sessions.add(total_amount=600_00, success_url="https://shop.example/thanks", **fields)
        for transition in transitions:
            getattr(sessions, transition)(id)
        return shopper.get(f"/_emulator/hosted/payment_sessions/{id}").page

    @pytest.mark.parametrize(
        ("kind", "transitions", "heading", "says"),
        [
            ("one_time_payment", ["submit"], "Your order is under review", "only if a clinician approves"),
            ("one_time_payment", ["submit", "approve"], "Your payment is complete", "$600.00 was charged"),
            ("authorization", ["submit", "approve"], "Your payment is authorized", "$600.00 is held"),
            ("one_time_payment", ["submit", "reject"], "Your order was not approved", "Nothing was charged"),
            ("one_time_payment", ["cancel"], "This checkout has timed out", "The shop canceled it"),
            ("authorization", ["submit", "approve", "void"], "Your payment was voided", "released your card"),
            (
                "authorization",
                ["submit", "approve", "expire_hold", "capture"],
                "Your authorization has expired",
                "time",
            ),
        ],
    )
    def test_status_has_words_of_its_own(self, emulator, shopper, kind, transitions, heading, says):
        page = self.show(emulator, shopper, *transitions, kind=kind)
        assert page.heading == heading
        assert says in page.text

    def test_canceled_review_is_not_a_timeout_of_the_checkout(self, emulator, shopper, session):
        id, url = session(kind="authorization")
        emulator.state.payment_sessions.submit(id)
        emulator.clock.advance(7 * 24 * 3600)
        page = shopper.get(url).page
        assert page.heading == "Your order was canceled"
        assert "longer than your card could be held" in page.text

    def test_partial_capture_shows_the_charged_amount(self, emulator, shopper, session):
        id, url = session(kind="authorization")
        sessions = emulator.state.payment_sessions
        sessions.submit(id)
        sessions.approve(id)
        sessions.capture(id, 40_00)
        assert "$40.00 was charged" in shopper.get(url).page.text

    def test_page_under_review_refreshes_with_and_without_scripts(self, emulator, shopper):
        page = self.show(emulator, shopper, "submit")
        tags = [tag for tag, attributes in page.tags if tag == "noscript" or "http-equiv" in attributes]
        assert tags == ["noscript", "meta"], "an unconditional refresh would lose the focus"
        assert any("location.replace(location.href)" in script for script in page.scripts)

    def test_decided_page_does_not_refresh(self, emulator, shopper):
        page = self.show(emulator, shopper, "submit", "approve")
        assert (page.all("noscript"), page.scripts) == ([], [])


class TestReview:
    """The controls on the page of a payment under review."""

    @pytest.mark.parametrize(
        ("review", "becomes"), [("approve", "captured"), ("reject", "rejected"), ("", "processing")]
    )
    def test_tester_decides_the_review(self, emulator, api, shopper, session, review, becomes):
        id, url = session()
        emulator.state.payment_sessions.submit(id)
        assert shopper.get(url).page.all("form")[0]["action"] == f"/_emulator/hosted/payment_sessions/{id}/review"
        decided = shopper.post(f"{url}/review", {"review": review})
        assert (decided.status, decided.onward) == (303, f"/_emulator/hosted/payment_sessions/{id}")
        assert status(api, id) == becomes

    def test_review_of_open_session_is_409(self, api, shopper, session):
        id, url = session()
        refused = shopper.post(f"{url}/review", {"review": "approve"})
        assert (refused.status, refused.page.heading) == (409, "This is no longer possible")
        assert status(api, id) == "pending"

    def test_review_by_link_is_405(self, api, shopper, session):
        _, url = session()
        assert shopper.get(f"{url}/review").status == 405


class TestForm:
    @pytest.mark.parametrize(
        ("step", "form", "field", "others"),
        [
            ("", {}, "condition", []),
            ("/card", {"review": "approve"}, "card", ["review"]),
            ("/card", {"card": "good"}, "review", ["card"]),
            ("/card", {"card": "declined", "review": "approve"}, "card", ["review"]),
        ],
    )
    def test_error_is_tied_to_its_field(self, shopper, session, step, form, field, others):
        page = shopper.post(session()[1] + step, form).page
        groups = {group["aria-describedby"].split()[-1]: group for group in page.all("fieldset")}
        assert [element["id"] for _, element in page.tags if element.get("role") == "alert"] == ["problem"]
        assert groups[f"{field}-hint"]["aria-invalid"] == "true"
        assert groups[f"{field}-hint"]["aria-describedby"] == f"problem {field}-hint"
        assert [groups[f"{other}-hint"].get("aria-invalid") for other in others] == [None] * len(others)

    def test_other_choices_are_kept_after_an_error(self, shopper, session):
        page = shopper.post(f"{session()[1]}/card", {"card": "declined", "review": "later"}).page
        assert (page.chosen["card"], page.chosen["review"]) == ("good", "later")

    @pytest.mark.parametrize(
        ("kind", "says"), [("one_time_payment", "charged when"), ("authorization", "authorized when")]
    )
    def test_button_has_the_amount_and_the_page_says_when_it_is_charged(self, shopper, session, kind, says):
        page = shopper.get(f"{session(kind=kind)[1]}/card").page
        assert page.words["button"] == "Pay $600.00"
        assert says in page.text

    def test_pre_approved_order_is_charged_now(self, emulator, shopper):
        emulator.state.catalog_items.add(sku="A", eligibility="eligible")
        items = [{"name": "Tape", "sku": "A", "price": 100_00, "quantity": 1}]
        id = emulator.state.payment_sessions.add(order_items=items)
        card = shopper.get(f"/_emulator/hosted/payment_sessions/{id}").onward
        page = shopper.get(card).page
        assert "charged now" in page.text
        assert page.choices("review") == []
        assert shopper.submit(card).status == 200
        assert emulator.state.payment_sessions.get(id).status == "captured"

    def test_tester_switches_are_in_a_panel_of_their_own(self, shopper, session):
        survey, card = (shopper.get(session()[1] + step).page for step in ("", "/card"))
        assert "Emulator controls" not in survey.text
        assert card.words["summary"] == "Emulator controls"
        for choice in ("is declined", "Reject", "Decide later"):
            assert choice in card.words["details"]


class TestMerchant:
    @pytest.mark.parametrize("name", ["Sam & Sons", "x" * 200])
    def test_name_is_on_the_hosted_pages(self, name):
        with Emulator(sessions=0, merchant_name=name) as emulator:
            id = emulator.state.payment_sessions.add()
            response = Shopper(emulator).get(f"/_emulator/hosted/payment_sessions/{id}")
            assert name[:77] in response.page.words["header"]
            assert "x" * 81 not in response.text
            assert "Test mode" in response.page.words["header"]


class TestOrder:
    def test_long_order_is_shortened(self, emulator, shopper):
        items = [{"name": "é" * 500, "price": 100, "quantity": 1} for _ in range(1000)]
        id = emulator.state.payment_sessions.add(order_items=items)
        response = shopper.get(f"/_emulator/hosted/payment_sessions/{id}")
        assert response.text.count("<tr>") == 28  # the head, 25 lines, how many more there are, the total
        assert "and 975 more" in response.page.text
        assert "é" * 101 not in response.text

    def test_empty_list_shows_a_note(self, emulator, shopper):
        id = emulator.state.payment_sessions.add()
        assert "The order has no items." in shopper.get(f"/_emulator/hosted/payment_sessions/{id}").page.text

    def test_lines_show_quantity_amount_and_eligibility(self, emulator, shopper):
        for sku, eligibility in {"A": "eligible", "B": "eligible_with_lmn", "C": "ineligible", "D": None}.items():
            emulator.state.catalog_items.add(sku=sku, eligibility=eligibility)
        items = [{"name": f"Item {sku}", "sku": sku, "price": 12_50, "quantity": 2} for sku in "ABCDE"]
        id = emulator.state.payment_sessions.add(order_items=[*items, {"name": "Item F", "price": 1, "quantity": 1}])
        response = shopper.get(f"/_emulator/hosted/payment_sessions/{id}")
        rows = [" ".join(re.sub("<[^>]*>", " ", row).split()) for row in response.text.split("<tr>")[2:8]]
        assert rows == [
            "Item A 2 × $12.50 HSA/FSA eligible $25.00",
            "Item B 2 × $12.50 Eligible with a Letter of Medical Necessity $25.00",
            "Item C 2 × $12.50 Not HSA/FSA eligible $25.00",
            "Item D 2 × $12.50 $25.00",
            "Item E 2 × $12.50 $25.00",
            "Item F $0.01",
        ]

    NAMED = ({"name": "Shipping", "amount": 500}, {"name": "Tax", "amount": 1_99}, {"name": "Tax", "amount": 1})
    SALE = ({"name": "Sale", "amount": 10_00},)

    @pytest.mark.parametrize(
        ("order_details", "line_details", "rows"),
        [
            (None, None, []),
            ({"total_discounts": 0}, {"total_additional_charges": 0}, []),
            ({"total_discounts": 10_00}, None, ["Discounts −$10.00"]),
            ({"total_discounts": -10_00}, {"total_discounts": 2_50}, ["Discounts −$12.50"]),
            ({"total_discounts": 10_00, "discounts_details": SALE}, None, ["Sale −$10.00"]),
            ({"total_discounts": 9_00, "discounts_details": SALE}, None, ["Discounts −$9.00"]),
            ({"total_discounts": 10_00, "discounts_details": [{"code": "A"}]}, None, ["Discounts −$10.00"]),
            (
                {"total_additional_charges": 700, "additional_charges_details": NAMED},
                {"total_additional_charges": 1},
                ["Shipping $5.00", "Tax $2.00", "Taxes, shipping and fees $0.01"],
            ),
            (
                {"total_additional_charges": 11, "additional_charges_details": [{"name": "Fee", "amount": 1}] * 11},
                None,
                ["Taxes, shipping and fees $0.11"],
            ),
        ],
    )
    def test_amounts_lead_from_subtotal_to_total(self, emulator, shopper, order_details, line_details, rows):
        items = [{"name": "Sauna", "price": 1_200_00, "quantity": 1, "amount_details": line_details}]
        id = emulator.state.payment_sessions.add(total_amount=1_234_50, order_items=items, amount_details=order_details)
        response = shopper.get(f"/_emulator/hosted/payment_sessions/{id}").text
        foot = response[response.index("<tfoot>") : response.index("</tfoot>")]
        expected = ["Subtotal $1,200.00", *rows] if rows else []
        assert [" ".join(re.sub("<[^>]*>", " ", row).split()) for row in foot.split("<tr>")[1:]] == [
            *expected,
            "Total $1,234.50",
        ]
