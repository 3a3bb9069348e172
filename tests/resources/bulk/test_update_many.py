"""Many changes: one outcome and one key each, and each effect once, whatever happens and however often it is run."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import uuid
from collections import defaultdict

import orjson
import pytest
from hypothesis import given, strategies as st
from yarl import URL

from truemed_async import AsyncTruemed, DeepLink, QualificationSessionUpdateParams, RetryPolicy, Timeouts
from truemed_async._core.bulk_update import derive_key
from truemed_async.endpoints import UPDATE_QUALIFICATION_SESSION
from truemed_async.errors import (
    CallError,
    InvalidArgumentError,
    NotFoundError,
    UserIdAlreadySetError,
)

# Truemed sets a user_id once: a second effect of such a change is refused, and so cannot be overlooked.
FAULTS = {
    "applied_then_reset": 0.15,
    "applied_then_500": 0.1,
    "applied_then_400_server_error": 0.05,
    "reset_peer": 0.05,
    "truncate_body": 0.05,
}


@pytest.fixture
def free(emulator):
    """Add sessions without a user."""
    return lambda count: [
        emulator.state.qualification_sessions.add(user_id=None, status="pending") for _ in range(count)
    ]


def changes_of(ids):
    return [QualificationSessionUpdateParams(each, user_id=f"user of {each}") for each in ids]


def users(emulator, ids):
    return {each: emulator.state.qualification_sessions.get(each).user_id for each in ids}


def keys_sent(emulator):
    """Return the keys that each session was sent, attempt by attempt."""
    found = defaultdict(list)
    for request in emulator.requests:
        if request.method == "POST":
            found[request.path.split("/")[-2]].append(orjson.loads(request.body)["idempotency_key"])
    return found


async def outcomes_of(client, changes, **options):
    return [outcome async for outcome in client.qualification_sessions.update_many(changes, **options)]


# --- outcomes -------------------------------------------------------------------------------------------------------


async def later(values):
    for value in values:
        await asyncio.sleep(0)
        yield value


@pytest.mark.parametrize("source", [list, iter, later], ids=["list", "iterator", "async"])
@pytest.mark.parametrize("run_id", [None, "run-1"])
async def test_each_change_gives_one_outcome_with_the_key_that_was_sent(emulator, client, free, source, run_id):
    ids = free(5)
    reports = []
    changes = changes_of(ids)
    found = await outcomes_of(
        client, source(changes), run_id=run_id, concurrency=2, ordered=True, progress=lambda *now: reports.append(now)
    )
    assert [outcome.id for outcome in found] == ids
    assert [outcome.change for outcome in found] == changes
    assert [outcome.unwrap().qualification_session_id for outcome in found] == ids
    assert users(emulator, ids) == {each: f"user of {each}" for each in ids}
    sent = keys_sent(emulator)
    assert [[outcome.idempotency_key] for outcome in found] == [sent[each] for each in ids]
    assert [outcome.unwrap().idempotency_key for outcome in found] == [outcome.idempotency_key for outcome in found]
    assert len({outcome.idempotency_key for outcome in found}) == 5
    assert reports[-1] == (5, 0, 5 if source is list else None)


async def test_one_failure_does_not_affect_others_and_has_its_key(client, free, emulator):
    assigned, open_ = emulator.state.qualification_sessions.add(user_id="taken"), free(1)[0]
    changes = changes_of([assigned, "qs_nobody", open_])
    found = await outcomes_of(client, changes, run_id="run-1", ordered=True)
    assert [type(outcome.error) for outcome in found] == [UserIdAlreadySetError, NotFoundError, type(None)]
    assert [outcome.error.idempotency_key for outcome in found[:2]] == [each.idempotency_key for each in found[:2]]
    with pytest.raises(UserIdAlreadySetError):
        found[0].unwrap()


@pytest.mark.parametrize(
    "change",
    [
        QualificationSessionUpdateParams("../x", user_id="me"),
        QualificationSessionUpdateParams(None, user_id="me"),
        QualificationSessionUpdateParams("qs_1"),
        QualificationSessionUpdateParams("qs_1", user_id=""),
        QualificationSessionUpdateParams("qs_1", metadata={"x": float("nan")}),
        QualificationSessionUpdateParams("qs_1", success_url="ftp://x"),
        QualificationSessionUpdateParams("qs_1", user_id="me", idempotency_key="a b"),
        QualificationSessionUpdateParams("qs_1", extra={"user_id": "me"}),
        QualificationSessionUpdateParams("qs_1", extra={"x": object()}),
        QualificationSessionUpdateParams("qs_1", extra={"x": float("nan")}),
        QualificationSessionUpdateParams("qs_1", extra={}),
    ],
    ids=["id", "no id", "nothing", "empty", "metadata", "url", "key", "known", "object", "nan", "no extra"],
)
@pytest.mark.parametrize("run_id", [None, "run-1"])
async def test_invalid_change_is_an_outcome_without_a_request(emulator, client, free, change, run_id):
    (good,) = free(1)
    bad, fine = await outcomes_of(client, [change, *changes_of([good])], run_id=run_id, ordered=True)
    assert isinstance(bad.error, InvalidArgumentError)
    assert (bad.id, bad.change, bad.idempotency_key) == (change.qualification_session_id, change, None)
    assert fine.ok
    assert len(keys_sent(emulator)) == 1


async def test_idempotency_key_of_caller_has_priority(emulator, client, free):
    (one,) = free(1)
    change = QualificationSessionUpdateParams(one, user_id="me", idempotency_key="mine")
    (outcome,) = await outcomes_of(client, [change], run_id="run-1")
    assert outcome.idempotency_key == "mine"
    assert keys_sent(emulator)[one] == ["mine"]


async def test_all_fields_are_sent(emulator, client, free):
    (one,) = free(1)
    change = QualificationSessionUpdateParams(
        one,
        user_id="me",
        metadata={"b": 1, "a": "ü"},
        success_url=URL("https://shop.example/ok"),
        failure_url=DeepLink("myapp://no"),
        extra={"note": [1, None]},
    )
    assert (await outcomes_of(client, [change]))[0].ok
    (sent,) = [orjson.loads(request.body) for request in emulator.requests if request.method == "POST"]
    assert sent["note"] == [1, None]
    stored = emulator.state.qualification_sessions.get(one)
    assert (stored.user_id, stored.metadata) == ("me", '{"a":"ü","b":1}')
    assert (stored.success_url, stored.failure_url) == ("https://shop.example/ok", "myapp://no")


# --- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"changes": "qs_1"}, "changes must be an iterable"),
        ({"changes": None}, "changes must be an iterable"),
        ({"concurrency": 0}, "concurrency must be a whole number >= 1"),
        ({"run_id": ""}, "run_id must not be empty"),
        ({"run_id": 7}, "run_id must be a string"),
        ({"progress": 7}, "progress must be a plain function"),
    ],
    ids=lambda arguments: "-".join(arguments) if isinstance(arguments, dict) else None,
)
async def test_invalid_arguments_raise_before_iteration(client, sync_client, emulator, arguments, message):
    for each in (client, sync_client):
        with pytest.raises(InvalidArgumentError, match=message):
            each.qualification_sessions.update_many(**{"changes": [], **arguments})
    assert not keys_sent(emulator)


async def test_invalid_change_aborts_update_many(client):
    with pytest.raises(InvalidArgumentError, match="must be QualificationSessionUpdateParams objects, not dict"):
        await outcomes_of(client, [{"qualification_session_id": "qs_1", "user_id": "me"}])


def test_repr_of_a_change_masks_its_values():
    change = QualificationSessionUpdateParams("qs_1", user_id="jane@example.com", metadata={"name": "Jane"})
    assert repr(change) == (
        "QualificationSessionUpdateParams(idempotency_key=None, qualification_session_id='qs_1', user_id=***, metadata=***, "
        "success_url=UNSET, failure_url=UNSET, extra=None)"
    )
    assert "Jane" not in repr(QualificationSessionUpdateParams("qs_1", extra={"name": "Jane"}))


# --- keys -------------------------------------------------------------------------------------------------------------


async def test_without_a_run_id_keys_are_new_each_time(emulator, client, free):
    change = QualificationSessionUpdateParams(free(1)[0], metadata="{}")
    found = [*await outcomes_of(client, [change, change]), *await outcomes_of(client, [change])]
    assert len({uuid.UUID(outcome.idempotency_key) for outcome in found}) == 3


def key(run="run-1", id="qs_1", **fields):
    change = QualificationSessionUpdateParams(id, **(fields or {"user_id": "me"}))
    return derive_key(run, UPDATE_QUALIFICATION_SESSION, id, change.fields())


def test_key_never_changes_from_version_to_version():
    """A run that crashed may be repeated by a newer version: this is what it finds its own changes by."""
    assert key() == PINNED


PINNED = "df77cd2f-9a59-5d22-9353-552bccaca397"


def test_any_difference_makes_another_key():
    different = [
        key(),
        key(run="run-2"),
        key(id="qs_2"),
        key(user_id="you"),
        key(metadata={"a": 1}),
        key(metadata={"a": 2}),
        key(user_id="me", metadata={"a": 1}),
        key(success_url="https://a.example/"),
        key(failure_url="https://a.example/"),
        key(run="run-1qs_1", id="1"),
    ]
    assert len(set(different)) == len(different)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=3), JSON, min_size=2, max_size=4), st.randoms())
def test_order_of_members_does_not_matter(metadata, draw):
    """A mapping may come out of a set or a database in another order each time."""
    members = list(metadata.items())
    draw.shuffle(members)
    assert key(metadata=metadata) == key(metadata=dict(members))


def test_text_is_taken_as_it_is():
    assert key(metadata='{"a":1,"b":2}') != key(metadata='{"b":2,"a":1}')


# --- effects ----------------------------------------------------------------------------------------------------------


async def test_repeated_run_has_each_effect_once(emulator, free, scale):
    """Three runs under faults that strike after the effect, in different orders, the last one without them."""
    ids = free(scale(60, 3_000))
    handles = [emulator.faults.add(name, method="POST", probability=share) for name, share in FAULTS.items()]
    found = []
    timeout = Timeouts(attempt=5, total=30)
    retry = RetryPolicy(base=0.001, cap=0.004, max_attempts=2)
    for run in range(3):
        if run == 2:
            emulator.faults.clear()
        async with AsyncTruemed(emulator.api_key, base_url=emulator.url, retry=retry, timeout=timeout) as client:
            found = await outcomes_of(client, changes_of(ids[run * 7 :] + ids[: run * 7]), run_id="r", concurrency=20)
        for outcome in found:
            assert outcome.ok or isinstance(outcome.error, CallError)
            assert not isinstance(outcome.error, UserIdAlreadySetError), "that would have been a second effect"
    assert sum(handle.hits for handle in handles) > len(ids) / 10
    assert all(outcome.ok for outcome in found)
    assert users(emulator, ids) == {each: f"user of {each}" for each in ids}
    assert all(len(set(keys)) == 1 for keys in keys_sent(emulator).values())


PROGRAM = """
    import asyncio, os, signal, sys
    from truemed_async import AsyncTruemed, QualificationSessionUpdateParams, RetryPolicy

    async def main():
        run_id, last = sys.argv[1], int(sys.argv[2])
        ids = sys.stdin.read().split()
        changes = (QualificationSessionUpdateParams(each, user_id=f"user of {each}") for each in ids)
        done = 0
        async with AsyncTruemed(retry=RetryPolicy(base=0.001, cap=0.004, max_attempts=2)) as client:
            async for outcome in client.qualification_sessions.update_many(changes, run_id=run_id, concurrency=8):
                print(outcome.id, type(outcome.error).__name__, outcome.idempotency_key)
                done += 1
                if done == last:
                    os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(main())
"""


def test_run_after_a_crash_has_each_effect_once(emulator, free, tmp_path):
    """The process is killed with calls in flight; the next one knows nothing but the run's name and the changes."""
    ids = free(40)
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM), encoding="utf-8")

    def run(run_id, last=0):
        return subprocess.run(
            [sys.executable, str(program), run_id, str(last)],
            input="\n".join(ids),
            env={**os.environ, "TRUEMED_API_KEY": emulator.api_key, "TRUEMED_BASE_URL": emulator.url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    emulator.faults.add("applied_then_reset", method="POST", probability=0.3)
    crashed = run("run-1", last=15)
    assert crashed.returncode == -signal.SIGKILL, crashed.stderr
    applied = {each for each, user in users(emulator, ids).items() if user is not None}
    assert 5 <= len(applied) < 40
    emulator.faults.clear()
    repeated = run("run-1")
    assert repeated.returncode == 0, repeated.stderr
    lines = [line.split() for line in repeated.stdout.splitlines()]
    assert sorted(each for each, _, _ in lines) == sorted(ids)
    assert {error for _, error, _ in lines} == {"NoneType"}
    assert users(emulator, ids) == {each: f"user of {each}" for each in ids}
    assert all(len(set(keys)) == 1 for keys in keys_sent(emulator).values())
    # The control: under another name every change is a new one, and its second effect is refused.
    other = run("run-2")
    assert {line.split()[1] for line in other.stdout.splitlines()} == {"UserIdAlreadySetError"}


async def test_update_request_that_was_evolved_does_not_collide(emulator, client, free):
    """The file was corrected between the crash and the repeat: what is the same has one effect, the rest its own."""
    one, two = free(2)
    first = [QualificationSessionUpdateParams(each, metadata={"tier": "gold"}) for each in (one, two)]
    assert all(outcome.ok for outcome in await outcomes_of(client, first, run_id="r"))
    corrected = [first[0], QualificationSessionUpdateParams(two, metadata={"tier": "silver"})]
    assert all(outcome.ok for outcome in await outcomes_of(client, corrected, run_id="r"))
    assert [emulator.state.qualification_sessions.get(each).metadata for each in (one, two)] == [
        '{"tier":"gold"}',
        '{"tier":"silver"}',
    ]


# --- the same without a loop --------------------------------------------------------------------------------------------


def test_synchronous_client_makes_many_changes(emulator, sync_client, free):
    ids = free(30)
    reports = []
    outcomes = sync_client.qualification_sessions.update_many(
        (change for change in changes_of(ids)), run_id="r", ordered=True, progress=lambda *now: reports.append(now)
    )
    assert [(outcome.id, outcome.ok) for outcome in outcomes] == [(each, True) for each in ids]
    assert users(emulator, ids) == {each: f"user of {each}" for each in ids}
    assert reports[-1] == (30, 0, None)
    again = list(sync_client.qualification_sessions.update_many(changes_of(ids), run_id="r"))
    assert all(outcome.ok for outcome in again), "the same run again has no second effect"
