"""Accounts and sessions by e-mail address: who gets which, what is reported, and that a repeated run changes nothing."""

import asyncio
import json
import random
import threading
from collections import Counter
from functools import partial

import pytest

from tests.support.canary import EMAIL, USER_ID, found_in_error, leaks
from truemed_async import AsyncTruemed, AttachStatus, RetryPolicy, UserMatch
from truemed_async.emulator import Emulator
from truemed_async.errors import CallError, InvalidArgumentError, NotFoundError, ServerError, UserIdAlreadySetError
from truemed_async.resources import _attach

ONE_TRY = RetryPolicy(max_attempts=1)


@pytest.fixture
def add(emulator):
    return lambda email, user_id=None: emulator.state.qualification_sessions.add(email=email, user_id=user_id)


@pytest.fixture(params=["search", "scan"])
def way(request, monkeypatch):
    """Both ways to find the sessions; the page size decides which of them takes fewer requests."""
    monkeypatch.setattr(_attach, "PAGE_SIZE", 1 if request.param == "search" else 500)
    return request.param


def user_of(emulator, id):
    return emulator.state.qualification_sessions.get(id).user_id


async def attach(client, matches, **options):
    return [outcome async for outcome in client.qualification_sessions.attach_users(matches, **options)]


def rows(outcomes):
    return sorted((each.status.value, each.email, each.qualification_session_id) for each in outcomes)


def writes(emulator):
    return emulator.requests.count(route="qualification_sessions.update")


# --- outcomes -------------------------------------------------------------------------------------------------------


async def test_each_session_and_each_match_without_one_is_reported(emulator, client, add, way):
    first, second = add("Ann@Example.com"), add("ann@example.com")
    same, other = add("same@example.com", "u-same"), add("other@example.com", "order-7")
    twice, nobody, anonymous = add("twice@example.com"), add("joann@example.com"), add(None)
    matches = [
        UserMatch(" ANN@example.com ", "u-ann"),
        UserMatch("ann@example.COM", "u-ann"),
        UserMatch("same@example.com", "u-same"),
        UserMatch("other@example.com", "u-other"),
        UserMatch("twice@example.com", "u-1"),
        UserMatch("Twice@example.com", "u-2"),
        UserMatch("twice@example.com", "u-1"),
        UserMatch("unknown@example.com", "u-9"),
    ]
    outcomes = await attach(client, matches, run_id="run-1")
    assert rows(outcomes) == sorted(
        [
            ("attached", "ANN@example.com", first),
            ("attached", "ANN@example.com", second),
            ("already_attached", "same@example.com", same),
            ("other_user", "other@example.com", other),
            ("ambiguous", "twice@example.com", None),
            ("unmatched", "unknown@example.com", None),
        ]
    )
    users = [user_of(emulator, id) for id in (first, second, same, other, twice, nobody, anonymous)]
    assert users == ["u-ann", "u-ann", "u-same", "order-7", None, None, None]
    assert writes(emulator) == 2
    assert (way == "search") == any("search=" in request.query for request in emulator.requests)


@pytest.mark.parametrize("source", [list, iter], ids=["list", "iterator"])
async def test_repeated_run_writes_nothing(emulator, client, add, source):
    ids = [add(f"p{number}@example.com") for number in range(5)]
    matches = [UserMatch(f"p{number}@example.com", f"u-{number}") for number in range(5)]
    assert Counter(each.status for each in await attach(client, source(matches))) == {AttachStatus.ATTACHED: 5}
    assert [user_of(emulator, id) for id in ids] == [f"u-{number}" for number in range(5)]
    assert Counter(each.status for each in await attach(client, source(matches))) == {AttachStatus.ALREADY_ATTACHED: 5}
    assert writes(emulator) == 5


async def test_dry_run_writes_nothing(emulator, client, add, way):
    add("ann@example.com")
    (outcome,) = await attach(client, [UserMatch("ann@example.com", "u")], dry_run=True)
    assert (outcome.status, writes(emulator)) == (AttachStatus.PLANNED, 0)


def test_sync_client_reads_matches_on_the_callers_thread(emulator, sync_client, add):
    threads = set()
    session = add("ann@example.com")

    def matches():
        for number in range(200):
            threads.add(threading.current_thread())
            yield UserMatch(f"n{number}@example.com", "u")
        yield UserMatch("ann@example.com", "u-ann")

    outcomes = list(sync_client.qualification_sessions.attach_users(matches()))
    assert Counter(each.status for each in outcomes) == {AttachStatus.UNMATCHED: 200, AttachStatus.ATTACHED: 1}
    assert user_of(emulator, session) == "u-ann"
    assert threads == {threading.current_thread()}


async def test_letters_of_other_scripts_are_not_equated(emulator, client, add):
    session = add("kim@example.com")
    outcomes = await attach(client, [UserMatch("\N{KELVIN SIGN}im@example.com", "attacker")])
    assert ([each.status for each in outcomes], user_of(emulator, session)) == ([AttachStatus.UNMATCHED], None)


async def test_no_match_without_an_account_sends_nothing(emulator, client):
    assert await attach(client, []) == []
    ambiguous = [UserMatch("a@example.com", "1"), UserMatch("a@example.com", "2")]
    assert rows(await attach(client, ambiguous)) == [("ambiguous", "a@example.com", None)]
    assert not emulator.requests


async def test_failed_search_is_the_outcome_of_its_match(emulator, add, monkeypatch):
    monkeypatch.setattr(_attach, "PAGE_SIZE", 1)
    for email in ("ann@example.com", "bob@example.com", "cid@example.com"):
        add(email)
    matches = [UserMatch("ann@example.com", "u-1"), UserMatch("bob@example.com", "u-2")]
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url, retry=ONE_TRY) as client:
        # The first listing counts the sessions.
        with emulator.faults.add("status", code=500, route="qualification_sessions.list", nth=2):
            outcomes = await attach(client, matches, concurrency=1)
    assert rows(outcomes)[1][:2] == ("failed", "ann@example.com")
    assert isinstance(outcomes[0].error, ServerError)
    assert [(each.status, each.ok) for each in outcomes] == [
        (AttachStatus.FAILED, False),
        (AttachStatus.ATTACHED, True),
    ]


async def test_failed_update_is_an_outcome_and_the_next_run_finds_it_done(emulator, add):
    """The response is lost after the update; nothing is known of it but the next run sees the user."""
    session = add("ann@example.com")
    matches = [UserMatch("ann@example.com", "u-1")]
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url, retry=ONE_TRY) as client:
        with emulator.faults.add("applied_then_reset", route="qualification_sessions.update"):
            (lost,) = await attach(client, matches)
        (done,) = await attach(client, matches)
    assert (lost.status, lost.error.outcome, done.status) == (AttachStatus.FAILED, "unknown", "already_attached")
    assert user_of(emulator, session) == "u-1"


@pytest.mark.parametrize(("meanwhile", "status"), [("u-1", "attached"), ("u-2", "other_user")])
async def test_user_that_was_set_meanwhile_is_compared(emulator, client, add, monkeypatch, meanwhile, status):
    session = add("ann@example.com")
    update = client.qualification_sessions.update

    async def update_late(id, **options):
        emulator.state.qualification_sessions.change(id, user_id=meanwhile)
        return await update(id, **options)

    monkeypatch.setattr(client.qualification_sessions, "update", update_late)
    (outcome,) = await attach(client, [UserMatch("ann@example.com", "u-1")])
    assert (outcome.status, user_of(emulator, session)) == (status, meanwhile)


@pytest.mark.parametrize(
    ("match", "message"),
    [
        (("ann@example.com", "u"), r"matches\[1\] must be a UserMatch, not tuple"),
        (UserMatch("ann", "u"), r"matches\[1\].email must be an e-mail address"),
        (UserMatch("ann@example.com", ""), r"matches\[1\].user_id must not be empty"),
        (UserMatch("ann@example.com", 7), r"matches\[1\].user_id must be a string"),
    ],
)
async def test_invalid_match_is_refused_before_any_request(emulator, client, match, message):
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        await attach(client, [UserMatch("bob@example.com", "b"), match])
    assert "ann" not in str(caught.value)
    assert not emulator.requests


@pytest.mark.parametrize(
    "options", [{"concurrency": 0}, {"dry_run": 1}, {"run_id": ""}], ids=["concurrency", "dry_run", "run_id"]
)
async def test_invalid_options_are_refused(client, options):
    with pytest.raises(InvalidArgumentError):
        client.qualification_sessions.attach_users([], **options)
    with pytest.raises(InvalidArgumentError):
        client.qualification_sessions.attach_users("ann@example.com")


# --- update with if_unset -------------------------------------------------------------------------------------------


async def test_update_if_unset_sets_a_user_once_and_accepts_the_same_again(emulator, client, sync_client, add):
    session = add("ann@example.com")
    set_now = partial(sync_client.qualification_sessions.update, user_id="u-1", if_unset=True)
    for number in range(2):
        key = {"idempotency_key": f"key-{number}"}
        update = partial(client.qualification_sessions.update, user_id="u-1", if_unset=True)
        done = await (update(session, **key) if number == 0 else asyncio.to_thread(set_now, session, **key))
        assert (done.qualification_session_id, done.idempotency_key) == (session, f"key-{number}")
        assert done.status == emulator.state.qualification_sessions.get(session).status
    with pytest.raises(UserIdAlreadySetError):
        await client.qualification_sessions.update(session, user_id="u-2", if_unset=True)
    with pytest.raises(UserIdAlreadySetError):
        await client.qualification_sessions.update(session, user_id="u-1")
    assert user_of(emulator, session) == "u-1"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"metadata": {}}, "if_unset goes with user_id"),
        ({"user_id": "u", "metadata": {}}, "if_unset goes with user_id"),
        ({}, "nothing to change"),
        ({"user_id": "u", "if_unset": 1}, "if_unset must be True or False"),
    ],
)
async def test_update_if_unset_with_other_fields_is_refused(emulator, client, fields, message):
    with pytest.raises(InvalidArgumentError, match=message):
        await client.qualification_sessions.update("qs_1", **{"if_unset": True, **fields})
    assert not emulator.requests


# --- sensitive values -----------------------------------------------------------------------------------------------


def test_repr_of_matches_and_outcomes_masks_people():
    match = UserMatch(EMAIL, USER_ID)
    outcome = _attach.AttachOutcome(status=AttachStatus.UNMATCHED, email=EMAIL, user_id=USER_ID)
    assert leaks(f"{match!r} {outcome!r}") == []
    assert outcome.to_dict()["email"] == EMAIL


@pytest.mark.parametrize("status", [403, 409])
async def test_attachment_that_fails_shows_no_person(serve, client_for, status):
    session = {"qualification_session_id": "qs_1", "status": "approved", "email": EMAIL}
    pagination = {"count": 1, "current_page": 1, "last_page": 1, "page_size": 100}
    page = json.dumps({"qualification_sessions": [session], "pagination": pagination}).encode()

    async def script(exchange):
        if "/qualification_sessions?" in exchange.request.target:
            await exchange.respond(body=page)
        elif exchange.request.verb == "POST":
            await exchange.respond(status, b'{"error": "user_id_already_set", "message": "%s"}' % USER_ID.encode())
        else:
            await exchange.respond(404)

    async def outcome_of():
        (outcome,) = await attach(client, [UserMatch(EMAIL, USER_ID)])
        return outcome

    client = await client_for(await serve(script))
    outcome = await outcome_of()
    assert isinstance(outcome.error, NotFoundError if status == 409 else CallError)
    assert found_in_error(outcome.error) == []


async def test_attachment_whose_listing_fails_shows_no_person(serve, client_for):
    async def failure_of():
        try:
            await attach(client, [UserMatch(EMAIL, USER_ID)])
        except CallError as error:
            return error
        return None

    client = await client_for(await serve(lambda exchange: exchange.respond(403)))
    assert found_in_error(await failure_of()) == []


# --- histories ------------------------------------------------------------------------------------------------------

FAULTS = {"applied_then_reset": 0.2, "applied_then_500": 0.1, "reset_peer": 0.1, "truncate_body": 0.1}
PEOPLE = ["ann", "joann", "bob", "Bob", "kim", "\N{KELVIN SIGN}im", "ann+1", "zoë", "Zoë"]


def make_matches(rng):
    """Return accounts, some of which share an address."""
    names = rng.sample(PEOPLE, rng.randint(1, len(PEOPLE)))
    names += rng.choices(names, k=rng.choice([0, 0, 1, 2]))
    return [UserMatch(f"{name}@example.com", rng.choice(["u-1", "u-2", f"u-{name}"])) for name in names]


def key_of(email):
    return "".join(letter.lower() if letter.isascii() else letter for letter in email)


def expected_user(email, matches):
    users = {match.user_id for match in matches if email is not None and key_of(match.email) == key_of(email)}
    return users.pop() if len(users) == 1 else None


async def play(emulator, rng):
    """Play one history: runs that are interrupted, fail or have other matches, and a last one without faults.

    Returns:
        What is wrong at its end: sessions with a user who is not theirs, that lack theirs, or got one twice.
    """
    sessions = emulator.state.qualification_sessions
    emulator.state.reset()
    emulator.requests.clear()
    emails = [None, *(f"{name}@example.com" for name in PEOPLE), "stranger@example.com"]
    before = {}
    for _ in range(rng.randint(1, 8)):
        email, user = rng.choice(emails), rng.choice([None, None, None, "u-1", "other"])
        before[sessions.add(email=email, user_id=user)] = (email, user)
    matches = make_matches(rng)
    corrected = make_matches(rng) if rng.random() < 0.2 else matches
    handles = [emulator.faults.add(name, probability=share) for name, share in FAULTS.items()]
    runs = [matches] * rng.randint(0, 2) + [corrected] * rng.randint(0, 1)
    for each in runs:
        options = {"run_id": rng.choice(["run", None]), "concurrency": rng.randint(1, 4)}
        async with AsyncTruemed(emulator.api_key, base_url=emulator.url, retry=ONE_TRY) as client:
            try:
                crash_after = rng.choice([0, 1, 2, 100])
                async with client.qualification_sessions.attach_users(each, **options) as stream:
                    async for _ in stream:
                        if (crash_after := crash_after - 1) < 0:
                            break
            except CallError:
                pass
    for handle in handles:
        handle.remove()
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
        final = await attach(client, corrected, run_id="run")
        again = await attach(client, corrected, run_id="run")
    wrong = [each for each in final + again if each.status is AttachStatus.FAILED]
    wrong += [each for each in again if each.status is AttachStatus.ATTACHED]
    for id, (email, user) in before.items():
        expected = expected_user(email, corrected)
        allowed = {expected_user(email, each) for each in runs} - {None} | {expected}
        if sessions.get(id).user_id not in ({user} if user else allowed):
            wrong.append((id, email, sessions.get(id).user_id))
    return wrong


async def test_histories_attach_nothing_twice_and_nothing_wrongly(scale):
    with Emulator(sessions=0, seed=7) as emulator:
        for seed in range(scale(60, 5_000)):
            assert await play(emulator, random.Random(seed)) == [], f"history {seed}"


@pytest.mark.parametrize("fault", ["part of an address", "case of Unicode", "ambiguous"])
async def test_histories_find_what_a_careless_comparison_attaches(fault, monkeypatch):
    """The control: without the exact comparison the same histories have wrong users."""
    if fault == "part of an address":

        def match_of(accounts, session):
            found = [each for key, each in accounts.unique.items() if key in (session.email or "").lower().encode()]
            return found[0] if found else None

        monkeypatch.setattr(_attach.Accounts, "match_of", match_of)
    elif fault == "case of Unicode":
        monkeypatch.setattr(_attach.scalars, "email_identity", lambda email: email.casefold().encode())
    else:

        def add_last(accounts, _, match):
            accounts.unique[key_of(match.email).encode()] = match

        monkeypatch.setattr(_attach.Accounts, "_add", add_last)
    with Emulator(sessions=0, seed=7) as emulator:
        assert any([await play(emulator, random.Random(seed)) for seed in range(30)])
