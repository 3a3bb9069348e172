"""The emulated world over HTTP: its time, all it knows, and what happens in it.

GET    /_emulator/openapi.json  what the API takes and answers
GET    /_emulator/clock         {"now", "ahead"}: the emulator's time, and how many seconds it is ahead of the machine's
POST   /_emulator/clock         {"advance": seconds}: let time pass
GET    /_emulator/state         everything, as `State.dump` has it
PUT    /_emulator/state         know what was dumped, and nothing else
DELETE /_emulator/state         forget rows, keys, requests, deliveries and faults; the webhooks stay registered
POST   /_emulator/transitions   {"resource", "id", "move", what that takes}: let a row move
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from aiohttp import web

from truemed_async.emulator.clock import Clock, wire_datetime
from truemed_async.emulator.faults.table import require
from truemed_async.emulator.kinds import Anything, Members
from truemed_async.emulator.moves import make
from truemed_async.emulator.openapi import document
from truemed_async.emulator.responses import answer
from truemed_async.emulator.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.admin.asked import Act, Asked
    from truemed_async.emulator.inspector.desk import Desk

_ADVANCE: Final = Members({"advance": Anything()})


def openapi(desk: Desk, asked: Asked) -> web.Response:
    """GET /_emulator/openapi.json."""
    del desk
    return answer(200, document(ROUTES, asked.origin))


def clock(desk: Desk, asked: Asked) -> web.Response:
    """GET /_emulator/clock."""
    del asked
    return _time(desk.state.clock)


def advance(desk: Desk, asked: Asked) -> web.Response:
    """POST /_emulator/clock."""
    seconds = asked.declared(_ADVANCE)["advance"]
    require(seconds, float, "advance")
    desk.state.clock.advance(seconds)
    return _time(desk.state.clock)


def dump(desk: Desk, asked: Asked) -> web.Response:
    """GET /_emulator/state."""
    del asked
    return answer(200, desk.state.dump())


def load(desk: Desk, asked: Asked) -> web.Response:
    """PUT /_emulator/state."""
    desk.state.load(asked.members())
    return web.Response(status=204)


def reset(desk: Desk, asked: Asked) -> web.Response:
    """DELETE /_emulator/state."""
    del asked
    desk.reset()
    return web.Response(status=204)


def move(desk: Desk, asked: Asked) -> web.Response:
    """POST /_emulator/transitions."""
    given = asked.members()
    row = make(desk.state, given)
    return answer(200, {"resource": given["resource"], "id": row.id, "status": row.status})


def _time(clock: Clock) -> web.Response:
    return answer(200, {"now": wire_datetime(clock.now()), "ahead": clock.ahead})


PATHS: Final[Mapping[str, Mapping[str, Act]]] = MappingProxyType(
    {
        "openapi.json": MappingProxyType({"GET": openapi}),
        "clock": MappingProxyType({"GET": clock, "POST": advance}),
        "state": MappingProxyType({"GET": dump, "PUT": load, "DELETE": reset}),
        "transitions": MappingProxyType({"POST": move}),
    }
)
