"""Where to call and as whom: checked once, before anything is sent."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import Literal

import attrs
from yarl import URL

from truemed_async._sensitive import Secret, Sensitive
from truemed_async.errors import ConfigurationError

Environment = Literal["production", "sandbox"]

HOSTS: Mapping[str, str] = {
    "production": "https://api.truemed.com",
    "sandbox": "https://dev-api.truemed.com",
}


@attrs.frozen
class Config:
    """The server's origin (and path prefix, if any) and the key."""

    api_key: Secret = attrs.field(repr=False, eq=False)
    base_url: str

    @classmethod
    def resolve(cls, api_key: Sensitive[object], environment: str | None, base_url: str | URL | None) -> Config:
        """Combine arguments with the environment variables; an argument wins."""
        chosen = environment if environment is not None else os.environ.get("TRUEMED_ENVIRONMENT") or "production"
        if chosen not in HOSTS:
            raise ConfigurationError(f"environment must be {' or '.join(repr(name) for name in HOSTS)}")
        url = base_url if base_url is not None else os.environ.get("TRUEMED_BASE_URL") or HOSTS[chosen]
        if api_key.value is not None:
            return cls(checked_key(api_key, "api_key"), checked_base_url(url))
        return cls(checked_key(Sensitive(os.environ.get("TRUEMED_API_KEY")), "TRUEMED_API_KEY"), checked_base_url(url))


def checked_key(given: Sensitive[object], origin: str) -> Secret:
    """Return the key, or say what is wrong with it. It stays in its box: a traceback may show this frame's locals."""
    if given.value is None:
        raise ConfigurationError("no API key: pass api_key=… or set the environment variable TRUEMED_API_KEY")
    if not isinstance(given.value, str):
        raise ConfigurationError(f"{origin} must be a string, not {type(given.value).__name__}")
    key = Secret(given.value)
    if not key.strip():
        raise ConfigurationError(f"{origin} is blank")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(
            f"{origin} holds blanks, line breaks or non-ASCII characters; was it copied with something around it?"
        )
    if len(key) < 8:
        raise ConfigurationError(f"{origin} is too short to be an API key")
    return key


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine: ``localhost`` or a loopback address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def has_user(url: str) -> bool:
    """Whether a URL names a user, were it an empty one."""
    return "@" in url.partition("//")[2].partition("/")[0]


def checked_base_url(url: str | URL) -> str:
    """Return the base URL without a trailing slash; https, or http on this machine."""
    text = str(url)
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise ConfigurationError("base_url holds blanks, control, backslash or non-ASCII characters")
    try:
        parsed = URL(text)
    except ValueError:
        parsed = URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigurationError("base_url must be an absolute URL such as https://api.truemed.com")
    if has_user(text):
        raise ConfigurationError("base_url must not hold a user or password")
    if parsed.raw_query_string or parsed.raw_fragment or "?" in text or "#" in text:
        raise ConfigurationError("base_url must not hold a query or a fragment")
    if parsed.scheme == "http" and not is_loopback(parsed.host):
        raise ConfigurationError("base_url must be https: the key and health data would travel in the clear")
    return str(parsed).rstrip("/")
