"""Which of the emulator's own paths belongs to whom."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from aiohttp import web

from truemed_async.emulator.admin import faults, webhooks, world
from truemed_async.emulator.admin.asked import Act, Asked, answered
from truemed_async.emulator.call import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.inspector.desk import Desk

ADMIN: Final = "/_emulator/"
STATE: Final = f"{ADMIN}state"
_PATHS: Final[Mapping[re.Pattern[str], Mapping[str, Act]]] = MappingProxyType(
    {
        re.compile(re.escape(ADMIN + path).replace(r"\{id\}", "(?P<id>[^/]+)")): acts
        for module in (world, faults, webhooks)
        for path, acts in module.PATHS.items()
    }
)


def administered(desk: Desk, method: str, path: str, body: bytes, origin: str) -> web.Response:
    """Answer an authenticated request to the emulator itself, or raise `Problem`.

    They are not the API: in no log, and under no fault.
    """
    for pattern, acts in _PATHS.items():
        found = pattern.fullmatch(path)
        if found is None:
            continue
        if method not in acts:
            raise Problem(405, "MethodNotAllowed", "this path has other methods", allow=", ".join(sorted(acts)))
        id = found.groupdict().get("id", "")
        return answered(acts[method], desk, Asked(unquote(id), body, origin))
    raise Problem(404, "NotFound", "no such path")
