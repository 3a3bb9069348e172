"""``truemed whoami``: which profile, key and server a command uses, and whether they work."""

import time
from typing import Annotated, Any, Literal

import orjson
from cyclopts import App

from truemed_async._sensitive import MASK
from truemed_async.cli.connection import Context, Target
from truemed_async.cli.failures import describe_server, report_error
from truemed_async.cli.options import CONTEXT, LITERAL
from truemed_async.cli.output import EXIT_FAILURE
from truemed_async.errors import CallError


def make_app() -> App:
    """Return ``truemed whoami``."""
    app = App(name="whoami")
    app.default(whoami)
    return app


async def whoami(
    *,
    format: Annotated[Literal["table", "json"] | None, LITERAL] = None,
    context: Annotated[Context, CONTEXT],
) -> int:
    """Show which profile, API key and server a command uses, and whether the key works.

    One request is sent, which only reads. Of the key only the length is shown. The exit code is 0 if the key works, 1 if
    it is refused or the server does not respond, and 2 if there is no key.

    Args:
        format: table or json. Default: table on a terminal, else json.
    """
    streams, target = context.streams, context.target
    fields = describe_target(target)
    failure: CallError | None = None
    start = time.monotonic()
    try:
        async with target.connect() as client:
            await client.qualification_sessions.list(page=1, page_size=1)
    except CallError as error:
        failure = error
    works = failure is None
    if format == "table" or (format is None and streams.is_terminal):
        status = f"yes, in {time.monotonic() - start:.2f} s" if works else "no"
        for name, value in {**fields, "works": status}.items():
            if value is not None:
                streams.print_data(f"{name.replace('_', ' '):<13}{value}")
    else:
        streams.print_data(orjson.dumps({**fields, "works": works}).decode())
    if failure is not None:
        report_error(streams, target, failure)
        return EXIT_FAILURE
    return 0


def describe_target(target: Target) -> dict[str, Any]:
    """Return the profile, the server and the key, which is masked but for its length."""
    settings = target.settings
    profile = settings.profile.value
    if settings.key is None:
        source, masked = "the emulator inside this command", MASK
    else:
        key = settings.key.read()
        source, masked = settings.key.source, f"{MASK} ({len(str(key.value))} characters)"
    return {
        "profile": None if profile is None else f"{profile.name} ({settings.profile.source})",
        "environment": None if settings.base_url.value is not None else settings.environment.value,
        "server": describe_server(target),
        "key": masked,
        "key_from": source,
    }
