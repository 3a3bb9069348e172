"""``truemed emulator``: serves the made-up API, its pages and its webhooks, until it is stopped."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
from cyclopts import Parameter

from truemed_async.cli.options import AS_GIVEN, CONTEXT, NOT_NEGATIVE, PORT, Count
from truemed_async.cli.saved import Saved, read_saved, write_saved
from truemed_async.cli.target import Context
from truemed_async.errors import ConfigurationError, InvalidArgumentError

if TYPE_CHECKING:
    from types import FrameType

    from truemed_async.cli.streams import Streams
    from truemed_async.emulator import Emulator
    from truemed_async.emulator.request_log import LoggedRequest
    from truemed_async.emulator.webhooks.model import Delivery, WebhookEndpoint

NO_WEBHOOKS: tuple[str, ...] = ()


async def emulator(
    *,
    port: Annotated[int, PORT] = 0,
    sessions: Count = None,
    payment_sessions: Annotated[int, NOT_NEGATIVE] = 0,
    payment_tokens: Annotated[int, NOT_NEGATIVE] = 0,
    catalog_items: Annotated[int, NOT_NEGATIVE] = 0,
    seed: Annotated[int | None, AS_GIVEN] = None,
    state: Annotated[Path | None, AS_GIVEN] = None,
    seed_file: Annotated[Path | None, AS_GIVEN] = None,
    webhook: Annotated[tuple[str, ...], Parameter(negative="")] = NO_WEBHOOKS,
    quiet: bool = False,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Serve the Truemed API with made-up data on this machine, until Ctrl-C.

    Its pages are served, too: the inspector at the address itself, and those that shoppers are sent to. Each request
    and each delivery of a webhook is a line on standard error, without queries and bodies.

    Args:
        port: The port; 0 takes a free one.
        sessions: How many qualification sessions there are; 1000 if not given.
        payment_sessions: How many payment sessions there are at first, with their payouts and transactions.
        payment_tokens: How many payment tokens there are at first.
        catalog_items: How many items the catalog holds at first.
        seed: Which made-up data; the same number gives the same data. 0 if not given.
        state: A file in which everything is kept from one run to the next: data, clock, webhooks and the API key.
        seed_file: A file that another run kept with --state: start with what is in it, and leave it as it is.
        webhook: The URL on this machine that webhooks go to, signed; may be given more than once.
        quiet: Do not show requests and deliveries.
        context: Not an option.
    """
    target, streams = context.target, context.streams
    if target.env is not None or target.base_url is not None:
        raise ConfigurationError("--env and --base-url are for commands that call a server; this one is the server")
    saved = read_saved(state, "--state") or (None if seed_file is None else _required(seed_file))
    server = attrs.evolve(
        target,
        sessions=target.sessions if sessions is None else sessions,
        seed=target.seed if seed is None else seed,
    ).emulator(
        port,
        payment_sessions=payment_sessions,
        payment_tokens=payment_tokens,
        catalog_items=catalog_items,
        api_key=saved and saved.api_key,
    )
    if saved is not None:
        saved.into(server)
    # Webhooks of the file that are asked for again are the same ones.
    for url in webhook:
        _register(server, url)
    try:
        await server.start()
    except OSError as error:
        raise ConfigurationError(f"cannot serve on port {port}: {error.strerror}") from error
    try:
        if state is not None:
            _keep(state, server)  # now, lest it turn out at the end that nothing can be kept
        with _terminated() as stop:
            _introduce(server, streams)
            if not quiet:
                _watch(server, streams)
            await stop.wait()
    finally:
        await server.stop()
        if state is not None:
            _keep(state, server)


def _keep(state: Path, server: Emulator) -> None:
    try:
        write_saved(state, Saved.of(server))
    except OSError as error:
        raise ConfigurationError(f"--state cannot be written: {error.strerror}") from error


def _required(seed_file: Path) -> Saved:
    saved = read_saved(seed_file, "--seed-file")
    if saved is None:
        raise InvalidArgumentError("--seed-file: there is no such file")
    return saved


def _register(server: Emulator, url: str) -> None:
    if any(endpoint.url == url for endpoint in server.webhooks.endpoints):
        return
    try:
        server.webhooks.register(url)
    except ValueError as error:
        raise InvalidArgumentError(f"--webhook: {error}") from error


def _introduce(server: Emulator, streams: Streams) -> None:
    streams.line(f"url      {server.url}")
    streams.line(f"api key  {server.api_key}")
    streams.line(f"export TRUEMED_BASE_URL={server.url} TRUEMED_API_KEY={server.api_key}")
    streams.out.flush()
    streams.say(f"inspector {server.url}/")
    for endpoint in server.webhooks.endpoints:
        streams.say(f"webhook   {endpoint.url} {endpoint.mode}, secret {endpoint.secrets[0]}")


def _watch(server: Emulator, streams: Streams) -> None:
    """Show what comes and goes: no query and no body, for they may hold names."""

    def say(line: str) -> None:
        try:
            streams.say(line)
        except BrokenPipeError:  # nobody reads any more: serve on, in silence
            server.requests.on_response.remove(came)
            server.webhooks.on_attempt.remove(went)

    def came(request: LoggedRequest) -> None:
        say(f"{server.clock.now():%H:%M:%S} {request.method} {request.path} {request.status or 'cut off'}")

    def went(endpoint: WebhookEndpoint | None, delivery: Delivery) -> None:
        last = delivery.attempts[-1]
        where = "removed" if endpoint is None else endpoint.url
        say(f"{last.at:%H:%M:%S} webhook {delivery.event} to {where}: {last.status or last.failure}")

    server.requests.on_response.append(came)
    server.webhooks.on_attempt.append(went)


@contextmanager
def _terminated() -> Generator[asyncio.Event]:
    """Set an event when the process is asked to end; Ctrl-C cancels the command by itself."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop.set)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
