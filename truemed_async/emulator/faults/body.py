"""Wrong content in a correct HTTP response. The effect is applied."""

import gzip
from typing import Annotated

from aiohttp import web

from truemed_async.emulator.faults.registry import Bound, Count, fault
from truemed_async.emulator.faults.responses import body_of, format_http_date

HTML = b"<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Something went wrong</h1></body></html>"


@fault("after")
def wrong_content_type(response: web.Response, *, content_type: str = "text/plain") -> web.Response:
    """The body is the right JSON, but its Content-Type is ``content_type``.

    Happens with wrongly configured servers and proxies.
    """
    response.headers["Content-Type"] = content_type
    return response


@fault("after")
def html_error_page(response: web.Response, *, status: Annotated[int, Bound(">=", 200)] = 200) -> web.Response:
    """An HTML page with this ``status`` takes the place of the response.

    Happens when a firewall, a proxy or a login page answers for the API.
    """
    response.set_status(status)
    response.headers["Content-Type"] = "text/html"
    response.body = HTML
    return response


@fault("after")
def empty_200(response: web.Response) -> web.Response:
    """The response is a 200 with Content-Type JSON and an empty body.

    Happens when a server fails after it has sent the headers, or a proxy loses the body.
    """
    response.set_status(200)
    response.body = b""
    return response


@fault("after")
def unexpected_204(response: web.Response) -> web.Response:
    """The response is a 204 where a body is documented.

    Happens when an endpoint has changed, or a proxy answers for it.
    """
    response.set_status(204)
    response.body = None
    return response


@fault("after")
def invalid_utf8(response: web.Response) -> web.Response:
    """The JSON has one more member, whose text is not valid UTF-8.

    Happens when a server copies text of another encoding into its response.
    """
    response.body = body_of(response).replace(b"{", b'{"x_text":"\xff\xfe",', 1)
    return response


@fault("after")
def bad_gzip(response: web.Response) -> web.Response:
    """The body is declared as gzip, starts like gzip, and is corrupt.

    Happens with faulty proxies and damaged caches.
    """
    content = gzip.compress(body_of(response))
    # Valid header of ten bytes, then a block type that DEFLATE does not have.
    response.body = content[:10] + b"\xff" * (len(content) - 10)
    response.headers["Content-Encoding"] = "gzip"
    return response


@fault("after")
def deep_json(response: web.Response, *, depth: Count = 100_000) -> web.Response:
    """The body is an object with ``depth`` nested lists, on which a recursive parser fails.

    Happens with hostile servers, and with data that refers to itself.
    """
    response.body = b'{"x_deep":' + b"[" * depth + b"]" * depth + b"}"
    return response


@fault("after")
def clock_skew(response: web.Response, *, seconds: float = 3600) -> web.Response:
    """The Date header is off by ``seconds``: later, or earlier when negative.

    Happens when the clock of a server or of the client is wrong; a Retry-After that is a date depends on it.
    """
    response.headers["Date"] = format_http_date(seconds)
    return response
