"""A client that builds requests and sends none: it loads the HTTP library, so only a command that runs imports it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from truemed_async._core.request import Query, Request, build
from truemed_async.client import AsyncTruemed

if TYPE_CHECKING:
    from truemed_async._core.endpoint import Endpoint
    from truemed_async.cli.target import Target
    from truemed_async.options import RequestOptions

T = TypeVar("T")

NOWHERE = "http://127.0.0.1"  # an embedded emulator that is not started has no port


class _Built(Exception):  # noqa: N818  # the expected end of a rehearsal
    """The request is ready."""


class _Rehearsal(AsyncTruemed):
    """The client with all of its checks, up to the moment before the first attempt."""

    __slots__ = ("built",)

    built: Request

    async def send(
        self,
        endpoint: Endpoint[T],
        *,
        path: Mapping[str, str] | None = None,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        options: RequestOptions | None = None,
    ) -> NoReturn:
        """Build the request, and go no further."""
        del options
        self.built = build(self._base_url, endpoint, path=path, query=query, body=body, key=idempotency_key)
        del path, query, body  # a traceback may show the locals of this frame
        raise _Built


async def rehearse(target: Target, call: Callable[[AsyncTruemed], Awaitable[object]]) -> Request:
    """Return the request that a call begins with; an error of the configuration or of an argument is raised."""
    target.check()
    if target.env == "emulator":
        client = _Rehearsal("emulator", environment="sandbox", base_url=NOWHERE)
    else:
        client = _Rehearsal(environment=target.env, base_url=target.base_url)
    with suppress(_Built):
        await call(client)
    return client.built
