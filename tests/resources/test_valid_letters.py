"""Valid Letters: whether a session holds one, which session of a shopper does, and whose ends in a period."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from urllib.parse import parse_qsl

import pytest

from tests.support.canary import EMAIL, USER_ID, found_in_error
from truemed_async import AsyncTruemed, QualificationSession, Truemed, export
from truemed_async.emulator import Emulator
from truemed_async.errors import CallError, InvalidArgumentError

NOW = datetime.now(UTC)
REVIEWED, EXPIRES = datetime(2026, 1, 1, 9, tzinfo=UTC), datetime(2026, 12, 31, 23, tzinfo=UTC)
PAGINATION = {"count": 1, "current_page": 1, "last_page": 1, "page_size": 100}
INSTANT = timedelta(microseconds=1)
START = datetime(2027, 3, 1, 12, tzinfo=UTC)


def make_session(status="approved", expires_at=EXPIRES, lmn_reviewed_at=REVIEWED):
    return QualificationSession(
        qualification_session_id="qs_1", status=status, expires_at=expires_at, lmn_reviewed_at=lmn_reviewed_at
    )


@pytest.fixture
def emulator():
    with Emulator(sessions=0) as running:
        yield running


@pytest.fixture(params=[AsyncTruemed, Truemed], ids=["async", "sync"])
async def sessions(request, emulator):
    """The resource of either client: its coroutines are awaited, its streams become lists."""
    client = request.param(emulator.api_key, base_url=emulator.url)
    resource = client.qualification_sessions
    if isinstance(client, AsyncTruemed):

        async def call(name, *args, **options):
            stream = getattr(resource, name)(*args, **options)
            return [each async for each in stream] if name.startswith("iter") else await stream

        yield call
        await client.aclose()
    else:

        async def call(name, *args, **options):
            def use():
                stream = getattr(resource, name)(*args, **options)
                return list(stream) if name.startswith("iter") else stream

            return await asyncio.to_thread(use)

        yield call
        await asyncio.to_thread(client.close)


def add(emulator, expires_in=timedelta(days=100), status="approved", **fields):
    return emulator.state.qualification_sessions.add(status=status, expires_at=NOW + expires_in, **fields)


# --- is_valid_at ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "valid"),
    [(REVIEWED - INSTANT, False), (REVIEWED, True), (EXPIRES - INSTANT, True), (EXPIRES, False)],
    ids=["before the review", "at the review", "before the expiry", "at the expiry"],
)
def test_letter_is_valid_from_review_until_expiry(moment, valid):
    assert make_session().is_valid_at(moment) is valid
    assert make_session().is_valid_at(moment.astimezone()) is valid


@pytest.mark.parametrize("status", ["pending", "processing", "rejected", "new_status"])
def test_session_that_is_not_approved_is_never_valid(status):
    assert not make_session(status).is_valid_at(EXPIRES - INSTANT)


def test_session_without_times_of_its_letter():
    assert not make_session(expires_at=None).is_valid_at(REVIEWED)
    assert make_session(lmn_reviewed_at=None).is_valid_at(REVIEWED - INSTANT)


def test_is_valid_without_moment_means_now_even_if_the_local_clock_is_behind():
    assert make_session(expires_at=NOW + timedelta(days=1), lmn_reviewed_at=NOW + timedelta(hours=1)).is_valid_at()
    assert not make_session(expires_at=NOW - timedelta(days=1)).is_valid_at()


def test_is_valid_at_naive_moment_is_refused():
    with pytest.raises(InvalidArgumentError, match="moment must have a time zone"):
        make_session().is_valid_at(REVIEWED.replace(tzinfo=None))


# --- find_valid -----------------------------------------------------------------------------------------------------


async def test_find_valid_returns_the_latest_expiry_of_exactly_this_user(emulator, sessions):
    add(emulator, timedelta(days=10), user_id="u-1")
    latest = add(emulator, timedelta(days=20), user_id="u-1")
    add(emulator, timedelta(days=30), user_id="u-1", status="rejected")
    add(emulator, timedelta(days=30), user_id="u-11")
    add(emulator, timedelta(days=-1), user_id="expired")
    found = await sessions("find_valid", user_id="u-1")
    assert found.qualification_session_id == latest
    assert await sessions("find_valid", user_id="u") is None
    assert await sessions("find_valid", user_id="expired") is None


async def test_find_valid_compares_the_whole_email_without_regard_to_ascii_case(emulator, sessions):
    expected = add(emulator, email="Ann@Example.com")
    add(emulator, timedelta(days=200), email="joann@example.com")
    add(emulator, timedelta(days=200), email="ann@example.com.au")
    add(emulator, timedelta(days=200), email=None, user_name="ann@example.com")
    assert (await sessions("find_valid", email=" ann@EXAMPLE.com")).qualification_session_id == expected
    assert await sessions("find_valid", email="nn@example.com") is None


async def test_find_valid_does_not_equate_letters_of_other_scripts(emulator, sessions):
    """The Kelvin sign is a k for Unicode: its address is another person's."""
    add(emulator, email="kim@example.com")
    assert await sessions("find_valid", email="\N{KELVIN SIGN}im@example.com") is None


async def test_find_valid_sees_a_letter_that_was_issued_by_a_clock_ahead(emulator, sessions):
    ahead = add(emulator, email="ann@example.com", lmn_reviewed_at=NOW + timedelta(minutes=5))
    assert (await sessions("find_valid", email="ann@example.com")).qualification_session_id == ahead


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either user_id or email"),
        ({"user_id": "u", "email": "a@example.com"}, "either user_id or email"),
        ({"email": "ann"}, "email must be an e-mail address"),
        ({"email": 7}, "email must be a string"),
        ({"user_id": ""}, "user_id must not be empty"),
    ],
)
async def test_find_valid_with_invalid_arguments_sends_nothing(emulator, sessions, arguments, message):
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        await sessions("find_valid", **arguments)
    assert "ann" not in str(caught.value)
    assert not emulator.requests


async def test_find_valid_that_fails_shows_no_address(serve, client_for):
    async def failure_of(**arguments):
        try:
            await client.qualification_sessions.find_valid(**arguments)
        except CallError as error:
            return error
        return None

    client = await client_for(await serve(lambda exchange: exchange.respond(404)))
    for arguments in ({"email": EMAIL}, {"user_id": USER_ID}):
        assert found_in_error(await failure_of(**arguments)) == []


# --- iter_expiring --------------------------------------------------------------------------------------------------


def expiring_at(emulator, *moments, **fields):
    return [
        emulator.state.qualification_sessions.add(status="approved", expires_at=moment, **fields) for moment in moments
    ]


async def test_iter_expiring_yields_the_period_in_order_of_expiry(emulator, sessions):
    end = START + timedelta(days=3)
    expiring_at(emulator, START - INSTANT * 1000, end)
    expected = expiring_at(emulator, START, START + timedelta(hours=1), START + timedelta(days=2), end - INSTANT * 1000)
    emulator.state.qualification_sessions.add(status="rejected", expires_at=START)
    found = await sessions("iter_expiring", START, end, concurrency=2)
    assert [each.qualification_session_id for each in found] == expected
    days = sorted(dict(parse_qsl(request.query))["expires_at"] for request in emulator.requests)
    assert days == ["2027-03-01", "2027-03-02", "2027-03-03", "2027-03-04"]


async def test_iter_expiring_with_dates_excludes_the_end(emulator, sessions):
    (expected, _) = expiring_at(emulator, datetime(2027, 3, 1, 23, tzinfo=UTC), datetime(2027, 3, 2, tzinfo=UTC))
    found = await sessions("iter_expiring", date(2027, 3, 1), date(2027, 3, 2))
    assert [each.qualification_session_id for each in found] == [expected]
    assert len(emulator.requests) == 1


async def test_iter_expiring_reads_all_pages_of_a_day(emulator, sessions):
    expected = expiring_at(emulator, *[START] * 25)
    found = await sessions("iter_expiring", START, START + timedelta(hours=1), page_size=10)
    assert sorted(each.qualification_session_id for each in found) == sorted(expected)


async def test_iter_expiring_yields_a_session_once_that_moves_while_days_are_read(serve, client_for):
    """Two requests, and the session is in the answer to each."""
    at = datetime(2027, 3, 1, 23, 59, 59, tzinfo=UTC)
    row = {"qualification_session_id": "qs_1", "status": "approved", "expires_at": at.isoformat()}
    body = json.dumps({"qualification_sessions": [row], "pagination": PAGINATION}).encode()
    server = await serve(lambda exchange: exchange.respond(body=body))
    client = await client_for(server)
    found = [each async for each in client.qualification_sessions.iter_expiring(at, at + timedelta(seconds=2))]
    assert [each.qualification_session_id for each in found] == ["qs_1"]
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (START, START - INSTANT, "end must not be before start"),
        (START, START + timedelta(days=1101), "at most 1,100 days"),
        ("2027-03-01", START, "start must be a datetime or a date"),
    ],
)
def test_iter_expiring_refuses_periods(start, end, message):
    with pytest.raises(InvalidArgumentError, match=message):
        AsyncTruemed("a-long-key").qualification_sessions.iter_expiring(start, end)


async def test_iter_expiring_of_an_empty_period_requests_nothing(emulator, sessions):
    assert await sessions("iter_expiring", START, START) == []
    assert not emulator.requests


async def test_iter_expiring_can_be_exported(emulator, tmp_path):
    expiring_at(emulator, START, START + timedelta(days=1))
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
        stream = client.qualification_sessions.iter_expiring(START, START + timedelta(days=2))
        result = await export(stream, tmp_path / "expiring.csv")
    assert (result.rows, result.requests) == (2, 3)
