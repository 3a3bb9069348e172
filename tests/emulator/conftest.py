"""A running emulator and a client for it that is not the SDK: the two must not be able to agree on a mistake."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from tests.support.raw_http import Raw
from tests.support.waiting import TIMEOUT, wait_until
from tests.support.webhook_endpoint import Merchant
from truemed_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.frozen
class ApiResponse:
    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@attrs.frozen
class Api:
    """Sends one request on a new connection, by default with the right key."""

    emulator: Emulator

    def send(self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> ApiResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.emulator.port, timeout=TIMEOUT)
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(
                method, target, content, {"x-truemed-api-key": self.emulator.api_key} if headers is None else headers
            )
            response = connection.getresponse()
            return ApiResponse(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, id: str) -> ApiResponse:
        return self.send("GET", f"/api/v1/qualification_session/{id}")

    def list(self, query: str = "") -> ApiResponse:
        return self.send("GET", f"/api/v1/qualification_sessions{query}")

    def ids(self, query: str = "") -> list[str]:
        """The ids of one page."""
        return [row["qualification_session_id"] for row in self.list(query).json["qualification_sessions"]]

    def post(self, target: str, body: Any = None) -> ApiResponse:
        return self.send("POST", target, body)

    def read(self, target: str) -> ApiResponse:
        return self.send("GET", target)

    def update(self, id: str, body: Any) -> ApiResponse:
        return self.send("POST", f"/api/v1/qualification_session/{id}/update", body)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Without sessions: each test adds those it is about."""
    with Emulator(sessions=0) as emulator:
        yield emulator


@pytest.fixture
def api(emulator: Emulator) -> Api:
    return Api(emulator)


@pytest.fixture
def merchant() -> Iterator[Merchant]:
    """A receiver of webhooks."""
    merchant = Merchant()
    yield merchant
    merchant.close()


@pytest.fixture
def raw(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> Iterator[Raw]:
    """Speak to the emulator, and afterwards see it in good health: it answers, logged no error and left no task."""
    thread = emulator._thread
    assert thread is not None
    loop, _ = thread._ready.result()
    with contextlib.ExitStack() as stack:
        raw = Raw(emulator, stack)
        yield raw
        emulator.faults.clear()
        assert raw.list().status == 200
    wait_until(lambda: len(asyncio.all_tasks(loop)) == 1)
    assert emulator.requests.in_flight == 0
    errors = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in errors] == []
