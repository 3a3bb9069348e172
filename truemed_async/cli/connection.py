"""The server that a command calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import attrs

import truemed_async
from truemed_async.cli.options import GlobalOptions
from truemed_async.cli.output import Streams

if TYPE_CHECKING:
    from truemed_async import AsyncTruemed, Attempt
    from truemed_async.cli.settings import Settings
    from truemed_async.emulator import Emulator

# A whole merchant, so that each command has something to show.
DEFAULT_DATA: Final[Mapping[str, int]] = MappingProxyType(
    {"sessions": 1000, "payment_sessions": 200, "payment_tokens": 20, "catalog_items": 20, "seed": 0}
)
# The routes that respond with a link to a page for a shopper.
_LINKING_ROUTES: Final = frozenset({"payment_sessions.create", "payment_tokens.create", "payment_tokens.update"})
_UNREACHABLE_URL: Final = "http://127.0.0.1"  # stands for an embedded emulator, which has no port before it is started
_CLEAR_LINE: Final = "\r\x1b[2K"


@attrs.frozen(kw_only=True)
class Target:
    """The server that the global options and the environment name, and where to report about requests to it."""

    options: GlobalOptions
    streams: Streams = attrs.field(eq=False, repr=False)

    @cached_property
    def settings(self) -> Settings:
        """The settings; an invalid configuration is raised."""
        from truemed_async.cli.settings import resolve_settings  # noqa: PLC0415  # not for --help

        settings = resolve_settings(self.options)
        for note in settings.overrides():
            self.streams.print_message(note)
        return settings

    @property
    def url(self) -> str:
        """The URL of the server; of an embedded emulator, one that cannot be reached."""
        from truemed_async._validation.configuration import HOSTS  # noqa: PLC0415  # not for --help

        settings = self.settings
        if settings.is_emulator:
            return _UNREACHABLE_URL
        return settings.base_url.value or HOSTS[settings.environment.value]

    def make_client(self) -> AsyncTruemed:
        """Return a client for the server; for an embedded emulator, one that cannot connect.

        All settings are given, so that environment variables for another server are ignored.
        """
        from truemed_async._validation.configuration import validate_api_key  # noqa: PLC0415  # not for --help

        settings = self.settings
        if settings.key is None:
            return self._make_client("emulator", self.url)
        key = settings.key.read()
        return self._make_client(validate_api_key(key, settings.key.source), self.url)

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[AsyncTruemed]:
        """Open a client, and with ``--env emulator`` also the server."""
        if not self.settings.is_emulator:
            async with self.make_client() as client:
                yield client
            return
        overrides = {"sessions": self.options.sessions, "seed": self.options.seed}
        data = {**DEFAULT_DATA, **{name: number for name, number in overrides.items() if number is not None}}
        async with (
            make_emulator(**data) as emulator,
            self._make_client(emulator.api_key, emulator.url, _emulator_client(data)) as client,
        ):
            yield client
            if any(request.route in _LINKING_ROUTES for request in emulator.requests):
                self.streams.print_message(
                    f"note: links to {emulator.url} end with this command; those of `truemed emulator` stay"
                )

    def _make_client(self, key: str, url: str, kind: type[AsyncTruemed] | None = None) -> AsyncTruemed:
        timeout = self.settings.timeout.value
        hooks = (self._report,) if self.options.verbose or self.streams.err.isatty() else ()
        return (kind or truemed_async.AsyncTruemed)(
            key,
            environment="sandbox",  # without meaning, because the URL is given
            base_url=url,
            timeout=truemed_async.Timeouts() if timeout is None else timeout,
            hooks=hooks,
        )

    def _report(self, attempt: Attempt) -> None:
        """Show an attempt with ``--verbose``; and on a terminal, why the command waits."""
        if self.options.verbose:
            result = attempt.error if attempt.status is None else attempt.status
            self._print(
                f"{attempt.method} {attempt.route} {result} in {attempt.elapsed:.3f} s (attempt {attempt.number})"
            )
        if attempt.retry_in is not None:
            match attempt.status:
                case None:
                    reason = "no response"
                case 429:
                    reason = "rate limited"
                case status:
                    reason = f"the server responded with {status}"
            attempts = truemed_async.RetryPolicy().max_attempts
            self._print(f"{reason}; waiting {attempt.retry_in:.1f} s (attempt {attempt.number + 1} of {attempts})")

    def _print(self, text: str) -> None:
        if self.streams.err.isatty():
            self.streams.err.write(_CLEAR_LINE)  # a progress bar, which is drawn again below
        self.streams.print_message(text)


def make_emulator(**options: Any) -> Emulator:
    """Return an emulator with generated data that is not yet started; ``options`` are arguments of it."""
    arguments: dict[str, Any] = {"examples": True, **DEFAULT_DATA, **options}
    return truemed_async.emulator.Emulator(**arguments)


def _emulator_client(data: Mapping[str, int]) -> type[AsyncTruemed]:
    """Return a client class that is named by the emulator's data, and not by its port, which differs for each command.

    So the next command with the same options can resume an export: it reads the same rows.
    """

    class EmulatorClient(truemed_async.AsyncTruemed):
        @property
        def base_url(self) -> str:
            return f"emulator:{','.join(f'{name}={value}' for name, value in data.items())}"

    return EmulatorClient


@attrs.frozen
class Context:
    """Passed to every command that calls the API, besides its own options. Other commands receive ``streams`` alone."""

    target: Target
    streams: Streams
