"""A key that went out with one body is not sent with another."""

import pytest
from yarl import URL

from truemed_async import Endpoint, Idempotency
from truemed_async._core.idempotency import MAX_KEYS, IdempotencyKeyCache
from truemed_async._core.request import build_request
from truemed_async.errors import InvalidArgumentError

WRITE = Endpoint("things.set", "POST", "/things/{id}", dict, idempotency=Idempotency.KEYED)
READ = Endpoint("things.get", "GET", "/things/{id}", dict)


def write(key, body, thing="a"):
    return build_request(URL("https://api.example"), WRITE, path={"id": thing}, body=body, idempotency_key=key)


def test_key_may_be_repeated_with_the_same_values_only():
    ledger = IdempotencyKeyCache()
    ledger.check(write("k", {"a": 1}))
    ledger.check(write("k", {"a": 1}))
    with pytest.raises(InvalidArgumentError, match="used with other values") as caught:
        ledger.check(write("k", {"a": 2}))
    assert "k" not in caught.value.args[0].split()


def test_rejected_key_reuse_keeps_the_first_request():
    ledger = IdempotencyKeyCache()
    ledger.check(write("k", {"a": 1}))
    for _ in range(2):
        with pytest.raises(InvalidArgumentError):
            ledger.check(write("k", {"a": 2}))
    ledger.check(write("k", {"a": 1}))


def test_keys_are_scoped_to_one_object():
    """Truemed, "Update a Qualification Session": the key is "scoped to the qualification session"."""
    ledger = IdempotencyKeyCache()
    ledger.check(write("k", {"a": 1}, "one"))
    ledger.check(write("k", {"a": 2}, "two"))


def test_reads_have_no_key_to_check():
    IdempotencyKeyCache().check(build_request(URL("https://api.example"), READ, path={"id": "a"}))


def test_key_cache_over_capacity_forgets_the_oldest():
    ledger = IdempotencyKeyCache()
    ledger.check(write("first", {"a": 1}))
    ledger.check(write("second", {"a": 1}))
    ledger.check(write("first", {"a": 1}))  # used again, so the second is now the oldest
    for number in range(MAX_KEYS - 1):
        ledger.check(write(f"k{number}", {"a": 1}))
    with pytest.raises(InvalidArgumentError):
        ledger.check(write("first", {"a": 2}))
    ledger.check(write("second", {"a": 2}))
