"""Each page of the emulator, wide and narrow: no barrier, under 50 kB, nothing from elsewhere."""

import re

import pytest
from playwright.sync_api import expect

PANELS = ("payments", "tokens", "qualification", "catalog", "requests", "webhooks", "faults")


@pytest.mark.parametrize("panel", PANELS)
def test_panel_shows_the_state(page, emulator, examine, panel):
    page.goto(f"{emulator}/_emulator/inspector/{panel}")
    expect(page.get_by_role("heading", level=1)).to_have_text(panel.capitalize())
    page.evaluate("document.querySelectorAll('details').forEach((each) => each.open = true)")
    examine(f"inspector-{panel}")


@pytest.mark.parametrize("panel", ["requests", "webhooks"])
def test_inspector_panels_show_a_purchase(page, shop, examine, panel):
    page.goto(shop[0])
    page.get_by_role("button", name="Buy", exact=True).click()
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_role("button", name="Pay").click()
    page.wait_for_url(re.compile("/orders/"))
    page.goto(f"{shop[1]}/_emulator/inspector/{panel}")
    page.locator("#live details summary").first.click()
    examine(f"after-{panel}")


def test_inspector_updates_itself(page, browser, emulator):
    page.goto(f"{emulator}/_emulator/inspector/qualification")
    rows = page.get_by_role("heading", name=re.compile("Qualification sessions: "))
    before = rows.text_content()
    other = browser.new_page()
    other.goto(f"{emulator}/qualify/tm_qual_1?source=email")
    other.get_by_role("button", name="Send").click()
    expect(other.get_by_role("heading", name="Thank you")).to_be_visible()
    other.close()
    expect(rows).not_to_have_text(before)


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
    button = page.get_by_role("button", name=re.compile("^fail next charge: ")).first
    token = button.get_attribute("aria-label").partition(": ")[2]
    button.click()
    page.goto(f"{emulator}/_emulator/hosted/payment_tokens/{token}")
    expect(page.get_by_role("heading", name="Your payment failed")).to_be_visible()
    examine("repair")
