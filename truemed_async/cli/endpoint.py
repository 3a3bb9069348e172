"""A merchant's webhook endpoint: its URL, and one request to it."""

from __future__ import annotations

from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException, HTTPSConnection

import attrs
from yarl import URL

from truemed_async.errors import InvalidArgumentError, TruemedError

SECRET_VARIABLE = "TRUEMED_WEBHOOK_SECRET"  # noqa: S105  # the name of a variable
SEND_TIMEOUT = 30.0  # seconds that an endpoint may take
MAX_RESPONSE_BYTES = 64 * 1024


@attrs.frozen
class ForwardedResponse:
    """The response of an endpoint, with the beginning of its body."""

    status: int
    content_type: str | None = None
    body: bytes = attrs.field(default=b"", repr=False)


def parse_endpoint(option: str, text: str) -> URL:
    """Return the URL of an endpoint."""
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidArgumentError(f"{option} must be a URL that begins with http:// or https://")
    return url


def send_delivery(
    url: URL, headers: Iterable[tuple[str, str]], body: bytes, *, method: str = "POST"
) -> ForwardedResponse:
    """Send these headers, in their order and as often as they are there, with this body; return the response.

    Raises:
        TruemedError: There is no response.
    """
    connect = HTTPSConnection if url.scheme == "https" else HTTPConnection
    connection = connect(url.raw_host or "", url.port, timeout=SEND_TIMEOUT)
    try:
        connection.putrequest(method, url.raw_path_qs, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return ForwardedResponse(response.status, response.getheader("Content-Type"), response.read(MAX_RESPONSE_BYTES))
    except TimeoutError:
        problem = f"did not respond within {SEND_TIMEOUT} seconds"
    except (OSError, HTTPException):
        problem = "cannot be reached, or does not speak HTTP"
    finally:
        connection.close()
    raise TruemedError(f"the endpoint at {url.host}:{url.port} {problem}")
