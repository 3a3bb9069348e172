"""Deliveries in a Starlette or FastAPI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from truemed_async.webhooks._reading import announces_too_much, read_chunks
from truemed_async.webhooks._receiver import AsyncReceiver


def webhook_endpoint(receiver: AsyncReceiver) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a route.

    Add it with ``app.add_route("/webhooks/truemed", webhook_endpoint(receiver), methods=["POST"])``.

    It answers 204, 400, 401, 413 or 500, without a body: see :class:`~truemed_async.webhooks.Result`.
    """

    async def endpoint(request: Request) -> Response:
        body = None
        if not announces_too_much(request.headers.get("content-length")):
            body = await read_chunks(request.stream())
        receipt = receiver.too_large() if body is None else await receiver.receive(body, request.headers)
        # The rest of a body that is too large is on its way: nothing else can be read on that connection.
        return Response(status_code=receipt.status, headers={"connection": "close"} if body is None else None)

    return endpoint
