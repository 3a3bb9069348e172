"""The warnings of this package, reported at the line of the caller's own code."""

from __future__ import annotations

import sys
import warnings

_PACKAGE = __file__.removesuffix("_warnings.py")


class TruemedWarning(RuntimeWarning):
    """The category of all warnings of this package, for use in warning filters."""


def warn(message: str) -> None:
    """Emit a :class:`TruemedWarning` at the innermost frame outside this package, however many frames are inside."""
    frame, level = sys._getframe(1), 2  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # `inspect.stack` reads source files
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, TruemedWarning, stacklevel=level)
