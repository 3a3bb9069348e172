"""Which server a command talks to."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

import attrs

import truemed_async
from truemed_async.cli.streams import Streams
from truemed_async.errors import ConfigurationError

if TYPE_CHECKING:
    from truemed_async import AsyncTruemed
    from truemed_async.emulator import Emulator

EnvironmentName = Literal["production", "sandbox", "emulator"]

SESSIONS = 1000
SEED = 0


@attrs.frozen(kw_only=True)
class Target:
    """The options that stand before the command; ``None`` is not given."""

    env: EnvironmentName | None = None
    base_url: str | None = None
    sessions: int | None = None
    seed: int | None = None

    def check(self) -> None:
        """Refuse options that contradict each other."""
        if self.env != "emulator" and (self.sessions, self.seed) != (None, None):
            raise ConfigurationError("--sessions and --seed are for --env emulator")
        if self.env == "emulator" and self.base_url is not None:
            raise ConfigurationError("--base-url and --env emulator name two different servers: give one of them")

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[AsyncTruemed]:
        """Open a client, and for ``--env emulator`` the server too."""
        self.check()
        if self.env != "emulator":
            async with truemed_async.AsyncTruemed(environment=self.env, base_url=self.base_url) as client:
                yield client
            return
        # Each setting of the client is given, so that the environment variables of another server have no say.
        async with (
            self.emulator() as emulator,
            truemed_async.AsyncTruemed(emulator.api_key, environment="sandbox", base_url=emulator.url) as client,
        ):
            yield client

    def emulator(self, port: int = 0, **options: Any) -> Emulator:
        """Return an emulator, not yet serving; `options` are more of its own."""
        return truemed_async.emulator.Emulator(
            sessions=SESSIONS if self.sessions is None else self.sessions,
            seed=SEED if self.seed is None else self.seed,
            port=port,
            **options,
        )


@attrs.frozen
class Context:
    """What every command is handed besides its own options."""

    target: Target
    streams: Streams
