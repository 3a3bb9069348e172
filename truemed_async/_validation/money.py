"""Checks of amounts of money."""

from __future__ import annotations

from truemed_async.errors import InvalidArgumentError

MAX_CENTS = 2**53 - 1
"""The largest integer that every JSON reader reads exactly."""


def validate_cents(name: str, value: object, *, minimum: int = -MAX_CENTS) -> int:
    """Return an amount in integer cents."""
    if type(value) is not int:
        raise InvalidArgumentError(
            f'{name} must be an integer in cents, not {type(value).__name__}: 1999 or cents("19.99") for $19.99'
        )
    if not minimum <= value <= MAX_CENTS:
        raise InvalidArgumentError(
            f"{name} must be {'at least ' + str(minimum) if value < minimum else 'at most 2**53'} cents"
        )
    return value
