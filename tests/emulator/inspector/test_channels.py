"""The inspector of an emulator with several sales channels: it shows one at a time, which a selector chooses."""

import re

import pytest

from tests.emulator.conftest import Api
from tests.emulator.inspector.conftest import INSPECTOR, ids, words
from truemed_async.emulator import Emulator

OTHER = "key-of-the-other-channel"
CHOOSE = f"{INSPECTOR}/do/choose-channel"


@pytest.fixture
def emulator():
    with Emulator(sessions=0, sales_channels=[OTHER]) as emulator:
        yield emulator


@pytest.fixture
def other(emulator):
    return emulator.sales_channels[OTHER]


@pytest.fixture
def choose(emulator, shopper):
    """Choose a sales channel; return the headers of a browser that did."""

    def choose(number, back=f"{INSPECTOR}/payments"):
        done = shopper.post(CHOOSE, {"back": back, "number": number})
        assert (done.status, done.onward) == (303, back)
        return {"Cookie": (done.headers["Set-Cookie"] or "").partition(";")[0]}

    return choose


def chosen(page):
    """The number that the selector has."""
    _, _, selector = page.text.partition('<select id="channel"')
    (number,) = re.findall(r"<option selected>([0-9]+)</option>", selector.partition("</select>")[0])
    return number


def test_first_channel_is_shown_until_another_is_chosen(emulator, other, shopper, choose):
    first, second = emulator.state.payment_sessions.add(), other.state.payment_sessions.add()
    page = shopper.get(f"{INSPECTOR}/payments")
    assert (ids(page.page), chosen(page)) == ([first], "1")
    headers = choose("2")
    page = shopper.send("GET", f"{INSPECTOR}/payments", headers=headers)
    assert (ids(page.page), chosen(page)) == ([second], "2")
    assert shopper.send("GET", f"{INSPECTOR}/payments/{second}", headers=headers).status == 200
    assert shopper.send("GET", f"{INSPECTOR}/payments/{first}", headers=headers).status == 404
    assert OTHER in shopper.send("GET", f"{INSPECTOR}/settings", headers=headers).text
    assert ids(shopper.send("GET", f"{INSPECTOR}/payments", headers=choose("1")).page) == [first]


def test_buttons_act_in_the_chosen_channel(emulator, other, shopper, choose):
    """The same SKU may be in both."""
    for state in (emulator.state, other.state):
        state.catalog_items.add(sku="S")
    form = "resource=catalog_items&id=S&transition=review&eligibility=eligible"
    headers = {**choose("2"), "Content-Type": "application/x-www-form-urlencoded"}
    assert shopper.send("POST", f"{INSPECTOR}/do/apply", form, headers).status == 303
    assert other.state.catalog_items.get("S").eligibility == "eligible"
    assert emulator.state.catalog_items.get("S").eligibility != "eligible"


def test_address_names_a_channel_before_the_cookie(emulator, other, shopper, choose):
    """A page goes on to show its channel if another tab chooses another one."""
    second = other.state.payment_sessions.add()
    page = shopper.get(f"{INSPECTOR}/payments?channel=2&update")
    assert second in page.text
    assert 'value="/_emulator/inspector/payments"' in page.text, "where its buttons lead back to"
    assert second not in shopper.send("GET", f"{INSPECTOR}/payments?channel=1", headers=choose("2")).text
    assert '"channel=1&update"' in shopper.get(f"{INSPECTOR}/payments").text


@pytest.mark.parametrize("number", ["0", "3", "x", ""])
def test_unknown_channel_is_not_chosen(emulator, shopper, choose, number):
    assert choose(number) == {"Cookie": ""}
    page = shopper.get(f"{INSPECTOR}/payments?channel={number}")
    assert (page.status, chosen(page)) == (200, "1")


def test_cookie_is_that_of_one_emulator(emulator, shopper, choose):
    """Browsers send cookies to every port of a host."""
    (name,) = choose("2")["Cookie"].split("=")[:1]
    assert name == f"truemed-sales-channel-{emulator.port}"
    page = shopper.send("GET", f"{INSPECTOR}/payments", headers={"Cookie": "truemed-sales-channel-1=2"})
    assert chosen(page) == "1"


def test_choice_of_another_site_is_refused(shopper):
    headers = {"Origin": "https://evil.example", "Content-Type": "application/x-www-form-urlencoded"}
    assert shopper.send("POST", CHOOSE, "number=2", headers).status == 403


def test_choice_leads_back_into_the_inspector_only(shopper):
    done = shopper.post(CHOOSE, {"back": "https://evil.example/", "number": "2"})
    assert (done.status, done.onward) == (303, f"{INSPECTOR}/payments")


def test_requests_of_all_channels_name_theirs(emulator, other, shopper, look):
    id = other.state.qualification_sessions.add(status="processing", user_id=None)
    path = f"/api/v1/qualification_session/{id}/update"
    body = b'{"idempotency_key": "k", "user_id": "u"}'
    Api(emulator).list()
    Api(emulator).send("POST", path, body, {"x-truemed-api-key": OTHER})
    Api(emulator).send("GET", path, headers={})
    page = look("requests")
    cells = re.findall(r'data-label="sales channel">([a-z0-9]+)<', shopper.get(f"{INSPECTOR}/requests").text)
    assert cells == ["none", "2", "1"]
    assert "Sales channel" in page.text
    foreign = words(look("requests/2"))
    assert "Sales channel 2" in foreign
    assert "Choose sales channel 2 to see what this request changed." in foreign
    assert "Choose sales channel" not in words(look("requests/2?channel=2"))
    assert "Choose sales channel" not in words(look("requests/1"))


def test_timeline_has_the_requests_of_its_channel(emulator, other, look):
    """The same SKU may be in both."""
    for state in (emulator.state, other.state):
        state.catalog_items.add(sku="S")
    path = "/api/v1/product_catalog/items/detail"
    Api(emulator).send("POST", path, b'{"sku": "S"}', {"x-truemed-api-key": OTHER})
    assert path not in look("catalog/S").text
    assert path in look("catalog/S?channel=2").text


def test_reset_names_what_it_deletes(emulator, other, look):
    assert "All objects, idempotency keys and deliveries of sales channel 1 are deleted" in words(look("reset"))


def test_one_channel_has_no_selector_and_no_column():
    with Emulator(sessions=0) as emulator:
        api = Api(emulator)
        api.list()
        for path in ("payments", "requests", "requests/1", "reset"):
            assert b"ales channel" not in api.send("GET", f"{INSPECTOR}/{path}", headers={}).content
