"""Deliveries in a Flask application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from flask import Response, request

from truemed_async.webhooks._reading import announces_too_much
from truemed_async.webhooks._receiver import Receiver
from truemed_async.webhooks._verify import BODY_LIMIT


def webhook_endpoint(receiver: Receiver) -> Callable[[], Response]:
    """Return a view.

    Add it with ``app.add_url_rule("/webhooks/truemed", view_func=webhook_endpoint(receiver), methods=["POST"])``.

    It answers 204, 400, 401, 413 or 500, without a body: see :class:`~truemed_async.webhooks.Result`. Needs Flask 3.1.
    The application's ``MAX_CONTENT_LENGTH`` does not count here.
    """

    def truemed_webhook() -> Response:
        body = _body()
        headers = cast("Mapping[str, str]", request.headers)  # it has `items`, and that is all that is asked of it
        receipt = receiver.too_large() if body is None else receiver.receive(body, headers)
        return Response(status=receipt.status, headers={"Connection": "close"} if body is None else None)

    return truemed_webhook


def _body() -> bytes | None:
    if announces_too_much(request.headers.get("content-length")):
        return None
    request.max_content_length = BODY_LIMIT + 1  # a longer body without a length is cut there, and not refused
    body = request.get_data()
    return body if len(body) <= BODY_LIMIT else None
