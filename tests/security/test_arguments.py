"""Keys and pages' URLs: what is refused, and that the refusal does not repeat what was given."""

import sys
import traceback

import pytest
from yarl import URL

from tests.support.canary import describe_frame, frames
from truemed_async import AsyncTruemed, Truemed, errors
from truemed_async._validation.urls import validate_web_url

SECRET = "s3cr3tk3y"
BAD_KEYS = {
    "empty": "",
    "blank": "   ",
    "short": SECRET[:7],
    "line break": f"{SECRET}\n",
    "carriage return": f"{SECRET}\r\n",
    "leading blank": f" {SECRET}",
    "inner blank": f"{SECRET} {SECRET}",
    "tab": f"{SECRET}\t{SECRET}",
    "header injection": f"{SECRET}\r\nX-Evil: {SECRET}",
    "null": f"{SECRET}\0",
    "delete": f"{SECRET}\x7f",
    "latin-1": f"{SECRET}\u00e9",
    "no-break blank": f"{SECRET}\u00a0",
    "byte order mark": f"\ufeff{SECRET}",
    "quotes of a word processor": f"\u201c{SECRET}\u201d",
    "full width": "\uff53\uff45\uff43\uff52\uff45\uff54\uff4b\uff45\uff59",
    "lone surrogate": f"{SECRET}\ud800",
    "bytes": SECRET.encode(),
    "list": [SECRET],
    "number": 12345678901234567890,
    "function": lambda: SECRET,
}


def collect_texts(error):
    """The error's text, and what a crash reporter shows of every frame of this library."""
    ours = "\n".join(describe_frame(frame) for frame in frames(error))
    assert "__init__" in ours
    return f"{error} {error!r} {error.args} {vars(error)} {''.join(traceback.format_exception(error))}\n{ours}"


@pytest.mark.parametrize("client", [AsyncTruemed, Truemed])
@pytest.mark.parametrize("name", BAD_KEYS)
def test_bad_key_is_rejected_and_not_shown(client, name):
    key = BAD_KEYS[name]
    with pytest.raises(errors.ConfigurationError) as caught:
        client(key)
    assert "api_key" in str(caught.value)
    message = collect_texts(caught.value)
    assert SECRET[:7] not in message
    assert len(str(key)) < 4 or (str(key) not in message and repr(key)[1:-1] not in message)


@pytest.mark.parametrize("name", [name for name, key in BAD_KEYS.items() if isinstance(key, str) and "\0" not in key])
def test_bad_key_of_the_environment_is_rejected_and_not_shown(name, monkeypatch):
    key = BAD_KEYS[name]
    try:
        monkeypatch.setenv("TRUEMED_API_KEY", key)
    except UnicodeEncodeError:
        pytest.skip("it cannot stand in an environment variable")
    with pytest.raises(errors.ConfigurationError, match="TRUEMED_API_KEY") as caught:
        AsyncTruemed()
    message = collect_texts(caught.value)
    assert SECRET[:7] not in message


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "http://evil.example"}, {"environment": "x"}, {"timeout": -1}, {"timeout": None}, {"retry": 3}, {"hooks": 1},
        {"max_concurrency": 0}, {"session": 1}, {"proxy": "x"}, {"ssl_context": False},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("client", [AsyncTruemed, Truemed])
def test_good_key_is_in_no_traceback_of_another_refusal(client, options):
    key = f"{SECRET}-{SECRET}"
    with pytest.raises(errors.TruemedError) as caught:
        client(key, **options)
    assert SECRET not in collect_texts(caught.value)


@pytest.mark.parametrize("client", [AsyncTruemed, Truemed])
def test_client_that_was_never_finished_can_be_shown(client):
    """Its repr is used in tracebacks with locals; it must not raise."""
    with pytest.raises(errors.ConfigurationError) as caught:
        client("short")
    traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert client.__name__ in repr(client.__new__(client))


@pytest.mark.parametrize("client", [AsyncTruemed, Truemed])
def test_password_of_a_proxy_is_in_no_traceback(client):
    with pytest.raises(errors.InvalidArgumentError) as caught:
        client(f"{SECRET}-key", proxy=f"http://user:{SECRET}@proxy.example", timeout=-1)
    assert SECRET not in str(caught.value)


def test_there_is_no_key():
    for client in (AsyncTruemed, Truemed):
        with pytest.raises(errors.ConfigurationError, match="no API key"):
            client()


def test_key_is_not_taken_from_elsewhere(monkeypatch, tmp_path):
    """Not from a file, nor from the variables of other SDKs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (".env", ".netrc", "truemed.toml", ".truemed"):
        (tmp_path / name).write_text(f"TRUEMED_API_KEY={SECRET}-key\n")
    for name in ("TRUEMED_KEY", "TRUEMED_TOKEN", "API_KEY", "X_TRUEMED_API_KEY"):
        monkeypatch.setenv(name, f"{SECRET}-key")
    monkeypatch.setattr(sys, "argv", ["x", "--api-key", f"{SECRET}-key"])
    with pytest.raises(errors.ConfigurationError, match="no API key"):
        AsyncTruemed()


GOOD_PAGES = [
    "https://shop.example", "https://shop.example/", "https://shop.example:8443/ok?a=1&b=%20#done", "HTTPS://Shop.Example/Ok",
    "https://sh\u00f6p.example/\u00fc", "https://[2001:db8::1]/", "http://localhost:8000/ok", "http://127.0.0.1/", "http://[::1]/",
    "https://shop.example/?next=https://other.example", "https://shop.example/a@b", "https://shop.example/%0d%0a",
    URL("https://shop.example/ok"),
]  # fmt: skip
BAD_PAGES = [
    "", " ", "/", "/ok", "ok", "shop.example/ok", "//shop.example/ok", "https:", "https:/", "https://", "https:///ok", "https:evil",
    "https:evil.example", "https:/evil.example", "https:\\\\evil.example", "https:\\evil.example", "https://a\\@b", "https://a\\b",
    "\\\\evil.example", "javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", " javascript:alert(1)",
    "javascript://shop.example/%0aalert(1)", "data:text/html,<script>", "vbscript:x", "file:///etc/passwd", "ftp://shop.example/",
    "blob:https://shop.example/x", "view-source:https://shop.example", "intent://shop.example", "mailto:a@example.com", "about:blank",
    "http://shop.example/", "http://localhost.evil/", "http://127.0.0.1.evil/", "http://127.1/", "http://10.0.0.1/", "http://0.0.0.0/",
    "http://2130706433/", "https://user@shop.example/", "https://user:pw@shop.example/", "https://:pw@shop.example/",
    "https://shop.example@evil.example/", "https://shop.example:443@evil.example/", "https://shop.example/a b", "https://shop.example/\n",
    "https://shop.example/\r\nX: y", "https://shop.example/\t", "https://shop.example/\0", "https://shop.example/\x7f",
    "https://shop.example/\x85", "https://shop.example/\u202e", "https://shop.example/\u2028", "https://shop.example/\u200b",
    "https://shop.example/\ufeff", "https://shop.example/\ud800", "https://shop.example/\u00a0", " https://shop.example/",
    "https://shop.example/ ", "https://shop .example/", "https://[::1", "https://shop.example:99999/", "https://shop.example:x/",
    "https://", "https://?", "https://#", "https://:443/", None, 1, b"https://shop.example/", ["https://shop.example/"],
]  # fmt: skip


@pytest.mark.parametrize("page", GOOD_PAGES, ids=ascii)
@pytest.mark.parametrize("field", ["success_url", "failure_url"])
def test_url_is_sent_unchanged(page, field):
    assert validate_web_url(field, page) == str(page)


@pytest.mark.parametrize("field", ["success_url", "failure_url"])
@pytest.mark.parametrize("page", BAD_PAGES, ids=lambda page: ascii(page)[:40])
async def test_unsafe_urls_raise_without_showing_them(page, field):
    async with AsyncTruemed("a-made-up-key") as client:
        with pytest.raises(errors.InvalidArgumentError, match=field) as caught:
            client.qualification_sessions.update("qs_1", **{field: page}).send(None)
        assert client._state.transport._session is None
    message = str(caught.value)
    assert len(str(page)) < 10 or str(page) not in message
    assert "evil" not in message
    assert "pw" not in message
