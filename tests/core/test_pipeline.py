"""The one loop over attempts, with a scripted transport and a fake clock."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import Any

import attrs
import pytest
from yarl import URL

from tests.support.clock import FakeClock
from tests.support.fake_transport import (
    KEYED,
    SAFE,
    UNKEYED,
    FakeTransport,
    make_disconnection,
    make_refusal,
    make_response,
    make_timeout,
)
from tests.support.waiting import let_run_until
from truemed_async._core.endpoint import Endpoint
from truemed_async._core.failure import AttemptFailure
from truemed_async._core.pipeline import CallSettings, Clock, Pipeline
from truemed_async._core.request import Request, build_request
from truemed_async._core.response import RawResponse, Response
from truemed_async.errors import (
    AttemptTimeoutError,
    CallError,
    ConnectError,
    DeadlineExceededError,
    DecodeError,
    DisconnectedError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    TruncatedResponseError,
)
from truemed_async.options import Attempt, RetryPolicy, Timeouts

pytestmark = pytest.mark.kills("truemed_async._core.retry", "truemed_async._core.attempt_log")

OK = make_response(200, {"a": 1}, x_request_id="r-ok")


class World:
    """A pipeline over a script, and what there is to look at."""

    def __init__(self, *script: Any, took: float = 0.0, start: float = 1000.0, slots: int = 1000) -> None:
        self.clock = FakeClock(start)
        self.transport = FakeTransport(self.clock, *script, took=took, slots=slots)
        self.pipeline = Pipeline(self.transport, self.clock)
        self.attempts: list[Attempt] = []

    async def send(
        self, endpoint: Endpoint[Any] = SAFE, *, key: str | None = None, body: Any = None, **options: Any
    ) -> Response[Any]:
        settings = {"timeouts": Timeouts(), "retry": RetryPolicy(), "hooks": (self.attempts.append,), **options}
        request = build_request(URL("https://api.truemed.com"), endpoint, idempotency_key=key, body=body)
        return await self.pipeline.send(request, CallSettings(**settings))

    async def fail(self, *options: Any, **named: Any) -> CallError:
        with pytest.raises(CallError) as caught:
            await self.send(*options, **named)
        return caught.value


# --- success ------------------------------------------------------------------------------------------------------


async def test_response_has_value_status_and_headers():
    world = World(OK, took=0.25)
    response = await world.send()
    assert response.value == {"a": 1}
    assert (response.status, response.request_id, response.attempts) == (200, "r-ok", 1)
    assert response.elapsed == pytest.approx(0.25)
    assert response.headers["X-Request-ID"] == "r-ok"
    assert response.idempotency_key is None
    assert world.clock.slept == []


async def test_retry_is_counted_and_its_pause_is_part_of_the_time():
    world = World(make_refusal(), make_disconnection(), OK, took=1.0)
    response = await world.send()
    assert response.attempts == 3
    assert world.clock.slept == [0.375, 0.75]
    assert response.elapsed == pytest.approx(3 + 0.375 + 0.75)


# --- keys and bytes -----------------------------------------------------------------------------------------------


async def test_every_attempt_carries_the_same_key_and_the_same_bytes():
    world = World(make_disconnection())
    error = await world.fail(KEYED, body={"user_id": "u", "n": 1.5}, retry=RetryPolicy(max_attempts=10), timeouts=Timeouts(total=1000))  # fmt: skip
    assert len(world.transport.sent) == 10
    assert len({(sent.key, sent.body) for sent in world.transport.sent}) == 1
    assert world.transport.sent[0].key == error.idempotency_key
    assert (error.idempotency_key or "?").encode() in (world.transport.sent[0].body or b"")


async def test_two_calls_have_two_keys():
    world = World(OK)
    keys = {(await world.send(KEYED)).idempotency_key for _ in range(2)}
    assert len(keys) == 2
    assert None not in keys


async def test_idempotency_key_of_caller_is_on_result_and_error():
    assert (await World(OK).send(KEYED, key="mine")).idempotency_key == "mine"
    assert (await World(make_disconnection()).fail(KEYED, key="mine")).idempotency_key == "mine"


# --- failure ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "endpoint", "error", "attempts", "outcome"),
    [
        (make_refusal(), SAFE, ConnectError, 3, "not_sent"),
        (make_refusal(), UNKEYED, ConnectError, 3, "not_sent"),
        (make_disconnection(), SAFE, DisconnectedError, 3, "unknown"),
        (make_disconnection(), KEYED, DisconnectedError, 3, "unknown"),
        (make_disconnection(), UNKEYED, DisconnectedError, 1, "unknown"),
        (make_timeout(), KEYED, AttemptTimeoutError, 3, "unknown"),
        (make_response(200, b'{"a'), KEYED, TruncatedResponseError, 3, "unknown"),
        (make_response(200, b"<html>"), KEYED, DecodeError, 1, "unknown"),
        (make_response(404), KEYED, NotFoundError, 1, "rejected"),
        (make_response(500), KEYED, ServerError, 3, "unknown"),
        (make_response(500), UNKEYED, ServerError, 1, "unknown"),
        (make_response(501), KEYED, ServerError, 1, "rejected"),
        (make_response(429), UNKEYED, RateLimitedError, 3, "rejected"),
        (make_response(400, {"error": "ServerError"}), KEYED, ServerError, 3, "unknown"),
        (make_response(400, {"error": "ServerError"}), UNKEYED, ServerError, 1, "unknown"),
    ],
)
async def test_error_has_attempts_and_outcome(step, endpoint, error, attempts, outcome):
    world = World(step)
    found = await world.fail(endpoint)
    assert type(found) is error
    assert (found.attempts, len(world.transport.sent)) == (attempts, attempts)
    assert found.outcome == outcome
    assert found.endpoint == endpoint.name
    assert not found.retries_suppressed


async def test_one_unknown_attempt_leaves_the_call_unknown_whatever_comes_after():
    world = World(make_disconnection(), make_refusal())
    error = await world.fail(KEYED)
    assert type(error) is ConnectError
    assert (error.attempts, error.outcome) == (3, "unknown")
    assert (await World(make_disconnection(), make_response(404)).fail(KEYED)).outcome == "unknown"
    assert (await World(make_response(429), make_refusal()).fail(KEYED)).outcome == "not_sent"


async def test_request_id_is_that_of_the_last_response():
    error = await World(make_response(500, x_request_id="r-1"), make_response(404, x_request_id="r-2")).fail()
    assert error.request_id == "r-2"


async def test_error_holds_no_other_error_and_no_body_in_any_frame():
    body = {"error": "Teapot", "message": "canary", "email": "canary"}
    error = await World(make_response(400, body)).fail(KEYED, body={"user_id": "canary"})
    assert error.__cause__ is None
    assert error.__context__ is None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if "truemed_async" in frame.f_code.co_filename:
            assert "canary" not in repr(frame.f_locals), frame.f_code.co_name


# --- time ---------------------------------------------------------------------------------------------------------


async def test_attempt_timeout_is_limited_by_the_deadline():
    world = World(make_timeout(), took=100.0)
    error = await world.fail(timeouts=Timeouts(connect=3, attempt=20, total=50))
    assert [sent.seconds for sent in world.transport.sent] == pytest.approx([20, 20, 50 - 40 - 0.375 - 0.75])
    assert {sent.connect for sent in world.transport.sent} == {3}
    assert world.clock.now == pytest.approx(1050)
    assert type(error) is DeadlineExceededError
    assert error.outcome == "unknown"


async def test_timer_that_ends_an_attempt_just_before_the_deadline_is_the_deadline():
    """As with uvloop, whose timers have milliseconds."""
    world = World(make_timeout(), took=0.9995)
    error = await world.fail(timeouts=Timeouts(total=1))
    assert world.clock.now < 1001
    assert type(error) is DeadlineExceededError


async def test_attempt_timeout_is_not_the_deadline():
    world = World(make_timeout(), took=100.0)
    error = await world.fail(timeouts=Timeouts(attempt=1, total=60))
    assert type(error) is AttemptTimeoutError


@pytest.mark.parametrize("took", [0.0, 0.5, 3.0, 7.7, 100.0])
@pytest.mark.parametrize("total", [0.1, 1.0, 5.0, 60.0])
async def test_no_call_takes_longer_than_its_deadline(took, total):
    world = World(make_disconnection(), took=took)
    error = await world.fail(timeouts=Timeouts(total=total), retry=RetryPolicy(max_attempts=10))
    assert world.clock.now - 1000 <= total + 1e-9
    assert all(sent.seconds > 0 for sent in world.transport.sent)
    assert error.attempts == len(world.transport.sent) >= 1


async def test_backoff_beyond_the_deadline_is_not_started():
    world = World(make_refusal(), took=0.9)
    error = await world.fail(timeouts=Timeouts(total=1))
    assert type(error) is ConnectError
    assert world.clock.slept == []
    assert error.attempts == 1


async def test_no_attempt_starts_after_the_deadline():
    world = World(make_refusal(), took=0.1)
    world.clock.late = 1.0
    error = await world.fail(UNKEYED, timeouts=Timeouts(total=1))
    assert all(sent.seconds > 0 for sent in world.transport.sent)
    assert error.outcome == "not_sent"


# --- what the server asks for -------------------------------------------------------------------------------------


async def test_retry_after_is_waited_for():
    world = World(make_response(429, retry_after="7"), OK)
    response = await world.send()
    assert response.attempts == 2
    assert world.transport.sent[1].at >= 1007
    assert world.transport.sent[1].at <= 1007.7


async def test_retry_after_of_more_than_a_minute_is_the_callers_to_decide():
    world = World(make_response(429, retry_after="61"))
    error = await world.fail(timeouts=Timeouts(total=1000))
    assert isinstance(error, RateLimitedError)
    assert (error.attempts, error.retry_after) == (1, 61.0)
    assert world.clock.slept == []


async def test_date_in_retry_after_is_read_with_the_calls_clock():
    world = World(make_response(429, retry_after="Thu, 01 Jan 1970 00:00:00 GMT"), OK)
    assert (await world.send()).attempts == 2
    assert world.clock.slept[0] == pytest.approx(0.75)  # long past, so only the pause of a throttled call


async def test_after_a_refusal_the_whole_client_waits_for_the_gate():
    world = World(make_response(429, retry_after="7"), OK)
    first, second = asyncio.ensure_future(world.send()), None
    await let_run_until(lambda: world.transport.sent)
    second = asyncio.ensure_future(world.send())
    assert (await first).value == (await second).value == {"a": 1}
    assert len(world.transport.sent) == 3
    assert min(sent.at for sent in world.transport.sent[1:]) >= 1007


async def test_call_queued_beyond_its_deadline_fails_without_sending():
    world = World(make_response(429, retry_after="50"))
    await world.fail(retry=RetryPolicy(max_attempts=1))
    error = await world.fail(KEYED, key="mine", timeouts=Timeouts(total=10))
    assert type(error) is DeadlineExceededError
    assert (error.attempts, error.outcome, error.idempotency_key) == (0, "not_sent", "mine")
    assert len(world.transport.sent) == 1
    assert world.clock.slept == []


async def test_calls_that_fail_for_want_of_time_do_not_use_up_the_turns_of_others():
    world = World(make_response(429), OK)
    await world.fail(retry=RetryPolicy(max_attempts=1))
    for _ in range(100):  # at ten requests a second the next turn is a tenth of a second away
        await world.fail(timeouts=Timeouts(total=0.05))
    assert (await world.send(timeouts=Timeouts(total=5))).value == {"a": 1}


async def test_rate_limited_call_keeps_its_attempts():
    world = World(make_response(429), OK)
    await world.fail(retry=RetryPolicy(max_attempts=1))
    await world.send()
    world.transport.script = [OK]
    response = await world.send()
    assert response.attempts == 1
    assert world.clock.slept == pytest.approx([0.1, 0.1], rel=0.1)
    assert [attempt.rate_limit_wait for attempt in world.attempts] == pytest.approx([0.0, 0.1, 0.1], rel=0.1)


async def test_slot_assigned_before_a_rate_cut_is_reassigned():
    world = World(make_response(429), OK)
    await world.fail(retry=RetryPolicy(max_attempts=1))
    limiter, sleep = world.pipeline._limiter, world.clock.sleep

    async def refused_meanwhile(seconds: float) -> None:
        await sleep(seconds)
        if len(world.clock.slept) == 1:
            limiter.on_rate_limited(world.clock.now, generation=limiter.generation, retry_after=7.0)

    world.clock.sleep = refused_meanwhile  # type: ignore[method-assign]  # the fake clock of this test alone
    assert (await world.send()).attempts == 1
    assert world.clock.slept == pytest.approx([0.1, 7.0])
    assert world.transport.sent[-1].at >= 1007


# --- the budget ---------------------------------------------------------------------------------------------------


async def test_in_an_outage_the_budget_stops_the_retries_and_success_brings_them_back():
    world = World(make_refusal())
    errors = [await world.fail(timeouts=Timeouts(total=1e6)) for _ in range(100)]
    assert [error.retries_suppressed for error in errors] == [False] * 17 + [True] * 83
    assert sum(error.attempts for error in errors) == 100 + 35
    assert "retry budget is used up" in str(errors[-1])
    world.transport.script = [OK]
    for _ in range(14):
        await world.send()
    world.transport.script = [make_refusal()]
    assert (await world.fail()).attempts == 2


async def test_successful_retry_refunds_its_cost():
    world = World(make_refusal(), OK)
    for _ in range(100):
        world.transport.sent.clear()
        assert (await world.send()).attempts == 2


# --- hooks and logs -----------------------------------------------------------------------------------------------


async def test_hooks_see_each_attempt():
    world = World(make_response(500, {"error": "canary"}, x_request_id="r-1"), make_refusal(), OK, took=0.25)
    await world.send(KEYED, key="canary", body={"user_id": "canary"})
    wall = FakeClock().wall()
    common = {
        "endpoint": "things.change",
        "method": "POST",
        "route": "/things",
        "elapsed": pytest.approx(0.25),
        "server_address": "api.truemed.com",
        "server_port": 443,
        "rate_limit_wait": 0.0,
    }
    assert [attrs.asdict(attempt) for attempt in world.attempts] == [
        {
            **common, "number": 1, "started_at": pytest.approx(wall), "status": 500, "error": "ServerError",
            "outcome": "unknown", "request_id": "r-1", "retry_in": pytest.approx(0.375),
        },
        {
            **common, "number": 2, "started_at": pytest.approx(wall + 0.625), "status": None, "error": "ConnectError",
            "outcome": "not_sent", "request_id": None, "retry_in": pytest.approx(0.75),
        },
        {
            **common, "number": 3, "started_at": pytest.approx(wall + 1.625), "status": 200, "error": None,
            "outcome": None, "request_id": "r-ok", "retry_in": None,
        },
    ]  # fmt: skip
    assert "canary" not in repr(world.attempts)


async def test_last_attempt_of_a_failed_call_is_not_retried():
    world = World(make_refusal())
    await world.fail()
    assert [attempt.retry_in is None for attempt in world.attempts] == [False, False, True]


async def test_hook_that_raises_is_reported_and_does_not_turn_an_applied_write_into_a_failure():
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    seen: list[Attempt] = []

    def broken(attempt: Attempt) -> None:
        raise ZeroDivisionError("mine")

    response = await World(OK).send(KEYED, hooks=(broken, seen.append))
    assert response.value == {"a": 1}
    assert len(seen) == 1
    assert [type(context["exception"]) for context in reported] == [ZeroDivisionError]
    assert "hook" in reported[0]["message"]


async def test_log_contains_only_allowed_fields(caplog):
    caplog.set_level(logging.DEBUG)
    world = World(make_response(500, {"error": "canary", "message": "canary"}, x_request_id="r-1", canary="canary"), OK)
    await world.send(Endpoint("things.get", "GET", "/things", dict))
    assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "truemed_async",
            "INFO",
            "GET things.get: ServerError (500), request r-1, attempt 1, 0 ms, retrying in 0.38 s",
        ),
        ("truemed_async", "DEBUG", "GET things.get: 200, request r-ok, attempt 2, 0 ms"),
    ]
    caplog.clear()
    await World(make_response(404)).fail(KEYED, key="canary", body={"user_id": "canary"})
    (record,) = caplog.records
    assert record.getMessage() == "POST things.change: NotFoundError (404), request None, attempt 1, 0 ms, giving up"
    assert "canary" not in repr(vars(record))


async def test_disabled_logging_without_hooks_builds_no_attempt(caplog, monkeypatch):
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr("truemed_async._core.attempt_log.log_attempt", None)
    assert (await World(make_refusal(), OK).send(hooks=())).attempts == 2


# --- the slots ----------------------------------------------------------------------------------------------------


async def test_calls_in_flight_are_limited_and_failures_free_their_slot():
    world = World(make_response(404), slots=1)
    for _ in range(3):
        await world.fail()
    assert not world.transport.slots.locked()


async def test_canceled_call_frees_its_slot_and_is_not_swallowed():
    world = World(OK, slots=1)
    never = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await never.wait()

    world.transport.script = [make_refusal(), OK]
    world.clock.sleep = sleep  # type: ignore[method-assign]  # the fake clock of this test alone
    call = asyncio.ensure_future(world.send())
    await let_run_until(lambda: world.transport.sent)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not world.transport.slots.locked()
    assert (await world.send()).value == {"a": 1}


async def test_canceled_attempt_is_reported_to_the_hooks_once_with_unknown_outcome():
    world, seen = World(OK), list[Attempt]()
    never = asyncio.Event()

    async def send(request: Request, *, connect: float, seconds: float) -> RawResponse | AttemptFailure:
        world.clock.now += 1.25
        await never.wait()
        raise AssertionError

    world.transport.send = send  # type: ignore[method-assign]  # the transport of this test alone
    call = asyncio.ensure_future(world.send(hooks=(seen.append,)))
    await let_run_until(lambda: world.clock.now == 1001.25)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    (attempt,) = seen
    assert (attempt.error, attempt.outcome, attempt.status) == ("CancelledError", "unknown", None)
    assert (attempt.number, attempt.elapsed, attempt.retry_in, attempt.request_id) == (1, 1.25, None, None)
    assert not world.transport.slots.locked()


# --- the real clock -----------------------------------------------------------------------------------------------


async def test_default_clock_uses_system_time_and_random():
    clock = Clock()
    before = clock.monotonic()
    await clock.sleep(0)
    assert clock.monotonic() >= before
    assert clock.wall() > 1.7e9
    drawn = [clock.random() for _ in range(100)]
    assert all(0 <= number < 1 for number in drawn)
    assert len(set(drawn)) > 50
