"""Requests as bytes on a socket, and applications of each framework on common servers."""

import asyncio
import contextlib
import email
import queue
import select
import socket
import threading
import types

import django
import uvicorn
from aiohttp import web
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.test import override_settings
from django.urls import path
from fastapi import FastAPI
from flask import Flask, request as flask_request
from starlette.applications import Starlette
from werkzeug.serving import make_server

from truemed_async.webhooks import AsyncReceiver, Receiver
from truemed_async.webhooks.aiohttp import webhook_endpoint as aiohttp_endpoint
from truemed_async.webhooks.django import webhook_endpoint as django_endpoint
from truemed_async.webhooks.flask import webhook_endpoint as flask_endpoint
from truemed_async.webhooks.starlette import webhook_endpoint as starlette_endpoint

PATIENCE = 60
"""Seconds until a server counts as hanging; the machine may be busy."""
ROUTE, READ_BEFORE, READ_AFTER = "/webhooks/truemed", "/read-before", "/read-after"


# ---- requests


def head(*headers, method="POST", route=ROUTE):
    """Return the head of a request; ``headers`` are pairs, and may repeat a name."""
    lines = [f"{method} {route} HTTP/1.1", "Host: localhost", "Connection: close"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers), "", ""]).encode()


def post(body, headers, route=ROUTE):
    """Return a whole request."""
    return head(*headers.items(), ("Content-Length", len(body)), route=route) + body


def chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def send_request(port, data, more=()):
    """Send bytes, then chunks of ``more`` until the server responds, and return the response's status and body."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the server has responded and closed
            connection.sendall(data)
            for each in more:
                if select.select([connection], [], [], 0)[0]:
                    break
                connection.sendall(each)
        return read_response(connection)


def read_response(connection):
    """Read one response by its framing; the server may keep the connection open to read on."""
    with connection.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        headers = email.message_from_bytes(b"".join(iter(stream.readline, b"\r\n")))
        if status == 204:
            return status, b""
        if headers["Transfer-Encoding"] == "chunked":
            assert stream.readline() == b"0\r\n"
            return status, b""
        return status, stream.read(int(headers["Content-Length"]))


# ---- servers: each a context manager that yields a port


def open_listener():
    return socket.create_server(("127.0.0.1", 0))


@contextlib.contextmanager
def run_in_thread(run, stop):
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


@contextlib.contextmanager
def serve_aiohttp(app):
    sock, started = open_listener(), queue.Queue()

    async def serve():
        stopped = asyncio.Event()
        started.put((asyncio.get_running_loop(), stopped))
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.SockSite(runner, sock).start()
        await stopped.wait()
        await runner.cleanup()

    def stop():
        loop, stopped = started.get(timeout=PATIENCE)
        loop.call_soon_threadsafe(stopped.set)

    with run_in_thread(lambda: asyncio.run(serve()), stop):
        yield sock.getsockname()[1]


@contextlib.contextmanager
def serve_uvicorn(app):
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, timeout_graceful_shutdown=5)
    server, sock = uvicorn.Server(config), open_listener()
    with sock, run_in_thread(lambda: server.run(sockets=[sock]), lambda: setattr(server, "should_exit", True)):
        yield sock.getsockname()[1]


@contextlib.contextmanager
def serve_werkzeug(app):
    server = make_server("127.0.0.1", 0, app, threaded=True)
    with run_in_thread(lambda: server.serve_forever(0.01), server.shutdown):
        yield server.server_port
    server.server_close()


def configure_django():
    """Give this process its settings, once: they can be overridden, but not replaced."""
    if not settings.configured:
        middleware = ["django.middleware.csrf.CsrfViewMiddleware"]
        settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="of tests", LOGGING_CONFIG=None, MIDDLEWARE=middleware)
        django.setup()


@contextlib.contextmanager
def serve_django(urlpatterns, serve, make_application):
    configure_django()
    urls = types.ModuleType("urls")
    urls.urlpatterns = urlpatterns
    with override_settings(ROOT_URLCONF=urls), serve(make_application()) as port:
        yield port


# ---- applications


def aiohttp_app(receiver):
    endpoint = aiohttp_endpoint(receiver)

    async def read_before(request):
        await request.read()
        return await endpoint(request)

    async def read_after(request):
        response = await endpoint(request)
        assert await request.read()
        return response

    app = web.Application()
    app.router.add_post(READ_AFTER, read_after)
    app.router.add_route("*", ROUTE, endpoint)
    app.router.add_post(READ_BEFORE, read_before)
    return serve_aiohttp(app)


def starlette_app(receiver, kind=Starlette):
    endpoint = starlette_endpoint(receiver)

    async def read_before(request):
        await request.body()
        return await endpoint(request)

    async def read_after(request):
        response = await endpoint(request)
        assert await request.body()
        return response

    app = kind()
    app.add_route(READ_AFTER, read_after, methods=["POST"])
    app.add_route(ROUTE, endpoint, methods=["GET", "POST"])
    app.add_route(READ_BEFORE, read_before, methods=["POST"])
    return serve_uvicorn(app)


def fastapi_app(receiver):
    return starlette_app(receiver, FastAPI)


def flask_app(receiver):
    endpoint = flask_endpoint(receiver)

    def read_before():
        flask_request.get_data()
        return endpoint()

    def read_after():
        response = endpoint()
        assert flask_request.get_data()
        return response

    app = Flask("shop")
    app.add_url_rule(READ_AFTER, view_func=read_after, methods=["POST"])
    app.add_url_rule(ROUTE, view_func=endpoint, methods=["GET", "POST"])
    app.add_url_rule(READ_BEFORE, view_func=read_before, methods=["POST"])
    return serve_werkzeug(app)


def django_app(receiver, serve, make_application):
    endpoint = django_endpoint(receiver)

    async def read_before_async(request):
        assert request.body
        return await endpoint(request)

    def read_before(request):
        assert request.body
        return endpoint(request)

    async def read_after_async(request):
        response = await endpoint(request)
        assert request.body
        assert request.read()
        return response

    def read_after(request):
        response = endpoint(request)
        assert request.body
        assert request.read()
        return response

    asynchronous = isinstance(receiver, AsyncReceiver)
    before = read_before_async if asynchronous else read_before
    after = read_after_async if asynchronous else read_after
    before.csrf_exempt = after.csrf_exempt = True
    paths = {ROUTE: endpoint, READ_BEFORE: before, READ_AFTER: after}
    return serve_django([path(url[1:], view) for url, view in paths.items()], serve, make_application)


def django_wsgi_app(receiver):
    return django_app(receiver, serve_werkzeug, get_wsgi_application)


def django_asgi_app(receiver):
    return django_app(receiver, serve_uvicorn, get_asgi_application)


APPS = {
    "aiohttp": (AsyncReceiver, aiohttp_app),
    "starlette": (AsyncReceiver, starlette_app),
    "fastapi": (AsyncReceiver, fastapi_app),
    "flask": (Receiver, flask_app),
    "django on wsgi": (Receiver, django_wsgi_app),
    "django on asgi": (AsyncReceiver, django_asgi_app),
    "django on asgi, ordinary view": (Receiver, django_asgi_app),
}
