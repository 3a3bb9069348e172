"""Exit codes."""

from __future__ import annotations

from truemed_async.errors import ConfigurationError, InvalidArgumentError, TruemedError

FAILED = 1
MISUSED = 2
INTERRUPTED = 130


def exit_code(error: TruemedError) -> int:
    """Return the code for an error: of the call, or of what was asked for."""
    return MISUSED if isinstance(error, (ConfigurationError, InvalidArgumentError)) else FAILED
