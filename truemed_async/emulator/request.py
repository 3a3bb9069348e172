"""The request that every handler receives, and the responses it can produce."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Self, cast
from urllib.parse import parse_qsl, quote

import attrs
import orjson
from aiohttp import web

from truemed_async.emulator.schema import Object

HOSTED: Final = "/_emulator/hosted"
_EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})


@attrs.define
class ReceivedRequest:
    """One request to a known route.

    method, target, headers: as sent; ``target`` is the percent-encoded path with its query.
    params: the decoded parameters of the path.
    query: the parameters of the query; those of an API route are parsed and have their defaults.
    content: the body as bytes. body: the JSON object of an API route, the fields of a form that a page received.
    origin: the emulator's URL as the client wrote it, without a slash at its end.
    """

    method: str
    target: str
    params: Mapping[str, str]
    query: Mapping[str, Any]
    headers: Mapping[str, str]
    content: bytes
    origin: str
    body: Mapping[str, Any] = _EMPTY

    def json(self, schema: Object | None = None) -> dict[str, Any]:
        """Return the JSON object in the body; raise ``ApiError`` or ``ValidationError`` if it is invalid."""
        try:
            decoded = orjson.loads(self.content)
        except orjson.JSONDecodeError:
            raise validation_error("the body must be JSON") from None
        if not isinstance(decoded, dict):
            raise validation_error("the body must be a JSON object")
        body = cast("dict[str, Any]", decoded)
        if schema is not None:
            schema.validate(body, "")
        return body

    def form(self) -> dict[str, str]:
        """Return the fields of a form; raise ``ApiError`` if the page of another site sent it."""
        origin, host = self.headers.get("Origin"), self.headers.get("Host")
        if origin not in (None, f"http://{host}", f"https://{host}"):
            raise ApiError(403, "Forbidden", "only forms of the emulator's own pages are accepted")
        if not self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            raise validation_error("a form must be application/x-www-form-urlencoded")
        return dict(parse_qsl(self.content.decode("utf-8", "replace"), keep_blank_values=True))


class ApiError(Exception):
    """An error response: HTTP ``status`` and the body ``{"error": error, "message": message}``, sometimes with more.

    Truemed publishes the statuses and, for some endpoints, the values of ``error``; docs/emulator.md lists the
    assumed ones. All messages are the emulator's own.
    """

    def __init__(
        self, status: int, error: str, message: str, *, allow: str | None = None, more: Mapping[str, Any] | None = None
    ) -> None:
        """Keep the parts; ``allow`` is the Allow header of a 405, ``more`` are further members of the body."""
        super().__init__(f"{status} {error}")
        self.status = status
        self.body: dict[str, Any] = {"error": error, "message": message, **(more or {})}
        self.allow = allow

    @classmethod
    def of(cls, status: int, body: Mapping[str, Any]) -> Self:
        """Return the error with this body."""
        error = cls(status, body["error"], body["message"])
        error.body = dict(body)
        return error


def validation_error(message: str) -> ApiError:
    """Return the 400 with which Truemed responds to a request that it cannot process."""
    return ApiError(400, "ValidationError", message)


def json_response(status: int, body: object, headers: dict[str, str] | None = None) -> web.Response:
    """Return a JSON response, without a body if the status is 204; values unknown to JSON are converted to strings."""
    if status == 204:
        return web.Response(status=204, headers=headers)
    content = orjson.dumps(body, default=str)
    return web.Response(status=status, body=content, headers=headers, content_type="application/json")


def error_response(error: ApiError, headers: dict[str, str] | None = None) -> web.Response:
    """Return Truemed's error response."""
    headers = {**(headers or {}), **({"Allow": error.allow} if error.allow else {})}
    return json_response(error.status, error.body, headers)


def hosted_url(origin: str, resource: str, id: str) -> str:
    """Return the page for a customer, in place of one hosted by Truemed.

    ``payment_sessions`` is the checkout, ``provision_requests`` asks for a payment method or the survey, and
    ``payment_tokens`` resolves a failed charge.
    """
    return f"{origin}{HOSTED}/{resource}/{quote(id, safe='')}"
