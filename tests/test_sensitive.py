"""The holders: what is in them goes over the wire, and nowhere else."""

from __future__ import annotations

import copy
import pickle

import attrs
import pytest

from truemed_async._sensitive import MASK, Secret, Sensitive, mask, wrap

pytestmark = pytest.mark.kills("truemed_async._sensitive")


def test_secret_is_its_value_and_prints_as_stars():
    secret = Secret("canary-key")
    assert secret == "canary-key"
    assert secret.encode() == b"canary-key"
    assert str(secret) == "canary-key"  # HTTP libraries write headers with it
    assert repr(secret) == "'***'"
    assert repr({"x-truemed-api-key": secret, "all": [secret]}) == "{'x-truemed-api-key': '***', 'all': ['***']}"
    assert f"{secret!r}" == "'***'"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_neither_holder_can_be_pickled(protocol):
    for holder in (Secret("canary-key"), Sensitive({"email": "canary"})):
        with pytest.raises(TypeError) as caught:
            pickle.dumps(holder, protocol)
        assert "canary" not in str(caught.value)


def test_secret_can_be_copied_and_stays_one():
    secret = Secret("canary-key")
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_sensitive_holds_its_value_and_masks_its_repr():
    box = Sensitive({"email": "canary"})
    assert box.value == {"email": "canary"}
    assert repr(box) == str(box) == f"{box}" == MASK
    assert not hasattr(box, "__dict__")


def test_boxes_stay_closed_inside_other_objects():
    @attrs.frozen
    class Holder:
        body: Sensitive[str]

    assert "canary" not in repr(Holder(Sensitive("canary")))
    assert "canary" not in repr(attrs.asdict(Holder(Sensitive("canary"))))


@pytest.mark.parametrize(("value", "expected"), [(None, "None"), ("", "***"), ("canary", "***"), (0, "***")])
def test_masked_field_shows_only_whether_it_is_absent(value, expected):
    assert mask(value) == expected


def test_pickling_a_holder_raises_with_a_reason():
    with pytest.raises(TypeError, match="^a secret cannot be pickled$"):
        pickle.dumps(Secret("canary"))
    with pytest.raises(TypeError, match="^sensitive data cannot be pickled$"):
        pickle.dumps(Sensitive("canary"))


def test_value_is_wrapped_once():
    box = wrap("canary")
    assert isinstance(box, Sensitive)
    assert box.value == "canary"
    assert wrap(box) is box
