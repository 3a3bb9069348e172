"""``truemed logs``: the requests that reach an emulator."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from cyclopts import App, Parameter
from rich.text import Text as StyledText

from truemed_async.cli.connection import Context
from truemed_async.cli.control import EmulatorControl, require_emulator
from truemed_async.cli.fields import RowLayout
from truemed_async.cli.lines import LINE_OUTPUT, LineOutput
from truemed_async.cli.options import CONTEXT, LITERAL, NON_NEGATIVE, Text
from truemed_async.cli.output import printable
from truemed_async.errors import InvalidArgumentError

REQUESTS: Final = RowLayout(
    columns=("number", "at", "method", "path", "route", "status", "seconds", "authenticated", "sales_channel")
)
MAX_LISTED: Final = 1_000  # requests of a response of the emulator
POLL_SECONDS: Final = 0.5
NO_RESPONSE: Final = "none"

_STATUS = re.compile(r"([1-5])([0-9]{2}|xx)\Z")


def make_app() -> App:
    """Return ``truemed logs``."""
    app = App(name="logs", help="Logs: the requests that reach an emulator, as they come.")
    app.command(tail_requests, name="tail")
    return app


async def tail_requests(
    *,
    status: Text = None,
    limit: Annotated[int, LITERAL, NON_NEGATIVE] = 10,
    follow: Annotated[bool, Parameter(show_default=False)] = True,
    output: LineOutput = LINE_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Show the last requests that an emulator answered, and then each further one, until Ctrl-C.

    Neither queries nor bodies are shown, which may hold personal data: the inspector has them, on the page of the
    request with the same number.

    Args:
        status: Only requests with these statuses, separated by commas: such as 404, 4xx, or none for no response.
        limit: How many of the last requests to show first.
        follow: Wait for further requests. --no-follow ends the command after the last ones.
    """
    is_selected = parse_statuses(status)
    target = output.prepare(context.streams, REQUESTS)
    require_emulator(context.target, "its requests are in the dashboard, {dashboard}, below Developers, Logs")
    async with context.target.connect() as client:
        control = EmulatorControl(client=client, target=context.target)
        requests, position = await control.list_requests(after=None, limit=MAX_LISTED)
        last = [request for request in requests if is_selected(request["status"])]
        for request in last[max(0, len(last) - limit) :]:
            target.write(request, format_request(request))
        while follow:
            await asyncio.sleep(POLL_SECONDS)
            requests, reached = await control.list_requests(after=position, limit=MAX_LISTED)
            if reached < position:
                context.streams.print_message("note: the emulator was started again")
            position = reached if reached >= position else 0
            for request in requests:
                if is_selected(request["status"]):
                    target.write(request, format_request(request))


def parse_statuses(text: str | None) -> Callable[[int | None], bool]:
    """Return whether a status is among those of ``--status``."""
    if text is None:
        return lambda _: True
    words = {word.strip().lower() for word in text.split(",")}
    if not all(word == NO_RESPONSE or _STATUS.match(word) for word in words):
        raise InvalidArgumentError("--status must be statuses such as 404 or 4xx, or none, separated by commas")
    return lambda status: NO_RESPONSE in words if status is None else bool(words & {str(status), f"{status // 100}xx"})


def format_request(request: Mapping[str, Any]) -> StyledText:
    """Return the line of a request."""
    status, seconds = request["status"], request["seconds"]
    at = datetime.fromisoformat(request["at"]).astimezone()
    style = "red" if status is None or status >= 500 else "yellow" if status >= 400 else "green"
    return StyledText.assemble(
        f"{at:%H:%M:%S} {printable(request['method']):<5}{printable(request['path'])} ",
        (str(status or "no response"), style),
        f" in {seconds:.3f} s",
    )
