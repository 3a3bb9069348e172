"""Checks of the arguments that only payments take: each says what was wrong and what is allowed, never the value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, TypeVar, cast

from truemed_async._core import arguments
from truemed_async._core.request import Query
from truemed_async.errors import InvalidArgumentError
from truemed_async.models.order import OrderItem, checked_extra

P = TypeVar("P")


def flag(name: str, value: object) -> bool:
    """Return a yes or no; what is only as good as one (1, "false") is refused."""
    if not isinstance(value, bool):
        raise InvalidArgumentError(f"{name} must be True or False")
    return value


def month(name: str, value: object) -> str:
    """Return ``YYYY-MM`` from a date, a datetime (a naive one is UTC), or that text."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", value) and value >= "0001":
        return value
    if isinstance(value, date):
        return arguments.day(name, value)[:7]
    raise InvalidArgumentError(f"{name} must be a date, a datetime or a valid 'YYYY-MM'")


def note(name: str, value: object) -> str:
    """Return the merchant's own text: as it is, or a mapping as JSON."""
    if isinstance(value, Mapping):
        return arguments.metadata(name, cast("object", value))
    return arguments.text(name, value, may_be_empty=True)


def part(name: str, value: object, kind: type[P]) -> P:
    """Return a part of a request if it is of its class, which has checked it."""
    if not isinstance(value, kind):
        raise InvalidArgumentError(f"{name} must be {kind.__name__}(…), not {type(value).__name__}")
    return value


def order_items(name: str, value: object) -> list[OrderItem]:
    """Return the lines of an order; no line at all is allowed."""
    return arguments.each(name, value, lambda at, item: part(at, item, OrderItem))


def mappings(name: str, value: object) -> list[dict[str, Any]] | None:
    """Return JSON objects whose fields Truemed does not show, or the null that it allows in their place."""
    return None if value is None else arguments.each(name, value, _mapping)


def _mapping(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidArgumentError(f"{name} must be a mapping, not {type(value).__name__}")
    return dict(cast("Mapping[str, Any]", value))


def parameters(filters: Query, extra: object) -> dict[str, str | int | bool | None]:
    """Return the filters of a list with the undocumented ones behind them."""
    further = {} if extra is None else checked_extra(extra, [*filters, "page", "page_size"])
    if not all(isinstance(value, (str, int)) for value in further.values()):  # True and False are integers, too
        raise InvalidArgumentError("extra must hold strings, whole numbers, True and False: it goes into the query")
    return {**filters, **further}
