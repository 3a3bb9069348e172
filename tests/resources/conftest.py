"""A client over aioresponses: what is tested here is what is asked and how answers are read, nothing of the wire.

aioresponses puts itself in the place of ``ClientSession._request``: connections, time-outs, middlewares and the headers
that go over the wire do not exist under it.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import attrs
import pytest
from aioresponses import CallbackResult, aioresponses
from yarl import URL

from tests.support.clock import FakeClock
from tests.support.recording_server import KEY
from truemed_async import AsyncTruemed
from truemed_async._core.pipeline import Pipeline


class WriterlessResponse(aiohttp.ClientResponse):
    """What aioresponses 0.7.9 makes its answers of: aiohttp 3.14 asks for a writer that it does not know of."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("stream_writer", _NothingWritten())
        super().__init__(*args, **options)


class _NothingWritten:
    output_size = 0


@attrs.frozen
class ReceivedRequest:
    """One request, as it was handed to aiohttp."""

    verb: str
    url: URL
    headers: dict[str, str]
    body: Any
    options: dict[str, Any]

    @property
    def path(self) -> str:
        return self.url.raw_path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.url.raw_query_string, keep_blank_values=True, strict_parsing=bool(self.url.query)))


class Server:
    """Answers every request from a list, and keeps what was asked; the last answer is repeated."""

    def __init__(self, mocked: aioresponses) -> None:
        self.requests: list[ReceivedRequest] = []
        self.responses: list[tuple[int, Any, dict[str, str]]] = [(200, {}, {})]
        for verb in ("GET", "POST"):
            mocked.add(re.compile(".*"), method=verb, callback=self._callback_for(verb), repeat=True)

    def respond(self, body: Any, status: int = 200, **headers: str) -> Server:
        """Add an answer, or a function from the request to it; the first one replaces the empty default."""
        if self.responses == [(200, {}, {})]:
            self.responses.clear()
        self.responses.append((status, body, {name.replace("_", "-"): value for name, value in headers.items()}))
        return self

    def _callback_for(self, verb: str) -> Any:
        def callback(url: URL, **options: Any) -> CallbackResult:
            data = options.pop("data", None)
            headers = {name.lower(): value for name, value in options.pop("headers").items()}
            self.requests.append(
                ReceivedRequest(verb, url, headers, None if data is None else json.loads(data), options)
            )
            status, body, response_headers = self.responses[min(len(self.requests), len(self.responses)) - 1]
            body = body(self.requests[-1]) if callable(body) else body
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            return CallbackResult(status=status, body=content, headers=response_headers)

        return callback

    @property
    def only(self) -> ReceivedRequest:
        """The one request that was made."""
        (request,) = self.requests
        return request


@pytest.fixture
def mocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    monkeypatch.setattr("aioresponses.core.ClientResponse", WriterlessResponse)
    with aioresponses() as started:
        yield started


@pytest.fixture
def server(mocked: aioresponses) -> Server:
    return Server(mocked)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def client(server: Server, clock: FakeClock) -> AsyncIterator[AsyncTruemed]:
    async with AsyncTruemed(KEY) as truemed:
        state = truemed._state
        truemed._state = attrs.evolve(state, clock=clock, pipeline=Pipeline(state.transport, clock))
        yield truemed
