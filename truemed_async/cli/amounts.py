"""Money on the command line: dollars with both digits of the cents, so that nobody can take one for the other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import orjson

import truemed_async
from truemed_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async import OrderItem

_DOLLARS = re.compile(r"[0-9]{1,13}\.[0-9]{2}\Z")
_PARTS = frozenset({"name", "price", "quantity", "sku"})


def cents_of(option: str, written: object) -> int:
    """Return cents of dollars such as 19.99; ``1999`` and ``20`` are refused: they may be either."""
    if not isinstance(written, str) or not _DOLLARS.match(written):
        raise InvalidArgumentError(f"{option} must be dollars with both digits of the cents, such as 19.99 or 20.00")
    return truemed_async.cents(written)


def order_items(written: tuple[str, ...]) -> list[OrderItem]:
    """Return the lines of an order, each given as a JSON object."""
    return [_item(each) for each in written]


def _item(written: str) -> OrderItem:
    try:
        read: object = orjson.loads(written)
    except orjson.JSONDecodeError:
        read = None
    parts = cast("dict[str, Any]", read) if isinstance(read, dict) else {}
    if not {"name", "price", "quantity"} <= parts.keys() <= _PARTS:
        raise InvalidArgumentError(
            '--item must be a JSON object such as {"name": "Mat", "price": "19.99", "quantity": 1, "sku": "MAT"}'
        )
    parts["price"] = cents_of('the "price" of an --item', parts["price"])
    return truemed_async.OrderItem(**parts)
