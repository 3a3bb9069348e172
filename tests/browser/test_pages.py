"""Each page of the emulator, wide and narrow: no barrier, under 50 kB, nothing from elsewhere."""

import re

import pytest
from playwright.sync_api import expect

from truemed_async.emulator import Emulator


def test_qualification_link_opens_the_survey(page, emulator, examine):
    page.goto(f"{emulator}/qualify/tm_qual_1?source=email&user_id=42&skus=a,b")
    examine("qualify", full_page=True)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="You qualify")).to_be_visible()
    examine("qualify-done")


def test_checkout_captures_the_payment(page, shop, examine):
    page.goto(f"{shop[0]}/cart")
    page.get_by_role("button", name="Pay with HSA or FSA").click()
    examine("survey", full_page=True)
    page.get_by_role("button", name="Continue to payment").click()
    expect(page.get_by_role("button", name="Pay $120.00")).to_be_visible()
    examine("card", full_page=True)
    page.get_by_role("radio", name=re.compile("is declined")).check()
    expect(page.get_by_text("Test card ending in 0002")).to_be_visible()
    page.get_by_role("button", name="Pay $").click()
    expect(page.get_by_role("alert")).to_be_visible()
    examine("declined", full_page=True)
    card = page.url
    page.get_by_role("button", name="Pay $").click()
    page.wait_for_url(re.compile("/orders/"))
    page.goto(card)
    examine("complete", full_page=True)


# One session in each status that has a page of its own.
OUTCOMES = {
    "processing": ("Your order is under review", ["submit"]),
    "rejected": ("Your order was not approved", ["submit", "reject"]),
    "canceled": ("This checkout has timed out", ["cancel"]),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_outcome_has_a_page(page, examine, outcome):
    heading, transitions = OUTCOMES[outcome]
    with Emulator(sessions=0) as emulator:
        sessions = emulator.state.payment_sessions
        id = sessions.add(success_url="https://shop.example/thanks", failure_url="https://shop.example/cart")
        for transition in transitions:
            getattr(sessions, transition)(id)
        page.goto(f"{emulator.url}/_emulator/hosted/payment_sessions/{id}")
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        examine(outcome, full_page=True)


def test_invalid_link_has_a_page(page, emulator, examine):
    page.goto(f"{emulator}/_emulator/hosted/payment_sessions/unknown")
    expect(page.get_by_role("heading", level=1)).to_have_text("Page not found")
    examine("invalid")


def test_order_shows_eligibility_discounts_and_charges(page, examine):
    with Emulator(sessions=0, merchant_name="Example Wellness") as emulator:
        for sku, eligibility in {"mat-1": "eligible_with_lmn", "tape-1": "eligible", "mug-1": "ineligible"}.items():
            emulator.state.catalog_items.add(sku=sku, eligibility=eligibility)
        id = emulator.state.payment_sessions.add(
            total_amount=156_15,
            order_items=[
                {"name": "Acupressure mat", "sku": "mat-1", "price": 120_00, "quantity": 1},
                {"name": "Kinesiology tape", "sku": "tape-1", "price": 12_50, "quantity": 2},
                {"name": "Tea mug", "sku": "mug-1", "price": 6_00, "quantity": 1},
            ],
            amount_details={
                "total_discounts": 10_00,
                "discounts_details": [{"name": "Spring sale", "amount": 10_00}],
                "total_additional_charges": 15_15,
                "additional_charges_details": [{"name": "Shipping", "amount": 7_00}, {"name": "Tax", "amount": 8_15}],
            },
        )
        page.goto(f"{emulator.url}/_emulator/hosted/payment_sessions/{id}/card")
        expect(page.get_by_role("button", name="Pay $156.15")).to_be_visible()
        expect(page.get_by_role("row", name="Spring sale −$10.00")).to_be_visible()
        examine("order", full_page=True)


@pytest.mark.parametrize(("width", "is_open"), [(1440, True), (390, False)])
def test_emulator_controls_are_collapsed_on_narrow_screens(page, width, is_open):
    page.set_viewport_size({"width": width, "height": 900})
    with Emulator(sessions=0) as emulator:
        page.goto(f"{emulator.url}/_emulator/hosted/payment_sessions/{emulator.state.payment_sessions.add()}/card")
        reject = page.get_by_role("radio", name="Reject")
        assert reject.is_visible() is is_open
        if not is_open:
            page.get_by_text("Emulator controls", exact=True).click()
            reject.check()
        # An error in the panel is never hidden.
        page.get_by_role("radio", name=re.compile("is declined")).check()
        page.get_by_role("button", name="Pay $").click()
        expect(page.get_by_role("alert")).to_contain_text("declined")
        expect(reject).to_be_visible()


def test_checkout_in_an_iframe_captures_the_payment(page, shop, examine):
    page.goto(f"{shop[0]}/cart")
    page.get_by_role("button", name="Pay without leaving the shop").click()
    page.frame_locator("iframe").get_by_role("button", name="Continue to payment").wait_for()
    page.goto(page.locator("iframe").get_attribute("src"))
    examine("survey-framed")


def test_token_repair_provisions_it(page, emulator, examine):
    page.goto(f"{emulator}/_emulator/inspector/tokens")
    page.get_by_role("link", name="fail next charge").first.click()
    token = page.locator("input[name=id]").get_attribute("value")
    page.get_by_role("button", name="Fail next charge").click()
    page.goto(f"{emulator}/_emulator/hosted/payment_tokens/{token}")
    expect(page.get_by_role("heading", name="Your payment failed")).to_be_visible()
    examine("repair", full_page=True)
