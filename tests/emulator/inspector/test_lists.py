"""Lists of objects: paging, search, filters, order, and what a row shows."""

import json
import re

import pytest

from tests.emulator.inspector.conftest import HOSTILE, INSPECTOR, NOWHERE, ids
from tests.support.browser import Shopper
from tests.support.factories import CREATE, make_authorized, make_captured, order
from tests.support.waiting import TIMEOUT
from truemed_async.emulator import Emulator
from truemed_async.emulator.inspector.kinds import KINDS
from truemed_async.emulator.inspector.listing import ListQuery, paginate

KIND_SLUGS = tuple(kind.slug for kind in KINDS)
PAGES = (*KIND_SLUGS, "requests", "webhooks", "faults", "settings")


def buttons(page):
    """The labels of the transitions of all rows: those done at once, then those that ask."""
    at_once = [attributes["value"].split()[0] for attributes in page.all("button") if attributes.get("name") == "apply"]
    asking = [
        attributes["href"].rpartition("/")[2] for attributes in page.all("a") if "button" in attributes.get("class", "")
    ]
    return at_once, asking


class TestNavigation:
    def test_root_shows_payments(self, shopper):
        def settled(path):
            """The page without what is new each time: the nonce."""
            return re.sub(r'nonce="[^"]*"', "", shopper.get(path).text)

        view = shopper.get("/")
        assert (view.status, view.page.heading) == (200, "Payment sessions")
        assert settled("/") == settled(f"{INSPECTOR}/payments")

    @pytest.mark.parametrize("slug", PAGES)
    def test_each_page_links_to_the_others(self, shopper, slug):
        view = shopper.get(f"{INSPECTOR}/{slug}")
        assert [link for link in view.page.links if link in {f"{INSPECTOR}/{each}" for each in PAGES}] == [
            f"{INSPECTOR}/{each}" for each in PAGES
        ]
        assert [attributes["href"] for attributes in view.page.all("a") if "aria-current" in attributes] == [
            f"{INSPECTOR}/{slug}"
        ]
        assert shopper.framing(view) == "'none'"

    @pytest.mark.parametrize("slug", PAGES)
    def test_key_is_shown_in_the_settings_only(self, emulator, shopper, slug):
        assert shopper.get(f"{INSPECTOR}/{slug}").text.count(emulator.api_key) == (slug == "settings")

    @pytest.mark.parametrize("path", ["", "nothing", "payments/x", "payments/x/refund", "requests/1", "webhooks/whd_x"])
    def test_unknown_page_is_404(self, shopper, path):
        view = shopper.get(f"{INSPECTOR}/{path}")
        assert view.status == 404
        if view.text.startswith("{"):
            assert json.loads(view.text)["error"] == "NotFound"
        else:
            assert view.page.heading == "Not found"

    def test_pages_are_not_logged(self, emulator, shopper):
        shopper.get("/")
        shopper.post(f"{INSPECTOR}/do/reset")
        assert emulator.requests.count() == 0

    def test_foreign_host_is_421(self, shopper):
        assert shopper.get("/", Host="evil.example").status == 421


@pytest.fixture(scope="module")
def many():
    with Emulator(sessions=2000, payment_sessions=2000, payment_tokens=100, catalog_items=100) as emulator:
        yield emulator


class TestTwoThousandRows:
    @pytest.mark.parametrize("slug", KIND_SLUGS)
    def test_default_page_is_under_the_limit(self, many, slug):
        # The shopper's page refuses one of 50 kB.
        view = Shopper(many).get(f"{INSPECTOR}/{slug}").page
        assert len(view.all("tr")) in {0, 26}

    def test_pages_hold_every_row_once(self, many):
        shopper, seen = Shopper(many), []
        for number in range(1, 21):
            seen += ids(shopper.send_large(f"{INSPECTOR}/qualification?size=100&page={number}").page)
        assert seen == [row.id for row in many.state.qualification_sessions.rows]

    def test_links_lead_to_first_last_and_near_pages(self, many):
        page = Shopper(many).get(f"{INSPECTOR}/qualification?page=41").page
        path = f"{INSPECTOR}/qualification"
        assert "1,001–1,025 of 2,000 qualification sessions" in page.text
        numbered = [link for link in page.links if link == path or "?page=" in link][1:]
        assert numbered == [
            f"{path}?page=40",
            path,
            *(f"{path}?page={number}" for number in (39, 40, 41, 42, 43)),
            f"{path}?page=80",
            f"{path}?page=42",
        ]
        current = [attributes["href"] for attributes in page.all("a") if attributes.get("aria-current") == "page"]
        assert f"{path}?page=41" in current

    def test_page_beyond_the_end_is_the_last(self, many):
        page = Shopper(many).get(f"{INSPECTOR}/qualification?page=999").page
        assert "1,976–2,000 of 2,000" in page.text

    def test_oldest_first_reverses_the_list(self, many):
        rows = [row.id for row in many.state.qualification_sessions.rows]
        shopper = Shopper(many)
        assert ids(shopper.get(f"{INSPECTOR}/qualification?sort=oldest").page) == rows[:-26:-1]
        assert ids(shopper.get(f"{INSPECTOR}/qualification?sort=oldest&page=80").page) == rows[24::-1]

    def test_filter_by_status_shows_matching_rows_only(self, many):
        page = Shopper(many).get(f"{INSPECTOR}/payments?status=rejected").page
        matching = [row.id for row in many.state.payment_sessions.rows if row.status == "rejected"]
        assert ids(page) == matching[:25]
        assert f"of {len(matching):,} payment sessions" in page.text
        assert f"{INSPECTOR}/payments?status=rejected&page=2" in page.links

    def test_search_finds_an_email_in_any_case(self, many):
        session = many.state.payment_sessions.rows[700]
        page = Shopper(many).get(f"{INSPECTOR}/payments?q=++{session.customer_email.upper()}").page
        assert session.id in ids(page)
        assert page.chosen["q"] == session.customer_email.upper()

    def test_search_and_status_restrict_together(self, many):
        session = many.state.payment_sessions.rows[700]
        other = "rejected" if session.status != "rejected" else "captured"
        page = Shopper(many).get(f"{INSPECTOR}/payments?q={session.id}&status={other}").page
        assert ids(page) == []
        assert "No payment sessions match." in page.text
        assert f"{INSPECTOR}/payments" in page.links


class TestQuery:
    @pytest.mark.parametrize(
        "query",
        [
            {"page": "0"},
            {"page": "-1"},
            {"page": "x"},
            {"page": "9" * 30},
            {"page": "²"},
            {"size": "7"},
            {"size": "1000000"},
            {"sort": "x"},
        ],
    )
    def test_invalid_values_are_ignored(self, query):
        assert ListQuery.parse(query) == ListQuery()

    def test_url_repeats_the_query(self):
        query = ListQuery.parse(
            {"page": "3", "size": "50", "q": " a&b ", "status": "x", "sort": "oldest", "failures": ""}
        )
        assert query.url("/p") == "/p?q=a%26b&status=x&sort=oldest&failures=1&size=50&page=3"
        assert ListQuery().url("/p") == "/p"

    @pytest.mark.parametrize("oldest_first", [False, True])
    @pytest.mark.parametrize("total", [0, 1, 25, 26, 49, 50, 51])
    def test_pages_cover_everything_once(self, total, oldest_first):
        newest_first = list(range(total))[::-1]

        def read(start, stop):
            return newest_first[start:stop], total

        seen = []
        for number in range(1, 4):
            page = paginate(read, ListQuery(page=number, oldest_first=oldest_first), "/p")
            if page.query.page == number:
                seen += page.items
        assert seen == sorted(newest_first, reverse=not oldest_first)


class TestRows:
    def test_payment_rows_have_buttons_of_their_status(self, emulator, look):
        id = emulator.state.payment_sessions.add()
        assert buttons(look()) == (["submit"], ["cancel"])
        emulator.state.payment_sessions.submit(id)
        assert buttons(look()) == (["approve"], ["reject"])
        emulator.state.reset()
        make_authorized(emulator)
        assert buttons(look()) == (["reauthorize"], ["capture", "void", "expire_hold"])
        emulator.state.reset()
        id = make_captured(emulator)
        assert buttons(look()) == (["open_dispute"], ["refund"])
        emulator.state.payment_sessions.open_dispute(id)
        assert buttons(look()) == (["close_dispute"], ["refund", "lose_dispute"])
        emulator.state.payment_sessions.lose_dispute(id)
        assert buttons(look()) == ([], ["refund"])

    def test_summary_is_beside_a_status_that_tells_less(self, emulator, look):
        id = make_captured(emulator)
        assert "Captured" not in look().text
        emulator.state.payment_sessions.refund(id, 1)
        assert "Partially Refunded" in look().text

    def test_token_rows_are_shown(self, emulator, look):
        emulator.state.payment_tokens.add()
        emulator.state.provision_requests.create()
        assert buttons(look("tokens")) == (["resolve_failure"], ["fail_next_charge", "expire_lmn", "delete"])
        assert buttons(look("token-requests")) == (["submit"], [])

    def test_qualification_rows_are_shown(self, emulator, look):
        emulator.state.qualification_sessions.add(user_id="user-1")
        emulator.state.qualification_sessions.add(status="processing")
        emulator.state.qualification_sessions.add(status="a new one")
        page = look("qualification")
        assert buttons(page) == (["approve", "start_review"], ["reject"])
        assert "user-1" in page.text

    def test_catalog_rows_are_shown(self, emulator, look):
        emulator.state.catalog_items.add(name="Mat")
        page = look("catalog")
        assert buttons(page) == ([], ["review"])
        assert "Mat" in page.text

    def test_amounts_are_money_and_times_are_exact_on_hover(self, emulator, look):
        make_captured(emulator, total_amount=123_456)
        page = look()
        assert "$1,234.56" in page.text
        assert "123456 cents" in [attributes.get("title") for attributes in page.all("span")]
        (time,) = page.all("time")
        created = emulator.state.payment_sessions.rows[0].created_at
        assert time["datetime"] == time["title"] == created.isoformat(timespec="milliseconds")[:23] + "Z"
        assert "just now" in page.text

    def test_references_lead_to_their_objects(self, emulator, look):
        id = make_captured(emulator)
        payout = emulator.state.payouts.pay_out()
        page = look("transactions")
        assert f"{INSPECTOR}/payments/{id}" in page.links
        assert f"{INSPECTOR}/payouts/{payout}" in page.links
        assert "−$5.00" in page.text

    def test_pay_out_button_is_on_the_list_of_payouts(self, emulator, look, press, assert_refused):
        make_captured(emulator)
        (button,) = [
            attributes for attributes in look("payouts").all("button") if attributes.get("name") == "transition"
        ]
        press("apply", back="payouts", resource="payouts", transition=button["value"])
        assert "$95.00" in look("payouts").text
        assert "nothing to pay out" in assert_refused("apply", resource="payouts", transition="pay_out")

    def test_empty_list_shows_a_note(self, look):
        assert "No payment sessions yet." in look().text

    def test_button_of_a_row_leads_back_to_its_list(self, emulator, shopper, look):
        ids = [emulator.state.payment_sessions.add() for _ in range(30)]
        page = look("payments?page=2")
        back = page.chosen["back"]
        assert back == f"{INSPECTOR}/payments?page=2"
        form = {"resource": "payment_sessions", "apply": f"submit {ids[0]}", "back": back}
        assert shopper.post(f"{INSPECTOR}/do/apply", form).onward == back
        assert emulator.state.payment_sessions.get(ids[0]).status == "processing"


class TestUpdates:
    @pytest.mark.parametrize("slug", PAGES[:-1])
    def test_update_is_the_part_that_changes(self, shopper, slug):
        whole, news = (shopper.get(f"{INSPECTOR}/{slug}{query}") for query in ("", "?update"))
        assert "<html" not in news.text
        assert news.text.strip() in whole.text
        assert json.dumps(news.headers["ETag"]).replace("\\", "\\\\")[1:-1].strip('\\"') in whole.text
        assert news.headers["Cache-Control"] == "no-cache"
        assert "connect-src 'self'" in whole.headers["Content-Security-Policy"]

    def test_unchanged_list_is_304(self, emulator, shopper):
        address = f"{INSPECTOR}/payments?status=pending&update"
        tag = shopper.get(address).headers["ETag"]
        unchanged = shopper.get(address, If_None_Match=tag)
        assert (unchanged.status, unchanged.text, unchanged.headers["ETag"]) == (304, "", tag)
        id = emulator.state.payment_sessions.add()
        changed = shopper.get(address, If_None_Match=tag)
        assert (changed.status, id in changed.text) == (200, True)
        assert 'value="/_emulator/inspector/payments?status=pending"' in changed.text
        assert changed.headers["ETag"] != tag

    def test_form_does_not_update_itself(self, shopper):
        view = shopper.get(f"{INSPECTOR}/settings?update")
        assert view.page.scripts == []
        assert view.page.heading == "Clock and dialect"


class TestHostileContent:
    @pytest.fixture
    def hostile(self, emulator, api):
        emulator.state.payment_sessions.add(id=HOSTILE, kind=HOSTILE)
        emulator.state.payment_tokens.add(payment_token=HOSTILE, failure=HOSTILE)
        emulator.state.provision_requests.add(provision_token_request_id=HOSTILE, payment_token=HOSTILE)
        emulator.state.qualification_sessions.add(
            qualification_session_id=HOSTILE, user_id=HOSTILE, source=HOSTILE, status=HOSTILE
        )
        emulator.state.catalog_items.add(sku=HOSTILE, name=HOSTILE)
        emulator.state.transactions.add(transaction_id=HOSTILE, type=HOSTILE, amount=1)
        emulator.state.payouts.add(payout_id=HOSTILE, amount=1, arrival_date=emulator.clock.now().date())
        emulator.webhooks.register(f"{NOWHERE}?{HOSTILE}", secret=HOSTILE)
        make_captured(emulator, metadata=HOSTILE)
        api.send("POST", f"{CREATE}?{HOSTILE}", order(customer_name=HOSTILE), {"X-Other": HOSTILE})
        assert emulator.webhooks.wait_until_idle(TIMEOUT)

    @pytest.mark.parametrize("slug", PAGES)
    def test_values_of_lists_are_escaped(self, hostile, look, slug):
        page = look(slug)
        assert len(page.scripts) == (slug != "settings")
        assert slug in ("faults", "requests", "settings") or "<script>alert(1)</script>" in page.text

    @pytest.mark.parametrize("kind", KINDS, ids=KIND_SLUGS)
    def test_values_of_objects_are_escaped(self, hostile, look, kind):
        page = look(kind.object_path(HOSTILE))
        assert page.heading == HOSTILE
        assert len(page.scripts) == 1

    def test_values_of_searches_are_escaped(self, look):
        page = look("payments?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&status=%22%3E%3Cscript%3E")
        assert len(page.scripts) == 1
        assert page.chosen["q"] == '"><script>alert(1)</script>'

    def test_raw_query_is_escaped(self, emulator, raw):
        """Browsers escape it; others do not."""
        response = raw.send("GET", f'{INSPECTOR}/payouts?"><script>alert(1)</script>')
        assert response.status == 200
        assert b"<script>alert" not in response.body

    def test_ids_with_slashes_have_pages(self, emulator, look):
        sku = emulator.state.catalog_items.add(sku="a/b?c#d e")
        path = next(link for link in look("catalog").links if "%2F" in link)
        assert look(path).heading == sku

    @pytest.mark.parametrize("sku", ["S" * 100_000, ".", ".."])
    def test_ids_that_fit_into_no_link_are_shown_without_one(self, emulator, look, sku):
        emulator.state.catalog_items.add(sku=sku, name="N" * 100_000)
        page = look("catalog")
        assert "1–1 of 1 catalog items" in page.text
        assert buttons(page) == ([], [])
        assert ids(page) == []

    def test_lists_of_long_values_are_cut(self, emulator, look):
        for number in range(25):
            emulator.state.catalog_items.add(sku="&" * 300 + str(number), name="&" * 1000)
        page = look("catalog")
        assert len(page.all("tr")) == 26
        assert "The values are long" in page.text

    def test_larger_pages_are_not_cut(self, emulator, shopper):
        for number in range(60):
            emulator.state.catalog_items.add(sku="&" * 300 + str(number), name="&" * 1000)
        assert "The values are long" not in shopper.send_large(f"{INSPECTOR}/catalog?size=50").text
