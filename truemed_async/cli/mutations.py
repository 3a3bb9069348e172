"""Shared flow of commands that change something: dry run, confirmation, and a hint how to recover from a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TextIO, cast

import attrs
import orjson
from cyclopts import Parameter

from truemed_async.cli.fields import RowLayout
from truemed_async.cli.options import FLAG
from truemed_async.cli.output import EXIT_FAILURE
from truemed_async.cli.rows import RowOutput, RowTarget
from truemed_async.errors import CallError, InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async import AsyncTruemed, Model, Request
    from truemed_async.cli.connection import Context, Target
    from truemed_async.cli.output import Streams

Call = Callable[["AsyncTruemed", "str | None"], Awaitable["Model | None"]]
"""``await call(client, idempotency_key)`` sends the request; the key is ignored by endpoints that take none."""

CommandResult = Coroutine[Any, Any, None] | int | None
"""What a command returns: a coroutine that is still to be run, or its exit code."""


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class SafetyOptions:
    """Options of commands that move money or cannot be undone.

    Attributes:
        dry_run: Show the request that would be sent, and send nothing.
        yes: Do not ask for confirmation. Required if standard input is not a terminal.
    """

    dry_run: Annotated[bool, FLAG] = False
    yes: Annotated[bool, FLAG] = False


DEFAULT_SAFETY = SafetyOptions()


def confirm_and_run(
    context: Context,
    safety: SafetyOptions,
    call: Call,
    *,
    question: str | None,
    target: RowTarget | None = None,
    key: str | None = None,
    hint: str = "",
) -> CommandResult:
    """Validate a request, show it or ask for confirmation, and return the coroutine that sends it.

    The question is asked before an event loop runs, because the loop would delay the first Ctrl-C.

    Args:
        context: The context of the command.
        safety: The user's options.
        call: Sends the request.
        question: The question; ``None`` if no money moves.
        target: Where the response is written; ``None`` if there is none.
        key: The user's idempotency key.
        hint: For a call without a key: how to find out whether it was applied.
    """
    streams = context.streams
    request = asyncio.run(record_request(context.target, lambda client: call(client, key)))
    if safety.dry_run:
        _show_request(streams, request)
        return None
    if question is not None and not safety.yes and not confirm(streams, question):
        streams.print_message("nothing was sent")
        return EXIT_FAILURE
    used_key = request.idempotency_key
    if used_key is not None and key is None:
        streams.print_message(f"idempotency key: {used_key}")  # before it is sent, so that the user has it in any case
    return execute(context, call, target=target, key=used_key, hint=hint)


async def execute(context: Context, call: Call, *, target: RowTarget | None, key: str | None = None, hint: str) -> None:
    """Send a request and show the response; if the outcome is unknown, say how to recover."""
    try:
        async with context.target.connect() as client:
            response = await call(client, key)
    except CallError as error:
        if error.outcome == "unknown":
            repeat = f"re-run with --idempotency-key {key}; it is applied at most once"
            context.streams.print_message(f"the outcome is unknown: {hint if key is None else repeat}")
        raise
    if response is not None and target is not None:
        target.write_object(response)


def prepare_response(context: Context, output: RowOutput, model: str) -> RowTarget:
    """Return where the response of a command is written; refuses wrong options before anything is sent."""
    return output.prepare(context.streams, RowLayout(model=model))


def _show_request(streams: Streams, request: Request) -> None:
    """Show the request without its headers, one of which is the API key."""
    data = {
        "method": request.endpoint.method,
        "url": str(request.url),
        "idempotency_key": request.idempotency_key,
        "body": None if request.body is None else orjson.loads(request.body.value),
    }
    streams.print_data(orjson.dumps(data, option=orjson.OPT_INDENT_2 if streams.is_terminal else 0).decode())


def require_terminal(streams: Streams) -> TextIO:
    """Return standard input if a person can answer there."""
    if streams.source is None or not (streams.source.isatty() and streams.err.isatty()):
        raise InvalidArgumentError("stdin is not a terminal: pass --yes to confirm, or --dry-run to see the request")
    return streams.source


def confirm(streams: Streams, question: str) -> bool:
    """Ask a person at a terminal, and return whether the answer is yes."""
    source = require_terminal(streams)
    streams.print_message(f"{question} [y/N] ", end="")
    return source.readline().strip().lower() in ("y", "yes")


# --- dry runs -----------------------------------------------------------------------------------------------------


class _RequestBuilt(Exception):  # noqa: N818  # the expected end of a dry run
    """The request is built."""


@attrs.define
class _RecordingClient:
    """Has the resources of a client, but builds requests without sending them."""

    client: AsyncTruemed
    request: Request = attrs.field(init=False)

    def __getattr__(self, resource: str) -> Any:
        return type(getattr(self.client, resource))(self)

    async def send(self, endpoint: Any, **call: Any) -> NoReturn:
        self.request = self.client.build_request(endpoint, **call)
        raise _RequestBuilt


async def record_request(target: Target, call: Callable[[AsyncTruemed], Awaitable[object]]) -> Request:
    """Return the request that a call sends first; an invalid configuration or argument is raised."""
    recorder = _RecordingClient(target.make_client())
    with suppress(_RequestBuilt):
        await call(cast("AsyncTruemed", recorder))
    return recorder.request
