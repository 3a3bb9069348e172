"""``truemed emulator``: serves the emulated API, its pages and its webhooks until it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from errno import EADDRINUSE
from ipaddress import ip_address
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import attrs
import orjson
from attrs.validators import instance_of
from cyclopts import App

from truemed_async._files import create_owner_only, resolve_links, write_all
from truemed_async._sensitive import Sensitive
from truemed_async.cli.connection import make_emulator
from truemed_async.cli.options import CONTEXT, LITERAL, MANY, NO_VALUES, PORT, Count, Flag, Text
from truemed_async.cli.output import Streams
from truemed_async.cli.signals import stop_on_signal
from truemed_async.errors import ConfigurationError, InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async.emulator import Dialect, Emulator
    from truemed_async.emulator.request_log import LoggedRequest
    from truemed_async.emulator.webhooks.model import EmulatedDelivery, WebhookEndpoint


# The same at each start: what was exported once stays valid. They protect nothing; the emulator is a test double.
DEFAULT_PORT: Final = 8642
DEFAULT_API_KEY: Final = "emulator-development-key"
DEFAULT_WEBHOOK_SECRET: Final = "emulator-webhook-secret"  # noqa: S105 - see above


def make_app() -> App:
    """Return ``truemed emulator``."""
    app = App(name="emulator")
    app.default(emulator)
    return app


async def emulator(
    *,
    host: Annotated[str, LITERAL] = "127.0.0.1",
    port: Annotated[int, PORT] = DEFAULT_PORT,
    sales_channel: Annotated[tuple[str, ...], MANY] = NO_VALUES,
    allow_host: Annotated[tuple[str, ...], MANY] = NO_VALUES,
    sessions: Count = None,
    payment_sessions: Count = None,
    payment_tokens: Count = None,
    catalog_items: Count = None,
    seed: Annotated[int | None, LITERAL] = None,
    empty: Flag = False,
    state: Annotated[Path | None, LITERAL] = None,
    seed_file: Annotated[Path | None, LITERAL] = None,
    webhook: Annotated[tuple[str, ...], MANY] = NO_VALUES,
    dialect: Annotated[Path | None, LITERAL] = None,
    merchant_name: Text = None,
    print_env: Flag = False,
    quiet: Flag = False,
    streams: Annotated[Streams, CONTEXT],
) -> None:
    """Serve the Truemed API with generated data on this machine, until Ctrl-C.

    It holds a whole merchant, and the objects of the documentation's examples, such as the qualification session
    qs_abc123. Port, API key and webhook secret are the same at each start: they are printed as commands for the shell.

    It also serves the inspector, at its root URL, and the hosted pages of shoppers. Each request and each delivery of a
    webhook is a line on standard error, without queries and bodies.

    Args:
        host: The address to bind; 0.0.0.0 lets other containers and machines connect.
        port: The port; 0 takes a free one.
        sales_channel: An API key of a further sales channel, which begins empty; may be repeated.
        allow_host: A further value of the Host header to accept, such as emulator:8080; may be repeated.
        sessions: The number of qualification sessions. Default: 1000.
        payment_sessions: The number of payment sessions, with their payouts and transactions. Default: 200.
        payment_tokens: The number of payment tokens. Default: 20.
        catalog_items: The number of items in the catalog. Default: 20.
        seed: The seed of the generated data; the same seed gives the same data. Default: 0.
        empty: Hold nothing but what the other options ask for, and no example objects.
        state: A file that keeps data, clock, webhooks and API key between runs.
        seed_file: A file that another run wrote with --state: start with its content, and do not write to it.
        webhook: A URL on this machine that receives signed webhooks; may be repeated.
        dialect: A JSON file with the behavior to emulate where Truemed's documentation leaves it open.
        merchant_name: The name of the shop on the pages for shoppers. Default: Example Shop.
        print_env: Print only the commands that set the environment variables, and exit.
        quiet: Do not show requests and deliveries.
    """
    snapshot = read_snapshot(state, "--state") or (None if seed_file is None else _read_seed_file(seed_file))
    counts = {
        "sessions": sessions,
        "payment_sessions": payment_sessions,
        "payment_tokens": payment_tokens,
        "catalog_items": catalog_items,
    }
    data: dict[str, Any] = {name: 0 if empty and number is None else number for name, number in counts.items()}
    data |= {"seed": seed, "merchant_name": merchant_name}
    server = make_emulator(
        port=port,
        host=host,
        allowed_hosts=allow_host,
        examples=not empty,
        **{name: value for name, value in data.items() if value is not None},
        api_key=DEFAULT_API_KEY if snapshot is None else snapshot.api_key,
        sales_channels=_channel_keys(sales_channel, snapshot),
        dialect=None if dialect is None else _read_dialect(dialect),
    )
    if snapshot is not None:
        snapshot.restore(server)
    for url in webhook:
        _register_webhook(server, url)
    if print_env:
        if not port:
            raise InvalidArgumentError("--print-env requires a --port other than 0")
        _print_environment(server, streams)
        return
    with stop_on_signal() as stop:
        try:
            await server.start()
        except OSError as error:
            hint = ""
            if error.errno == EADDRINUSE:
                hint = f"; pass another one here and to --print-env, such as --port {await _find_free_port(host)}"
            raise ConfigurationError(f"cannot serve on port {port} of {host}: {error.strerror}{hint}") from error
        try:
            if state is not None:
                _save_state(state, server)  # now, so that an unwritable file is reported at the start
            _print_banner(server, streams)
            if not _is_loopback(host):
                streams.print_message(f"warning: {host} accepts other machines, and the inspector requires no key")
            if not quiet:
                _log_requests(server, streams)
            await stop.wait()
        finally:
            try:
                await server.stop()
            finally:
                if state is not None:
                    _save_state(state, server)


async def _find_free_port(host: str) -> int:
    """Return a port that is free now. ``--print-env``, which runs elsewhere, could not know the one of ``--port 0``."""
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, 0)
    async with server:
        port: int = server.sockets[0].getsockname()[1]
    return port


def _save_state(path: Path, server: Emulator) -> None:
    try:
        write_snapshot(path, EmulatorSnapshot.capture(server))
    except OSError as error:
        raise ConfigurationError(f"--state cannot be written: {error.strerror}") from error


def _channel_keys(options: tuple[str, ...], snapshot: EmulatorSnapshot | None) -> list[str]:
    """Return the keys of the further sales channels: those of the snapshot, and new ones of the options."""
    first = DEFAULT_API_KEY if snapshot is None else snapshot.api_key
    if not all(options) or len({first, *options}) <= len(options):
        raise InvalidArgumentError("--sales-channel: each sales channel needs an API key of its own")
    return list(dict.fromkeys((*(() if snapshot is None else snapshot.sales_channels), *options)))


def _read_dialect(path: Path) -> Dialect:
    from truemed_async.emulator import Dialect  # noqa: PLC0415 - imports aiohttp.web

    try:
        return Dialect.from_json(path.read_bytes())
    except OSError as error:
        raise InvalidArgumentError(f"--dialect cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InvalidArgumentError(f"--dialect: {error}") from error


def _read_seed_file(path: Path) -> EmulatorSnapshot:
    snapshot = read_snapshot(path, "--seed-file")
    if snapshot is None:
        raise InvalidArgumentError("--seed-file: there is no such file")
    return snapshot


def _register_webhook(server: Emulator, url: str) -> None:
    if any(endpoint.url == url for endpoint in server.webhooks.endpoints):
        return  # it is in the snapshot
    try:
        server.webhooks.register(url, secret=DEFAULT_WEBHOOK_SECRET)
    except ValueError as error:
        raise InvalidArgumentError(f"--webhook: {error}") from error


def _print_banner(server: Emulator, streams: Streams) -> None:
    streams.print_data(f"url      {server.url}")
    _print_environment(server, streams)
    streams.out.flush()
    streams.print_message(f"inspector {server.url}/")
    for endpoint in server.webhooks.endpoints:
        streams.print_message(f"webhook   {endpoint.url} {endpoint.mode}, secret {endpoint.secrets[0]}")


def _print_environment(server: Emulator, streams: Streams) -> None:
    secret = next((endpoint.secrets[0] for endpoint in server.webhooks.endpoints), DEFAULT_WEBHOOK_SECRET)
    streams.print_data(f"export TRUEMED_BASE_URL={server.url}")
    streams.print_data(f"export TRUEMED_API_KEY={quote(server.api_key)}")
    streams.print_data(f"export TRUEMED_WEBHOOK_SECRET={quote(secret)}")


def _log_requests(server: Emulator, streams: Streams) -> None:
    """Show requests and deliveries without queries and bodies, which may contain names."""

    def show(line: str) -> None:
        try:
            streams.print_message(line)
        except OSError:  # the reader or the terminal has gone: keep serving without a log
            server.requests.on_response.remove(on_request)
            server.webhooks.on_attempt.remove(on_delivery)

    def on_request(request: LoggedRequest) -> None:
        show(f"{server.clock.now():%H:%M:%S} {request.method} {request.path} {request.status or 'cut off'}")

    def on_delivery(endpoint: WebhookEndpoint | None, delivery: EmulatedDelivery) -> None:
        last = delivery.attempts[-1]
        where = "removed" if endpoint is None else endpoint.url
        show(f"{last.at:%H:%M:%S} webhook {delivery.event} to {where}: {last.status or last.failure}")

    server.requests.on_response.append(on_request)
    server.webhooks.on_attempt.append(on_delivery)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


# --- snapshots ----------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class EmulatorSnapshot:
    """The content of a ``--state`` file: the whole state of an emulator. Its secrets are valid nowhere else.

    ``sales_channels`` are the further ones: ``state`` and ``webhooks`` of each by its key.
    """

    api_key: str = attrs.field(repr=False, validator=instance_of(str))
    webhooks: Mapping[str, Any] = attrs.field(repr=False, validator=instance_of(dict))
    state: Mapping[str, Any] = attrs.field(repr=False, validator=instance_of(dict))
    sales_channels: Mapping[str, Any] = attrs.field(repr=False, validator=instance_of(dict), factory=dict[str, Any])

    @classmethod
    def capture(cls, emulator: Emulator) -> Self:
        """Return the current state of an emulator."""
        channels = {
            key: {"webhooks": channel.webhooks.dump(), "state": channel.state.dump()}
            for key, channel in emulator.sales_channels.items()
        }
        first = channels.pop(emulator.api_key)
        return cls(api_key=emulator.api_key, **first, sales_channels=channels)

    def restore(self, emulator: Emulator) -> None:
        """Replace the state of an emulator."""
        try:
            for part in (self, *(type(self)(api_key=key, **saved) for key, saved in self.sales_channels.items())):
                channel = emulator.sales_channels[part.api_key]
                channel.state.load(part.state)
                channel.webhooks.load(part.webhooks)
        except (ValueError, TypeError):
            raise _invalid_snapshot() from None


def read_snapshot(path: Path | None, option: str) -> EmulatorSnapshot | None:
    """Return the snapshot in the file of an option, or ``None`` if there is no such file."""
    if path is None or not path.exists():
        return None
    if not (path.is_file() or path.is_dir()):  # reading a device or a pipe could wait forever
        raise InvalidArgumentError(f"{option} cannot be read: it is not a regular file")
    try:
        data = orjson.loads(path.read_bytes())
        return EmulatorSnapshot(
            api_key=data["api_key"],
            webhooks=data["webhooks"],
            state=data["state"],
            sales_channels=data.get("sales_channels", {}),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise _invalid_snapshot() from None
    except OSError as error:
        raise InvalidArgumentError(f"{option} cannot be read: {error.strerror}") from error


def write_snapshot(path: Path, snapshot: EmulatorSnapshot) -> None:
    """Replace the file, readable by its owner alone; the old one stays until the new one is complete."""
    target = resolve_links(path)
    if isinstance(target, int) or (target.exists() and not target.is_file()):
        raise FileExistsError(None, "it is not a regular file")
    new = target.with_name(f"{target.name}.new")
    with create_owner_only(new) as file:
        data = orjson.dumps(attrs.asdict(snapshot, recurse=False), option=orjson.OPT_INDENT_2)
        write_all(file, Sensitive(data))
    new.replace(target)


def _invalid_snapshot() -> InvalidArgumentError:
    return InvalidArgumentError("the file was not written by `truemed emulator --state`")
