"""What is sent and what is refused, to the character: names, bases with odd paths, explicit nulls, whole messages."""

from __future__ import annotations

from typing import Any

import pytest
from yarl import URL

from tests.support.fake_transport import KEYED, SAFE, UNKEYED
from truemed_async._core.endpoint import Endpoint
from truemed_async._core.request import build_request, validate_headers
from truemed_async.endpoints import GET_QUALIFICATION_SESSION
from truemed_async.errors import InvalidArgumentError

BASE = URL("https://api.truemed.com")


def refusal(endpoint: Endpoint[Any], **parts: Any) -> str:
    with pytest.raises(InvalidArgumentError) as caught:
        build_request(BASE, endpoint, **parts)
    return str(caught.value)


@pytest.mark.parametrize("path", ["a%20b", "a%2Fb", "a%252Fb", "MAX", "proxy_X", "%C3%A9", "a%3Fb"])
def test_the_path_of_the_base_is_kept_as_it_is_written_with_and_without_a_query(path):
    base = URL(f"https://gateway.example/{path}", encoded=True)
    assert str(build_request(base, SAFE).url) == f"https://gateway.example/{path}/things"
    assert str(build_request(base, SAFE, query={"a": 1}).url) == f"https://gateway.example/{path}/things?a=1"


@pytest.mark.parametrize(
    ("name", "written"), [("a/b", "a%2Fb"), ("a&b=c", "a%26b%3Dc"), ("a b", "a%20b"), ("é", "%C3%A9")]
)
def test_the_names_in_a_query_are_escaped_as_its_values_are(name, written):
    assert build_request(BASE, SAFE, query={name: name}).url.raw_query_string == f"{written}={written}"


def test_an_explicit_null_and_the_word_are_sent():
    """Only not-a-number and the infinities become null by mistake."""
    request = build_request(BASE, UNKEYED, body={"a": None, "b": "null", "c": [None]})
    assert request.body is not None
    assert request.body.value == b'{"a":null,"b":"null","c":[null]}'


def test_a_request_does_not_even_show_that_it_has_a_body():
    assert "body" not in repr(build_request(BASE, KEYED, body={"a": 1}, idempotency_key="k-1"))


def test_the_messages_say_what_to_do():
    both = Endpoint("x.y", "GET", "/a/{first}/{second}", dict)
    assert refusal(both) == "the path needs exactly: first, second"
    assert refusal(SAFE, path={"first": "1"}) == "the path needs exactly: nothing"
    assert refusal(KEYED, body={"idempotency_key": "k"}) == (
        "pass the idempotency key as idempotency_key=…, not inside the body"
    )
    assert refusal(GET_QUALIFICATION_SESSION, path={"qualification_session_id": "a/b"}).startswith(
        "qualification_session_id "
    )
    with pytest.raises(InvalidArgumentError, match="^a header's name must be an HTTP token$"):
        validate_headers({"x y": "1"})
