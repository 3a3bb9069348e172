"""Deliveries in an aiohttp application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from truemed_async.webhooks._reading import announces_too_much, read_chunks
from truemed_async.webhooks._receiver import AsyncReceiver


def webhook_endpoint(receiver: AsyncReceiver) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of a route.

    Add it with ``app.router.add_post("/webhooks/truemed", webhook_endpoint(receiver))``.

    It answers 204, 400, 401, 413 or 500, without a body: see :class:`~truemed_async.webhooks.Result`. The
    application's ``client_max_size`` does not count here.
    """

    async def endpoint(request: web.Request) -> web.Response:
        body = None
        if not announces_too_much(request.headers.get("content-length")):
            body = await (read_chunks(request.content.iter_any()) if request.can_read_body else request.read())
        receipt = receiver.too_large() if body is None else await receiver.receive(body, request.headers)
        response = web.Response(status=receipt.status)
        if body is None:
            response.force_close()  # the rest of the body is on its way
        return response

    return endpoint
