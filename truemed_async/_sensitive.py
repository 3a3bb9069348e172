"""Holders for values that must never be printed: the API key, bodies and personal fields.

The rule, in one place: **a traceback that shows local variables shows no sensitive value below the method that the
user called.** A function that receives one puts it into a box with :func:`wrap` (or builds the frozen, masked request
from it) and deletes its own name for it with ``del`` before it calls anything that can fail. Logs and messages only
contain what is listed as safe.
"""

from __future__ import annotations

from typing import Generic, NoReturn, Self, TypeVar, cast

T = TypeVar("T")

MASK = "***"


class Secret(str):
    """A string that is sent unchanged and prints as ``'***'``.

    Only ``repr`` is masked: ``str`` has to stay the value, because the HTTP library writes headers with it.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{MASK!r}"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


class Sensitive(Generic[T]):
    """A box around a sensitive value: frames, dicts and exceptions that hold the box print ``***``."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value: T = value

    def __repr__(self) -> str:
        return MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("sensitive data cannot be pickled")


def mask(value: object) -> str:
    """Return the ``repr`` of a personal field: masked, but it shows whether the value is absent."""
    return repr(None) if value is None else MASK


def wrap(value: object) -> Sensitive[object]:
    """Return ``value`` in a box, unless it is in one already."""
    return cast("Sensitive[object]", value) if isinstance(value, Sensitive) else Sensitive(value)
