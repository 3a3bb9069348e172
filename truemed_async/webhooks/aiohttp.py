"""The webhook endpoint of aiohttp applications."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from truemed_async.webhooks._body import content_length_exceeds_limit, join_chunks
from truemed_async.webhooks._receiver import AsyncReceiver
from truemed_async.webhooks._results import DeliveryStatus


def webhook_endpoint(receiver: AsyncReceiver) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of a route.

    Register it with ``app.router.add_route("*", "/webhooks/truemed", webhook_endpoint(receiver))``.

    It responds 204, 400, 401, 405, 413 or 500, without a body: see :class:`~truemed_async.webhooks.DeliveryStatus`. The
    application's ``client_max_size`` does not apply.
    """

    async def endpoint(request: web.Request) -> web.Response:
        if request.method in ("GET", "HEAD"):
            return web.Response(status=receiver.acknowledge_verification().http_status)
        if request.method != "POST":
            return web.Response(status=405, headers={"Allow": "GET, HEAD, POST"})
        if content_length_exceeds_limit(request.headers.get("content-length")):
            result = receiver.reject_too_large()
        else:
            if request.can_read_body:
                # As request.read() does, but independent of client_max_size.
                body = await join_chunks(request.content.iter_any())
                request._read_bytes = body  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            result = await receiver.receive(await request.read(), request.headers)
        response = web.Response(status=result.http_status)
        if result.status is DeliveryStatus.TOO_LARGE:
            response.force_close()  # the rest of the body is still being sent
        return response

    return endpoint
