"""What an import says of a library that an extra installs."""

from __future__ import annotations


def missing_extra(error: ModuleNotFoundError, extra: str) -> ModuleNotFoundError:
    """Return the error with the command that installs the missing library."""
    name = (error.name or "a library").partition(".")[0]
    return ModuleNotFoundError(f"{name} is not installed: pip install 'truemed-async[{extra}]'", name=error.name)
