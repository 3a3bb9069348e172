"""Schemas of the values in requests and responses, under JSON Schema's own names.

One declaration validates requests, serializes responses and prints the OpenAPI document, so the three cannot differ.
The classes are the emulator's own: a validation library would cost its import in each test run, and its messages
quote the invalid value, which may be personal data.
"""

# ruff: noqa: D102 - ``Schema`` documents the members, each class what it accepts

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, Final, cast

import attrs

from truemed_async.emulator.clock import wire_datetime

# The integers that every JSON library represents exactly.
_MAX_SAFE_INTEGER: Final = 2**53 - 1
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_NO_PROPERTIES: Final[Mapping[str, Any]] = MappingProxyType({})


class ValidationError(ValueError):
    """A value does not match its schema: ``path`` names it, ``missing`` tells whether it is absent."""

    def __init__(self, path: str, message: str, *, missing: bool = False) -> None:
        """Keep the parts; the message never contains the value."""
        super().__init__(message)
        self.path = path
        self.missing = missing


class Schema(ABC):
    """Base class of all schemas."""

    @property
    @abstractmethod
    def description(self) -> str:
        """What a value must be, to follow ``must be``."""

    @property
    @abstractmethod
    def json_schema(self) -> dict[str, Any]:
        """The schema in JSON Schema 2020-12."""

    @abstractmethod
    def is_valid(self, value: object) -> bool:
        """Return whether a value decoded from JSON matches."""

    @property
    def serializer(self) -> Callable[[Any], object] | None:
        """The conversion of a stored value to JSON, or ``None`` if the value is used as it is."""
        return None

    def validate(self, value: object, path: str) -> None:
        """Raise ``ValidationError`` unless the value matches."""
        if not self.is_valid(value):
            raise ValidationError(path, f"{path} must be {self.description}")

    def parse(self, text: str) -> object:
        """Convert the text of a query parameter; the result of an invalid text does not match the schema."""
        return text


@attrs.frozen
class String(Schema):
    """A string."""

    min_length: int = 0

    @property
    def description(self) -> str:
        return "a string that is not empty" if self.min_length else "a string"

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": self.min_length} if self.min_length else {"type": "string"}

    def is_valid(self, value: object) -> bool:
        return isinstance(value, str) and len(value) >= self.min_length


@attrs.frozen
class Enum(Schema):
    """One of these strings."""

    values: tuple[str, ...]

    @property
    def description(self) -> str:
        return f"one of {', '.join(self.values)}"

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.values)}

    def is_valid(self, value: object) -> bool:
        return value in self.values


@attrs.frozen
class Integer(Schema):
    """An integer that JSON represents exactly."""

    minimum: int = -_MAX_SAFE_INTEGER
    maximum: int = _MAX_SAFE_INTEGER

    @property
    def description(self) -> str:
        return "an integer" if self.minimum == -_MAX_SAFE_INTEGER else f"an integer from {self.minimum}"

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}

    def is_valid(self, value: object) -> bool:
        # Python's True is an int, JSON's is not.
        return isinstance(value, int) and not isinstance(value, bool) and self.minimum <= value <= self.maximum

    def parse(self, text: str) -> object:
        return int(text) if _INTEGER.fullmatch(text) else text


@attrs.frozen
class Number(Schema):
    """An integer or a double."""

    @property
    def description(self) -> str:
        return "a number"

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "number", "format": "double"}

    def is_valid(self, value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool)


@attrs.frozen
class Boolean(Schema):
    """True or false."""

    @property
    def description(self) -> str:
        return "true or false"

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def is_valid(self, value: object) -> bool:
        return isinstance(value, bool)

    def parse(self, text: str) -> object:
        return {"true": True, "false": False}.get(text, text)


@attrs.frozen
class Date(Schema):
    """A date without a time."""

    @property
    def description(self) -> str:
        return "a date that exists, YYYY-MM-DD"

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}

    @property
    def serializer(self) -> Callable[[Any], object] | None:
        return date.isoformat

    def is_valid(self, value: object) -> bool:
        return isinstance(value, date) or (isinstance(value, str) and isinstance(self.parse(value), date))

    def parse(self, text: str) -> object:
        # date.fromisoformat also accepts 20270101 and week dates.
        if not _DATE.fullmatch(text):
            return ""
        try:
            return date.fromisoformat(text)
        except ValueError:
            return ""


@attrs.frozen
class DateTime(Schema):
    """A time in responses, which are not validated."""

    @property
    def description(self) -> str:
        return "a time, ISO 8601"

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}

    @property
    def serializer(self) -> Callable[[Any], object] | None:
        return wire_datetime

    def is_valid(self, value: object) -> bool:
        return isinstance(value, str)


@attrs.frozen
class Month(Schema):
    """A month of a year."""

    @property
    def description(self) -> str:
        return "a month, YYYY-MM"

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_MONTH.pattern}$"}

    def is_valid(self, value: object) -> bool:
        return isinstance(value, str) and _MONTH.fullmatch(value) is not None


@attrs.frozen
class Nullable(Schema):
    """A value of another schema, or null."""

    schema: Schema

    @property
    def description(self) -> str:
        return f"{self.schema.description}, or null"

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"anyOf": [self.schema.json_schema, {"type": "null"}]}

    @property
    def serializer(self) -> Callable[[Any], object] | None:
        inner = self.schema.serializer
        if inner is None or inner is wire_datetime:  # which accepts None
            return inner
        return lambda value: None if value is None else inner(value)

    def is_valid(self, value: object) -> bool:
        return value is None or self.schema.is_valid(value)

    def validate(self, value: object, path: str) -> None:
        if value is not None:
            self.schema.validate(value, path)


@attrs.frozen
class Array(Schema):
    """A list; in a query its items are separated by commas."""

    items: Schema

    @property
    def description(self) -> str:
        return "a list"

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.items.json_schema}

    @property
    def serializer(self) -> Callable[[Any], object] | None:
        inner = self.items.serializer
        return list if inner is None else lambda values: [inner(value) for value in values]

    def is_valid(self, value: object) -> bool:
        return isinstance(value, list)

    def validate(self, value: object, path: str) -> None:
        super().validate(value, path)
        for index, item in enumerate(cast("list[object]", value)):
            self.items.validate(item, f"{path}[{index}]")

    def parse(self, text: str) -> object:
        return text.split(",")


@attrs.frozen
class Object(Schema):
    """An object with these properties. Unknown ones are ignored, or invalid without ``additional_properties``.

    serialize: the conversion of a stored value to JSON, if there is one.
    """

    required: Mapping[str, Schema] = _NO_PROPERTIES
    optional: Mapping[str, Schema] = _NO_PROPERTIES
    additional_properties: bool = True
    serialize: Callable[[Any], object] | None = None

    @property
    def description(self) -> str:
        return "a JSON object"

    @property
    def properties(self) -> Mapping[str, Schema]:
        """All properties, the required ones first."""
        return {**self.required, **self.optional}

    @property
    def json_schema(self) -> dict[str, Any]:
        properties = {name: schema.json_schema for name, schema in self.properties.items()}
        required = {"required": list(self.required)} if self.required else {}
        return {"type": "object", "properties": properties, **required}

    @property
    def serializer(self) -> Callable[[Any], object] | None:
        return self.serialize

    def is_valid(self, value: object) -> bool:
        return isinstance(value, dict)

    def validate(self, value: object, path: str) -> None:
        super().validate(value, path or "the body")
        members = cast("dict[str, object]", value)
        prefix = f"{path}." if path else ""
        if not self.additional_properties and (unknown := sorted(members.keys() - self.properties.keys())):
            names = ", ".join(self.properties)
            raise ValidationError(path, f"{path or 'the body'} has {names}: not {', '.join(unknown)}")
        for name, schema in self.required.items():
            if name not in members:
                raise ValidationError(prefix + name, f"{prefix}{name} is required", missing=True)
            schema.validate(members[name], prefix + name)
        for name, schema in self.optional.items():
            if name in members:
                schema.validate(members[name], prefix + name)
