"""Money: integers in cents. A float cannot hold 19.99, so floats are rejected."""

from __future__ import annotations

import re
from decimal import Context, Decimal, Inexact, InvalidOperation

from truemed_async._validation.money import validate_cents
from truemed_async.errors import InvalidArgumentError

_CENT = Decimal("0.01")
_EXACT = Context(prec=18, traps=[Inexact, InvalidOperation])  # raises where it would have to round
_PLAIN_DECIMAL = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,16})?\Z")


def cents(dollars: str | Decimal) -> int:
    """Return dollars as integer cents, exactly: ``cents("19.99")`` is ``1999``.

    Args:
        dollars: A :class:`~decimal.Decimal`, or plain digits with a point: ``"19.99"``, ``"20"``, ``"-5.00"``.

    Raises:
        InvalidArgumentError: It is a float or an integer (is ``5`` dollars or cents?), holds a fraction of a cent, or
            is no such amount.
    """
    if not isinstance(dollars, (str, Decimal)):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgumentError(
            f'dollars must be a Decimal or a string such as "19.99", not {type(dollars).__name__}'
        )
    exact = Decimal(dollars) if isinstance(dollars, Decimal) or _PLAIN_DECIMAL.match(dollars) else Decimal("NaN")
    if not exact.is_finite():
        raise InvalidArgumentError('dollars must be a finite Decimal, or plain digits with a point such as "19.99"')
    try:
        return validate_cents("dollars", int(exact.quantize(_CENT, context=_EXACT).scaleb(2, context=_EXACT)))
    except (Inexact, InvalidOperation):
        pass  # raise outside the handler so that the value is not in the exception's context
    raise InvalidArgumentError("dollars must be whole cents, of which there are at most 2**53: round before")


def format_dollars(cents: int | None) -> str:
    """Format cents as dollars, exactly: ``-123405`` is ``-$1,234.05``, and ``None`` is ``unknown``."""
    if cents is None:
        return "unknown"
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}${whole:,}.{rest:02}"
