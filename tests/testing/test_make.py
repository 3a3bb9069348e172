"""Made-up models and deliveries."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import attrs
import pytest

from truemed_async import Page, QualificationSession, models, webhooks
from truemed_async.errors import InvalidArgumentError
from truemed_async.models import Model
from truemed_async.testing import Delivery, make, make_delivery, sign
from truemed_async.webhooks import EventType, UnknownEvent, verify_and_parse

SECRET = "the-secret-of-this-webhook"
MODELS = [
    kind
    for kind in (getattr(models, name) for name in models.__all__)
    if isinstance(kind, type) and attrs.has(kind) and kind is not Model
]
TYPES = [each for each in EventType if each is not EventType.UNKNOWN]


@pytest.mark.parametrize("model", MODELS)
def test_make_returns_the_same_instance_of_every_model(model):
    instance = make(model)
    assert type(instance) is model
    assert instance == make(model)


@pytest.mark.parametrize("model", [kind for kind in MODELS if issubclass(kind, Model)])
def test_example_has_the_types_that_truemed_publishes(model):
    assert make(model).mismatches == ()


def test_make_sets_the_given_fields():
    instance = make(QualificationSession, status="rejected", expires_at=None, extra={"new": 1})
    assert instance.status.is_final
    assert instance.status == "rejected"
    assert (instance.expires_at, instance.extra, instance.qualification_session_id) == (None, {"new": 1}, "qs_abc123")


def test_make_of_an_unknown_field_lists_the_fields_without_the_value():
    with pytest.raises(
        InvalidArgumentError, match=r"QualificationSession has no field 'mail'; it has .*email"
    ) as caught:
        make(QualificationSession, mail="sam@example.com")
    assert "sam@" not in str(caught.value)


@pytest.mark.parametrize(("model", "name"), [(int, "int"), (Model, "Model"), ([1], "an instance of list")])
def test_make_of_another_class_names_it(model, name):
    with pytest.raises(InvalidArgumentError, match=f"must be a class of truemed_async.models, not {name}$"):
        make(model)


def test_make_of_a_page_takes_the_items_of_its_type():
    page = make(Page[QualificationSession], items=(make(QualificationSession),))
    assert [each.status for each in page.items] == ["approved"]


@pytest.mark.parametrize("event_type", TYPES)
def test_delivery_of_every_event_is_accepted_and_of_its_type(event_type):
    delivery = make_delivery(event_type, secret=SECRET)
    event = verify_and_parse(delivery.body, delivery.headers, secrets=SECRET)
    assert event.type is event_type
    assert not isinstance(event, UnknownEvent)
    assert event.data.mismatches == ()


def test_every_event_class_has_a_delivery():
    events = {type(verify_and_parse((one := make_delivery(each, secret=SECRET)).body, one.headers, secrets=SECRET)) for each in TYPES}  # fmt: skip
    exported = [getattr(webhooks, name) for name in webhooks.__all__]
    classes = {each for each in exported if isinstance(each, type) and issubclass(each, webhooks.Event)}
    assert events == classes - {webhooks.Event, UnknownEvent}
    assert len(events) == 4


def test_delivery_has_the_given_members_id_and_time():
    moment = datetime(2026, 5, 1, 12, tzinfo=UTC)
    delivery = make_delivery("payment_session_complete", secret=SECRET, delivery_id="whd_7", timestamp=moment, status="rejected", new=1)  # fmt: skip
    body = json.loads(delivery.body)
    assert (body["webhook_delivery_id"], body["data"]["status"], body["data"]["new"]) == ("whd_7", "rejected", 1)
    assert delivery.headers == {"Content-Type": "application/json", **sign(delivery.body, SECRET, timestamp=moment)}


def test_delivery_of_the_same_event_has_the_same_id_and_of_another_has_not():
    ids = [
        json.loads(make_delivery("payment_session_complete", secret=SECRET, status=status).body)["webhook_delivery_id"]
        for status in ("captured", "captured", "rejected")
    ]
    assert ids[0] == ids[1] != ids[2]


def test_delivery_of_an_unknown_type_lists_the_types():
    with pytest.raises(InvalidArgumentError, match="event_type must be one of payment_session_complete, "):
        make_delivery("payment_session_completed", secret=SECRET)


def test_delivery_with_a_member_that_is_not_json_is_rejected():
    with pytest.raises(InvalidArgumentError, match="must be JSON values"):
        make_delivery("payment_session_complete", secret=SECRET, status=object())


def test_repr_of_a_delivery_is_masked():
    delivery = make_delivery("qualification_session_complete", secret=SECRET, email="sam@example.com")
    assert isinstance(delivery, Delivery)
    assert "sam@" not in repr(delivery)
    assert "v1=" not in repr(delivery)
