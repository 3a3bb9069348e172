"""No id, base URL, query or endpoint of one's own leads a request off its route; what is refused causes no I/O."""

import random
import re
import string

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from yarl import URL

from tests.support.recording_server import KEY, respond_with
from tests.support.scale import scale
from truemed_async import AsyncTruemed, Endpoint, QualificationSession, Truemed, errors
from truemed_async._core.request import build_request
from truemed_async.endpoints import ENDPOINTS

SESSION = b'{"qualification_session_id": "qs_1", "status": "approved"}'

TRICKS = (
    "..", ".", "/", "\\", "%2e", "%2E%2e", "%2f", "%5c", "%00", "%0d%0a", "\n", "\r\n", "\t", " ", "\0", "?", "#", "&", "=",
    ";", ":", "@", "//", "://", "*", "~", "+", "{", "}", "|", "a", "qs_", "-", "_", "0", "Z", "\u2028", "\u2024", "\uff0e",
    "\uff0f", "\u2215", "\u212a", "\u0130", "\ufeff", "\u200b", "\u202e", "\u0660", "\ud800", "\udfff", "\U0001f642", "e\u0301",
    "update", "api", "http", "localhost", "qualification_session_id",
)  # fmt: skip
IDS = st.one_of(
    st.lists(st.sampled_from(TRICKS), max_size=8).map("".join),
    st.text(st.characters(codec=None, exclude_categories=()), max_size=12),
    st.text(string.ascii_letters + string.digits + "_-", max_size=140),
    st.builds(
        lambda good, at, trick: good[:at] + trick + good[at:],
        st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=20),
        st.integers(0, 20),
        st.sampled_from(TRICKS),
    ),
)
DRAWN, ASSEMBLED = 10, 40  # ids of one example: of hypothesis' own making, and put together from the tricks


def assembled(choose):
    """One id, now and then a good one with something in it."""
    parts = choose.choices(TRICKS, k=choose.randrange(9))
    if choose.random() < 0.3:
        parts = [choose.choice(string.ascii_letters + string.digits + "_-") for _ in range(choose.randrange(1, 135))]
        if choose.random() < 0.5:
            parts.insert(choose.randrange(len(parts) + 1), choose.choice(TRICKS))
    return "".join(parts)


BASES = ("https://api.truemed.com", "https://gateway.example/truemed/v2", "http://127.0.0.1:8080")


def leads_astray(base, endpoint, value):
    """Put an id into a route. Return whether it was taken, and check that it stayed there."""
    (name,) = re.findall(r"\{(\w+)\}", endpoint.path)
    try:
        request = build_request(URL(base), endpoint, path={name: value})
    except errors.InvalidArgumentError as error:
        assert len(value) < 8 or value not in str(error).replace(name, "")
        return False
    before, after = endpoint.path.split(f"{{{name}}}")
    written = str(request.url)
    assert written == f"{base}{before}{value}{after}"
    assert request.url.raw_path.count("/") == URL(base).raw_path.rstrip("/").count("/") + endpoint.path.count("/")
    assert (request.url.origin(), request.url.raw_query_string, request.url.raw_fragment) == (
        URL(base).origin(),
        "",
        "",
    )
    # However the other side, or something between, decodes and normalizes it: it stays the same place.
    normal = URL(written)
    assert (str(normal), normal.path, normal.parts[-1 if not after else -2]) == (written, normal.raw_path, value)
    return True


def test_no_id_leaves_its_route():
    """50,000 of them in a long run: every second made of what has led others astray."""
    routes = [endpoint for endpoint in ENDPOINTS if "{" in endpoint.path]
    seen = {True: 0, False: 0}

    @settings(max_examples=scale(200, 1000), database=None, derandomize=True, suppress_health_check=[*HealthCheck])
    @given(
        st.lists(IDS, min_size=DRAWN, max_size=DRAWN),
        st.integers(0, 2**64),
        st.sampled_from(BASES),
        st.sampled_from(routes),
    )
    def check(drawn, seed, base, endpoint):
        choose = random.Random(seed)
        for value in [*drawn, *(assembled(choose) for _ in range(ASSEMBLED))]:
            seen[leads_astray(base, endpoint, value)] += 1

    check()
    assert sum(seen.values()) >= scale(10_000, 50_000)
    assert min(seen.values()) >= scale(1_000, 5_000), "both kinds were tried"


BAD_IDS = [
    "", ".", "..", "../x", "a/b", "a/../b", "/a", "a/", "%2e%2e", "%2e%2e%2fx", "a%2fb", "a%00", "a?b", "a#b", "a\\b", "a;b",
    "a b", " a", "a ", "a\n", "\na", "a\r\nX: y", "a\0", "a\x7f", "\u00e9", "\uff0e\uff0e", "\u2024\u2024", "\u212a", "\ud800",
    "a\ud800", "\u0661", "_a", "-a", "a.b", "a@b", "a:b", "a+b", "a*b", "sam@example.com", "http://evil.example", "//evil.example",
    "{id}", "a" * 129, "a" * 1_000_000, None, 1, 1.5, True, b"qs_1", ["qs_1"], frozenset(), URL("qs_1"),
]  # fmt: skip


def short_repr(value):
    return ascii(value)[:24]


@pytest.mark.parametrize("bad", BAD_IDS, ids=short_repr)
async def test_bad_id_is_rejected_before_anything_is_opened(serve, bad):
    server = await serve(respond_with(SESSION))
    async with AsyncTruemed(KEY, base_url=server.url) as client:
        sessions = client.qualification_sessions
        for call in (
            sessions.get(bad),
            sessions.update(bad, user_id="u"),
            sessions.wait_until_final(bad),
            client.send(Endpoint("x", "GET", "/a/{one}/b/{two}", dict), path={"one": "ok", "two": bad}),
        ):
            with pytest.raises(errors.InvalidArgumentError):
                call.send(None)  # at its first step: it has not waited for anything
        async with sessions.get_many([bad]) as outcomes:
            (outcome,) = [each async for each in outcomes]
        assert isinstance(outcome.error, errors.InvalidArgumentError)
        assert client._state.transport._session is None
    assert server.connections == 0


def test_bad_id_is_rejected_by_the_sync_facade():
    with Truemed(KEY, base_url="http://127.0.0.1:1") as client:
        for bad in BAD_IDS:
            with pytest.raises(errors.InvalidArgumentError):
                client.qualification_sessions.get(bad)
        assert client._async._state.transport._session is None


@pytest.mark.parametrize(
    "path",
    [{}, {"one": "a"}, {"one": "a", "two": "b", "three": "c"}, {"one": "a", "Two": "b"}, {"one": "a", "two": None}],
    ids=repr,
)
async def test_endpoint_defined_by_the_user_gets_exactly_its_ids(path):
    endpoint = Endpoint("own.get", "GET", "/own/{one}/{two}", QualificationSession)
    async with AsyncTruemed(KEY) as client:
        with pytest.raises(errors.InvalidArgumentError):
            await client.send(endpoint, path=path)
        assert client._state.transport._session is None


def test_id_that_names_a_placeholder_is_not_filled_again():
    endpoint = Endpoint("own.get", "GET", "/own/{one}/{two}", QualificationSession)
    request = build_request(URL("https://api.example"), endpoint, path={"one": "two", "two": "one"})
    assert str(request.url) == "https://api.example/own/two/one"


@pytest.mark.parametrize(
    "path",
    [
        "/a\r\nX-Evil: 1", "/a\nb", "/a\0b", "/a\tb", "/a\x7fb", "/a b", "/\u00e9", "/a\\b", "/a?x=1", "/a#b", "/a/../b", "/a/./b",
        "/..", "/a/..", "//evil.example/a", "/%2e%2e/a", "/a%0d%0ab", "/{my-id}", "/{}", "/{one", "/one}",
    ],
    ids=short_repr,
)  # fmt: skip
def test_endpoint_whose_path_is_no_plain_path_is_rejected(path):
    """It is written by a programmer, who may have put an id into it with an f-string instead of a placeholder."""
    with pytest.raises(errors.InvalidArgumentError) as caught:
        Endpoint("own.get", "GET", path, QualificationSession)
    assert path not in str(caught.value)


@pytest.mark.parametrize("path", ["", "a", "http://evil.example/", "@evil.example/", ":1/", ".evil.example/", "?a"])
def test_endpoints_path_begins_at_the_root(path):
    with pytest.raises(errors.InvalidArgumentError):
        Endpoint("own.get", "GET", path, QualificationSession)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(max_size=8), st.one_of(st.text(max_size=12), st.integers(), st.booleans()), max_size=4))
@example({"a": "\r\nX: y", "b&c=d": "#", "": "?"})
def test_no_query_leaves_its_route(query):
    endpoint = Endpoint("own.list", "GET", "/own", dict)
    try:
        request = build_request(URL("https://api.example"), endpoint, query=query)
    except errors.InvalidArgumentError:
        assert any("\ud800" <= letter <= "\udfff" for text in (*query, *query.values()) for letter in str(text))
        return
    assert (str(request.url.origin()), request.url.raw_path) == ("https://api.example", "/own")
    assert re.fullmatch(r"[!-~]*", request.url.raw_query_string)
    written = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in query.items()}
    assert dict(request.url.query) == written


GOOD_BASES = {
    "https://api.truemed.com": "https://api.truemed.com",
    "https://api.truemed.com/": "https://api.truemed.com",
    "HTTPS://API.truemed.com": "https://api.truemed.com",
    "https://api.truemed.com:8443/v2/": "https://api.truemed.com:8443/v2",
    "https://[2001:db8::1]": "https://[2001:db8::1]",
    "https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
    "http://localhost": "http://localhost",
    "http://LOCALHOST:8000": "http://localhost:8000",
    "http://127.0.0.1:8000": "http://127.0.0.1:8000",
    "http://127.8.9.10": "http://127.8.9.10",
    "http://[::1]:8000": "http://[::1]:8000",
}
BAD_BASES = [
    "", " ", "/", "api.truemed.com", "//api.truemed.com", "https:", "https://", "https:///x", "https:api.truemed.com",
    "http://api.truemed.com", "HTTP://api.truemed.com", "http://localhost.evil", "http://localhost.", "http://evil.localhost.evil",
    "http://127.0.0.1.evil", "http://127.0.0.1@evil", "http://127.0.0.1:80@evil", "http://evil#@127.0.0.1", "http://evil\\@127.0.0.1",
    "http://2130706433", "http://0x7f000001", "http://0177.0.0.1", "http://127.1", "http://0", "http://0.0.0.0", "http://[::]",
    "http://[::ffff:10.0.0.1]", "http://10.0.0.1", "http://169.254.169.254", "http://192.168.0.1", "http://[fe80::1]",
    "https://user@api.truemed.com", "https://user:pw@api.truemed.com", "https://:pw@api.truemed.com",
    "https://api.truemed.com?x=1", "https://api.truemed.com/?", "https://api.truemed.com#x", "https://api.truemed.com/#",
    "https://api.truemed.com /", " https://api.truemed.com", "https://api.truemed.com\n", "https://api.truemed.com\t",
    "https://api\0.truemed.com", "https://api.truemed.com\\@evil", "https://b\u00fccher.example", "https://api\uff0etruemed\uff0ecom",
    "https://\u24d0pi.truemed.com", "https://api.truemed.com:99999", "https://api.truemed.com:x", "https://[::1", "ftp://api.truemed.com",
    "file:///etc/passwd", "javascript:alert(1)", "data:text/html,x", "ws://localhost", "unix:///run/x", "httpss://api.truemed.com",
]  # fmt: skip


@pytest.mark.parametrize("given_url", GOOD_BASES)
@pytest.mark.parametrize("as_url", [str, URL], ids=["text", "URL"])
def test_valid_base_url_is_accepted(given_url, as_url):
    assert AsyncTruemed(KEY, base_url=as_url(given_url)).base_url == GOOD_BASES[given_url]


@pytest.mark.parametrize("bad", BAD_BASES, ids=short_repr)
@pytest.mark.parametrize("where", ["argument", "environment", "sync"])
def test_bad_base_url_is_rejected(bad, where, monkeypatch):
    if where == "environment" and (not bad or "\0" in bad):
        pytest.skip("it cannot stand in an environment variable, or means that it is not set")
    with pytest.raises(errors.ConfigurationError) as caught:
        if where == "environment":
            monkeypatch.setenv("TRUEMED_BASE_URL", bad)
            AsyncTruemed(KEY)
        else:
            (AsyncTruemed if where == "argument" else Truemed)(KEY, base_url=bad)
    message = str(caught.value).replace("such as https://api.truemed.com", "")
    assert len(bad.strip()) < 5 or bad not in message
    assert "pw" not in message


async def test_host_is_the_base_urls_whatever_is_sent(serve, client_for):
    """One header names the host, and it is the one that was connected to."""
    server = await serve(respond_with(SESSION))
    client = await client_for(server)
    await client.qualification_sessions.get("qs_1")
    assert server.requests[0].header("host") == [f"127.0.0.1:{server.port}"]
