"""What goes over the wire: URLs, queries, bodies, headers, keys."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import orjson
import pytest
from hypothesis import given, settings, strategies as st
from yarl import URL

from tests.support.fake_transport import KEYED, SAFE, UNKEYED
from tests.support.scale import scale
from truemed_async._core.endpoint import Endpoint, Idempotency
from truemed_async._core.request import Request, build_request, validate_headers
from truemed_async._sensitive import Sensitive
from truemed_async.endpoints import (
    GET_QUALIFICATION_SESSION,
    LIST_QUALIFICATION_SESSIONS,
    UPDATE_QUALIFICATION_SESSION,
)
from truemed_async.errors import InvalidArgumentError

pytestmark = pytest.mark.kills("truemed_async._core.request")

BASE = URL("https://api.truemed.com")
ROUTE = f"{BASE.origin()}/api/v1/qualification_session/"


def sent_body(request: Request) -> Any:
    assert request.body is not None
    return orjson.loads(request.body.value)


# --- paths --------------------------------------------------------------------------------------------------------


def test_id_is_put_into_the_path():
    """Truemed API reference, "Get Qualification Session Details": the id is in the URL path."""
    request = build_request(BASE, GET_QUALIFICATION_SESSION, path={"qualification_session_id": "qs_abc123"})
    assert str(request.url) == f"{ROUTE}qs_abc123"
    assert request.body is None
    assert request.idempotency_key is None


@pytest.mark.parametrize("base", ["https://gateway.example:8443/truemed", "https://gateway.example:8443/truemed/"])
def test_path_below_the_base_url_is_kept(base):
    request = build_request(URL(base), SAFE, query={"a": 1})
    assert str(request.url) == "https://gateway.example:8443/truemed/things?a=1"
    assert str(build_request(URL(base), SAFE).url) == "https://gateway.example:8443/truemed/things"


ODD = st.sampled_from(
    [
        "..",
        ".",
        "/",
        "%2e%2e",
        "%2f",
        "\\",
        "?",
        "#",
        ";",
        "\n",
        "\x00",
        "\ud800",
        "@",
        ":",
        "//",
        " ",
        "{x}",
        "é",
        "qs_1",
    ]
)
IDS = st.text() | st.lists(ODD | st.text(max_size=3), max_size=4).map("".join) | st.from_regex(r"\A[\w/.%-]{0,12}\Z")


@pytest.mark.many_examples
@settings(max_examples=scale(80, 2_000))
@given(st.lists(IDS, min_size=25, max_size=25))
def test_no_id_leaves_its_route(values):
    for value in values:
        try:
            request = build_request(BASE, GET_QUALIFICATION_SESSION, path={"qualification_session_id": value})
        except InvalidArgumentError as error:
            assert len(value) < 4 or value not in str(error)
            continue
        url = request.url
        assert str(url) == str(URL(str(url))) == f"{ROUTE}{value}"
        assert (url.scheme, url.host, url.port) == ("https", "api.truemed.com", 443)
        assert url.raw_parts[:-1] == ("/", "api", "v1", "qualification_session")
        assert unquote(url.raw_parts[-1]) == value
        assert url.raw_query_string == url.raw_fragment == ""


def test_some_of_those_ids_are_accepted():
    """The property above is not about refusals alone."""
    for value in ("qs_1", "a", "A-1_b"):
        assert (
            build_request(BASE, GET_QUALIFICATION_SESSION, path={"qualification_session_id": value}).url.name == value
        )


@pytest.mark.parametrize("path", [None, {}, {"id": "qs_1"}, {"qualification_session_id": "qs_1", "canary": "qs_2"}])
def test_path_needs_exactly_its_placeholders(path):
    with pytest.raises(InvalidArgumentError, match="exactly: qualification_session_id$"):
        build_request(BASE, GET_QUALIFICATION_SESSION, path=path)


def test_path_without_placeholders_takes_none():
    with pytest.raises(InvalidArgumentError, match="exactly: nothing"):
        build_request(BASE, SAFE, path={"id": "qs_1"})


def test_several_placeholders_are_filled_each_with_its_own():
    endpoint = Endpoint("x.y", "GET", "/a/{first}/b/{second}/{first}", dict)
    request = build_request(BASE, endpoint, path={"second": "2", "first": "1"})
    assert request.url.raw_path == "/a/1/b/2/1"


# --- queries ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a b", "a%20b"),
        ("a+b", "a%2Bb"),
        ("a&b=c", "a%26b%3Dc"),
        ("#1", "%231"),
        ("100%", "100%25"),
        ("%20", "%2520"),
        ("a/b?c;d", "a%2Fb%3Fc%3Bd"),
        ("é", "%C3%A9"),
        ("\U0001f9ea", "%F0%9F%A7%AA"),
        ("jane@example.com", "jane%40example.com"),
        ("\n", "%0A"),
        (1, "1"),
        (True, "true"),
        (False, "false"),
        ("a-b_c.d~e", "a-b_c.d~e"),
    ],
)
def test_query_values_are_escaped_so_that_each_server_reads_the_same(value, written):
    request = build_request(BASE, LIST_QUALIFICATION_SESSIONS, query={"search": value})
    assert str(request.url) == f"{BASE.origin()}/api/v1/qualification_sessions?search={written}"


def test_query_keeps_its_order_and_leaves_out_what_is_none():
    """Truemed API reference, "List Qualification Sessions": page, page_size, user_id, status, expires_at, search."""
    query = {"status": "approved", "user_id": None, "page": 2, "page_size": 100}
    request = build_request(BASE, LIST_QUALIFICATION_SESSIONS, query=query)
    assert request.url.raw_query_string == "status=approved&page=2&page_size=100"
    assert build_request(BASE, LIST_QUALIFICATION_SESSIONS, query={"status": None}).url.raw_query_string == ""
    assert "?" not in str(build_request(BASE, LIST_QUALIFICATION_SESSIONS, query={}).url)


@pytest.mark.many_examples
@settings(max_examples=scale(150, 500))
@given(st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"))))
def test_every_query_reads_back_as_it_was_given(query):
    url = build_request(BASE, LIST_QUALIFICATION_SESSIONS, query=query).url
    assert parse_qsl(url.raw_query_string, keep_blank_values=True, strict_parsing=bool(query)) == list(query.items())
    assert url.raw_path == "/api/v1/qualification_sessions"
    assert url.raw_fragment == ""
    quoted = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query.items())
    parsed = URL(f"{BASE.origin()}/api/v1/qualification_sessions{'?' * bool(query)}{quoted}", encoded=True)
    assert url == parsed
    assert (url.host, url.port, url.raw_path_qs) == (parsed.host, parsed.port, parsed.raw_path_qs)


def test_lone_surrogate_in_a_query_is_rejected_by_name():
    with pytest.raises(InvalidArgumentError, match="^search contains a lone surrogate") as caught:
        build_request(BASE, LIST_QUALIFICATION_SESSIONS, query={"search": "canary\ud800"})
    assert caught.value.__context__ is None


# --- bodies and keys ----------------------------------------------------------------------------------------------


def test_body_of_an_update_is_the_key_and_the_changes_byte_for_byte():
    """Truemed guide, "Update a Qualification Session": the curl example's body."""
    request = build_request(
        BASE,
        UPDATE_QUALIFICATION_SESSION,
        path={"qualification_session_id": "qs_abc123"},
        body={"user_id": "your-internal-user-id"},
        idempotency_key="your-unique-key-123",
    )
    assert request.body is not None
    assert request.body.value == b'{"idempotency_key":"your-unique-key-123","user_id":"your-internal-user-id"}'
    assert request.idempotency_key == "your-unique-key-123"


def test_body_is_utf8_json():
    request = build_request(BASE, UNKEYED, body={"name": "Zoë \U0001f9ea \u2028 \x00"})
    assert request.body is not None
    assert request.body.value == '{"name":"Zoë \U0001f9ea \u2028 \\u0000"}'.encode()


def test_key_is_made_once_and_travels_in_the_body():
    requests = [build_request(BASE, KEYED, body={"a": 1}) for _ in range(2)]
    keys = [request.idempotency_key for request in requests]
    assert keys[0] != keys[1]
    for key, request in zip(keys, requests, strict=True):
        assert uuid.UUID(key).version == 4
        assert sent_body(request) == {"idempotency_key": key, "a": 1}


def test_key_without_a_body_is_a_body():
    assert sent_body(build_request(BASE, KEYED, idempotency_key="k")) == {"idempotency_key": "k"}


def test_key_that_is_reported_is_the_key_that_is_sent():
    """Settling an unknown outcome means calling again with the key of the error: it must be the wire's."""
    try:
        request = build_request(BASE, KEYED, body={"idempotency_key": "mine", "a": 1})
    except InvalidArgumentError:
        return
    assert sent_body(request)["idempotency_key"] == request.idempotency_key


@pytest.mark.parametrize("endpoint", [SAFE, UNKEYED])
def test_unkeyed_endpoint_rejects_a_key(endpoint):
    with pytest.raises(InvalidArgumentError, match=r"takes no idempotency key"):
        build_request(BASE, endpoint, idempotency_key="k")


@pytest.mark.parametrize("key", ["", "a b", "ké", "k" * 256])
def test_bad_key_is_rejected(key):
    with pytest.raises(InvalidArgumentError, match="idempotency_key must be"):
        build_request(BASE, KEYED, idempotency_key=key)


def test_get_takes_no_body():
    with pytest.raises(InvalidArgumentError, match=r"things\.get is a GET and takes no body"):
        build_request(BASE, SAFE, body={})


def test_no_body_and_an_empty_body_are_two_things():
    assert build_request(BASE, UNKEYED).body is None
    assert sent_body(build_request(BASE, UNKEYED, body={})) == {}


@pytest.mark.parametrize(
    "value",
    [object(), b"canary", {1, 2}, "canary\ud800", 2**70, {1: "canary"}, {("canary",): 1}],
    ids=["object", "bytes", "set", "surrogate", "huge", "int key", "tuple key"],
)
def test_unserializable_body_raises_without_showing_it(value):
    with pytest.raises(InvalidArgumentError, match=r"the body of things\.make contains a value") as caught:
        build_request(BASE, UNKEYED, body={"a": value})
    assert "canary" not in repr(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_number_that_json_cannot_hold_is_not_sent_as_null(value):
    with pytest.raises(InvalidArgumentError, match=r"the body of things\.make contains a value"):
        build_request(BASE, UNKEYED, body={"amount": value})


@pytest.mark.parametrize(
    ("endpoint", "repeatable"), [(SAFE, True), (KEYED, True), (UNKEYED, False)], ids=["safe", "keyed", "unkeyed"]
)
def test_reads_and_keyed_writes_may_be_repeated(endpoint, repeatable):
    assert build_request(BASE, endpoint).repeatable is repeatable


def test_callers_body_is_left_as_it_was():
    body = {"a": 1}
    build_request(BASE, KEYED, body=body)
    assert body == {"a": 1}


def test_request_shows_neither_ids_nor_bodies_nor_header_values():
    request = build_request(
        BASE,
        UPDATE_QUALIFICATION_SESSION,
        path={"qualification_session_id": "qs_canary"},
        body={"user_id": "canary"},
        headers={"x-trace": "canary"},
        idempotency_key="k-1",
    )
    assert "canary" not in repr(request)
    assert isinstance(request.body, Sensitive)


# --- headers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers", [{"x-trace": "1"}, {"Accept-Language": "de, en;q=0.5"}, {"x!#$%&'*+.^_`|~": "\x20".join("ab")}]
)
def test_further_headers_are_passed_on(headers):
    assert validate_headers(headers) == headers
    assert build_request(BASE, SAFE, headers=headers).headers == headers


CONTROLS = [chr(code) for code in (*range(32), 127)]


@pytest.mark.parametrize(
    "character", [*CONTROLS, "\x80", "\x85", "\xa0", "é", "\u2028", "\U0001f9ea", "\ud800"], ids=ascii
)
def test_header_value_with_a_control_or_non_ascii_character_is_rejected_by_its_name(character):
    for value in (f"canary{character}x", f"{character}canary", f"canary{character}"):
        with pytest.raises(InvalidArgumentError, match="^header x-trace must be printable ASCII") as caught:
            validate_headers({"X-Trace": value})
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize("value", [" x", "x ", 1, None, b"x"])
def test_header_value_is_text_without_outer_blanks(value):
    with pytest.raises(InvalidArgumentError, match="^header x-trace must be"):
        validate_headers({"x-trace": value})


@pytest.mark.parametrize("name", ["", " ", "x y", "x:y", "x\n", "é", "x\x00", "(x)", b"x", 1, None])
def test_header_name_is_an_http_token(name):
    with pytest.raises(InvalidArgumentError, match="name must be an HTTP token"):
        validate_headers({name: "x"})


@pytest.mark.parametrize(
    "name",
    [
        "x-truemed-api-key", "X-Truemed-API-Key", "Content-Type", "content-length", "Transfer-Encoding", "Host",
        "connection", "Accept-Encoding",
    ],
)  # fmt: skip
def test_key_and_framing_headers_cannot_be_set(name):
    with pytest.raises(InvalidArgumentError, match=f"the header {name.lower()} is set by the client") as caught:
        validate_headers({name: "canary"})
    assert "canary" not in str(caught.value)


# --- endpoints ----------------------------------------------------------------------------------------------------


def test_get_is_safe_and_post_only_if_declared():
    assert SAFE.idempotency is Idempotency.SAFE
    assert UNKEYED.idempotency is Idempotency.UNKEYED
    assert KEYED.idempotency is Idempotency.KEYED


@pytest.mark.parametrize("method", ["PUT", "DELETE", "get", ""])
def test_endpoint_rejects_methods_other_than_get_and_post(method):
    """Truemed developer documentation: only GET and POST are used."""
    with pytest.raises(InvalidArgumentError, match="GET or POST"):
        Endpoint("x.y", method, "/x", dict)


@pytest.mark.parametrize("path", ["", "things", "https://evil.example/", "@evil.example/"])
def test_path_starts_with_a_slash(path):
    with pytest.raises(InvalidArgumentError, match="start with '/'"):
        Endpoint("x.y", "GET", path, dict)


def test_endpoints_are_values():
    assert Endpoint("x.y", "GET", "/x", dict) == Endpoint("x.y", "GET", "/x", dict)
    assert {Endpoint("x.y", "GET", "/x", dict): 1}[Endpoint("x.y", "GET", "/x", dict)] == 1


# --- exact messages, limits and edges -------------------------------------------------------------------------------


def refusal(endpoint: Endpoint[Any], **parts: Any) -> str:
    with pytest.raises(InvalidArgumentError) as caught:
        build_request(BASE, endpoint, **parts)
    return str(caught.value)


@pytest.mark.parametrize("path", ["a%20b", "a%2Fb", "a%252Fb", "MAX", "proxy_X", "%C3%A9", "a%3Fb"])
def test_path_of_the_base_is_kept_as_it_is_written_with_and_without_a_query(path):
    base = URL(f"https://gateway.example/{path}", encoded=True)
    assert str(build_request(base, SAFE).url) == f"https://gateway.example/{path}/things"
    assert str(build_request(base, SAFE, query={"a": 1}).url) == f"https://gateway.example/{path}/things?a=1"


@pytest.mark.parametrize(
    ("name", "written"), [("a/b", "a%2Fb"), ("a&b=c", "a%26b%3Dc"), ("a b", "a%20b"), ("é", "%C3%A9")]
)
def test_names_in_a_query_are_escaped_as_its_values_are(name, written):
    assert build_request(BASE, SAFE, query={name: name}).url.raw_query_string == f"{written}={written}"


def test_explicit_null_and_the_word_are_sent():
    """Only not-a-number and the infinities become null by mistake."""
    request = build_request(BASE, UNKEYED, body={"a": None, "b": "null", "c": [None]})
    assert request.body is not None
    assert request.body.value == b'{"a":null,"b":"null","c":[null]}'


def test_request_does_not_even_show_that_it_has_a_body():
    assert "body" not in repr(build_request(BASE, KEYED, body={"a": 1}, idempotency_key="k-1"))


def test_messages_suggest_a_fix():
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


@pytest.mark.parametrize("name", ["path", "query", "body"])
@pytest.mark.parametrize("value", [["a"], "a", {1: "a"}], ids=["list", "text", "number as key"])
def test_parts_of_a_request_must_be_mappings_with_strings_as_keys(name, value):
    with pytest.raises(InvalidArgumentError, match=f"^{name} must be a mapping with strings as keys$"):
        build_request(BASE, UNKEYED, **{name: value})


@pytest.mark.parametrize("value", [["a"], "a", 1])
def test_headers_must_be_a_mapping(value):
    with pytest.raises(InvalidArgumentError, match="^headers must be a mapping$"):
        build_request(BASE, SAFE, headers=value)


def test_other_object_than_an_endpoint_is_rejected():
    with pytest.raises(InvalidArgumentError, match="endpoint must be an Endpoint, not str"):
        build_request(BASE, "/things")  # type: ignore[arg-type]  # callers may be untyped


def test_integer_with_too_many_digits_for_python_is_rejected():
    with pytest.raises(InvalidArgumentError, match="x contains a lone surrogate or too many digits"):
        build_request(BASE, SAFE, query={"x": 10**5000})
