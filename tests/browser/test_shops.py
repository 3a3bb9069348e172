"""Purchases through the example shops, in a browser; only webhooks change the state of an order."""

import re

import pytest
from playwright.sync_api import expect


@pytest.fixture
def visit(page, shop):
    """Put the mat into a cart in one of the three ways."""

    def visit(how="Buy"):
        page.goto(shop[0], wait_until="load")
        page.get_by_role("button", name=how, exact=True).click()

    return visit


def pay(page, *, card="works", review="Approve"):
    """Answer the survey, let the review decide, choose a card."""
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_role("radio", name=re.compile(card)).first.check()
    page.get_by_role("radio", name=re.compile(review)).check()
    page.get_by_role("button", name="Pay").click()


def becomes(page, state):
    """Reload the order until a webhook has changed it."""
    for _ in range(100):
        if page.locator("#state").get_attribute("data-state") == state:
            return
        page.wait_for_timeout(100)
        page.reload()
    raise AssertionError(f"the order is {page.locator('#state').get_attribute('data-state')}, not {state}")


def test_captured_is_fulfilled(page, visit):
    visit()
    pay(page)
    assert re.search(r"/orders/[0-9a-f-]{36}\?session=[0-9a-f-]{36}$", page.url), "the template is filled in"
    becomes(page, "fulfilled")


def test_only_captured_is_fulfilled(page, visit, shop):
    """While the review is open the order waits, although the shopper came back by the success page."""
    visit()
    pay(page, review="Decide later")
    order = page.url
    assert page.locator("#state").get_attribute("data-state") == "open"
    session = order.rpartition("=")[2]
    page.goto(f"{shop[1]}/_emulator/inspector/payments")
    page.get_by_role("button", name=f"approve: {session}").click()
    page.goto(order)
    becomes(page, "fulfilled")


def test_rejected_is_rejected(page, visit):
    visit()
    pay(page, review="Reject")
    becomes(page, "rejected")


def test_declined_card_can_be_replaced(page, visit):
    visit()
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_role("radio", name=re.compile("is declined")).check()
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("alert")).to_contain_text("declined")
    page.get_by_role("radio", name=re.compile("works")).first.check()
    page.get_by_role("button", name="Pay").click()
    becomes(page, "fulfilled")


def test_abandoned_stays_open_and_can_be_canceled(page, visit):
    visit()
    checkout = page.url
    page.get_by_role("link", name="Leave without paying").click()
    becomes(page, "open")
    page.get_by_role("button", name="Cancel").click()
    becomes(page, "rejected")
    page.goto(checkout)
    expect(page.get_by_role("heading", name="This checkout has timed out")).to_be_visible()
    page.get_by_role("link", name="Back to the shop").click()
    becomes(page, "rejected")


def test_ineligible_order_leads_back_to_the_shop(page, visit):
    visit()
    page.get_by_role("radio", name=re.compile("general health only")).check()
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_role("link", name="Back to the shop").click()
    becomes(page, "open")


def test_iframe(page, visit):
    visit("Buy without leaving")
    shop = page.url
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Continue to payment").click()
    assert page.url == shop
    frame.get_by_role("button", name="Pay").click()
    page.wait_for_url(re.compile(r"/orders/[0-9a-f-]{36}\?session="))
    becomes(page, "fulfilled")


def test_leaving_the_iframe(page, visit):
    visit("Buy without leaving")
    page.frame_locator("iframe").get_by_role("link", name="Leave without paying").click()
    page.wait_for_url(re.compile(r"/orders/[0-9a-f-]{36}$"))
    becomes(page, "open")


def test_failed_token_is_recovered(page, visit):
    visit("Buy, and again next month")
    pay(page, card="works now, fails")
    becomes(page, "fulfilled")
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
    becomes(page, "fulfilled")


def test_double_click_makes_one_checkout(page, shop):
    def checkouts():
        page.goto(f"{shop[1]}/_emulator/inspector/payments")
        return int(page.locator("#total").get_attribute("data-total"))

    before = checkouts()
    page.goto(shop[0])
    page.get_by_role("button", name="Buy", exact=True).dblclick()
    page.get_by_role("button", name="Continue to payment").wait_for()
    assert checkouts() == before + 1


def test_purchase_by_keyboard_is_captured(page, shop):
    page.goto(shop[0])
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    for name in ("Continue to payment", "Pay"):
        button = page.get_by_role("button", name=name)
        button.wait_for()
        for _ in range(10):
            page.keyboard.press("Tab")
            if button.evaluate("each => each === document.activeElement"):
                break
        page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/orders/[0-9a-f-]{36}\?session="))
    becomes(page, "fulfilled")
