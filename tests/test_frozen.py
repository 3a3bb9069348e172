"""The fast constructor of frozen classes builds what the slow one builds."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs
import pytest

from truemed_async._core.request import Request
from truemed_async._core.response import RawResponse, Response
from truemed_async._frozen import complete_constructor, fast_constructor
from truemed_async.endpoints import GET_QUALIFICATION_SESSION
from truemed_async.webhooks import (
    CatalogItemEligibilityUpdated,
    EventType,
    PaymentSessionUpdated,
    PaymentTokenUpdated,
    QualificationSessionCompleted,
)

T = TypeVar("T")


@attrs.frozen(weakref_slot=False)
class Pair(Generic[T]):
    first: T
    second: int = 2
    third: int = attrs.field(default=3, kw_only=True)


@pytest.mark.parametrize(
    ("positional", "named"), [((1,), {}), ((1, 5), {}), ((1,), {"second": 4, "third": 6}), ((), {"first": None})]
)
@pytest.mark.parametrize("cls", [Pair, Pair[int]])
def test_fast_constructor_builds_what_the_class_builds(cls, positional, named):
    built = fast_constructor(cls)(*positional, **named)
    assert built == Pair(*positional, **named)
    assert type(built) is Pair
    assert repr(built) == repr(Pair(*positional, **named))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        built.first = 0
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del built.first


@pytest.mark.parametrize(("positional", "named"), [((), {}), ((1, 2, 3), {}), ((1,), {"fourth": 4})])
def test_fast_constructor_rejects_what_the_class_rejects(positional, named):
    with pytest.raises(TypeError):
        fast_constructor(Pair)(*positional, **named)


@pytest.mark.parametrize(
    ("cls", "arguments"),
    [
        (Request, (GET_QUALIFICATION_SESSION, None, None, None, "key")),
        (RawResponse, (200, {}, b"{}", True)),
        (RawResponse, (200, {}, b"{}")),
    ],
)
def test_fast_constructor_sets_every_field_of_the_classes_that_use_it(cls, arguments):
    fast, slow = fast_constructor(cls)(*arguments), cls(*arguments)
    for field in attrs.fields(cls):
        assert getattr(fast, field.name) is getattr(slow, field.name)


EVENTS = [PaymentSessionUpdated, PaymentTokenUpdated, QualificationSessionCompleted, CatalogItemEligibilityUpdated]


@pytest.mark.parametrize("cls", EVENTS)
def test_complete_constructor_builds_the_events_that_their_classes_build(cls):
    fields = {field.name: object() for field in attrs.fields(cls)} | {"type": EventType.UNKNOWN, "extra": {"a": 1}}
    built = complete_constructor(cls)(**fields)
    assert type(built) is cls
    assert all(getattr(built, name) is getattr(cls(**fields), name) for name in fields)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        built.type = None


def test_complete_constructor_needs_every_field():
    with pytest.raises(TypeError, match="second"):
        complete_constructor(Pair)(first=1, third=3)


def test_fast_response_equals_a_slow_one():
    fields = {
        "value": 1, "status": 200, "headers": {}, "request_id": "r", "attempts": 2, "elapsed": 0.5, "idempotency_key": None,
    }  # fmt: skip
    assert fast_constructor(Response)(**fields) == Response(**fields)


def with_a_field(**options: object) -> type:
    return attrs.make_class("Made", {"value": attrs.field(**options)}, frozen=True, slots=True, weakref_slot=False)


@pytest.mark.parametrize(
    "cls",
    [
        with_a_field(factory=list),
        with_a_field(converter=str),
        with_a_field(validator=attrs.validators.instance_of(str)),
        attrs.make_class("Weak", ["value"], frozen=True, slots=True),
        attrs.make_class(
            "After", ["value"], (type("Base", (), {"__slots__": (), "__attrs_post_init__": print}),), frozen=True,
            slots=True, weakref_slot=False,
        ),
    ],
    ids=["factory", "converter", "validator", "weakref", "post_init"],
)  # fmt: skip
def test_fast_constructor_refuses_a_class_whose_constructor_does_more(cls):
    with pytest.raises(TypeError, match="does more than to set plain fields"):
        fast_constructor(cls)
