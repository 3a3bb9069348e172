"""Deliveries in a Django project."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, overload

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from truemed_async.webhooks._reading import announces_too_much, read_stream
from truemed_async.webhooks._receipt import Receipt
from truemed_async.webhooks._receiver import AsyncReceiver, Receiver


@overload
def webhook_endpoint(receiver: Receiver) -> Callable[[HttpRequest], HttpResponse]: ...
@overload
def webhook_endpoint(receiver: AsyncReceiver) -> Callable[[HttpRequest], Awaitable[HttpResponse]]: ...


def webhook_endpoint(receiver: Receiver | AsyncReceiver) -> Callable[[HttpRequest], Any]:
    """Return a view.

    Add it to ``urlpatterns`` with ``path("webhooks/truemed", webhook_endpoint(receiver))``.

    It answers 204, 400, 401, 405, 413 or 500, without a body: see :class:`~truemed_async.webhooks.Result`. It is
    exempt from the CSRF check, which is for browsers; the signature takes its place. A :class:`Receiver` makes an
    ordinary view, an :class:`AsyncReceiver` an async one. ``DATA_UPLOAD_MAX_MEMORY_SIZE`` does not count here; under
    ASGI Django itself has read the whole body, into a file if it is large, before any view sees it.
    """
    if isinstance(receiver, AsyncReceiver):

        async def async_view(request: HttpRequest) -> HttpResponse:
            body = _body(request)
            return _answer(receiver.too_large() if body is None else await receiver.receive(body, request.headers))

        return csrf_exempt(require_POST(async_view))

    def view(request: HttpRequest) -> HttpResponse:
        body = _body(request)
        return _answer(receiver.too_large() if body is None else receiver.receive(body, request.headers))

    return csrf_exempt(require_POST(view))


def _body(request: HttpRequest) -> bytes | None:
    if announces_too_much(request.headers.get("content-length")):
        return None
    # Of a body that comes in chunks Django reads nothing, although the server may say that reading is safe.
    chunked = not request.META.get("CONTENT_LENGTH") and request.META.get("wsgi.input_terminated")
    return read_stream(request.META["wsgi.input"] if chunked else request)


def _answer(receipt: Receipt) -> HttpResponse:
    return HttpResponse(status=receipt.status)
