"""Deliver events to the applications that the webhook examples create."""

import asyncio
import threading
from contextlib import contextmanager

import pytest
from aiohttp import web
from django.core.wsgi import get_wsgi_application
from flask import Flask

from tests.support.framework_servers import (
    post,
    send_request,
    serve_aiohttp,
    serve_django,
    serve_uvicorn,
    serve_werkzeug,
)
from tests.support.webhook_payloads import (
    PAYMENT_SESSION,
    SECRET,
    encode_json,
    make_body,
    make_secret_headers,
    make_signed_headers,
)
from truemed_async.webhooks import AsyncReceiver


def deliver_events(port):
    """Deliver a session's processing and capture, each twice, and a forged delivery after each; yield the statuses."""
    for number, status in enumerate(("processing", "captured", "processing", "captured")):
        data = {**PAYMENT_SESSION, "status": status, "metadata": f"order of {status}"}
        body = make_body(data, "payment_session.updated", f"whd_{number % 2}")
        yield send_request(port, post(body, make_signed_headers(body)))[0]
        yield send_request(port, post(body, make_signed_headers(body, "another-secret")))[0]


def serve_example(names):
    app = names.get("app")
    if "urlpatterns" in names:
        return serve_django(names["urlpatterns"], serve_werkzeug, get_wsgi_application)
    if isinstance(app, web.Application):
        return serve_aiohttp(app)
    return serve_werkzeug(app) if isinstance(app, Flask) else serve_uvicorn(app)


@contextmanager
def deliver_to_example(emulator, names):
    """Provide the functions that the example leaves to its reader, and deliver events to its application."""
    shipped, lock = [], threading.Lock()

    def fulfill_now(order):
        with lock:
            shipped.append(order)

    async def fulfill(order):
        await asyncio.sleep(0)
        fulfill_now(order)

    names["fulfill"], names["fulfill_now"] = fulfill, fulfill_now
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUEMED_WEBHOOK_SECRET", SECRET)
        yield
    if "app" in names:
        with serve_example(names) as port:
            assert list(deliver_events(port)) == [204, 401] * 4
        assert shipped == ["order of captured"]
    elif isinstance(names.get("receiver"), AsyncReceiver) and "handle" not in names:
        result = asyncio.run(names["receiver"].receive(encode_json(PAYMENT_SESSION), make_secret_headers("the-secret")))
        assert result.http_status == 204
