"""Which moves there are behind the API, by resource: what a person or a program outside of this process may ask for."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import attrs

from truemed_async.emulator.catalog_items.model import ELIGIBILITIES
from truemed_async.emulator.payment_sessions.model import REASONS
from truemed_async.emulator.payment_tokens.model import FAILURES
from truemed_async.emulator.schema import Enum, Integer, Object, Schema, String
from truemed_async.emulator.transition import InvalidTransitionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.state import State


@attrs.frozen
class Move:
    """The name of a store's method, the statuses that allow it, none for all; and what it may be told."""

    name: str
    statuses: tuple[str, ...] = ()
    takes: Object = attrs.field(factory=Object)


_AMOUNT: Final[Mapping[str, Schema]] = MappingProxyType({"amount": Integer(1)})
_ALL: Final[Mapping[str, tuple[Move, ...]]] = MappingProxyType(
    {
        "payment_sessions": (
            Move("submit", ("pending",)),
            Move("cancel", ("pending",)),
            Move("approve", ("processing",)),
            Move("reject", ("processing",)),
            Move("capture", ("authorized",), Object(optional=_AMOUNT)),
            Move("void", ("authorized",)),
            Move("expire_hold", ("authorized",)),
            Move("reauthorize", ("authorized",)),
            Move("refund", ("captured",), Object(optional={**_AMOUNT, "reason": Enum(REASONS)})),
            Move("open_dispute", ("captured",)),
            Move("close_dispute", ("captured",)),
        ),
        "payment_tokens": (
            Move("fail_next_charge", ("active",), Object(optional={"failure": Enum(FAILURES)})),
            Move("expire_lmn", ("active",)),
            Move("resolve_failure", ("active",)),
            Move("delete", ("active",)),
        ),
        "provision_requests": (Move("submit", ("pending",)),),
        "qualification_sessions": (
            Move("start_review", ("pending",)),
            Move("approve", ("processing",)),
            Move("reject", ("processing",)),
        ),
        "catalog_items": (Move("review", takes=Object({"eligibility": Enum(ELIGIBILITIES)})),),
        "payouts": (Move("pay_out"),),
    }
)
_ASKED: Final = Object({"resource": Enum(tuple(_ALL)), "move": String(1)})
_WHOSE: Final = Object({"id": String(1)})


def moves_of(resource: str, status: str) -> tuple[str, ...]:
    """Return the moves that a row of this status can make without being told more."""
    moves = _ALL.get(resource, ())
    return tuple(move.name for move in moves if status in move.statuses)


def make(state: State, asked: Mapping[str, Any]) -> Any:
    """Let a row move: `resource`, `id`, `move` and what that takes; return the row as it then is.

    A payout has no `id` yet. ValueError: there is no such resource or move, or it takes something else. KeyError: no
    such row. InvalidTransitionError: its status does not allow it.
    """
    _ASKED.validate(asked, "")
    resource = asked["resource"]
    move = next((move for move in _ALL[resource] if move.name == asked["move"]), None)
    if move is None:
        raise ValueError(f"{resource} have {', '.join(move.name for move in _ALL[resource])}")
    if resource == "payouts":
        return _pay_out(state)
    _WHOSE.validate(asked, "")
    move.takes.validate(asked, "")
    store, id = state.stores[resource], asked["id"]
    known = {**move.takes.required, **move.takes.optional}
    options = {name: value for name, value in asked.items() if name in known}
    with state.lock:
        if move.name == "refund":
            options.setdefault("amount", state.payment_sessions.get(id).refundable)
        getattr(store, move.name)(id, **options)
        return store.get(id)


def _pay_out(state: State) -> Any:
    with state.lock:
        id = state.payouts.pay_out()
        if id is None:
            raise InvalidTransitionError("no transaction is pending: there is nothing to pay out")
        return state.payouts.get(id)
