"""Commands that change something at Truemed: seen before they are sent, asked about, and settled when they fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import orjson
from cyclopts import Parameter

from truemed_async.cli.exits import FAILED
from truemed_async.cli.showing import show
from truemed_async.errors import CallError, InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async import AsyncTruemed, Model
    from truemed_async._core.request import Request
    from truemed_async.cli.streams import Streams
    from truemed_async.cli.target import Context

FLAG = Parameter(negative="", show_default=False)

Call = Callable[["AsyncTruemed", "str | None"], Awaitable["Model | None"]]
"""``await call(client, idempotency_key)`` makes the change; one that takes no key leaves it alone."""

Done = Coroutine[Any, Any, None] | int | None
"""What a command returns: what is left to do, or its exit code."""


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Care:
    """Options of what moves money or cannot be taken back.

    Attributes:
        dry_run: Show what would be sent, and send nothing.
        yes: Do not ask; where nobody can be asked, nothing is sent without it.
    """

    dry_run: Annotated[bool, FLAG] = False
    yes: Annotated[bool, FLAG] = False


ASKING = Care()


def change(
    context: Context, care: Care, call: Call, *, question: str | None, key: str | None = None, settle: str = ""
) -> Done:
    """Check a change, show or ask about it, and return what makes it.

    A question is asked before there is an event loop, which would keep the first Ctrl-C to itself.

    Args:
        context: The command's.
        care: What the user wants.
        call: Makes the change.
        question: What to ask; ``None`` where no money moves.
        key: The user's idempotency key.
        settle: For a call without a key: how to find out whether it had its effect.
    """
    from truemed_async.cli.rehearsal import rehearse  # noqa: PLC0415  # loads the HTTP library: not for --help

    streams = context.streams
    request = asyncio.run(rehearse(context.target, lambda client: call(client, key)))
    if care.dry_run:
        _show_request(streams, request)
        return None
    if question is not None and not care.yes and not _agreed(streams, question):
        streams.say("nothing was sent")
        return FAILED
    made = request.idempotency_key
    if made is not None and key is None:
        streams.say(f"idempotency key: {made}")  # before it is sent: whatever happens then, the user has it
    return carry_out(context, call, key=made, settle=settle)


async def carry_out(context: Context, call: Call, *, key: str | None = None, settle: str) -> None:
    """Make a change and show the answer; where its outcome is open, say how to settle it."""
    try:
        async with context.target.connect() as client:
            answer = await call(client, key)
    except CallError as error:
        if error.outcome == "unknown":
            again = f"the same command with --idempotency-key {key} settles it: the effect is had once"
            context.streams.say(f"it may have been done: {settle if key is None else again}")
        raise
    if answer is not None:
        show(context.streams, answer)


def _show_request(streams: Streams, request: Request) -> None:
    """Write what would go over the wire, but for the headers, one of which is the API key."""
    shown = {
        "method": request.endpoint.method,
        "url": str(request.url),
        "idempotency_key": request.idempotency_key,
        "body": None if request.body is None else orjson.loads(request.body.value),
    }
    streams.line(orjson.dumps(shown, option=orjson.OPT_INDENT_2 if streams.for_people else 0).decode())


def _agreed(streams: Streams, question: str) -> bool:
    if streams.source is None or not (streams.source.isatty() and streams.err.isatty()):
        raise InvalidArgumentError("there is nobody to ask whether to go on: give --yes, or look with --dry-run first")
    streams.err.write(f"{question} [y/N] ")
    streams.err.flush()
    return streams.source.readline().strip().lower() in ("y", "yes")
