"""The placeholder in return URLs, and links to the hosted survey."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, strategies as st
from yarl import URL

from truemed_async import PAYMENT_SESSION_ID, qualification_link
from truemed_async._validation.urls import validate_return_url
from truemed_async.errors import InvalidArgumentError

# Unpaired surrogates cannot be sent; they are refused in a test of their own.
TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/thanks",
        "https://shop.example/thanks?session={{payment_session_id}}",
        "https://shop.example/{{payment_session_id}}/thanks?again={{payment_session_id}}",
        f"https://shop.example/thanks?session={PAYMENT_SESSION_ID}",
        "https://shop.example/?json=%7B%22a%22%3A1%7D",
        URL("https://shop.example/thanks"),
        "http://localhost:8000/thanks?s={{payment_session_id}}",
    ],
    ids=str,
)
def test_a_return_url_goes_out_as_it_is(url):
    assert validate_return_url("success_url", url) == str(url)


PLACE = "payment_session_id"


@pytest.mark.parametrize(
    "query",
    [
        "{payment_session_id}",  # what an f-string makes of the right one
        f"{{{PLACE}}}",
        "{{session_id}}",
        "{{ payment_session_id }}",
        "{{payment_session_id }}",
        "{{PAYMENT_SESSION_ID}}",
        "{{payment_session_id}",
        "{{{payment_session_id}}}",
        "{{payment_id}}",
        "{CHECKOUT_SESSION_ID}",
        "{{payment_session_id}}&x={y}",
        "{}",
    ],
)
@pytest.mark.parametrize("name", ["success_url", "failure_url"])
def test_a_placeholder_that_truemed_would_not_replace_is_rejected(name, query):
    with pytest.raises(InvalidArgumentError, match=f"{name} has braces other than") as caught:
        validate_return_url(name, f"https://shop.example/thanks?session={query}")
    assert "shop.example" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        URL("https://shop.example/thanks?session={{payment_session_id}}"),
        URL("https://shop.example/thanks") % {"session": "{{payment_session_id}}"},
        "https://shop.example/?s=%7b%7bpayment_session_id%7d%7d",
    ],
    ids=str,
)
def test_a_placeholder_that_a_url_class_has_encoded_is_rejected(url):
    with pytest.raises(InvalidArgumentError, match="percent-encoded"):
        validate_return_url("success_url", url)


@pytest.mark.parametrize("wrong", ["ftp://shop.example", "http://shop.example", "shop.example", None, 7, ""])
def test_a_return_url_is_a_page_as_elsewhere(wrong):
    with pytest.raises(InvalidArgumentError, match="success_url must"):
        validate_return_url("success_url", wrong)


# --- qualification links ------------------------------------------------------------------------------------------


def test_a_link_without_parameters_is_the_survey_alone():
    assert qualification_link("tm_qual_abc123") == "https://app.truemed.com/qualify/tm_qual_abc123"


def test_a_link_has_the_parameters_of_truemeds_page():
    link = qualification_link("tm_qual_abc123", source="email_receipt", user_id="jane+1@x.example", skus=["A-1", "B 2"])
    assert link == (
        "https://app.truemed.com/qualify/tm_qual_abc123?source=email_receipt&user_id=jane%2B1%40x.example&skus=A-1,B%202"
    )


@given(source=TEXT, user_id=TEXT, skus=st.lists(TEXT.filter(lambda sku: "," not in sku), min_size=1, max_size=4))
def test_link_preserves_any_parameters(source, user_id, skus):
    link = urlsplit(qualification_link("tm_qual_x", source=source, user_id=user_id, skus=skus))
    assert (link.netloc, link.path, link.fragment) == ("app.truemed.com", "/qualify/tm_qual_x", "")
    assert dict(parse_qsl(link.query, strict_parsing=True, keep_blank_values=True)) == {
        "source": source,
        "user_id": user_id,
        "skus": ",".join(skus),
    }


def test_one_sku_is_one():
    assert qualification_link("tm_qual_x", skus="A-1").endswith("?skus=A-1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"qualification_id": "../x"}, "qualification_id must be"),
        ({"qualification_id": ""}, "qualification_id must be"),
        ({"source": ""}, "source must not be empty"),
        ({"source": 7}, "source must be a string"),
        ({"user_id": "\ud800"}, "user_id contains a lone surrogate"),
        ({"skus": "A,B"}, "skus contains a comma"),
        ({"skus": ["A", "B,C"]}, r"skus\[1\] contains a comma"),
        ({"skus": ["A", ""]}, r"skus\[1\] must not be empty"),
        ({"skus": ""}, "skus must not be empty"),
        ({"skus": 7}, "skus must be a collection"),
    ],
)
def test_invalid_link_parameters_raise(arguments, message):
    with pytest.raises(InvalidArgumentError, match=message):
        qualification_link(**{"qualification_id": "tm_qual_x", **arguments})
