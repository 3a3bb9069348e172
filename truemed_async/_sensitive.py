"""Holders for what must never be printed: the API key, bodies, and personal fields."""

from __future__ import annotations

from typing import Generic, NoReturn, Self, TypeVar, cast

T = TypeVar("T")

MASK = "***"


class Secret(str):
    """A string that goes over the wire as it is and prints as ``'***'``.

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
    """A box around a body or a message, so that frames, dicts and exceptions that hold it print ``***``."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value: T = value

    def __repr__(self) -> str:
        return MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("sensitive data cannot be pickled")


def masked(value: object) -> str:
    """Return what ``repr`` shows in the place of a personal value; whether it is absent may be seen."""
    return repr(None) if value is None else MASK


def hidden(value: object) -> Sensitive[object]:
    """Return ``value`` in a box, if it is not in one already."""
    return cast("Sensitive[object]", value) if isinstance(value, Sensitive) else Sensitive(value)
