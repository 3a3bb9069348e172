"""What a browser is protected from, and who may send forms."""

import importlib.util
import json
import sys
from html import unescape

import pytest

from tests.support.browser import MAX_PAGE_BYTES, Shopper
from tests.support.factories import CREATE, order

HOSTED = "/_emulator/hosted"
HOSTILE = "\"'><script>alert(1)</script><img src=//evil.example onerror=alert(2)>{{7*7}}</title></main>"
LINK = "/qualify/tm_qual_1"
QUALIFY = f"{HOSTED}/qualification_sessions/qs_1"
GOOD = {"condition": "yes", "review": "approve", "email": "sam@example.com"}


@pytest.fixture
def shopper(emulator):
    """Let a shopper look at pages; the survey of ``QUALIFY`` is open."""
    emulator.state.qualification_sessions.add(qualification_session_id="qs_1")
    return Shopper(emulator)


@pytest.fixture
def session(emulator):
    """Add a payment session; return its address. What it holds did not come through the API's checks."""

    def session(**fields):
        return f"{HOSTED}/payment_sessions/{emulator.state.payment_sessions.add(**fields)}"

    return session


class TestInjection:
    """The shopper's page looks at each page: no script but its own, and no source from elsewhere."""

    def test_names_are_escaped(self, shopper, session):
        items = [{"name": HOSTILE, "price": 1, "quantity": 1}]
        response = shopper.get(session(order_items=items))
        assert response.page.scripts == []
        assert HOSTILE in response.page.text

    def test_queries_of_links_are_in_no_page(self, emulator, shopper):
        redirect = shopper.get(f"{LINK}?source=%22%3E%3Cscript%3E&x='><b>".replace("'", "%27"))
        newest = emulator.state.qualification_sessions.rows[0]
        assert newest.source == '"><script>'
        assert redirect.onward == f"{HOSTED}/qualification_sessions/{newest.id}"
        response, ordinary = shopper.get(redirect.onward), shopper.get(shopper.get(f"{LINK}?source=mail").onward)
        assert newest.source not in unescape(response.text)
        assert response.page.scripts == ordinary.page.scripts

    def test_raw_query_is_in_no_page(self, emulator, raw):
        """Browsers escape it; others do not."""
        quotes = '"' * 7000
        response = raw.send("GET", f"{LINK}?><script>alert(1)</script>{quotes}")
        assert response.status == 303
        assert b"<script>" not in response.body
        assert len(response.body) < MAX_PAGE_BYTES

    @pytest.mark.parametrize("framed", [False, True])
    def test_return_urls_are_escaped(self, shopper, session, framed):
        url = f"https://shop.example/{HOSTILE}"
        left = shopper.get(f"{session(failure_url=url, use_iframe=framed)}/leave")
        there = left.page.links[0] if framed else left.onward
        assert there.startswith("https://shop.example/%22'%3E%3Cscript%3E")
        if framed:
            (script,) = left.page.scripts
            assert "<" not in script

    @pytest.mark.parametrize(
        "url",
        ["javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "vbscript:x", "", "https://x/" + "a" * 4000],
    )
    @pytest.mark.parametrize("framed", [False, True])
    def test_script_and_overlong_return_urls_are_not_followed(self, shopper, session, url, framed):
        left = shopper.get(f"{session(failure_url=url, use_iframe=framed)}/leave")
        assert (left.status, left.onward, left.page.links, left.page.scripts) == (200, None, [], [])

    @pytest.mark.parametrize(
        ("url", "there"),
        [
            ("https://shop.example/\r\nSet-Cookie: a=b", "https://shop.example/%0D%0ASet-Cookie:%20a=b"),
            ("java\nscript:alert(1)", "java%0Ascript:alert(1)"),
            (" javascript:alert(1)", "%20javascript:alert(1)"),
            ("https://shop.example/日本?a=%20b#c", "https://shop.example/%E6%97%A5%E6%9C%AC?a=%20b#c"),
            ("shop-app://thanks", "shop-app://thanks"),
        ],
    )
    def test_return_urls_cannot_inject_headers(self, shopper, session, url, there):
        left = shopper.get(f"{session(failure_url=url)}/leave")
        assert (left.status, left.onward, left.headers["Set-Cookie"]) == (303, there, None)

    def test_closed_sessions_have_no_script_links(self, emulator, shopper, session):
        address = session(failure_url="javascript:x", success_url=HOSTILE)
        emulator.state.payment_sessions.cancel(address.rpartition("/")[2])
        assert shopper.get(address).page.links == []


class TestForms:
    """A foreign page cannot act on behalf of its visitor."""

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "null", "http://127.0.0.1", "http://localhost:1", "http://[", ""]
    )
    @pytest.mark.parametrize("path", [QUALIFY, "/_emulator/inspector/do/reset"])
    def test_form_of_other_origin_is_403(self, emulator, shopper, origin, path):
        refused = shopper.send(
            "POST", path, "a=b", {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin}
        )
        assert (refused.status, json.loads(refused.text)["error"]) == (403, "Forbidden")
        assert emulator.state.qualification_sessions.get("qs_1").status == "pending"

    def test_form_of_other_loopback_name_is_403(self, emulator, shopper):
        assert shopper.post(QUALIFY, GOOD, Origin=f"http://localhost:{emulator.port}").status == 403

    def test_form_of_same_host_name_is_accepted(self, emulator, shopper):
        host = f"localhost:{emulator.port}"
        assert shopper.post(QUALIFY, GOOD, Origin=f"http://{host}", Host=host).status == 303

    def test_form_without_origin_is_accepted(self, shopper):
        assert shopper.post(QUALIFY, GOOD, Origin=None).status == 303

    @pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data", None])
    def test_form_of_other_content_type_is_400(self, emulator, shopper, kind):
        refused = shopper.post(QUALIFY, GOOD, **{"Content-Type": kind})
        assert (refused.status, json.loads(refused.text)["error"]) == (400, "ValidationError")
        assert emulator.state.qualification_sessions.get("qs_1").status == "pending"

    def test_form_with_invalid_utf8_is_read(self, shopper):
        assert (
            shopper.send(
                "POST", QUALIFY, b"\xff=\xfe&%ff", {"Content-Type": "application/x-www-form-urlencoded"}
            ).status
            == 422
        )

    def test_large_form_is_413(self, shopper):
        assert shopper.post(QUALIFY, {"email": "x" * 1024**2}).status == 413


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize(
    ("path", "allow"),
    [(QUALIFY, "GET, HEAD, POST"), (LINK, "GET"), ("/_emulator/style.css", "GET, HEAD"), ("/", "GET, HEAD")],
)
def test_wrong_method_is_405(shopper, method, path, allow):
    refused = shopper.send(method, path)
    assert (refused.status, refused.headers["Allow"]) == (405, allow)


@pytest.mark.parametrize(("path", "own"), [("style", "The hosted pages."), ("inspector", "The inspector.")])
def test_stylesheet_begins_with_the_shared_one(shopper, path, own):
    path = f"/_emulator/{path}.css"
    assert shopper.post(path).status == 405
    sheet = shopper.get(path)
    assert sheet.headers["Content-Type"] == "text/css; charset=utf-8"
    assert sheet.text.index("--accent") < sheet.text.index(own)


@pytest.mark.parametrize(
    "path", [f"{HOSTED}/nothing/1", f"{HOSTED}/payment_sessions/1/pay", "/qualify/", "/qualify/a/b"]
)
def test_unknown_path_is_404(shopper, path):
    response = shopper.get(path)
    assert (response.status, json.loads(response.text)["error"]) == (404, "NotFound")


@pytest.mark.parametrize(
    "step",
    [
        "payment_sessions/x",
        "payment_sessions/x/card",
        "payment_sessions/x/leave",
        "provision_requests/x",
        "provision_requests/x/card",
        "payment_tokens/x",
        "qualification_sessions/x",
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_unknown_id_shows_a_not_found_page(shopper, step, method):
    response = getattr(shopper, method)(f"{HOSTED}/{step}")
    assert (response.status, response.page.heading) == (404, "Page not found")


def test_ids_with_special_characters_have_pages(emulator, api, shopper):
    id = emulator.state.payment_sessions.add(id="a/b c?%é")
    response = shopper.get(f"{HOSTED}/payment_sessions/a%2Fb%20c%3F%25%C3%A9")
    assert response.status == 200
    assert (
        shopper.submit(shopper.post(response.page.all("form")[0]["action"], {"condition": "yes"}).onward).status == 200
    )
    assert emulator.state.payment_sessions.get(id).status == "captured"


def test_head_has_no_body(shopper):
    response = shopper.send("HEAD", QUALIFY)
    assert (response.status, response.text) == (200, "")


def test_foreign_host_is_421(shopper):
    assert shopper.get(QUALIFY, Host="evil.example").status == 421


def test_pages_are_not_logged_and_meet_no_faults(emulator, shopper):
    emulator.faults.add("hang")
    assert shopper.get(QUALIFY).status == 200
    assert emulator.requests.count() == 0


@pytest.mark.parametrize("path", [LINK, QUALIFY, "/", "/_emulator/style.css"])
def test_missing_jinja_names_the_extra(emulator, shopper, monkeypatch, path):
    assert importlib.util.find_spec("jinja2")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    response = shopper.get(path)
    assert (response.status, json.loads(response.text)["error"]) == (501, "NotImplemented")
    assert "truemed-async[emulator]" in json.loads(response.text)["message"]


def test_api_works_without_jinja(api, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert api.post(CREATE, order()).status == 200


LISTING = "/api/v1/qualification_sessions"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class TestLostPeople:
    """A person whose browser opened an address of programs, or a wrong one."""

    @pytest.mark.parametrize(
        ("path", "status", "heading"),
        [
            (LISTING, 401, "This address is for programs"),
            ("/_emulator/faults", 401, "This address is for programs"),
            ("/nowhere", 401, "This address is for programs"),
            ("/_emulator/inspector/nowhere", 404, "Page not found"),
            (f"{HOSTED}/nothing/qs_1", 404, "Page not found"),
        ],
    )
    def test_page_leads_to_the_inspector(self, shopper, path, status, heading):
        seen = shopper.get(path, **BROWSER)
        assert (seen.status, seen.page.heading) == (status, heading)
        assert "/" in seen.page.links

    def test_fault_of_a_list_does_not_break_the_page(self, emulator, shopper):
        emulator.faults.add("delete_between_pages")
        assert shopper.get(LISTING, **BROWSER).status == 401

    @pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
    def test_programs_get_the_error_of_the_api(self, shopper, accept):
        seen = shopper.get(LISTING, Accept=accept)
        assert (seen.status, json.loads(seen.text)["error"]) == (401, "Unauthorized")

    def test_without_jinja_the_error_of_the_api_stays(self, shopper, monkeypatch):
        monkeypatch.setitem(sys.modules, "jinja2", None)
        seen = shopper.get(LISTING, **BROWSER)
        assert (seen.status, json.loads(seen.text)["error"]) == (401, "Unauthorized")


def test_emulator_controls_lead_to_the_inspector(shopper, session):
    assert "/" in shopper.get(f"{session()}/card").page.links
