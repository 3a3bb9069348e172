"""Each named fault of the emulator, met by the SDK; the same faults are checked by bare sockets in tests/emulator."""

import ssl
from datetime import UTC, datetime

import pytest
import trustme

from tests.support.timeouts import HURRIED, PATIENT, time_for
from truemed_async import AsyncTruemed, RetryPolicy, Truemed, errors
from truemed_async.emulator import Emulator

RETRY = RetryPolicy(max_attempts=2, base=0.001, cap=0.002)

# What get, list and update end in when the fault strikes every request: an error's name, or None for success.
ALWAYS = {
    "accept_then_close": "DisconnectedError",
    "applied_then_400_server_error": "ServerError",
    "applied_then_500": "ServerError",
    "applied_then_hang": "AttemptTimeoutError",
    "applied_then_reset": "DisconnectedError",
    "bad_gzip": "ProtocolError",
    "bomb": "ResponseTooLargeError",
    "clock_skew": None,
    "content_length_and_chunked": "ProtocolError",
    "deep_json": "DecodeError",
    "dribble": "AttemptTimeoutError",
    "duplicate_content_length": "ProtocolError",
    "empty_200": "DecodeError",
    "empty_response": "DisconnectedError",
    "extra_bytes_after_body": "ProtocolError",
    "garbage_then_close": "ProtocolError",
    "hang": "AttemptTimeoutError",
    "header_flood": "ProtocolError",
    "html_error_page": "DecodeError",
    "huge_header": "ProtocolError",
    "informational_flood": None,
    "invalid_utf8": "DecodeError",
    "latency": None,
    "maintenance_page": "ServerError",
    "malformed_chunk": "ProtocolError",
    "nan": "DecodeError",
    "outage": "ServerError",
    "oversize_error_body": "ServerError",
    "partial_headers": "DisconnectedError",
    "partial_status_line": "DisconnectedError",
    "redirect": "UnexpectedRedirectError",
    "refuse_connection": "ConnectError",
    "reset_in_body": "TruncatedResponseError",
    "reset_peer": "DisconnectedError",
    "should_retry": "ServerError",
    "slow_close": "AttemptTimeoutError",
    "status": "APIError",
    "tls_handshake_stall": "AttemptTimeoutError",
    "truncate_body": "TruncatedResponseError",
    "truncate_chunked": "TruncatedResponseError",
    "truncate_close_delimited": "TruncatedResponseError",
    "truncate_gzip_clean": "TruncatedResponseError",
    "unexpected_101": "ProtocolError",
    "unexpected_204": "DecodeError",
    "unknown_fields": None,
    "wrong_content_type": None,
}
# Those that strike one endpoint, or pass by themselves: what get, list and update end in.
SOME = {
    "bandwidth": (None, "AttemptTimeoutError", None),
    "clamp_page_size": (None, None, None),
    "conflict_409": (None, None, "UserIdAlreadySetError"),
    "declined_422": (None, None, "PaymentMethodError"),
    "delete_between_pages": (None, None, None),
    "fail_first": (None, None, None),
    "huge_number": ("DecodeError", "DecodeError", "DecodeError"),
    "insert_between_pages": (None, None, None),
    "key_reuse_mismatch": (None, None, "IdempotencyMismatchError"),
    "missing_field": ("DecodeError", "ServerError", "DecodeError"),
    "null_field": ("DecodeError", "ServerError", "DecodeError"),
    "null_pagination": ("ServerError", None, "ServerError"),
    "rate_limit": (None, "RateLimitedError", "DeadlineExceededError"),
    "replica_lag": (None, None, None),
    "stale_keepalive": (None, None, None),
    "unknown_enum": (None, None, None),
    "unstable_ties": (None, None, None),
    "wrong_type": ("DecodeError", "ServerError", "DecodeError"),
}
# Tried elsewhere: `flaky` is left to chance (tests/stress), the certificate needs TLS (below).
ELSEWHERE = {"flaky", "tls_bad_certificate"}
PARAMETERS = {
    "bomb": {"size": 2**24},
    "clamp_page_size": {"n": 5},
    "deep_json": {"depth": 2000},
    "delete_between_pages": {"n": 1},
    "fail_first": {"n": 1},
    "missing_field": {"path": "status"},
    "null_field": {"path": "status"},
    "outage": {"duration": 600},
    "rate_limit": {"n": 1, "per": 60},
    "redirect": {"target": "http://127.0.0.1:9/"},
    "should_retry": {"value": "true"},
    "status": {"code": 418},
    "wrong_type": {"path": "status"},
}
EXPECTED = {name: (error,) * 3 for name, error in ALWAYS.items()} | SOME


@pytest.fixture
def emulator():
    with Emulator(sessions=30) as running:
        yield running


def test_every_named_fault_is_tried(emulator):
    assert set(emulator.faults.names) == EXPECTED.keys() | ELSEWHERE
    assert len(emulator.faults.names) >= 50


@pytest.mark.parametrize("name", sorted(EXPECTED))
async def test_named_fault(emulator, name):
    session = emulator.state.qualification_sessions.add(status="approved", created_at=datetime(2020, 1, 1, tzinfo=UTC))
    emulator.faults.add(name, **PARAMETERS.get(name, {}))
    timeout = HURRIED if any(time_for(error) is HURRIED for error in EXPECTED[name]) else PATIENT
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url, retry=RETRY, timeout=timeout) as client:
        sessions = client.qualification_sessions
        calls = (
            lambda: sessions.get(session),
            lambda: sessions.list(page_size=10),
            lambda: sessions.update(session, metadata={"a": 1}),
        )
        for call, expected in zip(calls, EXPECTED[name], strict=True):
            emulator.requests.clear()
            if expected is None:
                assert await call()
                assert emulator.requests.count() <= 2
            else:
                with pytest.raises(getattr(errors, expected)) as caught:
                    await call()
                assert type(caught.value).__name__ == expected
                assert emulator.requests.count() <= caught.value.attempts


@pytest.mark.parametrize("name", ["applied_then_reset", "applied_then_500", "applied_then_400_server_error"])
def test_fault_after_the_effect_is_settled_by_the_retry_in_the_sync_client_too(emulator, name):
    session = emulator.state.qualification_sessions.add(user_id=None, status="pending")
    handle = emulator.faults.add(name, method="POST", nth=1)
    with Truemed(emulator.api_key, base_url=emulator.url, retry=RETRY) as client:
        client.qualification_sessions.update(session, user_id="mine")
    assert (handle.hits, emulator.state.qualification_sessions.get(session).user_id) == (1, "mine")


@pytest.mark.parametrize("name", ["flaky"])
async def test_random_faults_succeed_after_retries(emulator, name):
    session = emulator.state.qualification_sessions.rows[0].qualification_session_id
    handle = emulator.faults.add(name)
    retry = RetryPolicy(max_attempts=10, base=0.001, cap=0.002)
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url, retry=retry) as client:
        for _ in range(20):
            assert await client.qualification_sessions.get(session)
    assert handle.hits


async def test_bad_certificate_is_rejected(emulator):
    authority = trustme.CA()
    certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("wrong.example").configure_cert(certificate)
    emulator.faults.add("tls_bad_certificate", certificate=certificate)
    url = emulator.url.replace("http:", "https:")
    async with AsyncTruemed(emulator.api_key, base_url=url, retry=RETRY) as client:
        with pytest.raises(errors.TLSError) as caught:
            await client.qualification_sessions.list()
    assert (caught.value.outcome, caught.value.attempts) == ("not_sent", 1)
