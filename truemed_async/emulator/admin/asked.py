"""What is asked of the emulator itself, and how it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import attrs
import orjson
from aiohttp import web

from truemed_async.emulator.call import Problem, invalid
from truemed_async.emulator.transition import InvalidTransitionError

if TYPE_CHECKING:
    from truemed_async.emulator.inspector.desk import Desk
    from truemed_async.emulator.kinds import Members


@attrs.frozen
class Asked:
    """One request: `id` is the one in the path, empty where there is none; `origin` the emulator's URL."""

    id: str
    body: bytes
    origin: str

    def members(self) -> dict[str, Any]:
        """Return the members of the body, or raise the `Problem` of one that is no JSON object."""
        try:
            given = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise invalid("the body must be JSON") from None
        if not isinstance(given, dict):
            raise invalid("the body must be a JSON object")
        return cast("dict[str, Any]", given)

    def declared(self, kind: Members) -> dict[str, Any]:
        """Return the members of the body, or raise the `Problem` of those that are not as declared."""
        given, known = self.members(), {**kind.required, **kind.optional}
        unknown = sorted(given.keys() - known.keys())
        if unknown:
            raise invalid(f"the body has {', '.join(known)}: not {', '.join(unknown)}")
        kind.check(given, "")
        return given


Act: TypeAlias = "Callable[[Desk, Asked], web.Response]"


def answered(act: Act, desk: Desk, asked: Asked) -> web.Response:
    """Let somebody answer, or raise the `Problem` of what went wrong."""
    try:
        return act(desk, asked)
    except InvalidTransitionError as error:
        raise Problem(409, "InvalidTransition", str(error)) from error
    except KeyError as error:
        raise Problem(404, "NotFound", "there is none with this id") from error
    except ValueError as error:
        raise invalid(str(error)) from error
