"""Qualification links: https://app.truemed.com/qualify/{QUALIFICATION_ID}, Truemed's support page and its guide."""

import pytest

from tests.support.browser import Shopper

LINK = "/qualify/tm_qual_abc"


@pytest.fixture
def shopper(emulator):
    return Shopper(emulator)


def sessions(api):
    return api.list().json["qualification_sessions"]


def submit(shopper, link, **form):
    """Open a link, and send the form of its survey."""
    return shopper.submit(shopper.get(link).onward, **form)


@pytest.mark.parametrize(
    ("review", "becomes", "heading"),
    [
        ("approve", "approved", "You qualify"),
        ("reject", "rejected", "You do not qualify"),
        ("later", "processing", "Your survey is under review"),
    ],
)
def test_submitted_survey_decides_about_the_session_and_shows_it(api, shopper, review, becomes, heading):
    link = f"{LINK}?source=email_receipt&user_id=42&skus=a%2Cb"
    survey = shopper.get(link).onward
    assert shopper.get(survey).page.heading == "Health survey"
    (row,) = sessions(api)
    assert (row["status"], row["email"]) == ("pending", None)
    done = shopper.submit(survey, review=review, email="sam@example.com")
    assert (done.status, shopper.get(done.onward).page.heading) == (303, heading)
    (session,) = sessions(api)
    assert session["status"] == becomes
    found = {name: session[name] for name in ("source", "user_id", "skus_param", "email")}
    assert found == {"source": "email_receipt", "user_id": "42", "skus_param": "a,b", "email": "sam@example.com"}


def test_link_with_a_brand_leads_to_the_same_survey(api, shopper):
    """Truemed API, section 7: N18."""
    assert submit(shopper, f"/acme{LINK}?source=email", review="approve").status == 303
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
    submit(shopper, LINK + query)
    assert sessions(api)[0]["source"] == source


def test_general_health_does_not_qualify(api, shopper):
    response = submit(shopper, LINK, condition="no", review="approve")
    assert response.page.heading == "You do not qualify"
    assert sessions(api)[0]["status"] == "rejected"


@pytest.mark.parametrize(
    "change", [{"condition": "x"}, {"review": None}, {"email": "nobody"}, {"email": None}], ids=str
)
def test_empty_form_is_shown_again(api, shopper, change):
    survey = shopper.get(f"{LINK}?source=x").onward
    response = shopper.submit(survey, **change)
    assert (response.status, response.page.alert) == (422, True)
    assert response.page.all("form")[0]["action"] == survey
    assert sessions(api)[0]["status"] == "pending"


class TestGuide:
    """Truemed's guide "Update a Qualification Session", as a shopper and a merchant play it."""

    @pytest.fixture
    def survey(self, shopper):
        return shopper.get(f"{LINK}?source=podcast").onward

    def update(self, api, survey, **changes):
        id = survey.rpartition("/")[2]
        return api.update(id, {"idempotency_key": str(changes), **changes})

    @pytest.mark.parametrize(
        ("form", "there"),
        [
            ({"review": "approve"}, "https://shop.example/thanks"),
            ({"review": "later"}, "https://shop.example/thanks"),
            ({"condition": "no"}, "https://shop.example/sorry"),
        ],
    )
    def test_urls_updated_meanwhile_are_followed_at_the_end(self, api, shopper, survey, form, there):
        self.update(api, survey, success_url="https://shop.example/old", failure_url="https://shop.example/sorry")
        assert self.update(api, survey, success_url="https://shop.example/thanks").json["status"] == "pending"
        assert shopper.submit(survey, **form).onward == there

    @pytest.mark.parametrize(
        ("form", "heading"),
        [
            ({"review": "approve"}, "You qualify"),
            ({"review": "reject"}, "You do not qualify"),
            ({"condition": "no"}, "You do not qualify"),
        ],
    )
    def test_urls_are_stored_but_inert_after_the_end(self, emulator, api, shopper, survey, form, heading):
        shopper.submit(survey, **form)
        assert self.update(api, survey, success_url="https://shop.example/late").status == 200
        assert emulator.state.qualification_sessions.rows[0].success_url == "https://shop.example/late"
        again = shopper.get(survey)
        assert (again.status, again.onward, again.page.links) == (200, None, [])
        assert again.page.heading == heading

    def test_returning_user_with_a_valid_letter_skips_the_survey(self, api, emulator, shopper, survey):
        shopper.submit(survey, review="approve", email="sam@example.com")
        self.update(api, survey, user_id="customer-17")  # the merchant has resolved the shopper by e-mail
        returned = shopper.get(f"{LINK}?user_id=customer-17").onward
        assert returned == survey
        assert "there is no survey to complete" in shopper.get(returned).text
        assert len(sessions(api)) == 1
        assert shopper.get(f"{LINK}?user_id=customer-18").onward != survey
        emulator.clock.advance(366 * 24 * 3600)  # the Letter has expired
        assert shopper.get(f"{LINK}?user_id=customer-17").onward != survey

    def test_returning_user_reuses_the_letter_that_expires_last(self, emulator, shopper):
        stored = emulator.state.qualification_sessions
        for _ in range(2):
            newest = stored.add(status="processing", user_id="customer-17")
            stored.approve(newest)
            emulator.clock.advance(3600)
        stored.add(status="rejected", user_id="customer-17")
        assert shopper.get(f"{LINK}?user_id=customer-17").onward.endswith(newest)

    @pytest.mark.parametrize("search", ["PODCAST", "customer-17"])
    def test_values_of_the_link_are_found_by_search(self, api, shopper, search):
        shopper.get(f"{LINK}?source=podcast&user_id=customer-17")
        shopper.get(f"{LINK}?source=newsletter&user_id=customer-18")
        (found,) = api.list(f"?search={search}").json["qualification_sessions"]
        assert found["source"] == "podcast"


class TestReview:
    """The controls on the page of a survey under review."""

    @pytest.mark.parametrize(("review", "heading"), [("approve", "You qualify"), ("reject", "You do not qualify")])
    def test_tester_decides_the_review(self, emulator, api, shopper, review, heading):
        survey = shopper.get(LINK).onward
        shopper.submit(survey, review="later")
        waiting = shopper.get(survey).page
        assert waiting.heading == "Your survey is under review"
        assert {"http-equiv": "refresh", "content": "3"} in waiting.all("meta")
        decided = shopper.post(waiting.all("form")[0]["action"], {"review": review})
        assert (decided.status, decided.onward) == (303, survey)
        assert shopper.get(survey).page.heading == heading


def test_form_keeps_its_values_after_an_error(shopper):
    survey = shopper.get(LINK).onward
    page = shopper.submit(survey, email="no'body\"<", condition="no", review="reject").page
    assert page.chosen == {"email": "no'body\"<", "condition": "no", "review": "reject"}
    (field,) = [each for each in page.all("input") if each["name"] == "email"]
    assert (field["aria-invalid"], field["aria-describedby"].strip()) == ("true", "problem")
