"""A transport that responds from a script and records the requests, a client that uses it, and raw responses.

No network, no waiting.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
from multidict import CIMultiDict

from tests.support.clock import FakeClock
from tests.support.paths import FIXTURES
from tests.support.recording_server import KEY
from truemed_async import AsyncTruemed
from truemed_async._core.endpoint import Endpoint, Idempotency
from truemed_async._core.failure import AttemptFailure
from truemed_async._core.pipeline import Pipeline
from truemed_async._core.request import Request
from truemed_async._core.response import RawResponse
from truemed_async.errors import AttemptTimeoutError, CallOutcome, ConnectError, DisconnectedError

SAFE = Endpoint("things.get", "GET", "/things", dict)
KEYED = Endpoint("things.change", "POST", "/things", dict, idempotency=Idempotency.KEYED)
UNKEYED = Endpoint("things.make", "POST", "/things", dict)


def fixtures() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every sample of Truemed's pages with the name of its endpoint."""
    for path in sorted(FIXTURES.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        for sample in content["samples"]:
            yield content["endpoint"], sample


def make_response(status: int = 200, body: Any = b"{}", *, has_length: bool = True, **headers: str) -> RawResponse:
    """Return a response; header names are written with underscores, and a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return RawResponse(status, named, content, has_length)


def make_refusal() -> AttemptFailure:
    return AttemptFailure(error=ConnectError, reason="no connection", outcome="not_sent", max_retries=None)


def make_disconnection() -> AttemptFailure:
    return AttemptFailure(error=DisconnectedError, reason="the connection broke", outcome="unknown", max_retries=None)


def make_timeout() -> AttemptFailure:
    return AttemptFailure(
        error=AttemptTimeoutError, reason="no complete response in time", outcome="unknown", max_retries=None
    )


def failure(outcome: CallOutcome = "not_sent", **changes: Any) -> AttemptFailure:
    fields: dict[str, Any] = {"error": ConnectError, "reason": "it broke", "max_retries": None, **changes}
    return AttemptFailure(outcome=outcome, **fields)


@attrs.frozen
class Sent:
    """What one attempt carried, and when it began."""

    at: float
    request: Request
    connect: float
    seconds: float

    @property
    def body(self) -> bytes | None:
        return None if self.request.body is None else self.request.body.value

    @property
    def key(self) -> str | None:
        return self.request.idempotency_key


Step = AttemptFailure | RawResponse | Callable[[], AttemptFailure | RawResponse]


class FakeTransport:
    """Responds to attempts from a script, each after ``took`` seconds; the last step repeats."""

    def __init__(self, clock: FakeClock, *script: Step, took: float = 0.0, slots: int = 1000) -> None:
        self.clock = clock
        self.script = list(script)
        self.took = took
        self.sent: list[Sent] = []
        self.slots = asyncio.Semaphore(slots)

    def bind(self) -> asyncio.Semaphore:
        return self.slots

    async def send(self, request: Request, *, connect: float, seconds: float) -> RawResponse | AttemptFailure:
        self.sent.append(Sent(self.clock.now, request, connect, seconds))
        step = self.script[min(len(self.sent), len(self.script)) - 1]
        self.clock.now += min(self.took, seconds)
        if self.took > seconds:
            return make_timeout()
        return step() if callable(step) else step

    @property
    def requests(self) -> list[Request]:
        return [each.request for each in self.sent]

    @property
    def only(self) -> Request:
        """The one request."""
        (request,) = self.requests
        return request

    @property
    def body(self) -> Any:
        """The decoded body of the one request."""
        return json.loads(self.only.body.value)

    @property
    def query(self) -> dict[str, str]:
        """The query of the one request."""
        return dict(self.only.url.query)

    @property
    def line(self) -> str:
        """The method and path of the one request."""
        return f"{self.only.endpoint.method} {self.only.url.path}"


def make_client(*responses: Any) -> tuple[AsyncTruemed, FakeTransport]:
    """Return a client and its transport, which responds with these bodies and 200, or with ``(status, body)``."""
    clock = FakeClock()
    script = [make_response(*each) if isinstance(each, tuple) else make_response(200, each) for each in responses]
    client, wire = AsyncTruemed(KEY), FakeTransport(clock, *script)
    client._state = attrs.evolve(client._state, pipeline=Pipeline(wire, clock))
    return client, wire


@contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    """Fail instead of running forever: for work that is either linear or hopeless."""

    def give_up(*_: object) -> None:
        raise AssertionError(f"still not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
