"""Each endpoint's coroutine: the request that it makes, and the answer that it returns."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, date, datetime
from typing import Any

import pytest
from yarl import URL

from tests.support.paths import FIXTURES
from tests.support.recording_server import KEY
from truemed_async import DeepLink, Idempotency, Outcome, RequestOptions, RetryPolicy
from truemed_async.endpoints import ENDPOINTS
from truemed_async.errors import (
    APIError,
    DeadlineExceededError,
    DecodeError,
    IdempotencyMismatchError,
    InvalidArgumentError,
    NotFoundError,
    UserIdAlreadySetError,
)
from truemed_async.models import QualificationSession, QualificationStatus

SAMPLES = [
    pytest.param(content["endpoint"], sample, id=f"{content['endpoint']}: {sample['about']}")
    for content in (json.loads(path.read_text(encoding="utf-8")) for path in sorted(FIXTURES.glob("*.json")))
    for sample in content["samples"]
]
ROUTE = "/api/v1/qualification_session/"
EMPTY = {"qualification_sessions": [], "pagination": None}
UPDATED = {"qualification_session_id": "qs_abc123", "status": "approved"}


def session(status: str = "pending", id: str = "qs_abc123", **fields: Any) -> dict[str, Any]:
    return {"qualification_session_id": id, "status": status, **fields}


# --- the samples of the pages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("endpoint", "sample"), SAMPLES)
async def test_documented_samples_are_sent_and_parsed(client, server, endpoint, sample):
    """Each sample names its page."""
    (found,) = [each for each in ENDPOINTS if each.name == endpoint]
    request, sample_response = sample["request"], sample["response"]
    server.respond(sample_response["body"], sample_response["status"])
    body = dict(request["body"] or {})
    arguments: dict[str, Any] = {"query": request["query"]} if request["query"] else {}
    arguments["path"] = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", found.path), request["path"]).groupdict()
    if found.idempotency is Idempotency.KEYED:
        arguments["idempotency_key"] = body.pop("idempotency_key")
    if request["body"] is not None:
        arguments["body"] = body
    if 200 <= sample_response["status"] < 300:
        response = await client.send(found, **arguments)
        assert response.status == sample_response["status"]
        assert response.idempotency_key == (request["body"] or {}).get("idempotency_key")
    else:
        with pytest.raises(APIError) as caught:
            await client.send(found, **arguments)
        assert caught.value.body == sample_response["body"]
    assert (server.only.verb, server.only.path) == (request["method"], request["path"])
    assert server.only.query == request["query"]
    assert server.only.body == request["body"]


# --- get ----------------------------------------------------------------------------------------------------------


async def test_get_requests_one_session_and_returns_it(client, server):
    """Truemed API reference, "Get Qualification Session Details"."""
    server.respond(session("approved", email="jane@example.com", created_at="2024-01-15T09:30:00Z"))
    found = await client.qualification_sessions.get("qs_abc123")
    assert found == QualificationSession(
        qualification_session_id="qs_abc123",
        status=QualificationStatus.APPROVED,
        email="jane@example.com",
        created_at=datetime(2024, 1, 15, 9, 30, tzinfo=UTC),
    )
    assert str(server.only.url) == "https://api.truemed.com/api/v1/qualification_session/qs_abc123"


async def test_every_request_carries_the_key_and_requests_json(client, server):
    """Truemed guide, "Update a Qualification Session": x-truemed-api-key, Content-Type and Accept of the example."""
    server.respond(session()).respond(UPDATED)
    await client.qualification_sessions.get("qs_abc123")
    await client.qualification_sessions.update("qs_abc123", user_id="u")
    get, update = (request.headers for request in server.requests)
    for headers in (get, update):
        assert headers["x-truemed-api-key"] == KEY
        assert headers["accept"] == "application/json"
        assert headers["user-agent"].startswith("truemed-async/")
        assert "canary" not in repr(headers)
    assert "content-type" not in get
    assert update["content-type"] == "application/json"


async def test_no_request_follows_redirects_or_uses_a_proxy_of_the_environment(client, server):
    server.respond(session())
    await client.qualification_sessions.get("qs_abc123")
    assert server.only.options["allow_redirects"] is False
    assert server.only.options["proxy"] is None
    assert server.only.options["ssl"] is True


@pytest.mark.parametrize("id", ["", "..", "a/b", "qs 1", None, 7])
async def test_bad_id_is_rejected_before_anything_is_sent(client, server, id):
    for call in (
        client.qualification_sessions.get,
        lambda value: client.qualification_sessions.update(value, user_id="u"),
        client.qualification_sessions.wait_until_final,
    ):
        with pytest.raises(InvalidArgumentError):
            await call(id)
    assert server.requests == []


async def test_unknown_session_is_not_found(client, server):
    server.respond({"error": "NotFound", "message": "canary"}, 404, x_request_id="r-1")
    with pytest.raises(NotFoundError) as caught:
        await client.qualification_sessions.get("qs_abc123")
    error = caught.value
    assert (error.status, error.code, error.message) == (404, "NotFound", "canary")
    assert (error.endpoint, error.attempts, error.outcome) == ("qualification_sessions.get", 1, "rejected")
    assert (error.request_id, error.idempotency_key) == ("r-1", None)
    assert "canary" not in str(error)


async def test_wrong_response_shape_has_its_path(client, server):
    server.respond(session(email=["canary"]))
    with pytest.raises(DecodeError) as caught:
        await client.qualification_sessions.get("qs_abc123")
    assert caught.value.path == "email"
    assert "canary" not in repr(vars(caught.value))


# --- list ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ({"status": "approved"}, {"status": "approved"}),
        ({"status": QualificationStatus.REJECTED}, {"status": "rejected"}),
        ({"status": "brand_new"}, {"status": "brand_new"}),
        ({"user_id": "jane+1@example.com & co"}, {"user_id": "jane+1@example.com & co"}),
        ({"expires_at": date(2025, 1, 15)}, {"expires_at": "2025-01-15"}),
        ({"expires_at": "2025-01-15"}, {"expires_at": "2025-01-15"}),
        ({"expires_at": datetime(2025, 1, 15, 23, tzinfo=UTC)}, {"expires_at": "2025-01-15"}),
        ({"search": "Zoë #1 50%"}, {"search": "Zoë #1 50%"}),
        ({"page": 3}, {"page": "3"}),
        ({"page_size": 500}, {"page_size": "500"}),
        ({"extra": {"brand": "acme", "late": True, "n": 7}}, {"brand": "acme", "late": "true", "n": "7"}),
        (
            {"status": "approved", "user_id": "u", "expires_at": "2025-01-15", "search": "s", "page": 1, "page_size": 7},
            {"status": "approved", "user_id": "u", "expires_at": "2025-01-15", "search": "s", "page": "1", "page_size": "7"},
        ),
    ],
)  # fmt: skip
async def test_every_parameter_of_list_arrives_as_the_page_names_it(client, server, arguments, query):
    """Truemed API reference, "List Qualification Sessions", query parameters."""
    server.respond(EMPTY)
    await client.qualification_sessions.list(**arguments)
    assert server.only.query == query


BAD_FILTERS = [
    {"status": ""}, {"status": 1}, {"user_id": ""}, {"user_id": 7}, {"expires_at": "15.01.2025"}, {"expires_at": 2025},
    {"search": ""}, {"search": b"x"}, {"extra": {"user_id": "x"}}, {"extra": {"x": 1.5}}, {"page_size": 0}, {"page_size": "30"}, {"page_size": True},
]  # fmt: skip


@pytest.mark.parametrize("arguments", [*BAD_FILTERS, {"page": 0}, {"page": 1.0}, {"page": "1"}])
async def test_bad_parameter_of_list_is_rejected_before_anything_is_sent(client, server, arguments):
    with pytest.raises(InvalidArgumentError, match=f"^{next(iter(arguments))} "):
        await client.qualification_sessions.list(**arguments)
    assert server.requests == []


# --- iter ---------------------------------------------------------------------------------------------------------


ROWS = [session(id=f"qs_{n}", created_at=f"2024-01-15T09:{59 - n:02d}:00Z") for n in range(25)]
IDS = [row["qualification_session_id"] for row in ROWS]


def page_of_rows(request: Any) -> dict[str, Any]:
    """Return the page that a request asks for, as the documentation of lists describes it."""
    number, size = int(request.query["page"]), int(request.query["page_size"])
    pagination = {"count": 25, "current_page": number, "last_page": -(-25 // size), "page_size": size}
    return {"qualification_sessions": ROWS[(number - 1) * size : number * size], "pagination": pagination}


@pytest.mark.parametrize("prefetch", [1, 4])
async def test_iter_goes_through_every_page_with_the_same_filters(client, server, prefetch):
    """Truemed API reference, "List Qualification Sessions"."""
    server.respond(page_of_rows)
    filters = {"status": "approved", "user_id": "u", "expires_at": "2025-01-15", "search": "s"}
    stream = client.qualification_sessions.iter(**filters, extra={"brand": "acme"}, page_size=10, prefetch=prefetch)
    filters["brand"] = "acme"
    assert server.requests == []
    assert [each.qualification_session_id async for each in stream] == IDS
    assert len(server.requests) >= 3
    for request in server.requests:
        assert request.path == "/api/v1/qualification_sessions"
        assert {name: value for name, value in request.query.items() if not name.startswith("page")} == filters


async def test_iter_requests_100_rows_by_default(client, server):
    server.respond(EMPTY)
    assert [each async for each in client.qualification_sessions.iter()] == []
    assert server.only.query == {"page": "1", "page_size": "100"}


@pytest.mark.parametrize("arguments", [*BAD_FILTERS, {"prefetch": 0}, {"prefetch": "4"}, {"page_size": None}])
async def test_iter_rejects_a_bad_argument_at_once_and_not_while_iterating(client, server, arguments):
    with pytest.raises(InvalidArgumentError, match=f"^{next(iter(arguments))} "):
        client.qualification_sessions.iter(**arguments)
    assert server.requests == []


async def test_error_of_a_page_is_raised_while_iterating_after_the_rows_before_it(client, server):
    server.respond(page_of_rows).respond({"error": "x"}, 404)
    found = []
    with pytest.raises(NotFoundError):
        async for each in client.qualification_sessions.iter(page_size=10, prefetch=1):
            found.append(each.qualification_session_id)
    assert found == IDS[:10]


# --- update -------------------------------------------------------------------------------------------------------


async def test_update_sends_only_the_key_and_the_arguments(client, server):
    """Truemed guide, "Update a Qualification Session": the curl example."""
    server.respond(UPDATED)
    found = await client.qualification_sessions.update(
        "qs_abc123", user_id="your-internal-user-id", idempotency_key="your-unique-key-123"
    )
    assert (found.qualification_session_id, found.status) == ("qs_abc123", "approved")
    assert found.idempotency_key == "your-unique-key-123"
    assert server.only.body == {"idempotency_key": "your-unique-key-123", "user_id": "your-internal-user-id"}


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ({"user_id": "u"}, {"user_id": "u"}),
        ({"metadata": {"order": "2607001444", "n": [1, None]}}, {"metadata": '{"order":"2607001444","n":[1,null]}'}),
        ({"metadata": '{ "order" : 1 }'}, {"metadata": '{ "order" : 1 }'}),
        ({"metadata": {}}, {"metadata": "{}"}),
        ({"success_url": "https://shop.example/ok"}, {"success_url": "https://shop.example/ok"}),
        ({"success_url": URL("https://shop.example/ok?a=1")}, {"success_url": "https://shop.example/ok?a=1"}),
        ({"failure_url": "http://localhost:3000/no"}, {"failure_url": "http://localhost:3000/no"}),
        ({"failure_url": DeepLink("myapp://no")}, {"failure_url": "myapp://no"}),
        ({"metadata": "[1]"}, {"metadata": "[1]"}),
        ({"extra": {"note": {"a": 1}}}, {"note": {"a": 1}}),
        (
            {"user_id": "u", "metadata": {"a": 1}, "success_url": "https://s.example", "failure_url": "https://f.example"},
            {"user_id": "u", "metadata": '{"a":1}', "success_url": "https://s.example", "failure_url": "https://f.example"},
        ),
    ],
)  # fmt: skip
async def test_every_parameter_of_update_arrives_as_the_page_names_it(client, server, arguments, body):
    """Truemed guide, "Update a Qualification Session": omitted fields are left untouched; metadata is JSON text."""
    server.respond(UPDATED)
    found = await client.qualification_sessions.update("qs_abc123", **arguments)
    key = server.only.body.pop("idempotency_key")
    assert uuid.UUID(key).version == 4
    assert found.idempotency_key == key
    assert server.only.body == body


async def test_update_with_a_known_field_in_extra_raises(client, server):
    with pytest.raises(InvalidArgumentError, match="extra must not contain user_id"):
        await client.qualification_sessions.update("qs_abc123", extra={"user_id": "u"})
    assert server.requests == []


@pytest.mark.parametrize("name", ["user_id", "metadata", "success_url", "failure_url"])
async def test_update_with_none_raises(client, server, name):
    """Truemed guide, "Update a Qualification Session": only fields that are supplied are updated."""
    with pytest.raises(InvalidArgumentError, match=f"^{name} "):
        await client.qualification_sessions.update("qs_abc123", **{name: None})
    assert server.requests == []


async def test_update_without_fields_raises(client, server):
    with pytest.raises(InvalidArgumentError, match="nothing to change"):
        await client.qualification_sessions.update("qs_abc123", idempotency_key="k")
    assert server.requests == []


@pytest.mark.parametrize("key", ["", "a b", "ä", 7])
async def test_bad_idempotency_key_is_rejected(client, server, key):
    with pytest.raises(InvalidArgumentError, match="idempotency_key"):
        await client.qualification_sessions.update("qs_abc123", user_id="u", idempotency_key=key)
    assert server.requests == []


async def test_retried_update_is_sent_with_the_same_key(client, server):
    """Truemed guide, "Update a Qualification Session": a duplicate POST with the same key is deduplicated."""
    server.respond(b"", 503).respond(b"", 503).respond(UPDATED)
    found = await client.qualification_sessions.update("qs_abc123", user_id="u")
    assert [request.body for request in server.requests] == [
        {"idempotency_key": found.idempotency_key, "user_id": "u"}
    ] * 3


async def test_user_id_that_is_set_cannot_be_changed(client, server):
    """Truemed guide, "Update a Qualification Session": user_id_already_set with a 409 status."""
    server.respond({"error": "user_id_already_set", "message": "x"}, 409)
    with pytest.raises(UserIdAlreadySetError) as caught:
        await client.qualification_sessions.update("qs_abc123", user_id="u", idempotency_key="k-1")
    assert (caught.value.idempotency_key, caught.value.outcome, caught.value.attempts) == ("k-1", "rejected", 1)
    assert len(server.requests) == 1


async def test_key_that_the_server_knows_with_other_values_is_a_mismatch(client, server):
    """Truemed guide, "Update a Qualification Session": another payload returns a 400 validation error."""
    server.respond({"error": "ValidationError", "message": "idempotency_key reused with another payload"}, 400)
    with pytest.raises(IdempotencyMismatchError):
        await client.qualification_sessions.update("qs_abc123", user_id="u", idempotency_key="k-1")


async def test_key_is_not_sent_again_with_other_values(client, server):
    """Truemed guide, "Update a Qualification Session": it would be refused, so it is refused here at once."""
    server.respond(UPDATED)
    await client.qualification_sessions.update("qs_abc123", user_id="u", idempotency_key="k-1")
    await client.qualification_sessions.update("qs_abc123", user_id="u", idempotency_key="k-1")
    await client.qualification_sessions.update("qs_other", user_id="v", idempotency_key="k-1")  # another scope
    with pytest.raises((InvalidArgumentError, IdempotencyMismatchError)):
        await client.qualification_sessions.update("qs_abc123", user_id="v", idempotency_key="k-1")
    assert len(server.requests) == 3


# --- get_many -----------------------------------------------------------------------------------------------------


async def test_get_many_gives_each_id_its_outcome(client, server):
    server.respond(session("approved", id="a"))
    found = [each async for each in client.qualification_sessions.get_many(["a", "a", "b/d", "a"], ordered=True)]
    assert [(each.id, each.ok) for each in found] == [("a", True), ("a", True), ("b/d", False), ("a", True)]
    assert isinstance(found[2].error, InvalidArgumentError)
    assert found[0] == Outcome(id="a", value=found[1].unwrap())
    assert len(server.requests) == 3


async def test_one_that_fails_does_not_touch_the_others(client, server):
    server.respond(session()).respond({"error": "NotFound", "message": "x"}, 404).respond(session())

    async def ids():
        for id in ("a", "b", "c"):
            yield id

    found = [each async for each in client.qualification_sessions.get_many(ids(), concurrency=1)]
    assert [each.ok for each in found] == [True, False, True]
    with pytest.raises(NotFoundError):
        found[1].unwrap()


@pytest.mark.parametrize(("ids", "value"), [("qs_1", {}), (None, {}), (["a"], {"concurrency": 0}), (["a"], {"concurrency": 1.5})])  # fmt: skip
async def test_get_many_rejects_a_bad_argument_at_once(client, server, ids, value):
    with pytest.raises(InvalidArgumentError):
        client.qualification_sessions.get_many(ids, **value)
    assert server.requests == []


# --- wait_until_final ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("final", ["approved", "rejected"])
async def test_waiting_polls_with_growing_pauses_until_the_status_is_final(client, server, clock, final):
    """Truemed guide, "Update a Qualification Session": approved and rejected are terminal."""
    for status in ("pending", "processing", "brand_new", "processing", "processing", "processing", "processing", final):
        server.respond(session(status))
    found = await client.qualification_sessions.wait_until_final("qs_abc123")
    assert found.status == final
    assert clock.slept == [1, 2, 4, 8, 16, 30, 30]
    assert {request.path for request in server.requests} == {f"{ROUTE}qs_abc123"}


async def test_waiting_ends_with_one_last_look_when_the_time_is_up(client, server, clock):
    server.respond(session("processing"))
    with pytest.raises(DeadlineExceededError) as caught:
        await client.qualification_sessions.wait_until_final("qs_abc123", timeout=10)
    assert clock.slept == [1, 2, 4, 3]
    assert len(server.requests) == 5
    assert (caught.value.endpoint, caught.value.attempts) == ("qualification_sessions.get", 5)


async def test_waiting_ends_with_the_first_error(client, server):
    server.respond(session("processing")).respond({"error": "NotFound"}, 404)
    with pytest.raises(NotFoundError):
        await client.qualification_sessions.wait_until_final("qs_abc123")


@pytest.mark.parametrize("seconds", [0, -1, None, float("inf"), float("nan"), "5", True])
async def test_waiting_for_ever_is_rejected(client, server, seconds):
    with pytest.raises(InvalidArgumentError, match="^timeout "):
        await client.qualification_sessions.wait_until_final("qs_abc123", timeout=seconds)
    assert server.requests == []


# --- options of one call ------------------------------------------------------------------------------------------


async def test_iter_get_many_and_wait_until_final_pass_their_options(client, server):
    options = RequestOptions(headers={"X-Trace": "t-1"})
    sessions = client.qualification_sessions
    server.respond(EMPTY).respond(session("approved")).respond(session("approved"))
    assert [each async for each in sessions.iter(options=options)] == []
    await sessions.wait_until_final("qs_abc123", options=options)
    assert [each.ok async for each in sessions.get_many(["qs_abc123"], options=options)] == [True]
    assert [request.headers["x-trace"] for request in server.requests] == ["t-1"] * 3
    assert all(request.headers["x-truemed-api-key"] for request in server.requests)


async def test_user_header_may_replace_unreserved_headers(client, server):
    server.respond(session())
    await client.qualification_sessions.get("qs_1", options=RequestOptions(headers={"USER-AGENT": "shop/1"}))
    assert server.only.headers["user-agent"] == "shop/1"


@pytest.mark.parametrize("headers", [{"x-truemed-api-key": "x"}, {"Host": "x"}, {"x-trace": "a\nb"}])
async def test_bad_header_is_rejected_before_anything_is_sent(client, server, headers):
    with pytest.raises(InvalidArgumentError):
        await client.qualification_sessions.get("qs_1", options=RequestOptions(headers=headers))
    assert server.requests == []


async def test_call_may_have_a_retry_policy_of_its_own(client, server):
    server.respond(b"", 503).respond(session())
    with pytest.raises(APIError) as caught:
        await client.qualification_sessions.get("qs_1", options=RequestOptions(retry=RetryPolicy(max_attempts=1)))
    assert caught.value.attempts == 1
    assert (await client.qualification_sessions.get("qs_1")).status == "pending"
