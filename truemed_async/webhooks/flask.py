"""The webhook endpoint of Flask applications."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from flask import Response, request

from truemed_async.webhooks._body import content_length_exceeds_limit
from truemed_async.webhooks._receiver import Receiver
from truemed_async.webhooks._verify import MAX_DELIVERY_BYTES


def webhook_endpoint(receiver: Receiver) -> Callable[[], Response]:
    """Return a view.

    Register it with ``app.add_url_rule("/webhooks/truemed", view_func=webhook_endpoint(receiver), methods=["POST"])``.

    It responds 204, 400, 401, 413 or 500, without a body: see :class:`~truemed_async.webhooks.DeliveryStatus`. Requires
    Flask 3.1. The application's ``MAX_CONTENT_LENGTH`` does not apply.
    """

    def truemed_webhook() -> Response:
        body = _read()
        headers = cast("Mapping[str, str]", request.headers)  # not a Mapping, but it has `items`, which is enough
        result = receiver.too_large() if body is None else receiver.receive(body, headers)
        return Response(status=result.http_status, headers={"Connection": "close"} if body is None else None)

    return truemed_webhook


def _read() -> bytes | None:
    if content_length_exceeds_limit(request.headers.get("content-length")):
        return None
    request.max_content_length = MAX_DELIVERY_BYTES + 1  # a longer body without a length is cut there, not refused
    body = request.get_data()
    return body if len(body) <= MAX_DELIVERY_BYTES else None
