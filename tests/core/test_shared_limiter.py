"""The shared rate limit in the loop over attempts: waiting, deadlines, reports, and the local limit when it fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from yarl import URL

from tests.support.clock import FakeClock
from tests.support.fake_transport import SAFE, FakeTransport, make_response
from tests.support.recording_server import KEY
from tests.support.waiting import let_run_until
from truemed_async import AsyncTruemed, TruemedWarning
from truemed_async._core.pipeline import CallSettings, Pipeline
from truemed_async._core.request import build_request
from truemed_async._core.shared_limiter import SharedLimiter, identify_channel
from truemed_async._sensitive import Secret
from truemed_async.errors import DeadlineExceededError, InvalidArgumentError
from truemed_async.options import Reservation, RetryPolicy, Timeouts

OK = make_response(200, {"a": 1})
TOO_FAST = make_response(429, retry_after="3")


class Shared:
    """A shared limit that answers from a script; the last answer is repeated."""

    def __init__(self, *responses: Any) -> None:
        self.responses = list(responses)
        self.calls: list[tuple[Any, ...]] = []
        self.closed = 0

    async def reserve(
        self, channel: str, *, within: float, successes: int, generation: int | None
    ) -> Reservation | None:
        self.calls.append(("reserve", round(within, 3), successes, generation))
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        if isinstance(response, Exception):
            raise response
        if response == "hang":
            await asyncio.Event().wait()
        return None if response is None else Reservation(*response)

    async def on_rate_limited(self, channel: str, *, generation: int, retry_after: float | None) -> None:
        self.calls.append(("limited", generation, retry_after))
        if self.responses[-1] == "report fails":
            raise OSError

    async def aclose(self) -> None:
        self.closed += 1


class World:
    def __init__(self, shared: Shared, *script: Any) -> None:
        self.clock = FakeClock()
        self.transport = FakeTransport(self.clock, *script)
        self.pipeline = Pipeline(self.transport, self.clock, SharedLimiter(shared, "channel"))
        self.attempts: list[Any] = []

    async def send(self, total: float = 60.0) -> Any:
        settings = CallSettings(timeouts=Timeouts(total=total), retry=RetryPolicy(), hooks=(self.attempts.append,))
        return await self.pipeline.send(build_request(URL("https://api.truemed.com"), SAFE), settings)

    async def send_each(self, count: int, *, seconds: float) -> None:
        for _ in range(count):
            await self.send()
            self.clock.now += seconds


async def test_call_waits_for_its_slot_and_asks_once_more_whether_it_holds():
    shared = Shared((2.5, 7), (0.0, 7))
    world = World(shared, OK)
    await world.send()
    assert shared.calls == [("reserve", 60.0, 0, None), ("reserve", 57.5, 0, 7)]
    assert world.clock.slept == [2.5]
    assert world.attempts[0].rate_limit_wait == 2.5


async def test_call_waits_again_if_the_limit_changed_meanwhile():
    shared = Shared((1.0, 1), (4.0, 2), (0.0, 2))
    world = World(shared, OK)
    await world.send()
    assert world.clock.slept == [1.0, 4.0]
    assert [call[3] for call in shared.calls] == [None, 1, 2]


async def test_successes_are_reported_with_the_next_request():
    shared = Shared((0.0, 1))
    world = World(shared, OK)
    for _ in range(3):
        await world.send()
    assert [call[2] for call in shared.calls] == [0, 1, 1]


async def test_429_is_reported_with_the_generation_of_its_reservation():
    shared = Shared((0.0, 4))
    world = World(shared, TOO_FAST, OK)
    await world.send()
    assert shared.calls[1] == ("limited", 4, 3.0)


async def test_call_that_would_start_after_its_deadline_fails_at_once():
    world = World(Shared(None), OK)
    with pytest.raises(DeadlineExceededError) as caught:
        await world.send(total=5)
    assert (caught.value.attempts, caught.value.outcome) == (0, "not_sent")
    assert world.clock.slept == []


async def test_call_that_oversleeps_its_deadline_is_not_sent():
    world = World(Shared((4.0, 1)), OK)
    world.clock.late = 2.0
    with pytest.raises(DeadlineExceededError):
        await world.send(total=5)
    assert world.transport.sent == []


async def test_calls_go_on_with_one_warning_when_the_shared_limit_fails():
    shared = Shared(OSError("host and password"))
    world = World(shared, OK)
    with pytest.warns(TruemedWarning, match=r"failed \(OSError\)") as caught:
        await world.send_each(10, seconds=2)
    assert len(caught) == 1
    assert "password" not in str(caught[0].message)
    assert len(shared.calls) == 4  # 20 seconds: it is tried every 5 to 6 of them


async def test_local_limit_holds_while_the_shared_one_fails():
    world = World(Shared(OSError()), make_response(429), OK)
    with pytest.warns(TruemedWarning):
        await world.send()
    await world.send()
    assert world.clock.slept


async def test_each_outage_is_warned_of():
    shared = Shared(OSError(), (0.0, 1), OSError())
    world = World(shared, OK)
    with pytest.warns(TruemedWarning) as caught:
        await world.send_each(3, seconds=6)
    assert len(caught) == 2


async def test_429_after_a_failure_is_not_reported_until_the_shared_limit_is_tried_again():
    shared = Shared(OSError())
    world = World(shared, TOO_FAST, OK)
    with pytest.warns(TruemedWarning):
        await world.send()
    assert [call[0] for call in shared.calls] == ["reserve"]


async def test_failed_report_is_a_warning_and_no_error():
    shared = Shared((0.0, 1), "report fails")
    world = World(shared, TOO_FAST, OK)
    with pytest.warns(TruemedWarning, match="OSError"):
        assert (await world.send()).value == {"a": 1}


async def test_shared_limit_that_does_not_respond_is_given_up(monkeypatch):
    monkeypatch.setattr("truemed_async._core.shared_limiter.MAX_SECONDS", 0.01)
    world = World(Shared("hang"), OK)
    with pytest.warns(TruemedWarning, match="TimeoutError"):
        await world.send()


async def test_cancellation_while_waiting_is_not_swallowed():
    shared = Shared("hang")
    world = World(shared, OK)
    call = asyncio.ensure_future(world.send())
    await let_run_until(lambda: shared.calls)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not world.transport.slots.locked()


async def test_client_closes_the_shared_limit():
    shared = Shared((0.0, 1))
    async with AsyncTruemed(KEY, rate_limit=shared):
        pass
    assert shared.closed == 1


@pytest.mark.parametrize("wrong", [object(), Shared, "redis://127.0.0.1", 10])
def test_anything_else_is_rejected(wrong):
    with pytest.raises(InvalidArgumentError, match="rate_limit"):
        AsyncTruemed(KEY, rate_limit=wrong)


def test_channel_stands_for_key_and_server_and_shows_neither():
    key, url = Secret("a key of the test"), URL("https://api.truemed.com")
    found = identify_channel(key, url)
    assert found == identify_channel(Secret("a key of the test"), URL("https://api.truemed.com/"))
    others = {identify_channel(Secret("another key"), url), identify_channel(key, URL("https://dev-api.truemed.com"))}
    assert len({found, *others}) == 3
    assert len(found) == 16
    assert "key" not in found
