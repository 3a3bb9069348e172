"""The kinds of values in requests and answers: each checks a value, and says in JSON Schema what it takes.

A request is checked by the very declaration that the OpenAPI document is printed from: the two cannot differ.
"""

# ruff: noqa: D102 - `Kind` says what each member is for, the class what it takes

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, Final, cast

import attrs

# What every JSON library says exactly.
_EXACT: Final = 2**53 - 1
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Unfit(ValueError):  # noqa: N818 - it is what a value is
    """A value is not of its kind; `path` says which, `missing` whether there is none at all."""

    def __init__(self, path: str, message: str, *, missing: bool = False) -> None:
        """Keep the parts; the message never holds the value."""
        super().__init__(message)
        self.path = path
        self.missing = missing


class Kind(ABC):
    """What a value has to be."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What it has to be, to follow `must be`."""

    @property
    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """The same in JSON Schema, 2020-12."""

    @abstractmethod
    def fits(self, value: object) -> bool:
        """Tell whether a value, as JSON has it, is of this kind."""

    def check(self, value: object, name: str) -> None:
        """Raise `Unfit` unless the value is of this kind."""
        if not self.fits(value):
            raise Unfit(name, f"{name} must be {self.words}")

    def parse(self, text: str) -> object:
        """Return what the text of a query parameter stands for; anything that does not fit when it stands for nothing."""
        return text


@attrs.frozen
class Text(Kind):
    """A string."""

    shortest: int = 0

    @property
    def words(self) -> str:
        return "a string that is not empty" if self.shortest else "a string"

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": self.shortest} if self.shortest else {"type": "string"}

    def fits(self, value: object) -> bool:
        return isinstance(value, str) and len(value) >= self.shortest


@attrs.frozen
class Choice(Kind):
    """One of these words."""

    of: tuple[str, ...]

    @property
    def words(self) -> str:
        return f"one of {', '.join(self.of)}"

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.of)}

    def fits(self, value: object) -> bool:
        return value in self.of


@attrs.frozen
class Integer(Kind):
    """A whole number that JSON says exactly."""

    lowest: int = -_EXACT
    highest: int = _EXACT

    @property
    def words(self) -> str:
        return "an integer" if self.lowest == -_EXACT else f"an integer from {self.lowest}"

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.lowest, "maximum": self.highest}

    def fits(self, value: object) -> bool:
        # True is an int to Python, and not meant.
        return isinstance(value, int) and not isinstance(value, bool) and self.lowest <= value <= self.highest

    def parse(self, text: str) -> object:
        return int(text) if _INTEGER.fullmatch(text) else text


@attrs.frozen
class Flag(Kind):
    """True or false."""

    @property
    def words(self) -> str:
        return "true or false"

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def fits(self, value: object) -> bool:
        return isinstance(value, bool)

    def parse(self, text: str) -> object:
        return {"true": True, "false": False}.get(text, text)


@attrs.frozen
class Day(Kind):
    """A date without a time."""

    @property
    def words(self) -> str:
        return "a date that exists, YYYY-MM-DD"

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}

    def fits(self, value: object) -> bool:
        return isinstance(value, date) or (isinstance(value, str) and isinstance(self.parse(value), date))

    def parse(self, text: str) -> object:
        # fromisoformat alone takes more than YYYY-MM-DD: 20270101 and week dates too.
        if not _DATE.fullmatch(text):
            return ""
        try:
            return date.fromisoformat(text)
        except ValueError:
            return ""


@attrs.frozen
class Month(Kind):
    """A month of a year."""

    @property
    def words(self) -> str:
        return "a month, YYYY-MM"

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_MONTH.pattern}$"}

    def fits(self, value: object) -> bool:
        return isinstance(value, str) and _MONTH.fullmatch(value) is not None


@attrs.frozen
class Anything(Kind):
    """Any JSON; in answers, where nothing is checked, what this JSON Schema says."""

    says: Mapping[str, Any] = _NOTHING

    @property
    def words(self) -> str:
        return "JSON"

    @property
    def schema(self) -> dict[str, Any]:
        return dict(self.says)

    def fits(self, value: object) -> bool:
        del value
        return True


@attrs.frozen
class Nullable(Kind):
    """Of this kind, or null."""

    kind: Kind

    @property
    def words(self) -> str:
        return f"{self.kind.words}, or null"

    @property
    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.kind.schema, {"type": "null"}]}

    def fits(self, value: object) -> bool:
        return value is None or self.kind.fits(value)

    def check(self, value: object, name: str) -> None:
        if value is not None:
            self.kind.check(value, name)


@attrs.frozen
class Many(Kind):
    """A list of values of one kind; in a query they stand with commas between them."""

    of: Kind

    @property
    def words(self) -> str:
        return "a list"

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.of.schema}

    def fits(self, value: object) -> bool:
        return isinstance(value, list)

    def check(self, value: object, name: str) -> None:
        super().check(value, name)
        for index, item in enumerate(cast("list[object]", value)):
            self.of.check(item, f"{name}[{index}]")

    def parse(self, text: str) -> object:
        return text.split(",")


@attrs.frozen
class Members(Kind):
    """An object with these members, and any others: what is not known is not refused."""

    required: Mapping[str, Kind] = _NOTHING
    optional: Mapping[str, Kind] = _NOTHING

    @property
    def words(self) -> str:
        return "a JSON object"

    @property
    def schema(self) -> dict[str, Any]:
        properties = {name: kind.schema for name, kind in {**self.required, **self.optional}.items()}
        required = {"required": list(self.required)} if self.required else {}
        return {"type": "object", "properties": properties, **required}

    def fits(self, value: object) -> bool:
        return isinstance(value, dict)

    def check(self, value: object, name: str) -> None:
        super().check(value, name or "the body")
        members = cast("dict[str, object]", value)
        prefix = f"{name}." if name else ""
        for member, kind in self.required.items():
            if member not in members:
                raise Unfit(prefix + member, f"{prefix}{member} is required", missing=True)
            kind.check(members[member], prefix + member)
        for member, kind in self.optional.items():
            if member in members:
                kind.check(members[member], prefix + member)
