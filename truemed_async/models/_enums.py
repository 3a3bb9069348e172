"""Enums that Truemed may extend."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class OpenEnum(StrEnum):
    """A string enum that keeps unknown values: they compare, print and serialize like the strings that were received.

    A known value in another case, such as ``"CAPTURED"``, is the known value.

    Truemed renamed an enum value between two versions of its documentation; a closed enum would have turned that into
    an outage of every client.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        folded = value.casefold()
        for member in cls:
            if member.casefold() == folded:
                return member
        unknown = str.__new__(cls, value)
        unknown._name_ = unknown._value_ = str(value)
        return unknown

    @property
    def is_known(self) -> bool:
        """Whether this library's version of the enum lists the value."""
        return self._value_ in type(self)._value2member_map_
