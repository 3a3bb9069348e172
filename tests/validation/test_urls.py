"""The placeholder in return URLs, and links to the hosted survey."""

from __future__ import annotations

import json
import pickle
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
from hypothesis import given, strategies as st
from yarl import URL

from truemed_async import PAYMENT_SESSION_ID, AsyncTruemed, DeepLink, Truemed, qualification_link
from truemed_async._validation.urls import validate_customer_url, validate_return_url, validate_web_url
from truemed_async.errors import ConfigurationError, InvalidArgumentError

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
def test_return_url_goes_out_as_it_is(url):
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
def test_placeholder_that_truemed_would_not_replace_is_rejected(name, query):
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
def test_placeholder_that_a_url_class_has_encoded_is_rejected(url):
    with pytest.raises(InvalidArgumentError, match="percent-encoded"):
        validate_return_url("success_url", url)


@pytest.mark.parametrize("wrong", ["ftp://shop.example", "http://shop.example", "shop.example", None, 7, ""])
def test_return_url_is_a_page_as_elsewhere(wrong):
    with pytest.raises(InvalidArgumentError, match="success_url must"):
        validate_return_url("success_url", wrong)


# --- links into an app --------------------------------------------------------------------------------------------

DEEP_LINKS = [
    "myapp://done",
    "com.shop.app:/done",
    "my-app+x.1:done?a=%20b#c",
    "intent://done#Intent;scheme=myapp;end",
    "myapp://done?s={{payment_session_id}}",
]


@pytest.mark.parametrize("url", DEEP_LINKS)
def test_deep_link_is_sent_unchanged(url):
    link = DeepLink(url)
    assert link == url
    assert validate_return_url("success_url", link) is link
    assert json.loads(json.dumps(link)) == orjson.loads(orjson.dumps(link)) == url
    assert isinstance(pickle.loads(pickle.dumps(link)), DeepLink)


@pytest.mark.parametrize("validate", [validate_return_url, validate_customer_url])
def test_plain_link_into_an_app_is_rejected_with_the_way_to_allow_it(validate):
    with pytest.raises(
        InvalidArgumentError, match=r'must be an absolute https URL; .* DeepLink\("myapp://done"\)'
    ) as caught:
        validate("failure_url", "canary://done")
    assert "canary" not in str(caught.value)


def test_placeholder_of_a_deep_link_is_checked_too():
    with pytest.raises(InvalidArgumentError, match="success_url has braces"):
        validate_return_url("success_url", DeepLink("myapp://done?s={payment_session_id}"))


@pytest.mark.parametrize(
    "url",
    [
        "", "done", "/done", "://done", "1app://done", "my app://done", "myapp:", "https://shop.example", "HTTP://x.example",
        "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:x",
        "view-source:x", "about:blank", "ftp://x", "myapp://do ne", "myapp://done\n", "myapp://\\done", "myapp://jane@done",
        "myapp://\ud800", None, 7, b"myapp://done",
    ],
)  # fmt: skip
def test_deep_link_needs_the_scheme_of_an_app_and_no_odd_characters(url):
    with pytest.raises(InvalidArgumentError, match="^a DeepLink must ") as caught:
        DeepLink(url)
    assert "jane" not in str(caught.value)


# --- qualification links ------------------------------------------------------------------------------------------


def test_link_without_parameters_is_the_survey_alone():
    assert qualification_link("tm_qual_abc123") == "https://app.truemed.com/qualify/tm_qual_abc123"


def test_link_has_the_parameters_of_truemeds_page():
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


@pytest.mark.parametrize(
    ("arguments", "link"),
    [
        ({"environment": "sandbox"}, "https://dev.truemed.com/qualify/tm_qual_x"),
        ({"brand": "acme"}, "https://app.truemed.com/acme/qualify/tm_qual_x"),
        ({"brand": "acme", "environment": "sandbox"}, "https://dev.truemed.com/acme/qualify/tm_qual_x"),
        ({"base_url": "http://127.0.0.1:8080/"}, "http://127.0.0.1:8080/qualify/tm_qual_x"),
        ({"base_url": URL("https://shop.example"), "brand": "a", "skus": "B"}, "https://shop.example/a/qualify/tm_qual_x?skus=B"),
    ],
)  # fmt: skip
def test_link_leads_to_the_server_and_the_brand(arguments, link):
    """Truemed API, section 7: N18, N19."""
    assert qualification_link("tm_qual_x", **arguments) == link


@pytest.mark.parametrize(
    "arguments", [{"environment": "staging"}, {"base_url": "shop.example"}, {"base_url": "http://shop.example"}]
)
def test_link_to_no_server_is_rejected(arguments):
    with pytest.raises(ConfigurationError, match=f"^{next(iter(arguments))} must be"):
        qualification_link("tm_qual_x", **arguments)


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
        ({"brand": "a/b"}, "brand must be"),
        ({"brand": ""}, "brand must be"),
    ],
)
def test_invalid_link_parameters_raise(arguments, message):
    with pytest.raises(InvalidArgumentError, match=message):
        qualification_link(**{"qualification_id": "tm_qual_x", **arguments})


BAD_HOSTS = ["a" * 64 + ".example", "a..b", ".example", "xn--a.example", "xn--zzzzzzzz.example"]


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_hosts_that_idna_rejects_are_rejected_before_any_io(host):
    """The HTTP library would raise a ``UnicodeError`` when it connects."""
    with pytest.raises(ConfigurationError, match="must be an absolute URL"):
        AsyncTruemed("a-made-up-key", base_url=f"https://{host}")
    with pytest.raises(InvalidArgumentError, match="proxy must be an http or https URL"):
        AsyncTruemed("a-made-up-key", proxy=f"http://{host}:8080")
    with pytest.raises(InvalidArgumentError, match="success_url must be an absolute https URL"):
        validate_web_url("success_url", f"https://{host}/thanks")


def test_international_host_names_are_accepted():
    assert validate_web_url("success_url", "https://bücher.example/ü") == "https://bücher.example/ü"
    assert validate_web_url("success_url", "https://xn--ls8h.example") == "https://xn--ls8h.example"


@pytest.mark.parametrize("kind", [AsyncTruemed, Truemed])
def test_http_on_another_host_needs_an_explicit_option(kind):
    with pytest.raises(ConfigurationError, match="base_url must be https: the key.*allow_http=True permits it"):
        kind("a-made-up-key", base_url="http://emulator:8080")
    client = kind("a-made-up-key", base_url="http://emulator:8080", allow_http=True)
    assert client.base_url == "http://emulator:8080"


@pytest.mark.parametrize("host", ["truemed.com", "api.truemed.com", "dev-api.truemed.com"])
def test_http_is_never_allowed_for_truemeds_own_servers(host):
    with pytest.raises(ConfigurationError, match="must be https for Truemed's own servers"):
        AsyncTruemed("a-made-up-key", base_url=f"http://{host}", allow_http=True)


def test_allow_http_must_be_a_boolean():
    with pytest.raises(InvalidArgumentError, match="allow_http must be True or False"):
        AsyncTruemed("a-made-up-key", allow_http="no")  # type: ignore[arg-type]  # callers may be untyped
