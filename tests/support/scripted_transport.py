"""A client whose transport is a list: what would be sent is kept, what is answered is given. No network, no waiting."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
from multidict import CIMultiDict

from tests.support.clock import FakeClock
from tests.support.recording_server import KEY
from truemed_async import AsyncTruemed
from truemed_async._core.pipeline import Pipeline
from truemed_async._core.request import Request
from truemed_async._core.response import RawResponse


@attrs.define
class Wire:
    """In the place of the transport; the last answer is repeated."""

    answers: list[tuple[int, Any]]
    sent: list[Request] = attrs.Factory(list)

    @asynccontextmanager
    async def bind(self) -> AsyncIterator[None]:
        yield

    async def send(self, request: Request, **_: Any) -> RawResponse:
        self.sent.append(request)
        status, body = self.answers[min(len(self.sent), len(self.answers)) - 1]
        content = b"" if body is None else json.dumps(body).encode()
        return RawResponse(status, CIMultiDict(), content, has_length=True)

    @property
    def only(self) -> Request:
        (request,) = self.sent
        return request

    @property
    def body(self) -> Any:
        """What the one request carries."""
        return json.loads(self.only.body.value)

    @property
    def query(self) -> dict[str, str]:
        """What the one request asks for."""
        return dict(self.only.url.query)

    @property
    def line(self) -> str:
        """The one request's verb and path."""
        return f"{self.only.endpoint.method} {self.only.url.path}"


def answering(*answers: Any) -> tuple[AsyncTruemed, Wire]:
    """Return a client, and the wire that answers it: bodies with 200, or ``(status, body)``."""
    client = AsyncTruemed(KEY)
    wire = Wire([each if isinstance(each, tuple) else (200, each) for each in answers])
    client._state = attrs.evolve(client._state, pipeline=Pipeline(wire, FakeClock()))
    return client, wire
