"""The client itself: requests that are built without being sent, and copies with other options."""

from __future__ import annotations

import pytest

from tests.support.recording_server import KEY
from truemed_async import AsyncTruemed, Request, RequestOptions, Truemed
from truemed_async.endpoints import GET_QUALIFICATION_SESSION, UPDATE_QUALIFICATION_SESSION
from truemed_async.errors import InvalidArgumentError

USER_ID = "canary-user"


def build(client: AsyncTruemed | Truemed) -> Request:
    return client.build_request(
        UPDATE_QUALIFICATION_SESSION,
        path={"qualification_session_id": "qs_1"},
        body={"user_id": USER_ID},
        idempotency_key="k-1",
        options=RequestOptions(headers={"X-Trace": "t"}),
    )


@pytest.mark.parametrize("kind", [AsyncTruemed, Truemed])
def test_build_request_returns_what_would_be_sent(kind):
    request = build(kind(KEY, base_url="https://gateway.example/truemed/"))
    assert request.endpoint is UPDATE_QUALIFICATION_SESSION
    assert str(request.url) == "https://gateway.example/truemed/api/v1/qualification_session/qs_1/update"
    assert request.body is not None
    assert request.body.value == b'{"idempotency_key":"k-1","user_id":"canary-user"}'
    assert request.headers == {"X-Trace": "t"}
    assert request.idempotency_key == "k-1"


def test_built_request_is_masked_and_has_no_api_key():
    request = build(AsyncTruemed(KEY))
    assert USER_ID not in repr(request)
    assert "qs_1" not in repr(request)
    assert KEY not in f"{request.url} {request.headers} {request.body and request.body.value!r}"


def test_build_request_rejects_what_send_rejects():
    client = AsyncTruemed(KEY)
    with pytest.raises(InvalidArgumentError, match="the path needs exactly"):
        client.build_request(GET_QUALIFICATION_SESSION)
    with pytest.raises(InvalidArgumentError, match="options must be RequestOptions, not dict"):
        client.build_request(
            GET_QUALIFICATION_SESSION,
            path={"qualification_session_id": "qs_1"},
            options={},  # type: ignore[arg-type]  # callers may be untyped
        )


def test_with_options_shares_everything_but_the_defaults():
    client = AsyncTruemed(KEY)
    copy = client.with_options(timeout=7)
    assert copy._state.defaults.timeouts.total == 7
    assert client._state.defaults.timeouts.total == 60
    for name in ("transport", "clock", "pipeline", "base_url"):
        assert getattr(copy._state, name) is getattr(client._state, name)
    assert copy.qualification_sessions is not client.qualification_sessions
