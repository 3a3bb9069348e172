"""Purchases through the example shops, in a browser; only webhooks change the state of an order."""

import os
import re
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from tests.support.paths import ROOT

PAY = "Pay with HSA or FSA"
PAY_IN_SHOP = "Pay without leaving the shop"
SUBSCRIBE = "Pay, and save the card for next month"


def test_unknown_shop_is_refused_with_the_known_ones():
    command = [sys.executable, str(ROOT / "docs" / "shops" / "run.py"), "flask"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "python run.py fastapi, or python run.py django" in done.stderr


@pytest.fixture
def visit(page, shop):
    """Put the mat into a cart, and pay in one of the three ways."""

    def visit(how=PAY):
        page.goto(shop[0], wait_until="load")
        page.get_by_role("button", name="Add to cart").click()
        page.get_by_role("button", name=how, exact=True).click()

    return visit


def pay(page, *, card="works", review="Approve"):
    """Answer the survey, let the review decide, choose a card."""
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_role("radio", name=re.compile(card)).first.check()
    page.get_by_role("radio", name=re.compile(review)).check()
    page.get_by_role("button", name="Pay $").click()


def becomes(page, state, heading):
    """Wait, without a reload, until a webhook has changed the order: the page refreshes by itself."""
    expect(page.locator("#state")).to_have_attribute("data-state", state, timeout=30_000)
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def fulfilled(page):
    becomes(page, "fulfilled", "Paid")


def test_captured_is_fulfilled(page, visit):
    visit()
    pay(page)
    assert re.search(r"/orders/[0-9a-f-]{36}\?session=[0-9a-f-]{36}$", page.url), "the template is filled in"
    fulfilled(page)


def test_only_captured_is_fulfilled(page, visit, shop):
    """While the review is open the order waits, although the shopper came back by the success page."""
    visit()
    pay(page, review="Decide later")
    order = page.url
    becomes(page, "review", "Under review")
    session = order.rpartition("=")[2]
    page.goto(f"{shop[1]}/_emulator/hosted/payment_sessions/{session}")
    expect(page.get_by_role("heading", name="Your order is under review")).to_be_visible()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", name="Your payment is complete")).to_be_visible()
    page.get_by_role("link", name="Back to the shop").click()
    assert page.url == order
    fulfilled(page)


def test_pages_that_wait_refresh_by_themselves(page, browser, visit, shop):
    """The shop's and the checkout's page show the result of a review that was decided elsewhere."""
    visit()
    pay(page, review="Decide later")
    becomes(page, "review", "Under review")
    checkout = f"{shop[1]}/_emulator/hosted/payment_sessions/{page.url.rpartition('=')[2]}"
    waiting, decided = browser.new_page(), browser.new_page()
    waiting.goto(checkout)
    expect(waiting.get_by_role("heading", level=1)).to_have_text("Your order is under review")
    decided.goto(checkout)
    decided.get_by_role("button", name="Reject").click()
    expect(waiting.get_by_role("heading", level=1)).to_have_text("Your order was not approved", timeout=30_000)
    becomes(page, "rejected", "Not approved")
    waiting.close()
    decided.close()


def test_purchase_without_scripts_is_captured(browser, shop):
    """Everything but the iframe works without scripts; the pages that wait are reloaded as a whole."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(shop[0])
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("button", name=PAY).click()
    pay(page, review="Decide later")
    becomes(page, "review", "Under review")
    order = page.url
    page.goto(f"{shop[1]}/_emulator/hosted/payment_sessions/{order.rpartition('=')[2]}")
    page.get_by_role("button", name="Approve").click()
    page.goto(order)
    fulfilled(page)
    context.close()


def test_rejected_is_not_approved(page, visit):
    visit()
    pay(page, review="Reject")
    becomes(page, "rejected", "Not approved")


def test_declined_card_can_be_replaced(page, visit):
    visit()
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_role("radio", name=re.compile("is declined")).check()
    page.get_by_role("button", name="Pay $").click()
    expect(page.get_by_role("alert")).to_contain_text("declined")
    page.get_by_role("radio", name=re.compile("works")).first.check()
    page.get_by_role("button", name="Pay $").click()
    fulfilled(page)


def test_abandoned_stays_open_and_can_be_canceled(page, visit):
    visit()
    checkout = page.url
    page.get_by_role("link", name="Leave without paying").click()
    becomes(page, "open", "Not paid yet")
    page.get_by_role("button", name="Cancel the order").click()
    becomes(page, "canceled", "Canceled")
    page.goto(checkout)
    expect(page.get_by_role("heading", name="This checkout has timed out")).to_be_visible()
    page.get_by_role("link", name="Back to the shop").click()
    becomes(page, "canceled", "Canceled")


def test_abandoned_can_be_continued(page, visit):
    visit()
    page.get_by_role("link", name="Leave without paying").click()
    page.get_by_role("link", name="Continue to payment").click()
    pay(page)
    fulfilled(page)


def test_ineligible_order_leads_back_to_the_shop(page, visit):
    visit()
    page.get_by_role("radio", name=re.compile("general health only")).check()
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_role("link", name="Back to the shop").click()
    becomes(page, "open", "Not paid yet")


def test_iframe(page, visit):
    visit(PAY_IN_SHOP)
    shop = page.url
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Continue to payment").click()
    assert page.url == shop
    frame.get_by_role("button", name="Pay $").click()
    page.wait_for_url(re.compile(r"/orders/[0-9a-f-]{36}\?session="))
    fulfilled(page)


def test_leaving_the_iframe(page, visit):
    visit(PAY_IN_SHOP)
    page.frame_locator("iframe").get_by_role("link", name="Leave without paying").click()
    page.wait_for_url(re.compile(r"/orders/[0-9a-f-]{36}$"))
    becomes(page, "open", "Not paid yet")


def test_failed_token_is_recovered(page, visit):
    visit(SUBSCRIBE)
    pay(page, card="works now, fails")
    fulfilled(page)
    order = page.url.partition("?")[0]
    again = page.get_by_role("button", name="Buy again now")
    for _ in range(100):
        if again.count():
            break
        page.wait_for_timeout(100)
        page.reload()
    again.click()
    expect(page.get_by_role("heading", name="Your payment failed")).to_be_visible()
    page.get_by_role("button", name="Store the card").click()
    page.wait_for_url(order)
    page.get_by_role("button", name="Buy again now").click()
    page.wait_for_url(lambda url: url != order)
    fulfilled(page)


def test_double_click_makes_one_checkout(page, shop):
    def checkouts():
        page.goto(f"{shop[1]}/_emulator/inspector/payments")
        return int(page.locator("#total").get_attribute("data-total"))

    before = checkouts()
    page.goto(f"{shop[0]}/cart")
    page.get_by_role("button", name=PAY).dblclick()
    page.get_by_role("button", name="Continue to payment").wait_for()
    assert checkouts() == before + 1


def test_pages_of_the_shop_have_no_barrier(page, shop, visit, examine):
    page.goto(shop[0])
    examine("shop-product", full_page=True)
    page.get_by_role("button", name="Add to cart").click()
    examine("shop-cart")
    page.get_by_role("button", name=PAY).click()
    page.get_by_role("link", name="Leave without paying").click()
    examine("shop-unpaid")
    page.get_by_role("button", name="Cancel the order").click()
    becomes(page, "canceled", "Canceled")
    examine("shop-canceled")
    visit()
    pay(page, review="Decide later")
    becomes(page, "review", "Under review")
    examine("shop-review")
    visit()
    pay(page, review="Reject")
    becomes(page, "rejected", "Not approved")
    examine("shop-rejected")
    visit()
    pay(page)
    fulfilled(page)
    examine("shop-paid")


def test_purchase_by_keyboard_is_captured(page, shop):
    page.goto(shop[0])
    for name in ("Add to cart", PAY, "Continue to payment", "Pay $120.00"):
        button = page.get_by_role("button", name=name)
        button.wait_for()
        for _ in range(10):
            page.keyboard.press("Tab")
            if button.evaluate("each => each === document.activeElement"):
                break
        outline = button.evaluate("each => getComputedStyle(each).outlineStyle")
        assert outline == "solid", f"the focus on {name} is invisible"
        page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/orders/[0-9a-f-]{36}\?session="))
    fulfilled(page)
