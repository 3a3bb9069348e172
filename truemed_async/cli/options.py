"""Types of options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast

import orjson
from cyclopts import Parameter, Token, convert
from cyclopts.validators import Number

import truemed_async
from truemed_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async import OrderItem, Unset

T = TypeVar("T")


def _convert_literally(kind: Any, words: Sequence[Token]) -> Any:
    return cast("Callable[..., Any]", convert)(kind, words)


# By itself the library reads the word "none" as an absent option: a filter for the user "none" would list every user.
LITERAL = Parameter(converter=_convert_literally)
FLAG = Parameter(negative="", show_default=False)
MANY = Parameter(negative="", show_default=False)
NON_NEGATIVE = Parameter(validator=Number(gte=0))
PORT = Parameter(validator=Number(gte=0, lte=65535))
CONTEXT = Parameter(parse=False)
NO_VALUES: tuple[str, ...] = ()

RequiredText = Annotated[str, LITERAL]
Text = Annotated[str | None, LITERAL]
Count = Annotated[int | None, LITERAL, NON_NEGATIVE]
Flag = Annotated[bool, FLAG]
Ids = Annotated[list[str], Parameter(negative="")]
Items = Annotated[tuple[str, ...], Parameter(name="--item", negative="", show_default=False)]
ListFormat = Annotated[Literal["table", "json", "jsonl", "csv"] | None, LITERAL]

_DOLLARS = re.compile(r"[0-9]{1,13}\.[0-9]{2}\Z")
_ITEM_FIELDS = frozenset({"name", "price", "quantity", "sku"})


def or_unset(value: T | None) -> T | Unset:
    """Return ``UNSET`` in place of ``None``."""
    return truemed_async.UNSET if value is None else value


def parse_since(text: str) -> date:
    """Return the day or time of ``--since``; a time without a time zone is UTC."""
    try:
        return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:
        pass  # raise outside the handler, so that the value is not chained
    raise InvalidArgumentError("--since must be YYYY-MM-DD, or a time such as 2026-11-01T09:30")


def parse_dollars(option: str, text: object) -> int:
    """Return the cents of dollars such as 19.99; ``1999`` and ``20`` are refused as ambiguous."""
    if not isinstance(text, str) or not _DOLLARS.match(text):
        raise InvalidArgumentError(f"{option} must be dollars with both digits of the cents, such as 19.99 or 20.00")
    return truemed_async.cents(text)


def parse_items(texts: tuple[str, ...]) -> list[OrderItem]:
    """Return the order items, each given as a JSON object."""
    return [_parse_item(text) for text in texts]


def _parse_item(text: str) -> OrderItem:
    try:
        parsed: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        parsed = None
    fields = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
    if not {"name", "price", "quantity"} <= fields.keys() <= _ITEM_FIELDS:
        raise InvalidArgumentError(
            '--item must be a JSON object such as {"name": "Mat", "price": "19.99", "quantity": 1, "sku": "MAT"}'
        )
    fields["price"] = parse_dollars('the "price" of an --item', fields["price"])
    return truemed_async.OrderItem(**fields)
