"""Faults of the API over HTTP.

GET    /_emulator/faults       every fault in force, and the last of those that no longer are
POST   /_emulator/faults       {"name": …, its scope and parameters}: put one in force
DELETE /_emulator/faults       take all out of force
DELETE /_emulator/faults/{id}  take one out of force
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs
from aiohttp import web

from truemed_async.emulator.call import invalid
from truemed_async.emulator.faults import FAULTS, ActiveFault, ConnectionFault, Fault
from truemed_async.emulator.responses import answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.admin.asked import Act, Asked
    from truemed_async.emulator.inspector.desk import Desk


def listed(desk: Desk, asked: Asked) -> web.Response:
    """GET /_emulator/faults."""
    del asked
    faults = desk.faults
    handles = sorted((*faults.ended, *faults.active), key=lambda handle: handle.id)
    return answer(
        200, {"faults": [_described(handle) for handle in handles], "hits": faults.hits, "names": faults.names}
    )


def add(desk: Desk, asked: Asked) -> web.Response:
    """POST /_emulator/faults."""
    options = asked.members()
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise invalid("name must be text")
    if "when" in options:
        raise invalid("when is a function: it cannot come over HTTP")
    # Without an end it would shut out the request that is to remove it.
    ends = any(options.get(end) is not None for end in ("times", "nth", "duration"))
    if issubclass(FAULTS.get(name, Fault), ConnectionFault) and not ends:
        raise invalid(f"{name} would close this door, too: it needs times, nth or duration")
    return answer(201, _described(desk.faults.add(name, **options)))


def clear(desk: Desk, asked: Asked) -> web.Response:
    """DELETE /_emulator/faults."""
    del asked
    desk.faults.clear()
    return web.Response(status=204)


def remove(desk: Desk, asked: Asked) -> web.Response:
    """DELETE /_emulator/faults/{id}."""
    {str(handle.id): handle for handle in desk.faults.active}[asked.id].remove()
    return web.Response(status=204)


def _described(handle: ActiveFault) -> dict[str, object]:
    scope = {} if handle.scope is None else attrs.asdict(handle.scope)
    narrowed = {name: value for name, value in scope.items() if value is not None}
    return {
        "id": handle.id,
        "name": handle.name,
        "active": handle.active,
        "hits": handle.hits,
        **narrowed,
        **handle.parameters,
    }


PATHS: Final[Mapping[str, Mapping[str, Act]]] = MappingProxyType(
    {
        "faults": MappingProxyType({"GET": listed, "POST": add, "DELETE": clear}),
        "faults/{id}": MappingProxyType({"DELETE": remove}),
    }
)
