"""The emulator's own paths, ``/_emulator/…``: what a test does in its process, over HTTP, for one that runs elsewhere.

They are not part of the API: requests are not logged, and faults do not apply to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from truemed_async.emulator.admin import dialect, faults, state, webhooks
from truemed_async.emulator.request import ApiError, validation_error
from truemed_async.emulator.store import InvalidTransitionError

if TYPE_CHECKING:
    from aiohttp import web

    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.request import Request
    from truemed_async.emulator.routing import Route

PREFIXES: Final = ("/_emulator/",)
STATE_PATH: Final = "/_emulator/state"
ROUTES: Final = (*state.ROUTES, *faults.ROUTES, *dialect.ROUTES, *webhooks.ROUTES)


def call(route: Route, context: EmulatorContext, request: Request) -> web.Response:
    """Return the response of a handler, or raise the ``ApiError`` for what it raised."""
    try:
        return cast("web.Response", route.handle(context, request))
    except InvalidTransitionError as error:
        raise ApiError(409, "InvalidTransition", str(error)) from error
    except KeyError as error:
        raise ApiError(404, "NotFound", "there is none with this id") from error
    except ValueError as error:
        raise validation_error(str(error)) from error
