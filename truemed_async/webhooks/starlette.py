"""The webhook endpoint of Starlette and FastAPI applications."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from truemed_async.webhooks._body import content_length_exceeds_limit, join_chunks
from truemed_async.webhooks._receiver import AsyncReceiver
from truemed_async.webhooks._results import DeliveryStatus


def webhook_endpoint(receiver: AsyncReceiver) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a route.

    Register it with ``app.add_route("/webhooks/truemed", webhook_endpoint(receiver), methods=["GET", "POST"])``.

    It responds 204, 400, 401, 413 or 500, without a body: see :class:`~truemed_async.webhooks.DeliveryStatus`.
    """

    async def endpoint(request: Request) -> Response:
        if request.method in ("GET", "HEAD"):
            return Response(status_code=receiver.acknowledge_verification().http_status)
        if content_length_exceeds_limit(request.headers.get("content-length")):
            result = receiver.reject_too_large()
        else:
            body = await join_chunks(request.stream())
            request._body = body  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as request.body() does
            result = await receiver.receive(body, request.headers)
        # The rest of a body that is too large is still being sent: the connection cannot be reused.
        close = {"connection": "close"} if result.status is DeliveryStatus.TOO_LARGE else None
        return Response(status_code=result.http_status, headers=close)

    return endpoint
