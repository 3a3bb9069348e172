"""Typed events: every name and shape that was seen of each kind, what is not known, and what cannot be read."""

from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given, strategies as st

from tests.support.webhook_payloads import (
    CATALOG_ITEM,
    PAYMENT_SESSION,
    PAYMENT_TOKEN,
    QUALIFICATION_SESSION,
    SECRET,
    carrying,
    enveloped,
    signed,
    written,
)
from truemed_async import QualificationStatus
from truemed_async.errors import PayloadError
from truemed_async.models import CatalogEligibility
from truemed_async.webhooks import (
    CatalogItemEligibilityUpdated,
    EventType,
    PaymentSessionUpdated,
    PaymentTokenUpdated,
    QualificationSessionCompleted,
    UnknownEvent,
    verify_and_parse,
)

MAY = datetime(2026, 5, 1, 12, tzinfo=UTC)


def read(body):
    """Read a signed delivery."""
    return verify_and_parse(body, signed(body), secrets=SECRET)


def read_flat(value, **options):
    """Read an unsigned delivery."""
    return verify_and_parse(written(value), carrying(), secrets=SECRET, mode="unsigned", **options)


KINDS = {
    PaymentSessionUpdated: (
        EventType.PAYMENT_SESSION_UPDATED,
        PAYMENT_SESSION,
        [
            "payment_session_complete",
            "payment_session_callback",
            "payment_session.completed",
            "payment_session.updated",
        ],
    ),
    PaymentTokenUpdated: (
        EventType.PAYMENT_TOKEN_UPDATED,
        PAYMENT_TOKEN,
        ["payment_token_updated", "payment_token_callback", "payment_token.updated", "payment_method.updated"],
    ),
    QualificationSessionCompleted: (
        EventType.QUALIFICATION_SESSION_COMPLETED,
        QUALIFICATION_SESSION,
        ["qualification_session_complete", "qualification_status.updated"],
    ),
    CatalogItemEligibilityUpdated: (
        EventType.CATALOG_ITEM_ELIGIBILITY_UPDATED,
        CATALOG_ITEM,
        ["product_catalog_item_eligibility_updated", "product_catalog.item.eligibility_updated"],
    ),
}
NAMED = [(kind, type, data, name) for kind, (type, data, names) in KINDS.items() for name in names]


@pytest.mark.parametrize(("kind", "type", "data", "name"), NAMED, ids=[each[3] for each in NAMED])
def test_every_name_of_an_event_gives_the_same_type_and_survives(kind, type, data, name):
    for event in (read(enveloped(data, name)), read_flat({**data, "event_type": name}), read_flat(data, event_type=name)):  # fmt: skip
        assert event.__class__ is kind
        assert (event.type, event.raw_type) == (type, name)
    assert type.is_known


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not CatalogItemEligibilityUpdated])
def test_a_flat_body_is_told_by_its_fields(kind):
    type, data, _ = KINDS[kind]
    event = read_flat(data)
    assert event.__class__ is kind
    assert (event.type, event.raw_type, event.delivery_id, event.signed_at) == (type, None, None, None)
    assert event.data == read(enveloped(data, type)).data


@pytest.mark.parametrize("name", ["payment_session_id", "payment_id", "id"])
def test_a_session_is_known_by_any_of_the_names_of_its_id(name):
    data = {name: "ps_1", "status": "authorized"}
    for event in (read_flat(data), read(enveloped(data, "payment_session.updated"))):
        assert isinstance(event, PaymentSessionUpdated)
        assert event.data.payment_session_id == "ps_1"
        assert event.data.to_dict()[name] == "ps_1", "the name that came is kept"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"payment_token": "pt_1", "payment_session_id": "ps_1"}, PaymentTokenUpdated),
        ({"payment_token": "pt_1", "failed_payment_session_id": "ps_1", "status": "active"}, PaymentTokenUpdated),
        ({"payment_token": "pt_1", "provision_token_request_id": "ptr_1", "status": "active"}, PaymentTokenUpdated),
        ({"payment_token": "pt_1", "payment_session_id": "ps_1", "status": "captured"}, PaymentSessionUpdated),
        ({"status": "captured"}, UnknownEvent),
        ({}, UnknownEvent),
    ],
)
def test_what_tells_a_token_from_a_session(data, kind):
    assert read_flat(data).__class__ is kind


def test_a_payment_session_is_read_whole():
    event = read(enveloped(PAYMENT_SESSION, "payment_session.updated"))
    data = event.data
    assert (data.payment_session_id, data.capture_amount, data.created_at) == ("5b0d2a3e-7a52-4f43-9f0e-0d2f1d0f6c11", 19900, MAY)  # fmt: skip
    assert data.status.may_fulfill
    (item,) = data.order_items
    assert (item.sku, item.price, item.quantity_refundable, item.total_capturable) == ("BL-1", 19900, 1, None)
    assert (data.metadata, data.payment_token) == (PAYMENT_SESSION["metadata"], "pt_1")


def test_the_other_payloads_are_read_whole():
    token = read(enveloped(PAYMENT_TOKEN, "payment_token.updated")).data
    assert (token.payment_token, token.provision_token_request_id, token.lmn_expires_at.year) == ("pt_1", "ptr_1", 2027)
    session = read(enveloped(QUALIFICATION_SESSION, "qualification_status.updated")).data
    assert (session.status, session.email) == (QualificationStatus.APPROVED, "ada@example.com")
    item = read(enveloped(CATALOG_ITEM, "product_catalog.item.eligibility_updated")).data
    assert (item.sku, item.eligibility, item.created_at) == ("BL-1", CatalogEligibility.ELIGIBLE_WITH_LMN, MAY)


def test_the_catalogs_envelope_may_stand_inside_the_signed_one_or_not():
    name, item = "product_catalog.item.eligibility_updated", CATALOG_ITEM["object"]
    inner = {"event_type": name, "timestamp": "2026-05-01T12:00:00Z", "data": CATALOG_ITEM}
    events = [
        read_flat(inner),
        read(enveloped(inner, name)),
        read(enveloped(CATALOG_ITEM, name, timestamp="2026-05-01T12:00:00Z")),
        read(enveloped(item, name, timestamp="2026-05-01T12:00:00Z")),
        read(written({"webhook_delivery_id": "whd_1", "data": inner})),
    ]
    for event in events:
        assert isinstance(event, CatalogItemEligibilityUpdated)
        assert (event.raw_type, event.timestamp, event.data.sku, event.extra) == (name, MAY, "BL-1", {})
    assert [event.delivery_id for event in events] == [None, "whd_1", "whd_1", "whd_1", "whd_1"]
    assert read(enveloped(CATALOG_ITEM, name)).timestamp is None


def test_a_new_status_and_new_fields_survive():
    data = {**PAYMENT_SESSION, "status": "brand_new", "shiny": {"a": [1]}}
    event = read(enveloped(data, "payment_session.updated", livemode=True))
    assert (event.data.status, event.data.status.may_fulfill) == ("brand_new", False)
    assert (event.data.extra, event.extra) == ({"shiny": {"a": [1]}}, {"livemode": True})
    assert event.to_dict()["data"]["shiny"] == {"a": [1]}
    assert event.to_dict()["livemode"] is True


def test_a_new_event_survives():
    event = read(enveloped({"some": "thing"}, "refund.created"))
    assert isinstance(event, UnknownEvent)
    assert (event.type, event.raw_type, event.type.is_known) == ("refund.created", "refund.created", False)
    assert (event.data, event.delivery_id) == ({"some": "thing"}, "whd_1")
    assert event.to_dict()["data"] == {"some": "thing"}
    nameless = read_flat({"some": "thing"})
    assert (nameless.type, nameless.raw_type, nameless.data) == (EventType.UNKNOWN, None, {"some": "thing"})


def test_a_payment_method_without_a_token_is_not_taken_for_one():
    event = read(enveloped({"card": "1"}, "payment_method.updated"))
    assert (event.__class__, event.type) == (UnknownEvent, "payment_method.updated")


def test_the_type_in_the_body_goes_before_the_routes():
    event = read_flat({"event_type": "qualification_session_complete", **QUALIFICATION_SESSION}, event_type="payment_session_complete")  # fmt: skip
    assert isinstance(event, QualificationSessionCompleted)


@pytest.mark.parametrize(
    ("data", "name", "field"),
    [
        ({**PAYMENT_SESSION, "created_at": 1777636800}, "payment_session.updated", "created_at"),
        ({**PAYMENT_SESSION, "order_items": {"a": 1}}, "payment_session.updated", "order_items"),
        ({**PAYMENT_SESSION, "order_items": [{"price": 1.5}]}, "payment_session.updated", "order_items"),
        ({**PAYMENT_SESSION, "payment_session_id": 7}, "payment_session.updated", "payment_session_id"),
        ({**PAYMENT_TOKEN, "lmn_expires_at": "soon"}, "payment_token.updated", "lmn_expires_at"),
    ],
)
def test_a_guess_that_is_wrong_costs_one_field_and_not_the_event(data, name, field):
    event = read(enveloped(data, name))
    assert getattr(event.data, field) is None
    assert event.data.extra == {field: data[field]}


def test_two_wrong_guesses_cost_two_fields():
    data = {**PAYMENT_SESSION, "created_at": 7, "order_items": 8, "new": 9}
    assert read(enveloped(data, "payment_session.updated")).data.extra == {"created_at": 7, "order_items": 8, "new": 9}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'"\xff"', "not JSON"),
        (b"[]", "not a JSON object"),
        (b"7", "not a JSON object"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "deep"),
        (b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", "deep"),
        (enveloped({"status": 7}, "payment_session.updated"), "a string at status"),
        (enveloped({}, "payment_session.updated"), "at status"),
        (enveloped({**PAYMENT_SESSION, "capture_amount": 19.5}, "payment_session.updated"), "at capture_amount"),
        (enveloped({}, "payment_token.updated"), "at payment_token"),
        (enveloped({"qualification_session_id": "q"}, "qualification_status.updated"), "at status"),
        (enveloped({"object": {"name": "x"}}, "product_catalog.item.eligibility_updated"), "at object.sku"),
        (enveloped({"object": 7}, "product_catalog.item.eligibility_updated"), "at object"),
        (enveloped(CATALOG_ITEM, "product_catalog.item.eligibility_updated", timestamp=7), "at timestamp"),
        (enveloped(CATALOG_ITEM, "product_catalog.item.eligibility_updated", timestamp="soon"), "at timestamp"),
        (enveloped(PAYMENT_SESSION, 7), "a string at event_type"),
        (enveloped(PAYMENT_SESSION, "payment_session.updated", 7), "a string at webhook_delivery_id"),
    ],
)
def test_what_cannot_be_read_is_said_by_its_path(body, said):
    with pytest.raises(PayloadError, match=said) as caught:
        read(body)
    assert caught.value.__context__ is None


def test_json_may_be_as_deep_as_an_order_and_as_long_as_it_likes():
    data = {**PAYMENT_SESSION, "order_items": [PAYMENT_SESSION["order_items"][0]] * 100}
    assert len(read(enveloped(data, "payment_session.updated")).data.order_items) == 100


# ---- what is the same each time an event is delivered


def test_a_signed_event_is_known_by_its_delivery_id():
    event = read(enveloped(PAYMENT_SESSION, "payment_session.updated"))
    assert event.dedup_key == event.delivery_id == "whd_1"


def test_an_id_that_no_store_would_take_is_digested():
    keys = {
        read(enveloped(PAYMENT_SESSION, "payment_session.updated", "w" * length)).dedup_key for length in (300, 301)
    }
    assert len(keys) == 2
    assert all(len(key) < 256 for key in keys)


def test_a_payment_sessions_status_is_told_once():
    def key(**changes):
        return read_flat({**PAYMENT_SESSION, **changes}).dedup_key

    same = key()
    assert key(order_items=[], capture_amount=None) == same
    assert len({same, key(status="authorized"), key(payment_session_id="ps_2")}) == 3
    assert key(payment_session_id=7) != key(payment_session_id=7, capture_amount=1), "without an id, all of it counts"
    assert len(same) < 256
    assert PAYMENT_SESSION["payment_session_id"] not in same


@pytest.mark.parametrize("data", [PAYMENT_TOKEN, QUALIFICATION_SESSION, {"some": "thing", "deep": [{"b": 1, "a": 2}]}])
def test_of_other_events_the_whole_payload_counts_whatever_its_order(data):
    turned = dict(reversed(data.items()))
    assert read_flat(data).dedup_key == read_flat(turned).dedup_key
    assert read_flat(data).dedup_key != read_flat({**data, "new": 1}).dedup_key


def test_two_unknown_events_of_the_same_content_are_two():
    first, second = (read_flat({"event_type": name, "data": {"a": 1}}) for name in ("a.b", "a.c"))
    assert first.dedup_key != second.dedup_key


# ---- values


def test_personal_data_and_tokens_are_masked():
    for event in (read(enveloped(data, type)) for type, data, _ in KINDS.values()):
        for hidden in ("ada@example.com", "user-42", "2607001444", "pt_1", "subscription 7"):
            assert hidden not in repr(event)
    assert "thing" not in repr(read_flat({"some": "thing"}))


def test_an_event_is_a_value():
    body = enveloped(PAYMENT_SESSION, "payment_session.updated")
    headers = signed(body)
    first, second = (verify_and_parse(body, headers, secrets=SECRET) for _ in range(2))
    assert first == second
    assert not hasattr(first, "__dict__")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        first.raw_type = "other"
    assert first.to_dict()["data"]["status"] == "captured"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
FIELDS = sorted({*PAYMENT_SESSION, *PAYMENT_TOKEN, *QUALIFICATION_SESSION, *CATALOG_ITEM, "sku", "data", "event_type", "id", "timestamp", "webhook_delivery_id"})  # fmt: skip
NAMES = [name for *_, name in NAMED]


@given(
    st.dictionaries(st.sampled_from(FIELDS), JSON | st.sampled_from(NAMES), max_size=8), st.sampled_from([None, *NAMES])
)
def test_any_json_is_an_event_or_our_error(value, event_type):
    try:
        event = read_flat(value, event_type=event_type)
    except PayloadError:
        return
    assert 0 < len(event.dedup_key) < 256
    assert event.type
    assert event.to_dict()["type"] == event.type
    repr(event)
