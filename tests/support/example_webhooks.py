"""Takes what an example about webhooks has built, and delivers to it as Truemed would."""

import asyncio
import threading
from contextlib import contextmanager

import pytest
from aiohttp import web
from django.core.wsgi import get_wsgi_application
from flask import Flask

from tests.support.framework_servers import answer_to, post, serve_aiohttp, serve_django, serve_uvicorn, serve_werkzeug
from tests.support.webhook_payloads import PAYMENT_SESSION, SECRET, carrying, enveloped, signed, written
from truemed_async.webhooks import AsyncReceiver


def statuses(port):
    """A session is processed, then captured; each is told twice, and somebody else tells lies."""
    for number, status in enumerate(("processing", "captured", "processing", "captured")):
        data = {**PAYMENT_SESSION, "status": status, "metadata": f"order of {status}"}
        body = enveloped(data, "payment_session.updated", f"whd_{number % 2}")
        yield answer_to(port, post(body, signed(body)))[0]
        yield answer_to(port, post(body, signed(body, "another-secret")))[0]


def serving(names):
    app = names.get("app")
    if "urlpatterns" in names:
        return serve_django(names["urlpatterns"], serve_werkzeug, get_wsgi_application)
    if isinstance(app, web.Application):
        return serve_aiohttp(app)
    return serve_werkzeug(app) if isinstance(app, Flask) else serve_uvicorn(app)


@contextmanager
def webhooks(emulator, names):
    """Give the example the functions of its reader, and its application deliveries."""
    shipped, told = [], threading.Lock()

    def fulfil_now(order):
        with told:
            shipped.append(order)

    async def fulfil(order):
        await asyncio.sleep(0)
        fulfil_now(order)

    names["fulfil"], names["fulfil_now"] = fulfil, fulfil_now
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUEMED_WEBHOOK_SECRET", SECRET)
        yield
    if "app" in names:
        with serving(names) as port:
            assert list(statuses(port)) == [204, 401] * 4
        assert shipped == ["order of captured"]
    elif isinstance(names.get("receiver"), AsyncReceiver) and "handle" not in names:
        receipt = asyncio.run(names["receiver"].receive(written(PAYMENT_SESSION), carrying("the-secret")))
        assert receipt.status == 204
