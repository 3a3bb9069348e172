"""Checks of URLs: the server, a proxy, and the pages and apps that customers are sent to."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, Self

from yarl import URL

from truemed_async.errors import ConfigurationError, InvalidArgumentError

PAYMENT_SESSION_ID: Final = "{{payment_session_id}}"
"""What Truemed replaces with the session's id in a ``success_url``: ``"https://shop.example/thanks?s=" + it``."""

# A scheme of RFC 3986.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?=.)")
# Schemes that run a script, read a file or show another document, and those of web pages, which need no DeepLink.
_NOT_APPS = frozenset(
    {
        "about",
        "blob",
        "data",
        "file",
        "filesystem",
        "ftp",
        "http",
        "https",
        "javascript",
        "vbscript",
        "view-source",
        "ws",
        "wss",
    }
)
_ENCODED = re.compile(r"%7B(%7B|\{)?\s*payment_session_id", re.IGNORECASE)


class DeepLink(str):
    """A link into an app, such as ``DeepLink("myapp://done")``, in place of a page's URL that customers return to.

    ``success_url`` and ``failure_url`` must be https URLs, which also covers universal links and app links. Wrap a URL
    with a scheme of your own in this class to allow it. Truemed does not document which schemes it follows: try yours in
    the sandbox first.

    Raises:
        InvalidArgumentError: It has no scheme, or one of a web page, a script or a file; or it contains spaces, control
            characters, backslashes or a user.
    """

    __slots__ = ()

    def __new__(cls, url: str) -> Self:
        """Check the link; it is sent unchanged."""
        scheme = None
        if isinstance(url, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            scheme = _SCHEME.match(url)
        if scheme is None or scheme[1].lower() in _NOT_APPS:
            raise InvalidArgumentError("a DeepLink must begin with the scheme of an app, such as myapp://done")
        if _has_odd_characters(url) or _has_userinfo(url):
            raise InvalidArgumentError("a DeepLink must not contain spaces, control characters, backslashes or a user")
        return super().__new__(cls, url)


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine: ``localhost`` or a loopback address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _has_userinfo(url: str) -> bool:
    """Whether a URL names a user, even an empty one."""
    return "@" in url.partition("//")[2].partition("/")[0]


def _has_odd_characters(url: str) -> bool:
    return not url.isprintable() or any(character in url for character in " \\")


def _parse(text: str) -> URL:
    """Return the URL, or an empty one if the text is not a URL or its host is not a host name.

    The HTTP library encodes and decodes host names (IDNA) only when it connects, and raises its own errors there.
    """
    try:
        url = URL(text)
        if url.host and url.raw_host:
            url.raw_host.encode("idna")
    except ValueError:
        return URL()
    return url


def validate_base_url(url: str | URL, *, allow_http: bool = False) -> URL:
    """Return the server's URL: https, or http on this machine. With ``allow_http``, http on any host but Truemed's."""
    text = str(url)
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise ConfigurationError("base_url contains spaces, control characters, backslashes or non-ASCII characters")
    parsed = _parse(text)
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigurationError("base_url must be an absolute URL such as https://api.truemed.com")
    if _has_userinfo(text):
        raise ConfigurationError("base_url must not contain a user or password")
    if parsed.raw_query_string or parsed.raw_fragment or "?" in text or "#" in text:
        raise ConfigurationError("base_url must not contain a query or a fragment")
    if parsed.scheme == "http" and not is_loopback(parsed.host):
        if not allow_http:
            raise ConfigurationError(
                "base_url must be https: the key and health data would be sent unencrypted; "
                "allow_http=True permits it for made-up data"
            )
        if parsed.host == "truemed.com" or parsed.host.endswith(".truemed.com"):
            raise ConfigurationError("base_url must be https for Truemed's own servers")
    return parsed


def validate_proxy(url: object) -> URL:
    """Return a proxy's URL. The URL may contain a password, so no message contains any of it."""
    parsed = _parse(str(url))
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InvalidArgumentError("proxy must be an http or https URL")
    return parsed


def validate_web_url(name: str, value: object, *, allow_http: bool = False) -> str:
    """Return a page's URL unchanged: https, or http on this machine. With ``allow_http``, http on any host."""
    error = None
    text = str(value) if isinstance(value, (str, URL)) else ""
    parsed = _parse(text)
    if _has_odd_characters(text):
        error = "must not contain spaces, control characters or backslashes"
    elif parsed.scheme not in ("https", "http") or not parsed.host or not re.match(r"https?://", text, re.IGNORECASE):
        error = f"must be an absolute {'http or ' if allow_http else ''}https URL"
    elif _has_userinfo(text):
        error = "must not contain a user or password"
    elif parsed.scheme == "http" and not allow_http and not is_loopback(parsed.host):
        error = "must be https (http only on localhost)"
    if error is not None:
        raise InvalidArgumentError(f"{name} {error}")
    return text


def validate_customer_url(name: str, value: object) -> str:
    """Return the URL of a page that the customer returns to, or a :class:`DeepLink`."""
    if isinstance(value, DeepLink):
        return value
    scheme = _SCHEME.match(value) if isinstance(value, str) else None
    if scheme is not None and scheme[1].lower() not in _NOT_APPS:
        raise InvalidArgumentError(
            f'{name} must be an absolute https URL; if it leads into an app, pass DeepLink("myapp://done")'
        )
    return validate_web_url(name, value)


def validate_return_url(name: str, value: object) -> str:
    """Return where the customer returns, as :func:`validate_customer_url`. It may contain ``{{payment_session_id}}``.

    Braces are not valid in a URL, so any others are a placeholder that Truemed would not replace.
    """
    text = str(value) if isinstance(value, (str, URL)) else ""
    rest = text.replace(PAYMENT_SESSION_ID, "")
    if "{" in rest or "}" in rest:
        raise InvalidArgumentError(
            f"{name} has braces other than {PAYMENT_SESSION_ID}, which is all that Truemed replaces: two braces, no"
            " spaces, that name (an f-string turns two braces into one: insert PAYMENT_SESSION_ID instead)"
        )
    if _ENCODED.search(rest):
        raise InvalidArgumentError(
            f"{name} has {PAYMENT_SESSION_ID} percent-encoded, as URL classes write it; Truemed replaces only that"
            " exact text: pass a string"
        )
    return validate_customer_url(name, value)
