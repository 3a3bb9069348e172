"""The webhook endpoint of Django projects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any, overload

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from truemed_async.webhooks._body import content_length_exceeds_limit, read_body
from truemed_async.webhooks._receiver import AsyncReceiver, Receiver


@overload
def webhook_endpoint(receiver: Receiver) -> Callable[[HttpRequest], HttpResponse]: ...
@overload
def webhook_endpoint(receiver: AsyncReceiver) -> Callable[[HttpRequest], Awaitable[HttpResponse]]: ...


def webhook_endpoint(receiver: Receiver | AsyncReceiver) -> Callable[[HttpRequest], Any]:
    """Return a view.

    Add it to ``urlpatterns`` with ``path("webhooks/truemed", webhook_endpoint(receiver))``.

    It responds 204, 400, 401, 405, 413 or 500, without a body: see :class:`~truemed_async.webhooks.DeliveryStatus`. It
    is exempt from the CSRF check, which is for browsers; the signature takes its place. A :class:`Receiver` makes an
    ordinary view, an :class:`AsyncReceiver` an async view. ``DATA_UPLOAD_MAX_MEMORY_SIZE`` does not apply. Under ASGI,
    Django reads the whole body, into a file if it is large, before any view is called.
    """
    require_methods = require_http_methods(["GET", "HEAD", "POST"])
    if isinstance(receiver, AsyncReceiver):

        async def async_view(request: HttpRequest) -> HttpResponse:
            if request.method != "POST":
                return HttpResponse(status=receiver.acknowledge_verification().http_status)
            if content_length_exceeds_limit(request.headers.get("content-length")):
                return HttpResponse(status=receiver.reject_too_large().http_status)
            return HttpResponse(status=(await receiver.receive(_read(request), request.headers)).http_status)

        return csrf_exempt(require_methods(async_view))

    def view(request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            return HttpResponse(status=receiver.acknowledge_verification().http_status)
        if content_length_exceeds_limit(request.headers.get("content-length")):
            return HttpResponse(status=receiver.reject_too_large().http_status)
        return HttpResponse(status=receiver.receive(_read(request), request.headers).http_status)

    return csrf_exempt(require_methods(view))


def _read(request: HttpRequest) -> bytes:
    """Return the body, independent of ``DATA_UPLOAD_MAX_MEMORY_SIZE``; ``request.body`` can be read after."""
    attributes = vars(request)
    if "_body" not in attributes:  # nothing has read request.body before
        # Django reads nothing of a chunked body, even if the server declares that reading it is safe.
        chunked = not request.META.get("CONTENT_LENGTH") and request.META.get("wsgi.input_terminated")
        body = read_body(request.META["wsgi.input"] if chunked else request)
        attributes.update(_body=body, _stream=BytesIO(body))
    return request.body
