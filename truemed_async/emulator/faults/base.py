"""HTTP faults: what they can see and change, and the moments at which they act."""

import asyncio
import random
import ssl
from collections.abc import Callable, Mapping
from inspect import isawaitable, signature
from types import MappingProxyType
from typing import Any, ClassVar, cast

import attrs
from aiohttp import web

from truemed_async.emulator.faults.registry import FaultDefinition
from truemed_async.emulator.faults.responses import require_response
from truemed_async.emulator.request_log import LoggedRequest
from truemed_async.emulator.resources.state import State
from truemed_async.emulator.routing import Route


class AbortConnection(Exception):  # noqa: N818 - a signal to the server, not an error
    """Raised by a fault to leave the request without a response.

    The fault may write to the transport and close it before raising; a transport that is still open is aborted.
    """


@attrs.define(eq=False)
class Exchange:
    """One request while it is handled: what a fault may read and change.

    Attributes:
        request: The request; ``request.transport`` is its connection.
        record: Its entry in the request log.
        route: The route, or None for a path or method that Truemed does not document.
        state: The state that the handler will see; a fault may replace it.
        idle: Seconds since the last response on the connection; None for its first request.
        gone: Set when the connection is lost.
        handler_body: The body of the handler's response, before the dialect changed it.
    """

    request: web.BaseRequest
    record: LoggedRequest
    route: Route | None
    state: State
    idle: float | None
    gone: asyncio.Event
    handler_body: bytes = b"{}"


class Fault:
    """Base class of faults: override the methods for the moments at which the fault acts.

    All methods except ``begin`` run in the emulator's event loop. Waiting methods are canceled when the emulator
    stops.
    """

    def begin(self, state: State, seed: str) -> None:
        """Prepare the fault when it is added. ``seed`` depends on the emulator's seed and the order of adding only."""

    @property
    def is_over(self) -> bool:
        """Whether the fault has ended by itself; it is then removed."""
        return False

    def connected(self, transport: asyncio.Transport) -> None:
        """Act on a new connection before anything is read from it: close it, abort it, or stop reading."""

    def applies_to(self, exchange: Exchange) -> bool:
        """Return whether to act on this request. Called once for each request in the scope of the fault."""
        del exchange
        return True

    async def before(self, exchange: Exchange) -> web.StreamResponse | None:
        """Act before the handler: a response replaces the handler's, and the request has no effect.

        Raises:
            AbortConnection: To send nothing.
        """
        del exchange
        return None

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        """Act after the handler, when the effect is applied, and return the response to send.

        Raises:
            AbortConnection: To send nothing.
        """
        del exchange
        return response


class ConnectionFault(Fault):
    """Base class of faults that act on connections, regardless of the requests on them."""

    refuses: ClassVar[bool] = False  # the emulator stops listening
    stalls: ClassVar[bool] = False  # the connection is accepted and never read from

    @property
    def remaining(self) -> float | None:
        """Seconds until the fault ends; None if it does not end by itself."""
        return None

    @property
    def tls_context(self) -> ssl.SSLContext | None:
        """The TLS context to use instead of the emulator's own."""
        return None


class FunctionFault(Fault):
    """A fault defined by a function.

    The positional parameters of the function name what it needs: ``exchange``, ``response``, ``state`` (the
    emulator's own) and ``random`` (seeded).
    """

    def __init__(self, definition: FaultDefinition, parameters: Mapping[str, Any]) -> None:
        """Bind the function to its parameters."""
        self._definition = definition
        self._function = definition.implementation
        self._keywords = parameters
        each_parameter = signature(self._function).parameters.values()
        self._needs = [each.name for each in each_parameter if each.kind is not each.KEYWORD_ONLY]
        self._context: dict[str, object] = {}

    def begin(self, state: State, seed: str) -> None:
        """Prepare what the function may need."""
        self._context = {"state": state, "random": random.Random(seed)}  # noqa: S311 - repeatable on purpose

    def applies_to(self, exchange: Exchange) -> bool:
        """Apply the restriction of the definition."""
        restriction = self._definition.applies_to
        return restriction is None or restriction(exchange)

    async def _call(self, **context: object) -> Any:
        context |= self._context
        result = self._function(*(context[name] for name in self._needs), **self._keywords)
        return await result if isawaitable(result) else result


class BeforeFault(FunctionFault):
    """Calls its function before the handler."""

    async def before(self, exchange: Exchange) -> web.StreamResponse | None:
        """Return the response of the function, if it has one."""
        return cast("web.StreamResponse | None", await self._call(exchange=exchange))


class AfterFault(FunctionFault):
    """Calls its function with the handler's response."""

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        """Return the response of the function."""
        whole = require_response(response)
        return cast("web.StreamResponse", await self._call(exchange=exchange, response=whole))


_FUNCTION_FAULTS: Mapping[str, Callable[[FaultDefinition, Mapping[str, Any]], Fault]] = MappingProxyType(
    {"before": BeforeFault, "after": AfterFault}
)


def create_fault(definition: FaultDefinition, parameters: Mapping[str, Any]) -> Fault:
    """Return the fault of a definition: an instance of its class, or a fault that calls its function."""
    if isinstance(definition.implementation, type):
        return cast("Fault", definition.implementation(**parameters))
    return _FUNCTION_FAULTS[definition.phase](definition, parameters)
