"""The emulator's own paths, /_emulator/…: faults over HTTP, for an emulator that runs on its own, and its document."""

from typing import Any, cast

import attrs
import orjson
from aiohttp import web

from truemed_async.emulator.call import Problem, invalid
from truemed_async.emulator.faults import FAULTS, ConnectionFault, Fault, Faults, Handle
from truemed_async.emulator.openapi import document
from truemed_async.emulator.responses import answer
from truemed_async.emulator.routes import ROUTES

ADMIN = "/_emulator/"
_FAULTS = f"{ADMIN}faults"
_OPENAPI = f"{ADMIN}openapi.json"


class Admin:
    """Answers the requests to the emulator itself; they are not the API: in no log, and under no fault."""

    def __init__(self, faults: Faults) -> None:
        """Take the faults to manage."""
        self._faults = faults

    def answer(self, method: str, path: str, body: bytes, origin: str) -> web.Response:
        """Answer an authenticated request, or raise `Problem`.

        GET    /_emulator/openapi.json what the API takes and answers
        GET    /_emulator/faults       every fault in force, and the last of those that no longer are
        POST   /_emulator/faults       {"name": …, its scope and parameters}: put one in force
        DELETE /_emulator/faults       take all out of force
        DELETE /_emulator/faults/{id}  take one out of force
        """
        if path == _OPENAPI:
            if method != "GET":
                raise Problem(405, "MethodNotAllowed", "this path has other methods", allow="GET")
            return answer(200, document(ROUTES, origin))
        if path == _FAULTS:
            match method:
                case "GET":
                    handles = sorted((*self._faults.ended, *self._faults.active), key=lambda handle: handle.id)
                    listed = [_described(handle) for handle in handles]
                    return answer(200, {"faults": listed, "hits": self._faults.hits, "names": self._faults.names})
                case "POST":
                    return answer(201, _described(self._add(body)))
                case "DELETE":
                    self._faults.clear()
                    return web.Response(status=204)
                case _:
                    raise Problem(405, "MethodNotAllowed", "this path has other methods", allow="DELETE, GET, POST")
        id = path.removeprefix(f"{_FAULTS}/")
        handle = next((handle for handle in self._faults.active if str(handle.id) == id), None)
        if handle is None:
            raise Problem(404, "NotFound", "no such path, or no such fault in force")
        if method != "DELETE":
            raise Problem(405, "MethodNotAllowed", "this path has other methods", allow="DELETE")
        handle.remove()
        return web.Response(status=204)

    def _add(self, body: bytes) -> Handle:
        try:
            given = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise invalid("the body must be JSON") from None
        if not isinstance(given, dict):
            raise invalid("the body must be a JSON object")
        options = cast("dict[str, Any]", given)
        name = options.pop("name", None)
        if not isinstance(name, str):
            raise invalid("name must be text")
        if "when" in options:
            raise invalid("when is a function: it cannot come over HTTP")
        # Without an end it would shut out the request that is to remove it.
        ends = any(options.get(end) is not None for end in ("times", "nth", "duration"))
        if issubclass(FAULTS.get(name, Fault), ConnectionFault) and not ends:
            raise invalid(f"{name} would close this door, too: it needs times, nth or duration")
        try:
            handle = self._faults.add(name, **options)
        except ValueError as error:
            raise invalid(str(error)) from error
        return handle


def _described(handle: Handle) -> dict[str, object]:
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
