"""The webhook endpoint of aiohttp applications."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from truemed_async.webhooks._body import content_length_exceeds_limit, join_chunks
from truemed_async.webhooks._receiver import AsyncReceiver


def webhook_endpoint(receiver: AsyncReceiver) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of a route.

    Register it with ``app.router.add_post("/webhooks/truemed", webhook_endpoint(receiver))``.

    It responds 204, 400, 401, 413 or 500, without a body: see :class:`~truemed_async.webhooks.DeliveryStatus`. The
    application's ``client_max_size`` does not apply.
    """

    async def endpoint(request: web.Request) -> web.Response:
        body = None
        if not content_length_exceeds_limit(request.headers.get("content-length")):
            body = await (join_chunks(request.content.iter_any()) if request.can_read_body else request.read())
        result = receiver.too_large() if body is None else await receiver.receive(body, request.headers)
        response = web.Response(status=result.http_status)
        if body is None:
            response.force_close()  # the rest of the body is still being sent
        return response

    return endpoint
