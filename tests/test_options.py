"""What a caller may set, and that what makes no sense is refused when it is set."""

from __future__ import annotations

import copy
import pickle
from functools import partial
from typing import Any

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError

from truemed_async._validation.configuration import validate_hooks
from truemed_async._validation.scalars import validate_seconds
from truemed_async.errors import InvalidArgumentError
from truemed_async.options import UNSET, Attempt, RequestOptions, RetryPolicy, Timeouts, Unset

NO_SECONDS = [0, -1, float("nan"), float("inf"), -float("inf"), None, True, "5", b"5", [5], 5j, frozenset()]


def test_defaults_are_five_twenty_and_sixty_seconds_and_three_attempts():
    assert Timeouts() == Timeouts(connect=5, attempt=20, total=60)
    assert RetryPolicy() == RetryPolicy(max_attempts=3, base=0.5, cap=8)


@pytest.mark.parametrize("value", NO_SECONDS, ids=repr)
@pytest.mark.parametrize("name", ["connect", "attempt", "total"])
def test_timeout_is_a_finite_positive_number(name, value):
    with pytest.raises(InvalidArgumentError, match=f"^{name} must be a"):
        Timeouts(**{name: value})


@pytest.mark.parametrize("value", [value for value in NO_SECONDS if not isinstance(value, Timeouts)], ids=repr)
def test_there_is_always_a_deadline(value):
    with pytest.raises(InvalidArgumentError, match="^timeout must be a"):
        Timeouts.of(value)


def test_timeout_number_is_the_total():
    assert Timeouts.of(7) == Timeouts(connect=5, attempt=20, total=7)
    timeouts = Timeouts(total=7)
    assert Timeouts.of(timeouts) is timeouts


@pytest.mark.parametrize(("value", "zero"), [(1, False), (0.001, False), (1e9, False), (0, True), (0.0, True)])
def test_seconds_are_returned_as_a_float(value, zero):
    found = validate_seconds("timeout", value, allow_zero=zero)
    assert found == value
    assert type(found) is float


def test_where_zero_is_allowed_less_than_zero_is_not():
    with pytest.raises(InvalidArgumentError, match=">= 0"):
        validate_seconds("timeout", -1, allow_zero=True)


@pytest.mark.parametrize("value", [0, -1, 11, 1.0, "3", True, None])
def test_attempts_are_a_whole_number_from_one_to_ten(value):
    with pytest.raises(InvalidArgumentError, match="^max_attempts must be an integer from 1 to 10"):
        RetryPolicy(max_attempts=value)


@pytest.mark.parametrize("value", [1, 10])
def test_one_attempt_and_ten_are_allowed(value):
    assert RetryPolicy(max_attempts=value).max_attempts == value


@pytest.mark.parametrize("name", ["base", "cap"])
@pytest.mark.parametrize("value", NO_SECONDS, ids=repr)
def test_pauses_are_finite_positive_numbers(name, value):
    with pytest.raises(InvalidArgumentError, match=f"^{name} must be a"):
        RetryPolicy(**{name: value})


@pytest.mark.parametrize("value", [None, 3, "3", {"max_attempts": 3}, Timeouts()])
def test_policy_is_a_policy(value):
    with pytest.raises(InvalidArgumentError, match="retry must be a RetryPolicy"):
        RetryPolicy.of(value)


def test_options_of_a_call_take_what_the_client_takes():
    assert RequestOptions() == RequestOptions(timeout=None, retry=None, headers=None)
    assert RequestOptions(timeout=7).timeout == Timeouts(total=7)
    assert RequestOptions(timeout=Timeouts(attempt=1)).timeout == Timeouts(attempt=1)
    assert RequestOptions(retry=RetryPolicy(max_attempts=1)).retry == RetryPolicy(max_attempts=1)


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": "5"}, {"retry": 3}, {"retry": False}])
def test_options_of_a_call_are_checked_when_they_are_made(options):
    with pytest.raises(InvalidArgumentError):
        RequestOptions(**options)


def test_options_do_not_show_header_values():
    assert "canary" not in repr(RequestOptions(headers={"x-trace": "canary"}))
    assert "x-trace" in repr(RequestOptions(headers={"x-trace": "canary"}))
    assert "headers=[]" in repr(RequestOptions())


@pytest.mark.parametrize("value", [Timeouts(), RetryPolicy(), RequestOptions()])
def test_options_are_immutable_values_given_by_name(value):
    for name in ("total", "base", "timeout"):
        with pytest.raises((FrozenInstanceError, AttributeError)):
            setattr(value, name, 1)
    with pytest.raises(TypeError):
        type(value)(1)
    assert attrs.evolve(value) == value


# --- UNSET --------------------------------------------------------------------------------------------------------


def test_unset_is_one_object_in_every_copy_and_not_none():
    assert UNSET is Unset.UNSET
    assert UNSET is not None
    assert not UNSET
    assert repr(UNSET) == "UNSET"
    for twin in (copy.copy(UNSET), copy.deepcopy(UNSET), pickle.loads(pickle.dumps(UNSET))):
        assert twin is UNSET


# --- hooks --------------------------------------------------------------------------------------------------------


def hook(attempt: Attempt) -> None: ...


async def coroutine(attempt: Attempt) -> None: ...


class Counter:
    def __call__(self, attempt: Attempt) -> None: ...


@pytest.mark.parametrize("hooks", [[], (), [hook], (hook, Counter()), [partial(print), print]])
def test_hooks_are_callables_in_a_list_or_tuple(hooks):
    assert validate_hooks(hooks) == tuple(hooks)


@pytest.mark.parametrize("hooks", [None, hook, {hook}, iter([hook]), "hooks", {"hook": hook}])
def test_hooks_in_anything_else_are_rejected(hooks):
    with pytest.raises(InvalidArgumentError, match="hooks must be a list or tuple"):
        validate_hooks(hooks)


@pytest.mark.parametrize("bad", [None, 1, "hook", coroutine, partial(coroutine)])
def test_hook_is_a_plain_callable(bad):
    with pytest.raises(InvalidArgumentError, match="each hook must be a plain callable"):
        validate_hooks([hook, bad])


class AsyncCounter:
    async def __call__(self, attempt: Attempt) -> None: ...


def test_object_whose_call_is_a_coroutine_is_no_plain_callable():
    with pytest.raises(InvalidArgumentError, match="each hook must be a plain callable"):
        validate_hooks([AsyncCounter()])


def test_attempt_has_no_personal_fields():
    names: list[Any] = [field.name for field in attrs.fields(Attempt)]
    assert names == [
        "endpoint", "method", "route", "number", "started_at", "elapsed", "status", "error", "outcome", "request_id",
        "retry_in", "server_address", "server_port", "rate_limit_wait",
    ]  # fmt: skip
