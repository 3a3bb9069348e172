"""The server that a command calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

import attrs

import truemed_async
from truemed_async.cli.output import Streams
from truemed_async.errors import ConfigurationError

if TYPE_CHECKING:
    from truemed_async import AsyncTruemed
    from truemed_async.emulator import Emulator

EnvironmentName = Literal["production", "sandbox", "emulator"]

DEFAULT_SESSIONS = 1000
DEFAULT_SEED = 0


@attrs.frozen(kw_only=True)
class Target:
    """The global options; ``None`` for those that are not given."""

    env: EnvironmentName | None = None
    base_url: str | None = None
    sessions: int | None = None
    seed: int | None = None

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
            truemed_async.AsyncTruemed(emulator.api_key, environment="sandbox", base_url=emulator.url) as client,
        ):
            yield client

    def emulator(self, port: int = 0, **options: Any) -> Emulator:
        """Return an emulator that is not yet started; ``options`` are further arguments of it."""
        return truemed_async.emulator.Emulator(
            sessions=DEFAULT_SESSIONS if self.sessions is None else self.sessions,
            seed=DEFAULT_SEED if self.seed is None else self.seed,
            port=port,
            **options,
        )


@attrs.frozen
class Context:
    """Passed to every command besides its own options."""

    target: Target
    streams: Streams
