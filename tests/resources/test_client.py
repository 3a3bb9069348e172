"""The client itself: send, options, copies, and what it refuses."""

from __future__ import annotations

import pickle
from types import NoneType
from typing import Any

import attrs
import pytest
from yarl import URL

import truemed_async
from tests.support.recording_server import KEY
from truemed_async import AsyncTruemed, Endpoint, Idempotency, Model, RequestOptions, RetryPolicy, Timeouts
from truemed_async.endpoints import GET_QUALIFICATION_SESSION
from truemed_async.errors import (
    ClientClosedError,
    ConfigurationError,
    DecodeError,
    InvalidArgumentError,
    ServerError,
    UnexpectedRedirectError,
)

SESSION = {"qualification_session_id": "qs_1", "status": "pending"}


@attrs.frozen(kw_only=True)
class Thing(Model):
    name: str
    price: float | None = None


# --- send ---------------------------------------------------------------------------------------------------------


async def test_send_returns_value_status_and_headers(client, server):
    server.respond(b"", 502).respond(SESSION, x_request_id="r-1")
    response = await client.send(GET_QUALIFICATION_SESSION, path={"qualification_session_id": "qs_1"})
    assert response.value.qualification_session_id == "qs_1"
    assert (response.status, response.request_id, response.attempts) == (200, "r-1", 2)
    assert response.headers["X-Request-Id"] == "r-1"
    assert response.idempotency_key is None


async def test_endpoint_defined_by_the_user_is_called_with_the_same_key_retries_and_errors(client, server):
    endpoint = Endpoint("things.get", "GET", "/api/v1/things/{thing_id}", Thing)
    server.respond(b"", 503).respond({"name": "x", "new": 1})
    response = await client.send(endpoint, path={"thing_id": "t-1"}, query={"deep": True, "page": 2, "none": None})
    assert response.value == Thing(name="x")
    assert response.value.extra == {"new": 1}
    assert response.attempts == 2
    assert server.requests[1].path == "/api/v1/things/t-1"
    assert server.requests[1].query == {"deep": "true", "page": "2"}
    assert server.requests[1].headers["x-truemed-api-key"] == KEY


async def test_json_as_it_is_may_be_the_result(client, server):
    server.respond({"canary": [1]})
    response = await client.send(Endpoint("things.all", "GET", "/things", dict[str, Any]))
    assert response.value == {"canary": [1]}


async def test_endpoint_may_have_an_empty_response(client, server):
    server.respond(b"", 204)
    response = await client.send(Endpoint("things.delete", "POST", "/things/delete", NoneType), body={})
    assert response.value is None
    assert response.status == 204
    assert server.only.body == {}


async def test_keyed_endpoint_defined_by_the_user_gets_a_key(client, server):
    endpoint = Endpoint("things.make", "POST", "/things", dict[str, Any], idempotency=Idempotency.KEYED)
    response = await client.send(endpoint, body={"a": 1})
    assert server.only.body == {"idempotency_key": response.idempotency_key, "a": 1}


async def test_arguments_that_do_not_fit_the_endpoint_raise_before_sending(client, server):
    for arguments in ({}, {"path": {"id": "x"}}, {"path": {"qualification_session_id": "x"}, "body": {}}):
        with pytest.raises(InvalidArgumentError):
            await client.send(GET_QUALIFICATION_SESSION, **arguments)
    assert server.requests == []


async def test_redirect_is_not_followed(client, server):
    server.respond(b"", 307, location="https://evil.example/")
    with pytest.raises(UnexpectedRedirectError) as caught:
        await client.qualification_sessions.update("qs_1", user_id="u")
    assert caught.value.outcome == "rejected"
    assert len(server.requests) == 1


# --- options ------------------------------------------------------------------------------------------------------


async def test_copy_has_other_defaults_and_the_same_connections(client, server):
    seen: list[Any] = []
    server.respond(b"", 503)
    copy = client.with_options(retry=RetryPolicy(max_attempts=1), timeout=7, hooks=[seen.append])
    assert type(copy) is AsyncTruemed
    with pytest.raises(ServerError) as caught:
        await copy.qualification_sessions.get("qs_1")
    assert caught.value.attempts == len(seen) == 1
    with pytest.raises(ServerError) as caught:
        await client.qualification_sessions.get("qs_1")
    assert caught.value.attempts == 3
    assert len(seen) == 1
    assert copy.base_url == client.base_url
    assert copy.clock is client.clock


async def test_copy_of_a_copy_keeps_what_is_not_changed(client, server):
    seen: list[Any] = []
    server.respond(b"", 503)
    copy = client.with_options(retry=RetryPolicy(max_attempts=2), hooks=[seen.append]).with_options(
        timeout=Timeouts(total=30)
    )
    with pytest.raises(ServerError) as caught:
        await copy.qualification_sessions.get("qs_1")
    assert caught.value.attempts == len(seen) == 2


async def test_copy_shares_the_retry_budget(client, server):
    server.respond(b"", 500)
    for _ in range(40):
        with pytest.raises(ServerError) as caught:
            await client.with_options(timeout=1e6).qualification_sessions.get("qs_1")
    assert caught.value.retries_suppressed


@pytest.mark.parametrize(
    "arguments", [{"timeout": 0}, {"timeout": "5"}, {"retry": 3}, {"hooks": "x"}, {"hooks": [None]}]
)
async def test_with_options_validates_like_the_client(client, arguments):
    with pytest.raises(InvalidArgumentError):
        client.with_options(**arguments)


async def test_deadline_of_a_call_beats_the_clients(client, server, clock):
    server.respond(b"", 429, retry_after="20")
    with pytest.raises(truemed_async.errors.RateLimitedError) as caught:
        await client.qualification_sessions.get("qs_1", options=RequestOptions(timeout=10))
    assert caught.value.attempts == 1
    assert clock.slept == []


# --- making and closing one ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {"timeout": 0}, {"timeout": None}, {"retry": None}, {"retry": 3}, {"max_concurrency": 0}, {"max_concurrency": 1.5},
        {"max_concurrency": None}, {"hooks": None}, {"hooks": [1]}, {"session": "x"}, {"proxy": "ftp://x"},
        {"proxy": "canary"}, {"proxy": "http://[::1"}, {"ssl_context": False}, {"ssl_context": True},
    ],
)  # fmt: skip
def test_bad_argument_of_the_client_is_rejected(arguments):
    with pytest.raises(InvalidArgumentError) as caught:
        AsyncTruemed(KEY, **arguments)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(("key", "arguments"), [(None, {}), ("short", {}), (KEY, {"environment": "x"}), (KEY, {"base_url": "http://x"})])  # fmt: skip
def test_client_without_a_key_or_a_safe_server_is_rejected(monkeypatch, key, arguments):
    monkeypatch.delenv("TRUEMED_API_KEY", raising=False)
    with pytest.raises(ConfigurationError):
        AsyncTruemed(key, **arguments)


def test_client_can_be_made_without_a_running_loop_and_shows_no_key():
    client = AsyncTruemed(KEY, environment="sandbox")
    assert client.base_url == "https://dev-api.truemed.com"
    assert repr(client) == "AsyncTruemed(base_url='https://dev-api.truemed.com')"
    assert AsyncTruemed(KEY, base_url=URL("http://localhost:1/x/")).base_url == "http://localhost:1/x"


def test_client_cannot_be_pickled():
    with pytest.raises(TypeError, match="cannot be pickled") as caught:
        pickle.dumps(AsyncTruemed(KEY))
    assert "canary" not in str(caught.value)


async def test_closed_client_rejects_calls_and_can_be_closed_again(client, server):
    copy = client.with_options(timeout=5)
    server.respond(SESSION)
    await client.qualification_sessions.get("qs_1")
    await client.aclose()
    await client.aclose()
    for closed in (client, copy):
        with pytest.raises(ClientClosedError):
            await closed.qualification_sessions.get("qs_1")
    assert len(server.requests) == 1


async def test_async_with_gives_the_client_and_closes_it(server):
    server.respond(SESSION)
    async with AsyncTruemed(KEY) as client:
        await client.qualification_sessions.get("qs_1")
    with pytest.raises(ClientClosedError):
        await client.qualification_sessions.get("qs_1")


# --- the package --------------------------------------------------------------------------------------------------


def test_every_public_name_resolves_and_nothing_else_does():
    for name in truemed_async.__all__:
        assert getattr(truemed_async, name) is not None
    for name in ("emulator", "errors"):  # modules, which an earlier import may have set already
        assert truemed_async.__getattr__(name) is getattr(truemed_async, name)
    assert dir(truemed_async) == sorted(truemed_async.__all__)
    with pytest.raises(AttributeError, match="no attribute 'canary'"):
        truemed_async.canary  # noqa: B018  # the access is the test


# --- validation ---------------------------------------------------------------------------------------------------

SPOILED = {**SESSION, "fee": "ada 30.00", "email": ["ada@example.com"]}


def as_page(*rows):
    return {"qualification_sessions": list(rows), "pagination": None}


async def test_lenient_client_warns_once_per_endpoint_and_field_without_the_value(client, server, recwarn):
    lenient = client.with_options(validation="lenient")
    for _ in range(2):
        server.respond(SPOILED)
        session = await lenient.qualification_sessions.get("qs_1")
        assert (session.fee, session.email, session.mismatches) == (None, None, ("email", "fee"))
    copy = lenient.with_options(timeout=5)  # it shares what was reported
    server.respond({**SPOILED, "source": 1.5}).respond(as_page(SPOILED, SPOILED))
    assert (await copy.qualification_sessions.get("qs_1")).source is None
    assert len(await copy.qualification_sessions.list()) == 2
    messages = [str(warning.message) for warning in recwarn]
    assert [message.partition(" has")[0] for message in messages] == [
        "qualification_sessions.get: email",
        "qualification_sessions.get: fee",
        "qualification_sessions.get: source",
        "qualification_sessions.list: items[].email",
        "qualification_sessions.list: items[].fee",
    ]
    assert "ada" not in "".join(messages)
    assert {warning.filename for warning in recwarn} == {__file__}


@pytest.mark.parametrize("options", [None, RequestOptions(timeout=5)])
async def test_lenient_client_is_lenient_with_options_of_a_call(client, server, options):
    lenient = client.with_options(validation="lenient")
    server.respond({**SESSION, "fee": []})
    with pytest.warns(truemed_async.TruemedWarning):
        assert (await lenient.qualification_sessions.get("qs_1", options=options)).fee is None
    server.respond({**SESSION, "fee": []})
    with pytest.raises(DecodeError):
        await lenient.with_options(validation="strict").qualification_sessions.get("qs_1", options=options)


async def test_client_is_strict_by_default(client, server):
    server.respond(SPOILED)
    with pytest.raises(DecodeError) as caught:
        await client.qualification_sessions.get("qs_1")
    assert caught.value.path == "email"
    assert "ada" not in str(caught.value)


async def test_lenient_client_reads_responses_that_are_no_models(client, server):
    lenient = client.with_options(validation="lenient")
    server.respond({"a": 1})
    assert (await lenient.send(Endpoint("x", "GET", "/x", dict))).value == {"a": 1}


def test_sync_client_takes_validation():
    with truemed_async.Truemed(KEY, base_url="http://127.0.0.1:9", validation="lenient") as client:
        with pytest.raises(InvalidArgumentError, match="validation must be"):
            client.with_options(validation="loose")
        client.with_options(validation="strict")
