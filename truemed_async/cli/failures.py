"""What to tell a person about a failed call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from truemed_async.cli.connection import Target
from truemed_async.cli.output import Streams
from truemed_async.errors import (
    APIError,
    AuthenticationError,
    CallError,
    PermissionDeniedError,
    TransportError,
    TruemedError,
)


def report_error(streams: Streams, target: Target, error: CallError) -> None:
    """Show an error, and below it what may help."""
    streams.print_message(f"error: {error}")
    if isinstance(error, APIError):
        streams.print_server_message(error)
    for line in explain_error(error, target):
        streams.print_message(line)


def explain_errors(streams: Streams, target: Target, errors: Iterable[TruemedError]) -> None:
    """Show once, below the errors of several ids, what may help."""
    lines = (line for error in errors if isinstance(error, CallError) for line in explain_error(error, target))
    for line in dict.fromkeys(lines):
        streams.print_message(line)


def explain_error(error: CallError, target: Target) -> Iterator[str]:
    """Yield further lines: which key was refused, or which host did not respond."""
    if isinstance(error, (AuthenticationError, PermissionDeniedError)):
        yield f"  the key is {describe_key(target)}; it was sent to {describe_server(target)}"
        if isinstance(error, AuthenticationError):
            yield "  a key is valid in one environment only; `truemed whoami` shows which key and server are used"
    if isinstance(error, TransportError):
        yield f"  host: {describe_server(target)}"


def describe_key(target: Target) -> str:
    """Return where the key is from."""
    key = target.settings.key
    return "that of the emulator" if key is None else f"from {key.source}"


def describe_server(target: Target) -> str:
    """Return the host, with its environment and what chose it."""
    settings = target.settings
    if settings.is_emulator:
        return f"the emulator inside this command ({settings.environment.source})"
    host = urlsplit(target.url).netloc.rpartition("@")[2]
    if settings.base_url.value is not None:
        return f"{host} ({settings.base_url.source})"
    return f"{host} ({settings.environment.value}, {settings.environment.source})"
