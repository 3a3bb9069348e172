"""The webhook endpoint of Flask applications."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from flask import Response, request

from truemed_async.webhooks._body import content_length_exceeds_limit
from truemed_async.webhooks._receiver import Receiver
from truemed_async.webhooks._results import DeliveryStatus
from truemed_async.webhooks._verify import MAX_DELIVERY_BYTES


def webhook_endpoint(receiver: Receiver) -> Callable[[], Response]:
    """Return a view.

    Register it for GET and POST:
    ``app.add_url_rule("/webhooks/truemed", view_func=webhook_endpoint(receiver), methods=["GET", "POST"])``.

    It responds 204, 400, 401, 413 or 500, without a body: see :class:`~truemed_async.webhooks.DeliveryStatus`. Requires
    Flask 3.1. The application's ``MAX_CONTENT_LENGTH`` does not apply.
    """

    def view() -> Response:
        if request.method in ("GET", "HEAD"):
            return Response(status=receiver.acknowledge_verification().http_status)
        if content_length_exceeds_limit(request.headers.get("content-length")):
            result = receiver.reject_too_large()
        else:
            request.max_content_length = MAX_DELIVERY_BYTES + 1  # a longer body without a length is cut, not refused
            headers = cast("Mapping[str, str]", request.headers)  # not a Mapping, but it has `items`, which is enough
            result = receiver.receive(request.get_data(), headers)
        close = {"Connection": "close"} if result.status is DeliveryStatus.TOO_LARGE else None
        return Response(status=result.http_status, headers=close)

    # Flask names a route after its function, and refuses two functions with one name.
    view.__name__ = f"truemed_webhook_{id(view):x}"
    return view
