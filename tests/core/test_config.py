"""Where to call and as whom: arguments, environment variables, and what is refused without being shown."""

from __future__ import annotations

import pickle
import traceback

import pytest
from yarl import URL

from tests.support.recording_server import KEY
from truemed_async._sensitive import Secret, Sensitive
from truemed_async._validation.configuration import resolve_api_key, resolve_base_url, validate_api_key
from truemed_async._validation.urls import is_loopback, validate_base_url
from truemed_async.errors import ConfigurationError


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("TRUEMED_API_KEY", "TRUEMED_ENVIRONMENT", "TRUEMED_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def resolve_key(api_key: object) -> Secret:
    return resolve_api_key(Sensitive(api_key))


def resolve_url(environment: str | None = None, base_url: str | URL | None = None) -> str:
    return str(resolve_base_url(environment, base_url)).rstrip("/")


# --- which server -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        (None, "https://api.truemed.com"),
        ("production", "https://api.truemed.com"),
        ("sandbox", "https://dev-api.truemed.com"),
    ],
)
def test_environments_have_the_hosts_of_truemed(environment, host):
    """Truemed developer documentation: api.truemed.com is production, dev-api.truemed.com the sandbox."""
    assert resolve_url(environment) == host


def test_environment_variables_are_the_defaults(monkeypatch):
    monkeypatch.setenv("TRUEMED_API_KEY", "key-from-environment")
    monkeypatch.setenv("TRUEMED_ENVIRONMENT", "sandbox")
    assert resolve_key(None) == "key-from-environment"
    assert resolve_url() == "https://dev-api.truemed.com"
    monkeypatch.setenv("TRUEMED_BASE_URL", "http://localhost:8080")
    assert resolve_url() == "http://localhost:8080"


def test_argument_beats_its_environment_variable(monkeypatch):
    monkeypatch.setenv("TRUEMED_API_KEY", "key-from-environment")
    monkeypatch.setenv("TRUEMED_ENVIRONMENT", "sandbox")
    monkeypatch.setenv("TRUEMED_BASE_URL", "http://localhost:8080")
    assert resolve_key(KEY) == KEY
    assert resolve_url("production") == "http://localhost:8080"
    assert resolve_url("production", "https://proxy.example/truemed") == "https://proxy.example/truemed"


def test_empty_environment_variables_count_as_not_set(monkeypatch):
    monkeypatch.setenv("TRUEMED_ENVIRONMENT", "")
    monkeypatch.setenv("TRUEMED_BASE_URL", "")
    assert resolve_url() == "https://api.truemed.com"


@pytest.mark.parametrize("environment", ["staging", "Production", "", "canary"])
def test_unknown_environment_is_rejected(environment, monkeypatch):
    with pytest.raises(ConfigurationError, match="'production' or 'sandbox'; .* set base_url") as caught:
        resolve_url(environment)
    assert "canary" not in str(caught.value)
    if environment:
        monkeypatch.setenv("TRUEMED_ENVIRONMENT", environment)
        with pytest.raises(ConfigurationError, match="'production' or 'sandbox'"):
            resolve_url()


# --- the base URL -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "used"),
    [
        ("https://api.truemed.com", "https://api.truemed.com"),
        ("https://api.truemed.com/", "https://api.truemed.com"),
        ("https://gateway.example/truemed/", "https://gateway.example/truemed"),
        ("https://gateway.example:8443", "https://gateway.example:8443"),
        ("HTTPS://API.truemed.com", "https://api.truemed.com"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("http://localhost", "http://localhost"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("HTTP://LOCALHOST:8080", "http://localhost:8080"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://[::1]", "http://[::1]"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_https_anywhere_and_http_on_this_machine_are_accepted(value, used):
    assert str(validate_base_url(value)).rstrip("/") == used
    assert str(validate_base_url(URL(value))).rstrip("/") == used


@pytest.mark.parametrize(
    "value",
    [
        "http://api.truemed.com", "HTTP://api.truemed.com", "http://localhost.evil", "http://evil.localhost",
        "http://127.0.0.1.evil", "http://127.0.0.1@evil", "http://localhost:80@evil", "http://2130706433",
        "http://0x7f000001", "http://0177.0.0.1", "http://127.1", "http://0.0.0.0", "http://[::]", "http://10.0.0.1",
        "http://[::ffff:10.0.0.1]", "http://[fe80::1]", "http://127.0.0.1%00.evil",
        "https://user@canary.example", "https://user:canary@h.example", "https://:canary@h.example",
        "//api.truemed.com", "api.truemed.com", "https:", "https://", "https:///path",
        "https:api.truemed.com", "https:/api.truemed.com", "ftp://api.truemed.com", "file:///canary",
        "https://h.example?canary=1", "https://h.example/?", "https://h.example#canary", "https://h.example/#", "",
        "   ", " https://h.example", "https://h.example ", "https://h.example\n", "https://h.\texample",
        "https://h.example/a b", "https://h.example/\x00", "https://h.example/\x7f", "https://h.example\\canary",
        "https://bücher.example", "https://h.example/é", "https://аpi.truemed.com", "https://h.example:99999",
        "https://h.example:canary", "https://[::1",
    ],
)  # fmt: skip
def test_invalid_base_url_raises_without_showing_it(value):
    with pytest.raises(ConfigurationError, match=r"^base_url ") as caught:
        validate_base_url(value)
    assert "canary" not in f"{caught.value!r}"
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("host", "here"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("LOCALHOST", False), ("2130706433", False), ("", False)],
)
def test_loopback_is_localhost_or_a_loopback_address(host, here):
    assert is_loopback(host) is here


# --- the key ------------------------------------------------------------------------------------------------------

BAD_KEYS = [
    "", " ", "\t\n", "canary", "c" * 7, " canary-key-123456", "canary-key-123456 ", "canary-key-123456\n",
    "canary\r\nkey-123456", "canary\x00key-123456", "canary\x1bkey-123456", "canary\x7fkey-123456", "canary key 123456",
    "canary-këy-123456", "canary\u00a0key-123456", "\ufeffcanary-key-123456", "“canary-key-123456”", "canary\ud800key-1",
    b"canary-key-123456", 1234567890, True, ["canary-key-123456"], object(),
]  # fmt: skip


@pytest.mark.parametrize("value", BAD_KEYS, ids=range(len(BAD_KEYS)))
def test_bad_key_is_rejected_and_appears_nowhere(value):
    with pytest.raises(ConfigurationError) as caught:
        resolve_key(value)
    assert str(caught.value).startswith("api_key ")
    assert "canary" not in f"{caught.value!r} {caught.value.args}"
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    inside = [frame for frame in frames if frame.f_code.co_filename == validate_api_key.__code__.co_filename]
    assert len(inside) == 2
    for frame in inside:
        assert "canary" not in repr(frame.f_locals)


def test_missing_key_is_a_configuration_error_that_names_both_ways():
    with pytest.raises(ConfigurationError, match=r"api_key.*TRUEMED_API_KEY"):
        resolve_key(None)


def test_bad_key_of_the_environment_is_named_by_its_variable(monkeypatch):
    monkeypatch.setenv("TRUEMED_API_KEY", "canary-key-123456\n")
    with pytest.raises(ConfigurationError, match=r"^TRUEMED_API_KEY ") as caught:
        resolve_key(None)
    assert "canary" not in str(caught.value)


def test_empty_key_is_not_replaced_by_the_environments(monkeypatch):
    monkeypatch.setenv("TRUEMED_API_KEY", KEY)
    with pytest.raises(ConfigurationError, match="api_key is blank"):
        resolve_key("")


@pytest.mark.parametrize("value", [KEY, "!" * 8, "~key_+/=.:"])
def test_printable_key_is_kept_as_it_is(value):
    key = validate_api_key(Sensitive(value), "api_key")
    assert type(key) is Secret
    assert key == value


def test_resolved_api_key_is_masked_and_cannot_be_pickled():
    key = resolve_key(KEY)
    assert KEY not in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)


@pytest.mark.parametrize("value", [f'"{KEY}"', f"'{KEY}'", f"`{KEY}`", f'"{KEY}'])
def test_key_with_quotes_is_refused_with_the_reason(value):
    with pytest.raises(ConfigurationError, match="api_key has quotes around it") as caught:
        resolve_key(value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    ["${TRUEMED_API_KEY}", "$(get-key)", "$TRUEMED_API_KEY", "%TRUEMED_API_KEY%", "{{api_key}}"],
)
def test_key_that_is_an_unreplaced_placeholder_is_refused_with_the_reason(value, monkeypatch):
    monkeypatch.setenv("TRUEMED_API_KEY", value)
    with pytest.raises(ConfigurationError, match="^TRUEMED_API_KEY is a placeholder that was not replaced"):
        resolve_key(None)
