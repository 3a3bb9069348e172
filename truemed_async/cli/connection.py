"""The server that a command calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

import truemed_async
from truemed_async.cli.output import Streams
from truemed_async.errors import ConfigurationError

if TYPE_CHECKING:
    from truemed_async import AsyncTruemed
    from truemed_async.emulator import Emulator

EnvironmentName = Literal["production", "sandbox", "emulator"]

# A whole merchant, so that each command has something to show.
DEFAULT_DATA: Final[Mapping[str, int]] = MappingProxyType(
    {"sessions": 1000, "payment_sessions": 200, "payment_tokens": 20, "catalog_items": 20, "seed": 0}
)
# The routes that respond with a link to a page for a shopper.
_LINKING_ROUTES: Final = frozenset({"payment_sessions.create", "payment_tokens.create", "payment_tokens.update"})


@attrs.frozen(kw_only=True)
class Target:
    """The global options; ``None`` for those that are not given. ``print_note`` shows a note to the user, if it is set."""

    env: EnvironmentName | None = None
    base_url: str | None = None
    sessions: int | None = None
    seed: int | None = None
    print_note: Callable[[str], object] | None = attrs.field(default=None, eq=False, repr=False)

    def check(self) -> None:
        """Refuse options that exclude each other."""
        if self.env != "emulator" and (self.sessions, self.seed) != (None, None):
            raise ConfigurationError("--sessions and --seed require --env emulator")
        if self.env == "emulator" and self.base_url is not None:
            raise ConfigurationError("--base-url and --env emulator exclude each other")

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[AsyncTruemed]:
        """Open a client, and with ``--env emulator`` also the server."""
        self.check()
        if self.env != "emulator":
            async with truemed_async.AsyncTruemed(environment=self.env, base_url=self.base_url) as client:
                yield client
            return
        # All settings are given, so that environment variables for another server are ignored.
        async with (
            self.emulator() as emulator,
            _emulator_client(emulator, self._data) as client,
        ):
            yield client
            if self.print_note and any(request.route in _LINKING_ROUTES for request in emulator.requests):
                self.print_note(
                    f"note: links to {emulator.url} end with this command; those of `truemed emulator` stay"
                )

    def emulator(self, port: int = 0, **options: Any) -> Emulator:
        """Return an emulator that is not yet started; ``options`` are further arguments of it."""
        options = {"examples": True, "port": port, **self._data, **options}
        return truemed_async.emulator.Emulator(**options)

    @property
    def _data(self) -> Mapping[str, int]:
        """The options of the generated data."""
        data = {"sessions": self.sessions, "seed": self.seed}
        return {**DEFAULT_DATA, **{name: value for name, value in data.items() if value is not None}}


def _emulator_client(emulator: Emulator, data: Mapping[str, int]) -> AsyncTruemed:
    """Return a client that is named by the emulator's data, and not by its port, which differs for each command.

    So the next command with the same options can resume an export: it reads the same rows.
    """

    class EmulatorClient(truemed_async.AsyncTruemed):
        @property
        def base_url(self) -> str:
            return f"emulator:{','.join(f'{name}={value}' for name, value in data.items())}"

    return EmulatorClient(emulator.api_key, environment="sandbox", base_url=emulator.url)


@attrs.frozen
class Context:
    """Passed to every command besides its own options."""

    target: Target
    streams: Streams
