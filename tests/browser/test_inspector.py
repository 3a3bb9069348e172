"""The inspector in a browser: each page wide and narrow, light and dark, and each action; also without JavaScript."""

import re

import pytest
from playwright.sync_api import expect

KINDS = ("payments", "tokens", "token-requests", "qualification", "catalog", "transactions", "payouts")
PAGES = (*KINDS, "requests", "webhooks", "faults", "settings", "reset", "faults/api/status", "faults/webhooks/delay")


@pytest.fixture
def visit(page, emulator):
    """Open a page of the inspector."""

    def visit(path):
        page.goto(f"{emulator}/_emulator/inspector/{path}")
        return page

    return visit


@pytest.fixture
def find(visit):
    """Open the page of an object of this status, by way of the list and its filter."""

    def find(kind, status):
        page = visit(kind)
        page.get_by_label("Status", exact=True).select_option(status)
        page.get_by_role("button", name="Search").click()
        page.locator("table.list tbody th a").first.click()
        expect(page.locator(".summary .badge").first).to_have_text(status.replace("_", " "))
        return page

    return find


def status(page, text):
    """The status becomes this one."""
    expect(page.locator(".summary .badge").first).to_have_text(text)


@pytest.mark.parametrize("path", PAGES)
def test_page_has_no_barrier_and_fits(visit, examine, path):
    page = visit(path)
    page.evaluate("document.querySelectorAll('details').forEach((each) => each.open = true)")
    examine(f"inspector-{path.replace('/', '-')}")


@pytest.mark.parametrize("kind", KINDS[:5])
def test_object_has_no_barrier_and_fits(visit, examine, kind):
    page = visit(kind)
    link = page.locator("table.list tbody th a").first
    if not link.count():
        page = visit("payments")
    page.locator("table.list tbody th a").first.click()
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    page.evaluate("document.querySelectorAll('details').forEach((each) => each.open = true)")
    examine(f"inspector-{kind}-object")


def test_purchase_is_on_the_timeline_and_its_pages(page, shop, examine):
    page.goto(f"{shop[0]}/cart")
    page.get_by_role("button", name="Pay with HSA or FSA").click()
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_role("button", name="Pay $").click()
    page.wait_for_url(re.compile("/orders/"))
    session = re.search("session=([0-9a-f-]+)", page.url)[1]
    page.goto(f"{shop[1]}/_emulator/inspector/payments")
    page.get_by_label(re.compile("^Search")).fill(session)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=session).click()
    timeline = page.locator(".timeline")
    for text in ("POST /payments/v1/create_payment_session", "submit", "approve", "Webhook payment_session.updated"):
        expect(timeline).to_contain_text(text)
    examine("after-object")
    timeline.get_by_role("link", name="POST /payments").click()
    expect(page.locator("main")).to_contain_text("x-truemed-api-key: REDACTED")
    expect(page.get_by_role("link", name=session)).to_be_visible()
    examine("after-request")
    page.go_back()
    timeline.get_by_role("link", name="Webhook").first.click()
    expect(page.locator("#attempt-1")).to_contain_text("204")
    examine("after-delivery")
    page.get_by_role("button", name="Send again").click()
    expect(page.locator("#attempt-2")).to_be_visible()


def test_list_updates_itself(page, browser, visit, emulator):
    visit("qualification")
    total = page.locator("#total")
    before = total.get_attribute("data-total")
    other = browser.new_page()
    other.goto(f"{emulator}/qualify/tm_qual_1?source=email")
    other.get_by_role("button", name="Send").wait_for()
    other.close()
    expect(total).not_to_have_attribute("data-total", before)


def test_pages_search_and_order_of_a_list(page, visit):
    visit("payments")
    first = page.locator("table.list tbody th a").first.text_content()
    page.get_by_role("link", name="Next").click()
    expect(page.locator("table.list tbody th a").first).not_to_have_text(first)
    page.get_by_role("link", name="Previous").click()
    expect(page.locator("table.list tbody th a").first).to_have_text(first)
    page.get_by_label("First").select_option("oldest")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="4", exact=True).click()
    expect(page.locator("table.list tbody th a").last).to_have_text(first)
    page.get_by_label(re.compile("^Search")).fill(first)
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#total")).to_have_text("1–1 of 1 payment sessions")


def test_payment_session_is_processed_to_its_end(page, visit, find):
    find("payments", "captured")
    page.get_by_role("button", name="Open dispute").click()
    expect(page.locator(".summary")).to_contain_text("Disputed")
    page.get_by_role("button", name="Close dispute").click()
    expect(page.locator(".summary")).not_to_contain_text("Disputed")
    page.get_by_role("link", name="Refund…").click()
    amount = page.get_by_label("Amount in dollars")
    amount.fill("0.5")
    page.get_by_label("Reason").select_option("duplicate_payment")
    page.get_by_role("button", name="Refund").click()
    expect(page.locator(".summary")).to_contain_text("Partially Refunded")
    page.get_by_role("link", name="Refund…").click()
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("link", name="Lose dispute…")).to_have_count(0)
    page.get_by_role("button", name="Open dispute").click()
    page.get_by_role("link", name="Lose dispute…").click()
    page.get_by_role("button", name="Lose dispute").click()
    expect(page.locator(".summary")).to_contain_text("Disputed")


def test_authorization_is_captured_in_part(page, find):
    find("payments", "authorized")
    page.get_by_role("button", name="Reauthorize").click()
    page.get_by_role("link", name="Capture…").click()
    page.get_by_label("Amount in dollars").fill("1.25")
    page.get_by_role("button", name="Capture").click()
    status(page, "captured")
    expect(page.locator(".summary")).to_contain_text("Partially Captured")


def test_authorization_is_voided_or_expires(page, find):
    find("payments", "authorized")
    page.get_by_role("link", name="Void…").click()
    page.get_by_role("button", name="Void").click()
    status(page, "authorization voided")
    find("payments", "authorized")
    page.get_by_role("link", name="Expire hold…").click()
    page.get_by_role("button", name="Expire hold").click()
    page.get_by_role("link", name="Capture…").click()
    page.get_by_role("button", name="Capture").click()
    status(page, "authorization expired")


@pytest.fixture
def began(page, emulator):
    """Open a qualification link; return the id of the session that it begins."""

    def began():
        page.goto(f"{emulator}/qualify/tm_qual_1?source=email")
        return page.url.rpartition("/")[2]

    return began


def test_qualification_session_is_reviewed(page, visit, began):
    for button, becomes in (("Approve", "approved"), ("Reject", "rejected")):
        visit(f"qualification/{began()}")
        expect(page.get_by_role("link", name="Open the customer’s page")).to_be_visible()
        page.get_by_role("button", name="Start review").click()
        status(page, "processing")
        if button == "Reject":
            page.get_by_role("link", name="Reject…").click()
        page.get_by_role("button", name=button).click()
        status(page, becomes)


def test_row_of_a_list_is_approved(page, visit, began):
    id = began()
    visit(f"qualification?q={id}")
    page.get_by_role("button", name=f"start review: {id}").click()
    page.get_by_role("button", name=f"approve: {id}").click()
    expect(page.locator("table.list tbody .badge")).to_have_text("approved")
    assert page.url.endswith(f"?q={id}")


def test_token_fails_recovers_and_is_deleted(page, find):
    find("tokens", "active")
    page.get_by_role("link", name="Fail next charge…").click()
    page.get_by_label("Failure").select_option("CardExpired")
    page.get_by_role("button", name="Fail next charge").click()
    expect(page.locator(".members").first).to_contain_text("CardExpired")
    page.get_by_role("button", name="Resolve failure").click()
    expect(page.locator(".members").first).not_to_contain_text("CardExpired")
    page.get_by_role("link", name="Expire lmn…").click()
    page.get_by_role("button", name="Expire lmn").click()
    page.get_by_role("button", name="Resolve failure").click()
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete").click()
    status(page, "deleted")


def test_catalog_item_is_reviewed(page, visit):
    visit("catalog")
    page.get_by_role("link", name="review…").first.click()
    page.get_by_label("Eligibility").select_option("ineligible")
    page.get_by_role("button", name="Review").click()
    status(page, "ineligible")


def test_transactions_are_paid_out(page, visit):
    visit("transactions?status=pending")
    if page.locator("#total").get_attribute("data-total") == "0":
        return  # another test has paid them out: the emulator is shared
    visit("payouts")
    before = int(page.locator("#total").get_attribute("data-total"))
    page.get_by_role("button", name="Pay out").click()
    expect(page.locator("#total")).to_have_attribute("data-total", str(before + 1))


def test_fault_is_added_seen_and_removed(page, visit):
    visit("faults")
    page.get_by_role("link", name="rate_limit", exact=True).click()
    page.get_by_label(re.compile("^N ")).fill("5")
    page.get_by_label("Route").select_option("payment_sessions.list")
    page.get_by_role("button", name="Add this fault").click()
    active = page.locator("section", has_text="Active")
    expect(active).to_contain_text("rate_limit 0 hits · route: payment_sessions.list · n: 5")
    page.get_by_role("link", name="duplicate_delivery").click()
    page.get_by_role("button", name="Add this fault").click()
    page.get_by_role("button", name=re.compile("^Remove rate_limit")).click()
    expect(page.get_by_role("button", name=re.compile("^Remove rate_limit"))).to_have_count(0)
    page.get_by_role("button", name="Remove all faults").click()
    expect(active).to_contain_text("No active faults.")


def test_webhook_is_registered_rotated_and_removed(page, visit):
    visit("webhooks")
    page.get_by_text("Register a webhook").click()
    page.get_by_label("URL on this machine").fill("http://127.0.0.1:9/mine")
    page.get_by_role("button", name="Register").click()
    mine = page.locator("li.endpoint", has_text="/mine")
    secret = mine.locator("code").text_content()
    mine.get_by_role("button", name=re.compile("New secret")).click()
    expect(mine.locator("code")).not_to_have_text(secret)
    mine.get_by_role("link", name=re.compile("Remove")).click()
    page.get_by_role("button", name="Remove the webhook").click()
    expect(mine).to_have_count(0)


def test_dialect_is_set_and_reset(page, visit):
    visit("settings")
    page.get_by_text(re.compile("All [0-9]+ choices")).click()
    page.get_by_label("Ids").select_option("integers")
    page.get_by_role("button", name="Set the dialect").click()
    expect(page.locator("main")).to_contain_text("Changed: ids.")
    page.get_by_role("button", name="All defaults").click()
    expect(page.locator("main")).not_to_contain_text("Changed")


def test_clock_and_reset_without_javascript(browser, own_emulator):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{own_emulator}/_emulator/inspector/settings")
    page.get_by_label("Advance by").fill("2")
    page.get_by_role("button", name="Advance the clock").click()
    expect(page.locator("main")).to_contain_text("2 days")
    page.get_by_role("link", name="Delete everything…").click()
    page.get_by_role("button", name="Delete everything").click()
    page.get_by_role("link", name="Payment sessions").click()
    expect(page.locator("#total")).to_have_text("No payment sessions yet.")
    context.close()


def test_refund_without_javascript(browser, own_emulator):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{own_emulator}/_emulator/inspector/payments?status=captured")
    page.get_by_role("link", name="refund…").first.click()
    page.get_by_label("Amount in dollars").fill("0.75")
    page.get_by_role("button", name="Refund").click()
    expect(page.locator(".summary")).to_contain_text("Partially Refunded")
    context.close()


def test_two_thousand_rows_are_paged(page, many, examine):
    page.goto(f"{many}/_emulator/inspector/payments?page=40")
    expect(page.locator("#total")).to_have_text("976–1,000 of 2,000 payment sessions")
    examine("inspector-payments-many")
    page.get_by_role("link", name="80", exact=True).click()
    expect(page.locator("#total")).to_have_text("1,976–2,000 of 2,000 payment sessions")


def test_sales_channel_is_chosen_and_stays(page, two_channels, examine):
    page.goto(f"{two_channels}/_emulator/inspector/payments")
    expect(page.locator("#total")).to_have_text("1–25 of 40 payment sessions")
    examine("inspector-channels")
    page.get_by_label("Sales channel").select_option("2")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#total")).to_have_text("No payment sessions yet.")
    page.get_by_role("link", name="Catalog items").click()
    expect(page.locator("#total")).to_have_text("No catalog items yet.")
    expect(page.get_by_label("Sales channel")).to_have_value("2")
