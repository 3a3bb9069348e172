"""Faults of what the answer says, its effect applied and its bytes a correct HTTP answer."""

# ruff: noqa: D102 - `Fault` says what each method is for, the class what the fault does

import gzip
from abc import ABC, abstractmethod

import attrs
from aiohttp import web
from attrs.validators import ge

from truemed_async.emulator.faults.base import Exchange, Fault, body, http_date, plain

HTML = b"<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Something went wrong</h1></body></html>"


class Altered(Fault, ABC):
    """Changes the answer before it is sent."""

    @abstractmethod
    def alter(self, answer: web.Response) -> None:
        """Change status, header or body in place."""

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        del exchange
        answer = plain(response)
        self.alter(answer)
        return answer


@attrs.define(eq=False)
class WrongContentType(Altered):
    """The answer is called `content_type`, and is JSON."""

    content_type: str = "text/plain"

    def alter(self, answer: web.Response) -> None:
        answer.headers["Content-Type"] = self.content_type


@attrs.define(eq=False)
class HtmlErrorPage(Altered):
    """A page for people in place of the answer, with this `status`."""

    status: int = attrs.field(default=200, validator=ge(200))

    def alter(self, answer: web.Response) -> None:
        answer.set_status(self.status)
        answer.headers["Content-Type"] = "text/html"
        answer.body = HTML


class Empty200(Altered):
    """A 200 that says JSON and holds nothing."""

    def alter(self, answer: web.Response) -> None:
        answer.set_status(200)
        answer.body = b""


class Unexpected204(Altered):
    """A 204, where there is an answer to give."""

    def alter(self, answer: web.Response) -> None:
        answer.set_status(204)
        answer.body = None


class InvalidUtf8(Altered):
    """JSON but for one more member, whose text is not UTF-8."""

    def alter(self, answer: web.Response) -> None:
        answer.body = body(answer).replace(b"{", b'{"x_text":"\xff\xfe",', 1)


class BadGzip(Altered):
    """A body that says gzip, begins like it, and is none."""

    def alter(self, answer: web.Response) -> None:
        whole = gzip.compress(body(answer))
        # What follows its ten bytes of header is of a kind that DEFLATE does not have.
        answer.body = whole[:10] + b"\xff" * (len(whole) - 10)
        answer.headers["Content-Encoding"] = "gzip"


@attrs.define(eq=False)
class DeepJson(Altered):
    """An object that holds lists in lists, `depth` of them."""

    depth: int = attrs.field(default=100_000, validator=ge(1))

    def alter(self, answer: web.Response) -> None:
        answer.body = b'{"x_deep":' + b"[" * self.depth + b"]" * self.depth + b"}"


@attrs.define(eq=False)
class ClockSkew(Altered):
    """The Date of the answer is `seconds` off: later, or earlier when negative."""

    seconds: float = 3600

    def alter(self, answer: web.Response) -> None:
        answer.headers["Date"] = http_date(self.seconds)
