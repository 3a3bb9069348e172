"""Both stores: who may handle an event, what a crash leaves behind, what is forgotten when."""

import multiprocessing
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from truemed_async.errors import InvalidArgumentError
from truemed_async.webhooks import Claim, MemoryDedupStore, SQLiteDedupStore

WATCHDOG = 120


@pytest.fixture
def store(make_store, clock):
    return make_store(lease=timedelta(seconds=60), retention=timedelta(seconds=1000), clock=clock)


def test_one_of_two_claims_is_granted(store):
    assert store.claim("a", "me") is Claim.GRANTED
    assert store.claim("a", "you") is Claim.BUSY
    assert store.claim("a", "me") is Claim.BUSY, "an owner is made for one delivery"
    assert store.claim("b", "you") is Claim.GRANTED


def test_what_was_confirmed_is_done(store):
    store.claim("a", "me")
    store.confirm("a", "me")
    assert store.claim("a", "you") is Claim.DONE
    assert len(store) == 1


def test_what_was_released_can_be_claimed(store):
    store.claim("a", "me")
    store.release("a", "me")
    assert store.claim("a", "you") is Claim.GRANTED
    assert len(store) == 0


def test_nobody_releases_what_is_anothers_or_done(store):
    store.release("a", "me")
    store.claim("a", "me")
    store.release("a", "you")
    assert store.claim("a", "you") is Claim.BUSY
    store.confirm("a", "me")
    store.release("a", "me")
    assert store.claim("a", "you") is Claim.DONE


def test_a_claim_that_nobody_ends_ends_by_itself(store, clock):
    """Its process died: the event must be handled by somebody else."""
    store.claim("a", "dead")
    clock.now += 59.9
    assert store.claim("a", "you") is Claim.BUSY
    clock.now += 0.1
    assert store.claim("a", "you") is Claim.GRANTED
    store.release("a", "dead")
    assert store.claim("a", "third") is Claim.BUSY, "who comes back from the dead takes nothing away"


def test_an_effect_counts_even_if_the_claim_had_ended(store, clock):
    store.claim("a", "slow")
    clock.now += 61
    assert store.claim("a", "you") is Claim.GRANTED
    store.confirm("a", "slow")
    store.release("a", "you")
    assert store.claim("a", "third") is Claim.DONE


def test_a_handled_event_is_forgotten_after_its_retention_and_not_before(store, clock):
    store.claim("a", "me")
    clock.now += 30
    store.confirm("a", "me")
    clock.now += 999.9
    assert store.claim("a", "you") is Claim.DONE
    clock.now += 0.1
    assert store.claim("a", "you") is Claim.GRANTED
    assert len(store) == 0


def test_a_repeated_confirmation_prolongs(store, clock):
    store.confirm("a", "me")
    clock.now += 500
    store.confirm("a", "me")
    clock.now += 999
    assert store.claim("a", "you") is Claim.DONE
    assert len(store) == 1


def test_its_retention_can_be_asked(store):
    assert store.retention == timedelta(seconds=1000)


@pytest.mark.parametrize("name", ["lease", "retention"])
@pytest.mark.parametrize("value", [timedelta(0), -timedelta(1), 60, None])
def test_a_bad_duration_is_refused(make_store, name, value):
    with pytest.raises(InvalidArgumentError, match=f"{name} must be"):
        make_store(**{name: value})


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, None])
def test_a_bad_limit_is_refused(limit):
    with pytest.raises(InvalidArgumentError, match="limit must be"):
        MemoryDedupStore(limit=limit)


def test_memory_forgets_the_oldest_beyond_its_limit():
    store = MemoryDedupStore(limit=3)
    for key in "abcde":
        store.claim(key, "me")
        store.confirm(key, "me")
        assert len(store) <= 3
    assert [store.claim(key, "you") for key in "edc"] == [Claim.DONE] * 3
    assert [store.claim(key, "you") for key in "ab"] == [Claim.GRANTED] * 2


def test_memory_keeps_no_claim_of_the_dead(clock):
    store = MemoryDedupStore(lease=timedelta(seconds=1), clock=clock)
    for number in range(1000):
        store.claim(str(number), "dead")
        clock.now += 1
    assert len(store._claims) == 1


@pytest.mark.parametrize("path", ["", ":memory:", "file:x.db?mode=memory"])
def test_sqlite_wants_a_file(path):
    with pytest.raises(InvalidArgumentError, match="path must name a file"):
        SQLiteDedupStore(path)


def test_sqlite_does_not_make_directories(tmp_path):
    with pytest.raises(sqlite3.OperationalError):
        SQLiteDedupStore(tmp_path / "missing" / "webhooks.db")


def test_sqlite_remembers_over_restarts(tmp_path):
    first = SQLiteDedupStore(tmp_path / "webhooks.db")
    first.claim("a", "me")
    first.confirm("a", "me")
    first.claim("b", "me")
    again = SQLiteDedupStore(str(tmp_path / "webhooks.db"))
    assert (again.claim("a", "you"), again.claim("b", "you"), len(again)) == (Claim.DONE, Claim.BUSY, 1)


def test_sqlite_stores_no_more_than_keys_and_times(tmp_path):
    store = SQLiteDedupStore(tmp_path / "webhooks.db")
    store.claim("a", "me")
    connection = sqlite3.connect(tmp_path / "webhooks.db")
    try:
        (row,) = connection.execute("SELECT * FROM truemed_deliveries").fetchall()
    finally:
        connection.close()
    assert (row[0], row[1], row[3], len(row)) == ("a", "me", 0, 4)


def test_of_many_threads_one_is_granted(make_store):
    store, threads, rounds = make_store(), 8, 20
    start = threading.Barrier(threads)

    def claim(name):
        answers = []
        for number in range(rounds):
            start.wait(WATCHDOG)
            answers.append(store.claim(f"event-{number}", name))
        return answers

    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(claim, [f"thread-{number}" for number in range(threads)]))
    for number in range(rounds):
        assert sorted(each[number] for each in answers) == [Claim.BUSY] * (threads - 1) + [Claim.GRANTED]


CLAIM_ALL = """
import sys
from truemed_async.webhooks import SQLiteDedupStore
print("ready", flush=True)
sys.stdin.readline()
store = SQLiteDedupStore(sys.argv[1])
print(*[number for number in range(200) if store.claim(f"event-{number}", sys.argv[2]) == "granted"], flush=True)
"""


def test_of_two_processes_one_is_granted(tmp_path):
    """They also make the file at the same time."""
    command = [sys.executable, "-c", CLAIM_ALL, str(tmp_path / "webhooks.db")]
    running = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for name in "ab"
    ]
    try:
        for process in running:
            assert process.stdout.readline() == "ready\n"
        for process in running:
            process.stdin.write("go\n")
            process.stdin.flush()
        granted = [process.communicate(timeout=WATCHDOG)[0].split() for process in running]
        assert [process.returncode for process in running] == [0, 0]
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert sorted(granted[0] + granted[1], key=int) == [str(number) for number in range(200)]


def _claim_in_child(store, answers):
    answers.put(store.claim("event", "child"))


def test_a_store_can_be_handed_to_another_process(tmp_path):
    store = SQLiteDedupStore(tmp_path / "webhooks.db")
    store.claim("mine", "parent")
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    child = context.Process(target=_claim_in_child, args=(store, answers))
    child.start()
    try:
        assert answers.get(timeout=WATCHDOG) == "granted"
        child.join(WATCHDOG)
    finally:
        child.kill()
        child.join(WATCHDOG)
    assert store.claim("event", "parent") is Claim.BUSY
