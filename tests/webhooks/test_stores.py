"""All stores: claims, crashes of their owners, retention."""

import multiprocessing
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from truemed_async.errors import InvalidArgumentError
from truemed_async.webhooks import Claim, MemoryDedupStore, SQLiteDedupStore

WATCHDOG = 120


@pytest.fixture
def store(make_store, clock):
    return make_store(lease=timedelta(seconds=60), retention=timedelta(seconds=1000), clock=clock)


def test_second_claim_is_busy(store):
    assert store.claim("a", "me") is Claim.GRANTED
    assert store.claim("a", "you") is Claim.BUSY
    assert store.claim("b", "you") is Claim.GRANTED


def test_claim_that_its_owner_repeats(store, store_kind):
    """An owner is unique to one delivery; but clients of Redis repeat a command whose response was lost."""
    grants_again = "redis" in store_kind or "django" in store_kind
    assert store.claim("a", "me") is Claim.GRANTED
    assert store.claim("a", "me") is (Claim.GRANTED if grants_again else Claim.BUSY)
    store.confirm("a", "me")
    assert store.claim("a", "me") is Claim.DONE


def test_claim_of_confirmed_event_is_done(store):
    store.claim("a", "me")
    store.confirm("a", "me")
    assert store.claim("a", "you") is Claim.DONE


def test_local_stores_count_handled_events(clock, tmp_path):
    for store in (MemoryDedupStore(clock=clock), SQLiteDedupStore(tmp_path / "webhooks.db", clock=clock)):
        store.claim("a", "me")
        assert len(store) == 0
        store.confirm("a", "me")
        store.confirm("a", "me")
        assert len(store) == 1
        clock.now += store.retention.total_seconds()
        store.claim("a", "you")
        assert len(store) == 0


def test_claim_of_released_event_is_granted(store):
    store.claim("a", "me")
    store.release("a", "me")
    assert store.claim("a", "you") is Claim.GRANTED


def test_release_by_another_owner_or_after_confirm_changes_nothing(store):
    store.release("a", "me")
    store.claim("a", "me")
    store.release("a", "you")
    assert store.claim("a", "you") is Claim.BUSY
    store.confirm("a", "me")
    store.release("a", "me")
    assert store.claim("a", "you") is Claim.DONE


def test_abandoned_claim_expires(store, clock):
    """The claim of a process that died must not block the event forever."""
    store.claim("a", "dead")
    clock.now += 60 - clock.margin
    assert store.claim("a", "you") is Claim.BUSY
    clock.now += clock.margin
    assert store.claim("a", "you") is Claim.GRANTED
    store.release("a", "dead")
    assert store.claim("a", "third") is Claim.BUSY, "the expired owner must not release the new claim"


def test_confirm_after_expired_claim_counts(store, clock):
    store.claim("a", "slow")
    clock.now += 61
    assert store.claim("a", "you") is Claim.GRANTED
    store.confirm("a", "slow")
    store.release("a", "you")
    assert store.claim("a", "third") is Claim.DONE


def test_confirmed_event_is_forgotten_after_retention(store, clock):
    store.claim("a", "me")
    clock.now += 30
    store.confirm("a", "me")
    clock.now += 1000 - clock.margin
    assert store.claim("a", "you") is Claim.DONE
    clock.now += clock.margin
    assert store.claim("a", "you") is Claim.GRANTED


def test_repeated_confirm_extends_retention(store, clock):
    store.confirm("a", "me")
    clock.now += 500
    store.confirm("a", "me")
    clock.now += 1000 - clock.margin
    assert store.claim("a", "you") is Claim.DONE


def test_store_retention_is_readable(store):
    assert store.retention == timedelta(seconds=1000)


@pytest.mark.parametrize("name", ["lease", "retention"])
@pytest.mark.parametrize("value", [timedelta(0), -timedelta(1), 60, None])
def test_store_with_invalid_duration_raises(make_store, name, value):
    with pytest.raises(InvalidArgumentError, match=f"{name} must be"):
        make_store(**{name: value})


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, None])
def test_memory_store_with_invalid_limit_raises(limit):
    with pytest.raises(InvalidArgumentError, match="limit must be"):
        MemoryDedupStore(limit=limit)


def test_memory_store_over_limit_forgets_the_oldest():
    store = MemoryDedupStore(limit=3)
    for key in "abcde":
        store.claim(key, "me")
        store.confirm(key, "me")
        assert len(store) <= 3
    assert [store.claim(key, "you") for key in "edc"] == [Claim.DONE] * 3
    assert [store.claim(key, "you") for key in "ab"] == [Claim.GRANTED] * 2


def test_memory_store_evicts_expired_claims(clock):
    store = MemoryDedupStore(lease=timedelta(seconds=1), clock=clock)
    for number in range(1000):
        store.claim(str(number), "dead")
        clock.now += 1
    assert len(store._claims) == 1


@pytest.mark.parametrize("path", ["", ":memory:", "file:x.db?mode=memory", "a\0b", b"", 7, None])
def test_sqlite_store_without_file_raises(path):
    with pytest.raises(InvalidArgumentError, match="path must name a file"):
        SQLiteDedupStore(path)


@pytest.mark.parametrize(
    "path", ["webhooks.db", b"webhooks.db", Path("webhooks.db"), "./webhooks.db", "webhooks-\udcff.db"]
)
def test_sqlite_store_keeps_its_file_after_chdir(tmp_path, monkeypatch, path):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = SQLiteDedupStore(path)
    store.confirm("a", "me")
    monkeypatch.chdir("elsewhere")
    assert store.claim("a", "you") is Claim.DONE
    assert SQLiteDedupStore(path).claim("a", "you") is Claim.GRANTED, "another directory, another file"
    assert store.claim("a", "you") is Claim.DONE


def test_sqlite_store_resolves_dot_dot_through_symbolic_links(tmp_path, monkeypatch):
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "deep")
    monkeypatch.chdir(tmp_path)
    SQLiteDedupStore("link/../webhooks.db")
    assert (tmp_path / "real" / "webhooks.db").exists()


def test_sqlite_store_recreates_a_removed_file_with_a_warning(tmp_path, caplog):
    file = tmp_path / "webhooks.db"
    store = SQLiteDedupStore(file)
    store.confirm("a", "me")
    assert not caplog.records
    file.unlink()
    assert store.claim("a", "you") is Claim.GRANTED
    assert "was removed" in caplog.text
    store.confirm("a", "you")
    assert (store.claim("a", "third"), len(store), len(caplog.records)) == (Claim.DONE, 1, 1)


def test_sqlite_store_in_missing_directory_raises(tmp_path):
    with pytest.raises(sqlite3.OperationalError):
        SQLiteDedupStore(tmp_path / "missing" / "webhooks.db")


def test_sqlite_store_remembers_across_restarts(tmp_path):
    first = SQLiteDedupStore(tmp_path / "webhooks.db")
    first.claim("a", "me")
    first.confirm("a", "me")
    first.claim("b", "me")
    again = SQLiteDedupStore(str(tmp_path / "webhooks.db"))
    assert (again.claim("a", "you"), again.claim("b", "you"), len(again)) == (Claim.DONE, Claim.BUSY, 1)


def test_sqlite_store_holds_only_keys_and_times(tmp_path):
    store = SQLiteDedupStore(tmp_path / "webhooks.db")
    store.claim("a", "me")
    connection = sqlite3.connect(tmp_path / "webhooks.db")
    try:
        (row,) = connection.execute("SELECT * FROM truemed_deliveries").fetchall()
    finally:
        connection.close()
    assert (row[0], row[1], row[3], len(row)) == ("a", "me", 0, 4)


def test_claims_of_many_threads_are_granted_once(make_store):
    store, threads, rounds = make_store(), 8, 20
    start = threading.Barrier(threads)

    def claim(name):
        claims = []
        for number in range(rounds):
            start.wait(WATCHDOG)
            claims.append(store.claim(f"event-{number}", name))
        return claims

    with ThreadPoolExecutor(threads) as pool:
        claims = list(pool.map(claim, [f"thread-{number}" for number in range(threads)]))
    for number in range(rounds):
        assert sorted(each[number] for each in claims) == [Claim.BUSY] * (threads - 1) + [Claim.GRANTED]


CLAIM_ALL = """
import sys
from truemed_async.webhooks import SQLiteDedupStore
print("ready", flush=True)
sys.stdin.readline()
store = SQLiteDedupStore(sys.argv[1])
print(*[number for number in range(200) if store.claim(f"event-{number}", sys.argv[2]) == "granted"], flush=True)
"""


def test_claims_of_two_processes_are_granted_once(tmp_path):
    """They also create the file at the same time."""
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


def _claim_in_child(store, claims):
    claims.put(store.claim("event", "child"))


def test_sqlite_store_can_be_pickled_to_another_process(tmp_path):
    store = SQLiteDedupStore(tmp_path / "webhooks.db")
    store.claim("mine", "parent")
    context = multiprocessing.get_context("spawn")
    claims = context.Queue()
    child = context.Process(target=_claim_in_child, args=(store, claims))
    child.start()
    try:
        assert claims.get(timeout=WATCHDOG) == "granted"
        child.join(WATCHDOG)
    finally:
        child.kill()
        child.join(WATCHDOG)
    assert store.claim("event", "parent") is Claim.BUSY
