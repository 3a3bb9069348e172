"""Money: exact, in cents, and never a float."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from hypothesis import given, strategies as st

from truemed_async import cents
from truemed_async._validation.money import MAX_CENTS, validate_cents
from truemed_async.errors import InvalidArgumentError

AMOUNTS = st.integers(-MAX_CENTS, MAX_CENTS)


@pytest.mark.parametrize(
    ("dollars", "expected"),
    [
        ("19.99", 1999),
        ("20", 2000),
        ("0.1", 10),
        ("-5.00", -500),
        ("0", 0),
        ("19.990", 1999),
        (Decimal("19.99"), 1999),
        (Decimal("1E3"), 100_000),
        (Decimal("-0.01"), -1),
        (Decimal("90071992547409.91"), MAX_CENTS),
    ],
)
def test_dollars_become_cents(dollars, expected):
    assert cents(dollars) == expected
    assert type(cents(dollars)) is int


def test_cents_is_exact_where_floats_are_not():
    assert int(float("19.99") * 100) == 1998  # the mistake that this is for
    assert cents("19.99") == 1999


@given(AMOUNTS)
def test_every_amount_survives_being_written_and_read(value):
    sign, whole = "-" if value < 0 else "", abs(value)
    assert cents(f"{sign}{whole // 100}.{whole % 100:02}") == value
    assert cents(Decimal(value).scaleb(-2)) == value


@given(AMOUNTS, st.integers(1, 9))
def test_fraction_of_a_cent_is_rejected_and_never_rounded(value, tenth):
    with pytest.raises(InvalidArgumentError, match="whole cents"):
        cents(Decimal(value * 10 + tenth).scaleb(-3))


def test_decimal_context_does_not_matter():
    with localcontext() as context:
        context.prec = 2
        assert cents(Decimal("12345.67")) == 1_234_567


@pytest.mark.parametrize("wrong", [19.99, 5, True, None, b"19.99", [1]], ids=repr)
def test_cents_rejects_other_types(wrong):
    with pytest.raises(InvalidArgumentError, match=f"not {type(wrong).__name__}$"):
        cents(wrong)


@pytest.mark.parametrize(
    "wrong", ["", " 1", "1 ", "1e3", "1_000", "1,000.00", "$5", "+5", ".5", "5.", "NaN", "Infinity", "٣", "1\n"]
)
def test_text_is_plain_digits(wrong):
    with pytest.raises(InvalidArgumentError, match="plain digits"):
        cents(wrong)


@pytest.mark.parametrize("wrong", [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity")], ids=str)
def test_decimal_is_finite(wrong):
    with pytest.raises(InvalidArgumentError, match="finite"):
        cents(wrong)


@pytest.mark.parametrize("wrong", [Decimal("1E+999999"), Decimal("1E-999999"), Decimal(2**53), "9" * 16], ids=str)
def test_size_that_no_money_has_is_rejected_at_once(wrong):
    with pytest.raises(InvalidArgumentError, match=r"2\*\*53") as caught:
        cents(wrong)
    assert caught.value.__context__ is None


@given(AMOUNTS)
def test_integer_is_an_amount(value):
    assert validate_cents("price", value) == value


@pytest.mark.parametrize("wrong", [19.99, 1999.0, True, "1999", Decimal(1999), None], ids=repr)
def test_validate_cents_rejects_non_integers(wrong):
    with pytest.raises(InvalidArgumentError, match=rf"price must be an integer in cents, not {type(wrong).__name__}: "):
        validate_cents("price", wrong)


def test_amount_has_bounds():
    assert validate_cents("amount", 1, minimum=1) == 1
    with pytest.raises(InvalidArgumentError, match="amount must be at least 1 cents"):
        validate_cents("amount", 0, minimum=1)
    with pytest.raises(InvalidArgumentError, match=r"amount must be at most 2\*\*53 cents"):
        validate_cents("amount", 2**53)
