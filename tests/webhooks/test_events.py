"""Typed events: every known name and shape of each, unknown events, and unreadable bodies."""

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
    encode_json,
    make_body,
    make_secret_headers,
    make_signed_headers,
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
    """Parse a signed delivery."""
    return verify_and_parse(body, make_signed_headers(body), secrets=SECRET)


def read_flat(value, **options):
    """Parse an unsigned delivery."""
    return verify_and_parse(encode_json(value), make_secret_headers(), secrets=SECRET, mode="unsigned", **options)


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
def test_every_event_name_gives_the_same_type_and_is_kept(kind, type, data, name):
    for event in (read(make_body(data, name)), read_flat({**data, "event_type": name}), read_flat(data, event_type=name)):  # fmt: skip
        assert event.__class__ is kind
        assert (event.type, event.raw_type) == (type, name)
    assert type.is_known


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not CatalogItemEligibilityUpdated])
def test_flat_body_without_type_is_inferred_from_members(kind):
    type, data, _ = KINDS[kind]
    event = read_flat(data)
    assert event.__class__ is kind
    assert (event.type, event.raw_type, event.delivery_id, event.signed_at) == (type, None, None, None)
    assert event.data == read(make_body(data, type)).data


@pytest.mark.parametrize("name", ["payment_session_id", "payment_id", "id"])
def test_session_id_is_read_under_any_of_its_names(name):
    data = {name: "ps_1", "status": "authorized"}
    for event in (read_flat(data), read(make_body(data, "payment_session.updated"))):
        assert isinstance(event, PaymentSessionUpdated)
        assert event.data.payment_session_id == "ps_1"
        assert event.data.to_dict()[name] == "ps_1", "the name in the delivery is kept"


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
def test_payload_without_type_is_inferred_as_token_or_session(data, kind):
    assert read_flat(data).__class__ is kind


def test_payment_session_payload_is_parsed_completely():
    event = read(make_body(PAYMENT_SESSION, "payment_session.updated"))
    data = event.data
    assert (data.payment_session_id, data.capture_amount, data.created_at) == ("5b0d2a3e-7a52-4f43-9f0e-0d2f1d0f6c11", 19900, MAY)  # fmt: skip
    assert data.status.may_fulfill
    (item,) = data.order_items
    assert (item.sku, item.price, item.quantity_refundable, item.total_capturable) == ("BL-1", 19900, 1, None)
    assert (data.metadata, data.payment_token) == (PAYMENT_SESSION["metadata"], "pt_1")


def test_other_payloads_are_parsed_completely():
    token = read(make_body(PAYMENT_TOKEN, "payment_token.updated")).data
    assert (token.payment_token, token.provision_token_request_id, token.lmn_expires_at.year) == ("pt_1", "ptr_1", 2027)
    session = read(make_body(QUALIFICATION_SESSION, "qualification_status.updated")).data
    assert (session.status, session.email) == (QualificationStatus.APPROVED, "ada@example.com")
    item = read(make_body(CATALOG_ITEM, "product_catalog.item.eligibility_updated")).data
    assert (item.sku, item.eligibility, item.created_at) == ("BL-1", CatalogEligibility.ELIGIBLE_WITH_LMN, MAY)


def test_catalog_envelope_is_opened_inside_and_outside_the_signed_one():
    name, item = "product_catalog.item.eligibility_updated", CATALOG_ITEM["object"]
    inner = {"event_type": name, "timestamp": "2026-05-01T12:00:00Z", "data": CATALOG_ITEM}
    events = [
        read_flat(inner),
        read(make_body(inner, name)),
        read(make_body(CATALOG_ITEM, name, timestamp="2026-05-01T12:00:00Z")),
        read(make_body(item, name, timestamp="2026-05-01T12:00:00Z")),
        read(encode_json({"webhook_delivery_id": "whd_1", "data": inner})),
    ]
    for event in events:
        assert isinstance(event, CatalogItemEligibilityUpdated)
        assert (event.raw_type, event.timestamp, event.data.sku, event.extra) == (name, MAY, "BL-1", {})
    assert [event.delivery_id for event in events] == [None, "whd_1", "whd_1", "whd_1", "whd_1"]
    assert read(make_body(CATALOG_ITEM, name)).timestamp is None


def test_unknown_status_and_members_are_kept():
    data = {**PAYMENT_SESSION, "status": "brand_new", "shiny": {"a": [1]}}
    event = read(make_body(data, "payment_session.updated", livemode=True))
    assert (event.data.status, event.data.status.may_fulfill) == ("brand_new", False)
    assert (event.data.extra, event.extra) == ({"shiny": {"a": [1]}}, {"livemode": True})
    assert event.to_dict()["data"]["shiny"] == {"a": [1]}
    assert event.to_dict()["livemode"] is True


def test_unknown_event_keeps_its_name_and_json():
    event = read(make_body({"some": "thing"}, "refund.created"))
    assert isinstance(event, UnknownEvent)
    assert (event.type, event.raw_type, event.type.is_known) == ("refund.created", "refund.created", False)
    assert (event.data, event.delivery_id) == ({"some": "thing"}, "whd_1")
    assert event.to_dict()["data"] == {"some": "thing"}
    nameless = read_flat({"some": "thing"})
    assert (nameless.type, nameless.raw_type, nameless.data) == (EventType.UNKNOWN, None, {"some": "thing"})


def test_payment_method_event_without_token_is_unknown():
    event = read(make_body({"card": "1"}, "payment_method.updated"))
    assert (event.__class__, event.type) == (UnknownEvent, "payment_method.updated")


@pytest.mark.parametrize("name", ["payment_session.status_updated", "something.new", "PaymentSession", "x"])
@pytest.mark.parametrize("kind", KINDS)
def test_unknown_name_is_recognized_by_members(kind, name):
    type, data, _ = KINDS[kind]
    for event in (
        read(make_body(data, name)),
        read_flat({**data, "event_type": name}),
        read_flat(data, event_type=name),
    ):
        assert event.__class__ is kind
        assert (event.type, event.raw_type) == (type, name)
    assert event.data == read(make_body(data, type)).data


@pytest.mark.parametrize(
    "data",
    [
        {"payment_session_id": "ps_1", "status": "captured", "refund_id": "re_1"},
        {"payment_session_id": "ps_1", "id": "re_1", "status": "captured"},
        {"payment_session_id": "ps_1", "status": "succeeded"},
        {"payment_session_id": "ps_1", "status": 7},
        {"payment_token": "pt_1"},
        {"payment_token": [7], "payment_session_id": "ps_1"},
        {"qualification_session_id": "qs_1", "status": "pending"},
        {"qualification_session_id": "qs_1"},
        {"object": {"sku": "BL-1", "eligibility": None}},
        {"object": {"sku": [7], "eligibility": "eligible"}},
        {"object": 7},
    ],
)
def test_unknown_name_with_ambiguous_members_is_an_unknown_event(data):
    event = read(make_body(data, "something.new"))
    assert event.__class__ is UnknownEvent
    assert (event.type, event.raw_type, event.data) == ("something.new", "something.new", data)


@pytest.mark.parametrize("name", ["PAYMENT_SESSION.UPDATED", "payment-session-updated", "Payment Session Updated"])
def test_known_name_in_another_spelling_is_declared(name):
    assert read(make_body({**PAYMENT_SESSION, "status": "brand_new"}, name)).__class__ is PaymentSessionUpdated


@pytest.mark.parametrize("kind", KINDS)
def test_envelope_without_type_and_id_is_opened(kind):
    _, data, _ = KINDS[kind]
    event = read(encode_json({"id": "evt_1", "data": data}))
    assert event.__class__ is kind
    assert event.extra == {"id": "evt_1"}


def test_type_in_the_body_overrides_event_type():
    event = read_flat({"event_type": "qualification_session_complete", **QUALIFICATION_SESSION}, event_type="payment_session_complete")  # fmt: skip
    assert isinstance(event, QualificationSessionCompleted)


@pytest.mark.parametrize(
    ("data", "name", "field"),
    [
        ({**PAYMENT_SESSION, "created_at": 1777636800}, "payment_session.updated", "created_at"),
        ({**PAYMENT_SESSION, "order_items": {"a": 1}}, "payment_session.updated", "order_items"),
        ({**PAYMENT_SESSION, "payment_session_id": [7]}, "payment_session.updated", "payment_session_id"),
        ({**PAYMENT_SESSION, "capture_amount": 19.0}, "payment_session.updated", "capture_amount"),
        ({**PAYMENT_SESSION, "capture_amount": "19.00"}, "payment_session.status_updated", "capture_amount"),
        ({**PAYMENT_TOKEN, "lmn_expires_at": "soon"}, "payment_token.updated", "lmn_expires_at"),
    ],
)
def test_optional_field_of_another_type_is_none_and_kept_in_extra(data, name, field):
    event = read(make_body(data, name))
    assert getattr(event.data, field) is None
    assert event.data.extra == {field: data[field]}
    assert event.data.mismatches == (field,)


def test_amount_of_another_type_in_an_order_item_is_none():
    event = read(make_body({**PAYMENT_SESSION, "order_items": [{"price": 1.5, "sku": "S"}]}, "payment_session.updated"))
    (item,) = event.data.order_items
    assert (item.price, item.sku, item.extra) == (None, "S", {"price": 1.5})
    assert event.data.mismatches == ("order_items[0].price",)


@pytest.mark.parametrize("name", ["payment_session.updated", "something.new"])
def test_integer_ids_are_their_digits(name):
    event = read(make_body({**PAYMENT_SESSION, "payment_session_id": 17}, name))
    assert isinstance(event, PaymentSessionUpdated)
    assert event.data.payment_session_id == "17"
    token = read(make_body({"payment_token": 7, "payment_session_id": 17}, name.replace("session", "token")))
    assert isinstance(token, PaymentTokenUpdated)
    assert (token.data.payment_token, token.data.payment_session_id) == ("7", "17")


@pytest.mark.parametrize("status", ["CAPTURED", "Captured"])
def test_known_status_in_another_case_is_known(status):
    event = read(make_body({**PAYMENT_SESSION, "status": status}, "something.new"))
    assert isinstance(event, PaymentSessionUpdated)
    assert event.data.status.may_fulfill


@pytest.mark.parametrize("kind", [PaymentSessionUpdated, PaymentTokenUpdated, QualificationSessionCompleted])
def test_payload_in_data_object_is_opened(kind):
    type, data, _ = KINDS[kind]
    event = read(make_body({"object": data}, type))
    assert event.__class__ is kind
    assert event.data == read(make_body(data, type)).data


def test_two_undocumented_fields_of_another_shape_are_kept_in_extra():
    data = {**PAYMENT_SESSION, "created_at": 7, "order_items": 8, "new": 9}
    assert read(make_body(data, "payment_session.updated")).data.extra == {"created_at": 7, "order_items": 8, "new": 9}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'"\xff"', "not JSON"),
        (b"[]", "not a JSON object"),
        (b"7", "not a JSON object"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "deep"),
        (b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", "deep"),
        (make_body({"status": 7}, "payment_session.updated"), "a string at status"),
        (make_body({}, "payment_session.updated"), "at status"),
        (make_body({}, "payment_token.updated"), "at payment_token"),
        (make_body({"qualification_session_id": "q"}, "qualification_status.updated"), "at status"),
        (make_body({"object": {"name": "x"}}, "product_catalog.item.eligibility_updated"), "at object.sku"),
        (make_body({"object": 7}, "product_catalog.item.eligibility_updated"), "at object"),
        (make_body(CATALOG_ITEM, "product_catalog.item.eligibility_updated", timestamp=7), "at timestamp"),
        (make_body(CATALOG_ITEM, "product_catalog.item.eligibility_updated", timestamp="soon"), "at timestamp"),
        (make_body(PAYMENT_SESSION, 7), "a string at event_type"),
        (make_body(PAYMENT_SESSION, "payment_session.updated", 7), "a string at webhook_delivery_id"),
    ],
)
def test_unreadable_body_error_names_the_path(body, message):
    with pytest.raises(PayloadError, match=message) as caught:
        read(body)
    assert caught.value.__context__ is None


def test_long_order_is_not_rejected_as_too_deep():
    data = {**PAYMENT_SESSION, "order_items": [PAYMENT_SESSION["order_items"][0]] * 100}
    assert len(read(make_body(data, "payment_session.updated")).data.order_items) == 100


# ---- de-duplication keys


def test_dedup_key_without_a_state_is_the_delivery_id():
    for event in (
        read(make_body(CATALOG_ITEM, "product_catalog.item.eligibility_updated")),
        read(make_body({"a": 1}, "refund.created")),
        read(make_body({"status": "captured"}, "payment_session.updated")),
    ):
        assert event.dedup_key == event.delivery_id == "whd_1"


def test_long_delivery_id_is_hashed():
    keys = {read(make_body({"a": 1}, "refund.created", "w" * length)).dedup_key for length in (300, 301)}
    assert len(keys) == 2
    assert all(len(key) < 256 for key in keys)


def test_delivery_id_with_nul_is_hashed():
    """PostgreSQL does not store it."""
    key = read(make_body({"a": 1}, "refund.created", "whd\0")).dedup_key
    assert key.startswith("sha256:")


@pytest.mark.parametrize(
    ("data", "name", "other"),
    [
        (PAYMENT_SESSION, "payment_session.updated", {"status": "rejected"}),
        (QUALIFICATION_SESSION, "qualification_status.updated", {"qualification_session_id": "qs_2"}),
        ({"payment_token": "tok", "payment_session_id": "ps_1"}, "payment_token.updated", {"payment_session_id": "x"}),
    ],
    ids=["payment", "qualification", "token"],
)
def test_dedup_key_of_a_state_does_not_depend_on_the_delivery(data, name, other):
    """The same for a signed and an unsigned webhook, for two names of an event, and for a change that was found."""
    first = read(make_body(data, name)).dedup_key
    assert read(make_body({**data, "new": 1}, name, "whd_2")).dedup_key == first
    assert read_flat(data).dedup_key == first
    assert read(make_body({**data, **other}, name)).dedup_key != first
    assert len(first) < 256
    assert data.get("payment_token", "-") not in first


def test_dedup_keys_of_token_differ_by_origin():
    origins = [
        {name: "x"} for name in ("payment_session_id", "failed_payment_session_id", "provision_token_request_id")
    ]
    events = [read(make_body({"payment_token": "tok", **each}, "payment_token.updated")) for each in [*origins, {}]]
    assert len({event.dedup_key for event in events}) == 4
    assert [event.creation_keys is not None for event in events] == [True, False, True, False]
    both = read(make_body({"payment_token": "tok", **origins[0], **origins[2]}, "payment_token.updated"))
    assert (both.dedup_key, both.creation_keys) == ("whd_1", None)


def test_unsigned_payment_session_dedup_key_depends_on_id_and_status():
    def key(**changes):
        return read_flat({**PAYMENT_SESSION, **changes}).dedup_key

    same = key()
    assert key(order_items=[], capture_amount=None) == same
    assert len({same, key(status="authorized"), key(payment_session_id="ps_2")}) == 3
    assert key(payment_session_id=None) != key(payment_session_id=None, capture_amount=1), (
        "without an id, the whole payload counts"
    )
    assert len(same) < 256
    assert PAYMENT_SESSION["payment_session_id"] not in same


@pytest.mark.parametrize(
    "data",
    [
        {**PAYMENT_TOKEN, "payment_session_id": "ps_1", "provision_token_request_id": "r"},
        {"some": "thing", "deep": [{"b": 1, "a": 2}]},
    ],
)
def test_unsigned_dedup_key_depends_on_payload_but_not_member_order(data):
    turned = dict(reversed(data.items()))
    assert read_flat(data).dedup_key == read_flat(turned).dedup_key
    assert read_flat(data).dedup_key != read_flat({**data, "new": 1}).dedup_key


def test_unknown_events_with_different_names_have_different_dedup_keys():
    first, second = (read_flat({"event_type": name, "data": {"a": 1}}) for name in ("a.b", "a.c"))
    assert first.dedup_key != second.dedup_key


# ---- values


def test_repr_of_events_masks_personal_data_and_tokens():
    for event in (read(make_body(data, type)) for type, data, _ in KINDS.values()):
        for hidden in ("ada@example.com", "user-42", "2607001444", "pt_1", "subscription 7"):
            assert hidden not in repr(event)
    assert "thing" not in repr(read_flat({"some": "thing"}))


def test_events_are_immutable_and_comparable():
    body = make_body(PAYMENT_SESSION, "payment_session.updated")
    headers = make_signed_headers(body)
    first, second = (verify_and_parse(body, headers, secrets=SECRET) for _ in range(2))
    assert first == second
    assert not hasattr(first, "__dict__")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        first.raw_type = "other"
    assert first.to_dict()["data"]["status"] == "captured"


@pytest.mark.parametrize("body", [
    *(make_body(data, type) for type, data, _ in KINDS.values()),
    make_body({"some": {"thing": [1]}}, "refund.created"),
])  # fmt: skip
def test_equal_events_have_equal_hashes(body):
    headers = make_signed_headers(body)
    first, second = (verify_and_parse(body, headers, secrets=SECRET) for _ in range(2))
    assert hash(first) == hash(second)
    assert len({first, second}) == 1


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
def test_any_json_gives_an_event_or_payload_error(value, event_type):
    try:
        event = read_flat(value, event_type=event_type)
    except PayloadError:
        return
    assert 0 < len(event.dedup_key) < 256
    assert event.type
    assert event.to_dict()["type"] == event.type
    repr(event)
