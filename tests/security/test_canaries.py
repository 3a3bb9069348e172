"""One key, e-mail address and name through every surface, for every row of the fault matrix; async, sync and CLI."""

import asyncio
import faulthandler
import gc
import io
import logging
import pickle
import time
import warnings

import attrs
import pytest
from yarl import URL

import truemed_async._core.pipeline as pipeline_module
from tests.support import canary
from tests.support.canary import (
    EMAIL,
    HOSTILE,
    NAME,
    OF_SERVER,
    USER_ID,
    USER_NAME,
    Log,
    error_of_call,
    found_in,
    found_in_error,
    leaks,
)
from tests.support.fault_matrix import ROWS
from tests.support.recording_server import KEY
from tests.support.scale import scale
from tests.support.timeouts import HURRIED, PATIENT
from truemed_async import AsyncTruemed, Outcome, RequestOptions, RetryPolicy, Timeouts, Truemed, errors
from truemed_async._core.request import build_request
from truemed_async._core.response import RawResponse, read_response
from truemed_async._core.transport import ConnectionOptions
from truemed_async._sensitive import Sensitive
from truemed_async._validation.configuration import resolve_api_key
from truemed_async.cli.output import Streams
from truemed_async.cli.start import run as run_cli
from truemed_async.emulator import Emulator
from truemed_async.endpoints import GET_QUALIFICATION_SESSION, UPDATE_QUALIFICATION_SESSION

ONCE_MORE = RetryPolicy(max_attempts=2, base=0.001, cap=0.001)
FAULTS = {row.name: row.script for row in ROWS} | HOSTILE
NO_FAULT = {("200_wrong_date", "update"), ("200_wrong_type", "update")}  # its answer does not have these fields
QUICK_FAULTS = [name for name in FAULTS if name not in ("hang", "dribble")]


async def get(client):
    return await client.qualification_sessions.get("qs_1")


async def update(client):
    return await client.qualification_sessions.update(
        "qs_1",
        user_id=USER_ID,
        metadata={"name": USER_NAME, USER_ID: 1},
        success_url=f"https://shop.example/{USER_ID}",
    )


async def search(client):
    return await client.qualification_sessions.list(search=f"{USER_NAME} {USER_ID}", user_id=USER_ID)


CALLS = {"get": get, "update": update, "list": search}


@pytest.mark.parametrize(
    ("fault", "call"),
    [
        (fault, call)
        for number, fault in enumerate(FAULTS)
        for call in scale((("get", "update")[number % 2],), ("get", "update"))
        if (fault, call) not in NO_FAULT
    ],
)
async def test_error_surfaces_show_no_canary(serve, client_for, fault, call):
    asyncio.get_running_loop().set_debug(True)
    asyncio.get_running_loop().slow_callback_duration = 0  # every callback is reported, with what it was given
    server = await serve(FAULTS[fault])
    attempts = []
    client = await client_for(
        server, retry=ONCE_MORE, timeout=PATIENT if fault in QUICK_FAULTS else HURRIED, hooks=[attempts.append]
    )
    with Log() as log, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        error = await error_of_call(client, CALLS[call])
    assert error is not None
    assert found_in_error(error) == []
    assert log.records
    assert attempts
    process = {
        "our log": log.text("truemed_async"),
        "aiohttp's log": log.text("aiohttp"),
        "asyncio's log in debug mode": log.text("asyncio"),
        "any log": log.text(),
        "warnings": [str(each.message) for each in warned],
        "hooks": attempts,
        "hooks as dict": [attrs.asdict(each) for each in attempts],
        "hooks pickled": [pickle.dumps(each).decode("latin-1") for each in attempts],
        "client": (client, str(client)),
    }
    assert [(name, hits) for name, text in process.items() if (hits := leaks(str(text)))] == []


@pytest.mark.parametrize("fault", QUICK_FAULTS)
async def test_sync_client_surfaces_show_no_canary(serve, fault):
    server = await serve(FAULTS[fault])
    call = "get" if (fault, "update") in NO_FAULT else "update"

    def attempt(client):
        try:
            if call == "get":
                client.qualification_sessions.get("qs_1")
            else:
                client.qualification_sessions.update("qs_1", user_id=USER_ID, metadata={"name": USER_NAME})
        except errors.CallError as error:
            return error
        return None

    def use():
        with Truemed(KEY, base_url=server.url, retry=ONCE_MORE, timeout=PATIENT) as client:
            error = attempt(client)
            return error, found_in_error(error), leaks(f"{client} {client!r} {client.qualification_sessions!r}")

    with Log() as log:
        error, on_error, on_client = await asyncio.to_thread(use)
    assert isinstance(error, errors.CallError)
    assert (on_error, on_client, leaks(log.text())) == ([], [], [])


@pytest.mark.parametrize("fault", scale(QUICK_FAULTS[::4], QUICK_FAULTS))
async def test_command_line_shows_no_canary(serve, fault, monkeypatch):
    async def no_pause(clock, seconds):
        pass

    monkeypatch.setattr(pipeline_module.Clock, "sleep", no_pause)
    server = await serve(FAULTS[fault])
    monkeypatch.setenv("TRUEMED_API_KEY", KEY)
    monkeypatch.setenv("TRUEMED_BASE_URL", server.url)
    lines = {
        "get": ("sessions", "get", "qs_1"),
        "list": ("sessions", "list", "--search", USER_NAME, "--user-id", USER_ID),
        "update": ("sessions", "update", "qs_1", "--user-id", USER_ID),
        "export": ("sessions", "export", "--output", "-", "--search", USER_NAME),
    }
    which = QUICK_FAULTS.index(fault) % 3
    for name in ("get", "list" if (fault, "update") in NO_FAULT else ("list", "update", "export")[which]):
        streams = Streams(io.StringIO(), io.StringIO())
        with Log() as log:
            code = await asyncio.to_thread(run_cli, lines[name], streams)
        output = streams.err.getvalue()
        assert code == 1
        assert output.startswith("error: ")
        assert (leaks(output), leaks(streams.out.getvalue()), leaks(log.text())) == ([], [], []), name


@pytest.mark.parametrize(
    "line",
    [
        ("sessions", "get", f"{USER_NAME} <{USER_ID}>"),
        ("sessions", "update", "qs_1", "--success-url", f"javascript:{USER_ID}"),
        ("sessions", "update", "qs_1", "--metadata", f"{USER_NAME}"),
        ("sessions", "list", "--expires-at", USER_ID),
        ("sessions", "list", f"--page={USER_ID}"),
        ("sessions", "list", "--page", USER_ID),
        ("sessions", "list", "--format", USER_ID),
        ("--env", USER_ID, "sessions", "list"),
        ("sessions", USER_ID),
        ("sessions", "list", USER_ID, USER_NAME),
        ("--base-url", f"http://{USER_ID}", "sessions", "list"),
        ("--api-key", KEY, "sessions", "list"),
        (f"--api-key={KEY}", "sessions", "list"),
        ("sessions", "list", "--api-key", KEY),
        ("sessions", f"--unknown={USER_ID}"),
    ],
    ids=range(15),
)
def test_command_line_does_not_repeat_a_refused_value(line, monkeypatch):
    monkeypatch.setenv("TRUEMED_API_KEY", KEY)
    monkeypatch.setenv("TRUEMED_BASE_URL", "http://127.0.0.1:1")
    streams = Streams(io.StringIO(), io.StringIO())
    assert run_cli(line, streams) == 2
    assert leaks(streams.err.getvalue() + streams.out.getvalue()) == []


REFUSED = {
    "id": lambda client: client.qualification_sessions.get(f"{USER_NAME} {USER_ID}"),
    "user_id": lambda client: client.qualification_sessions.update("qs_1", user_id=f"{USER_ID}\ud800"),
    "metadata": lambda client: client.qualification_sessions.update("qs_1", metadata=f"[{USER_ID!r}]"),
    "metadata object": lambda client: client.qualification_sessions.update("qs_1", metadata={USER_ID: {USER_NAME}}),
    "url": lambda client: client.qualification_sessions.update("qs_1", success_url=f"http://{USER_ID}/"),
    "search": lambda client: client.qualification_sessions.list(search=f"{USER_NAME} {USER_ID}\udfff"),
    "day": lambda client: client.qualification_sessions.list(expires_at=USER_ID),
    "key": lambda client: client.qualification_sessions.update("qs_1", user_id="u", idempotency_key=USER_NAME),
    "header": lambda client: client.qualification_sessions.get(
        "qs_1", options=RequestOptions(headers={"X-Who": f"{USER_ID}\n"})
    ),
    "body": lambda client: client.send(UPDATE_QUALIFICATION_SESSION, path={"qualification_session_id": "q"}, body={"a": {USER_ID}}),
    "query": lambda client: client.send(
        GET_QUALIFICATION_SESSION, path={"qualification_session_id": "q"}, query={"a": f"{USER_ID}\ud800"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("refused", REFUSED)
async def test_refused_argument_is_not_repeated(refused):
    """In text, that is: the frames that look at an argument have to hold it, as the caller's own does."""
    async with AsyncTruemed(KEY) as client:
        with Log() as log, pytest.raises(errors.InvalidArgumentError) as caught:
            await REFUSED[refused](client)
    assert found_in_error(caught.value) == []
    assert leaks(log.text()) == []


WAYS = {"answered": HOSTILE["404_told"], "unanswered": FAULTS["empty_response"], "undecodable": HOSTILE["200_text"]}


@pytest.mark.parametrize("call", ["update", "list"])
@pytest.mark.parametrize("way", WAYS)
async def test_arguments_are_in_no_frame_below_the_method(serve, client_for, way, call):
    server = await serve(WAYS[way])
    client = await client_for(server, retry=ONCE_MORE)
    error = await error_of_call(client, CALLS[call])
    assert len(canary.below_the_method(error)) >= 2
    assert leaks("\n".join(canary.below_the_method(error))) == []


@pytest.mark.parametrize("way", WAYS)
async def test_arguments_are_in_no_frame_below_the_method_of_the_sync_facade(serve, way):
    server = await serve(WAYS[way])

    def use():
        with Truemed(KEY, base_url=server.url, retry=ONCE_MORE) as client:
            client.qualification_sessions.update("qs_1", user_id=USER_ID, metadata={"name": USER_NAME})

    with pytest.raises(errors.CallError) as caught:
        await asyncio.to_thread(use)
    assert leaks("\n".join(canary.below_the_method(caught.value))) == []


@pytest.mark.parametrize("way", WAYS)
async def test_traceback_drawn_with_all_locals_shows_nothing_of_the_server(serve, client_for, way):
    server = await serve(WAYS[way])
    client = await client_for(server, retry=ONCE_MORE)
    error = await error_of_call(client, update)
    assert "pipeline" in str(canary.FRAME_SURFACES["rich traceback with locals"](error))
    assert found_in(canary.FRAME_SURFACES, error, OF_SERVER) == []


# ---- answers that succeed


@pytest.mark.parametrize("call", CALLS)
async def test_response_surfaces_show_no_canary(serve, client_for, call):
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0
    headers = (f"X-Who: {EMAIL} {NAME} {KEY}", f"Set-Cookie: who={EMAIL}")
    server = await serve(canary.send_response(200, canary.PAGE if call == "list" else canary.WHOLE, *headers))
    attempts = []
    client = await client_for(server, hooks=[attempts.append])
    with Log() as log:
        task = asyncio.create_task(CALLS[call](client))
        value = await task
    assert found_in(canary.VALUE_SURFACES, value) == []
    assert leaks(repr(task)) == []
    assert leaks(log.text()) == []
    assert leaks(f"{attempts}") == []


async def test_response_metadata_shows_no_canary(serve, client_for):
    headers = (f"X-Who: {EMAIL} {NAME} {KEY}",)
    server = await serve(canary.send_response(200, canary.WHOLE, *headers))
    client = await client_for(server)
    response = await client.send(GET_QUALIFICATION_SESSION, path={"qualification_session_id": "qs_1"})
    assert response.value.email == EMAIL
    assert EMAIL in response.headers["x-who"]
    assert found_in(canary.VALUE_SURFACES, response) == []
    sessions = client.qualification_sessions
    async with sessions.get_many(["qs_1", "not an id"]) as outcomes:
        assert found_in(canary.VALUE_SURFACES, outcomes) == []
        async for outcome in outcomes:
            assert isinstance(outcome, Outcome)
            assert found_in(canary.VALUE_SURFACES, outcome) == []
    stream = sessions.iter(search=USER_ID, user_id=USER_NAME)
    assert found_in(canary.VALUE_SURFACES, stream) == []
    await stream.aclose()


async def test_failed_outcome_shows_nothing(serve, client_for):
    server = await serve(HOSTILE["404_told"])
    client = await client_for(server)
    async with client.qualification_sessions.get_many(["qs_1"]) as outcomes:
        (outcome,) = [each async for each in outcomes]
    assert isinstance(outcome.error, errors.NotFoundError)
    assert EMAIL in outcome.error.message
    assert KEY in outcome.error.body["message"]
    assert found_in(canary.VALUE_SURFACES, outcome) == []
    with pytest.raises(errors.NotFoundError) as caught:
        outcome.unwrap()
    assert found_in_error(caught.value) == []


async def test_listing_that_fails_midway_shows_nothing(serve, client_for):
    server = await serve(HOSTILE["400_told"])
    client = await client_for(server)
    with pytest.raises(errors.BadRequestError) as caught:
        async for _ in client.qualification_sessions.iter(search=USER_ID, user_id=USER_NAME):
            pass
    assert found_in_error(caught.value) == []


# ---- the client's own objects


def parts_of(client):
    """The client and what it is made of."""
    transport = client._state.transport
    return (client, transport, client._state.pipeline, transport._options, transport._session, transport._connector)


async def test_client_objects_show_nothing(serve, client_for):
    server = await serve(canary.send_response(200, canary.WHOLE))
    client = await client_for(server)
    await client.qualification_sessions.get("qs_1")
    for part in parts_of(client):
        slots = {
            name: getattr(part, name, None) for cls in type(part).__mro__ for name in getattr(cls, "__slots__", ())
        }
        assert leaks(f"{part} {part!r} {slots} {getattr(part, '__dict__', None)}") == []
    await client.aclose()
    for attempt in (pickle.dumps, canary.copy.copy, canary.copy.deepcopy):
        with pytest.raises(TypeError) as caught:
            attempt(client)
        assert found_in(canary.ERROR_SURFACES, caught.value) == []


async def test_proxys_password_shows_nowhere(serve, client_for):
    server = await serve(canary.send_response(200, canary.WHOLE))
    client = await client_for(server, proxy=f"http://{quote_user(USER_ID)}:{KEY}@127.0.0.1:{server.port}")
    await client.qualification_sessions.get("qs_1")
    assert server.requests[0].header("proxy-authorization")
    for part in parts_of(client):
        assert leaks(f"{part} {part!r}") == []
    assert leaks(f"{vars(client._state.transport)} {vars(client._state.pipeline)}") == []
    with pytest.raises(errors.InvalidArgumentError) as caught:
        AsyncTruemed(KEY, proxy=f"ftp://{quote_user(USER_ID)}:{KEY}@127.0.0.1")
    assert found_in(canary.ERROR_SURFACES, caught.value) == []


def quote_user(text):
    return text.replace("@", "%40")


def test_internal_values_show_no_canary():
    api_key = resolve_api_key(Sensitive(KEY))
    request = build_request(
        URL("https://api.example"),
        UPDATE_QUALIFICATION_SESSION,
        path={"qualification_session_id": "qs_1"},
        query={"search": USER_ID},
        body={"user_id": USER_ID, "name": USER_NAME},
        headers={"X-Who": USER_ID},
    )
    raw_response = RawResponse(400, {"X-Who": f"{EMAIL} {NAME} {KEY}"}, canary.error_body(redirect_url=EMAIL))
    problem = read_response(raw_response, GET_QUALIFICATION_SESSION, time.time())
    network = ConnectionOptions.of(None, f"http://{KEY}:{quote_user(EMAIL)}@127.0.0.1", None)
    options = RequestOptions(headers={"X-Who": f"{USER_ID} {USER_NAME}"})
    for value in (request, raw_response, problem, network, options, api_key, problem.body):
        surfaces = dict(canary.VALUE_SURFACES)
        if value is api_key:  # `str` has to stay the key: the HTTP library writes headers with it
            surfaces = {
                name: surfaces[name] for name in ("repr", "in a container", "copy", "pprint", "rich", "pytest's repr")
            }
        if value is problem.body:
            del surfaces["copy"]  # refused, as pickling is
        assert found_in(surfaces, value) == [], value
    assert leaks(f"{attrs.asdict(problem)} {attrs.astuple(problem)}") == []
    for value in (problem, api_key, problem.body):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(value)


def test_emulators_log_shows_nothing():
    with Emulator(sessions=3) as emulator:
        with Truemed(emulator.api_key, base_url=emulator.url) as client:
            client.qualification_sessions.list(search=f"{USER_ID} {USER_NAME}")
            first = client.qualification_sessions.list(page_size=1).items[0]
            client.qualification_sessions.update(first.qualification_session_id, metadata={USER_NAME: USER_ID})
        texts = [repr(emulator), repr(emulator.requests), repr(emulator.state), repr(emulator.faults)]
        texts += [repr(request) for request in emulator.requests]
        assert len(texts) == 7
        assert leaks("".join(texts)) == []
        assert emulator.api_key not in "".join(texts)
        assert all(emulator.api_key not in str(attrs.asdict(request)) for request in emulator.requests)


# ---- while it runs, and when it ends badly


async def test_dump_of_all_stacks_during_a_call_shows_nothing(serve, client_for, tmp_path):
    server = await serve(HOSTILE["500_told"])

    def dump(attempt):
        with (tmp_path / "stacks").open("w") as file:
            faulthandler.dump_traceback(file, all_threads=True)

    client = await client_for(server, hooks=[dump], retry=ONCE_MORE)
    assert await error_of_call(client, update) is not None
    text = (tmp_path / "stacks").read_text()
    assert "pipeline.py" in text
    assert leaks(text) == []


async def test_broken_hook_is_reported_without_anything(serve, client_for):
    reports = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reports.append(context))
    server = await serve(HOSTILE["404_told"])

    def broken(attempt):
        raise LookupError(attempt)

    client = await client_for(server, hooks=[broken])
    assert await error_of_call(client, update) is not None
    (report,) = reports
    assert leaks(repr(report)) == []
    assert found_in_error(report["exception"]) == []


async def test_client_that_was_not_closed_shows_nothing(serve):
    asyncio.get_running_loop().set_debug(True)
    server = await serve(canary.send_response(200, canary.WHOLE))
    proxy = f"http://{quote_user(USER_ID)}:{KEY}@127.0.0.1:{server.port}"
    with Log() as log, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        client = AsyncTruemed(KEY, base_url=server.url, proxy=proxy)
        await client.qualification_sessions.get("qs_1")
        del client
        gc.collect()
        await asyncio.sleep(0)
    assert {each.category for each in warned} == {ResourceWarning}  # it was freed: no connection keeps its request
    assert leaks(" ".join(f"{each.message} {each.source!r}" for each in warned)) == []
    assert leaks(log.text()) == []


async def cancelled(task):
    task.cancel()
    try:
        await task
    except asyncio.CancelledError as error:
        return error
    raise AssertionError("it was not canceled")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("moment", ["before the answer", "inside the body", "in a pause"])
async def test_canceled_call_shows_nothing(serve, client_for, moment, call):
    """A crash reporter shows the locals of every frame of a CancelledError, or of the TimeoutError made from it."""
    reached = asyncio.Event()

    async def script(exchange):
        if moment == "inside the body":
            await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + canary.WHOLE)
        elif moment == "in a pause":
            await HOSTILE["500_told"](exchange)
        reached.set()
        await asyncio.sleep(30)

    server = await serve(script)
    client = await client_for(server, retry=RetryPolicy(base=20, cap=20))
    task = asyncio.create_task(CALLS[call](client))
    await reached.wait()
    await asyncio.sleep(0.03)  # what was sent has to be read
    error = await cancelled(task)
    # It passes through untouched, so the HTTP library's frames stay in its traceback; they are emptied.
    assert [hit for hit in found_in_error(error) if hit[0] != "frames of other packages"] == []


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("moment", ["before the answer", "inside the body"])
async def test_call_that_ends_with_its_client_shows_nothing(serve, moment, call):
    reached = asyncio.Event()

    async def script(exchange):
        if moment == "inside the body":
            await exchange.send(
                f"HTTP/1.1 200 {NAME}\r\nX-Who: {EMAIL} {KEY}\r\nContent-Length: 900\r\n\r\n".encode() + canary.WHOLE
            )
        reached.set()
        await asyncio.sleep(30)

    server = await serve(script)
    client = AsyncTruemed(KEY, base_url=server.url, timeout=Timeouts(attempt=30))
    task = asyncio.create_task(CALLS[call](client))
    await reached.wait()
    await asyncio.sleep(0.03)
    await client.aclose()
    closed = asyncio.get_running_loop().time()
    with pytest.raises(errors.ClientClosedError) as caught:
        await task
    seconds = asyncio.get_running_loop().time() - closed
    assert (found_in_error(caught.value), seconds < 10) == ([], True), "nothing shows, and it ended at once"


# ---- the tests' own test


def leaky(key):
    """What an SDK looks like that takes no care."""
    headers = {"x-truemed-api-key": key}
    try:
        raise ConnectionError(f"cannot reach the server with {headers}")
    except ConnectionError as inner:
        raise RuntimeError("the call failed") from inner


def test_control_error_with_canary_is_caught_on_every_surface():
    """A negative control: each surface can see what is on it."""
    error = errors.APIError(f"{EMAIL} {KEY}", endpoint=NAME)
    error.add_note(NAME)
    error.code = EMAIL
    error.__cause__ = ConnectionError(NAME)
    try:
        raise error
    except errors.APIError as raised:
        seen = {name for name, _ in found_in(canary.ERROR_SURFACES, raised, OF_SERVER)}
    assert seen == set(canary.ERROR_SURFACES)


def test_control_frame_with_canary_is_caught(monkeypatch):
    monkeypatch.setattr(canary, "TESTS", None)  # the frames of this file are now as good as any
    with pytest.raises(RuntimeError) as caught:
        leaky(KEY)
    seen = {name for name, _ in found_in_error(caught.value)}
    assert {"locals of every frame", "causes and contexts", "traceback"} <= seen
    assert leaks("".join(canary.below_the_method(caught.value)))


def test_control_value_with_canary_is_caught_on_every_surface():
    @attrs.frozen
    class Careless:
        email: str

    seen = {name for name, _ in found_in(canary.VALUE_SURFACES, Careless(EMAIL))}
    assert seen == set(canary.VALUE_SURFACES)


def test_control_log_with_canary_is_caught():
    with Log() as log:
        logging.getLogger("aiohttp.client").debug("sent %s", {"x-truemed-api-key": KEY})
    assert leaks(log.text()) == ["canary-key"]


@pytest.mark.parametrize("hidden", [KEY, EMAIL.upper(), EMAIL.replace("@", "%40"), NAME, KEY.encode().hex()])
def test_encoded_canary_is_caught(hidden):
    assert leaks(f"x{hidden}x")


def test_there_are_enough_surfaces():
    surfaces = [*canary.ERROR_SURFACES, *canary.FRAME_SURFACES, *canary.VALUE_SURFACES]
    assert len(surfaces) >= 38
    assert len(surfaces) + len(canary.PROCESS_SURFACES) >= 55
    assert len(FAULTS) >= 100
