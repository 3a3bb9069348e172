"""Qualification links: https://app.truemed.com/qualify/{QUALIFICATION_ID}, Truemed's support page."""

import pytest

from tests.support.browser import Shopper

LINK = "/qualify/tm_qual_abc"


@pytest.fixture
def shopper(emulator):
    return Shopper(emulator)


def sessions(api):
    return api.list().json["qualification_sessions"]


@pytest.mark.parametrize(
    ("review", "becomes"), [("approve", "approved"), ("reject", "rejected"), ("later", "processing")]
)
def test_submitted_survey_creates_a_session(api, shopper, review, becomes):
    link = f"{LINK}?source=email_receipt&user_id=42&skus=a%2Cb"
    assert shopper.get(link).page.heading == "Health survey"
    assert sessions(api) == []
    done = shopper.submit(link, review=review, email="sam@example.com")
    assert (done.status, done.page.heading) == (200, "Thank you")
    (session,) = sessions(api)
    assert session["status"] == becomes
    given = {name: session[name] for name in ("source", "user_id", "skus_param", "email")}
    assert given == {"source": "email_receipt", "user_id": "42", "skus_param": "a,b", "email": "sam@example.com"}


def test_a_link_with_a_brand_leads_to_the_same_survey(api, shopper):
    """Truemed API, section 7: N18."""
    link = "/acme" + LINK
    assert shopper.get(link).page.heading == "Health survey"
    assert shopper.submit(f"{link}?source=email", review="approve").status == 200
    assert sessions(api)[0]["source"] == "email"


@pytest.mark.parametrize(
    ("query", "source"),
    [
        ("", None),
        ("?utm=old", "old"),
        ("?utm_source=older", "older"),
        ("?utm=old&source=new", "new"),
        ("?utm_campaign=ignored", None),
        ("?source=", None),
    ],
)
def test_older_names_of_source_are_accepted(api, shopper, query, source):
    shopper.submit(LINK + query)
    assert sessions(api)[0]["source"] == source


def test_general_health_does_not_qualify(api, shopper):
    told = shopper.submit(LINK, condition="no", review="approve")
    assert told.page.heading == "You do not qualify"
    assert sessions(api)[0]["status"] == "rejected"


@pytest.mark.parametrize(
    "change", [{"condition": "x"}, {"review": None}, {"email": "nobody"}, {"email": None}], ids=str
)
def test_empty_form_is_shown_again(api, shopper, change):
    shown = shopper.submit(f"{LINK}?source=x", **change)
    assert (shown.status, shown.page.alert) == (422, True)
    assert shown.page.all("form")[0]["action"] == f"{LINK}?source=x"
    assert sessions(api) == []
