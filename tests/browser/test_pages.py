"""Each page of the emulator, wide and narrow: no barrier, under 50 kB, nothing from elsewhere."""

import re

import pytest
from playwright.sync_api import expect


def test_qualification_link_opens_the_survey(page, emulator, examine):
    page.goto(f"{emulator}/qualify/tm_qual_1?source=email&user_id=42&skus=a,b")
    examine("qualify")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    examine("qualify-done")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_checkout_captures_the_payment(page, shop, examine, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(shop[0])
    page.get_by_role("button", name="Buy", exact=True).click()
    examine(f"survey-{scheme}")
    page.get_by_role("button", name="Continue to payment").click()
    examine(f"card-{scheme}")
    page.get_by_role("radio", name=re.compile("is declined")).check()
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("alert")).to_be_visible()
    examine(f"declined-{scheme}")
    card = page.url
    page.get_by_role("button", name="Pay").click()
    page.wait_for_url(re.compile("/orders/"))
    page.goto(card)
    examine(f"complete-{scheme}")


def test_checkout_in_an_iframe_captures_the_payment(page, shop, examine):
    page.goto(shop[0])
    page.get_by_role("button", name="Buy without leaving").click()
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
    examine("repair")
