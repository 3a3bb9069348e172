"""Entities: one attrs class per kind of row, whose fields describe requests, responses, webhooks and the inspector.

A field states its schema once. Where Truemed's requests differ from its responses, the override stands at the field::

    sku: str = field(String(), create=required(String(min_length=1)), update=required(String(min_length=1)))
    description: str | None = field(Nullable(String()), create=optional(String()), default=None)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any, ClassVar, Final, Literal

import attrs

from truemed_async.emulator.schema import Object, Schema
from truemed_async.emulator.store import Transition

_METADATA_KEY: Final = "truemed"
_NO_MEMBERS: Final[Mapping[str, Any]] = MappingProxyType({})


@attrs.frozen
class RequestMember:
    """A member of a request: its schema, that of the response if there is no other, and whether it is required."""

    schema: Schema | None
    is_required: bool


def required(schema: Schema | None = None) -> RequestMember:
    """Return a required member of a request."""
    return RequestMember(schema, is_required=True)


def optional(schema: Schema | None = None) -> RequestMember:
    """Return an optional member of a request."""
    return RequestMember(schema, is_required=False)


@attrs.frozen(kw_only=True)
class Member:
    """What a field is part of: the response, requests, the webhook payload (null included or not), the inspector."""

    response: Schema | None = None
    create: RequestMember | None = None
    update: RequestMember | None = None
    webhook: Literal["always", "unless_null"] | None = None
    column: bool = False


def field(
    response: Schema | None = None,
    *,
    create: RequestMember | None = None,
    update: RequestMember | None = None,
    webhook: Literal["always", "unless_null"] | None = None,
    column: bool = False,
    **options: Any,
) -> Any:
    """Return an attrs field with this ``Member``; ``options`` are those of ``attrs.field``, such as ``default``."""
    member = Member(response=response, create=create, update=update, webhook=webhook, column=column)
    return attrs.field(metadata={_METADATA_KEY: member}, **options)


@attrs.frozen
class EventSpec:
    """A webhook event: its name, and the ``event_type`` in the envelope of a signed webhook."""

    name: str
    type: str


class Entity:
    """Base class of the rows. They are immutable: a transition creates a new row.

    computed: members of the response that are properties rather than fields.
    event: the webhook event about the entity, if there is one.
    """

    __slots__ = ()

    computed: ClassVar[Mapping[str, Member]] = _NO_MEMBERS
    event: ClassVar[EventSpec | None] = None

    @classmethod
    def members(cls) -> Mapping[str, Member]:
        """Return all members by name: the fields, then what is computed."""
        entity: Any = cls
        return _members(entity)

    @classmethod
    def response_schema(cls) -> Object:
        """Return the schema of the entity in a response."""
        properties = {name: member.response for name, member in cls.members().items() if member.response is not None}
        return Object(properties, serialize=cls.serialize)

    @classmethod
    def request_schema(cls, direction: Literal["create", "update"], **others: RequestMember) -> Object:
        """Return the schema of a create or update request; ``others`` are members that are not stored."""
        members = {name: (getattr(member, direction), member.response) for name, member in cls.members().items()}
        parameters = {**members, **{name: (parameter, None) for name, parameter in others.items()}}
        schemas: dict[bool, dict[str, Any]] = {True: {}, False: {}}
        for name, (parameter, response) in parameters.items():
            if parameter is not None:
                schemas[parameter.is_required][name] = parameter.schema or response
        return Object(schemas[True], schemas[False])

    @classmethod
    def from_request(cls, direction: Literal["create", "update"], body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields that a create or update request sets."""
        members = cls.members().items()
        return {name: body[name] for name, member in members if name in body and getattr(member, direction) is not None}

    def serialize(self) -> dict[str, Any]:
        """Return the entity as it is in a response."""
        entity: Any = type(self)
        names, getter, converters = _serialization(entity)
        row = dict(zip(names, getter(self), strict=True))
        for name, convert in converters:
            row[name] = convert(row[name])
        return row

    def webhook_payload(self) -> dict[str, Any]:
        """Return the members of the webhook payload."""
        payload: dict[str, Any] = {}
        for name, member in self.members().items():
            value = getattr(self, name) if member.webhook is not None else None
            if value is not None or member.webhook == "always":
                convert = None if member.response is None else member.response.serializer
                payload[name] = value if convert is None else convert(value)
        return payload

    def event_payload(self, transition: Transition) -> Mapping[str, Any] | None:
        """Return the payload of the event about a transition to this row, or ``None`` if merchants are not notified."""
        del transition
        return None


# The members of a class never change: compiled once, rows are serialized at the speed of a literal.


@cache
def _members(cls: Any) -> Mapping[str, Member]:
    fields = {name: attribute.metadata.get(_METADATA_KEY) for name, attribute in attrs.fields_dict(cls).items()}
    declared = {name: member for name, member in fields.items() if member is not None}
    return MappingProxyType({**declared, **cls.computed})


@cache
def _serialization(
    cls: Any,
) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]], tuple[tuple[str, Callable[[Any], object]], ...]]:
    properties = cls.response_schema().required
    converters = ((name, schema.serializer) for name, schema in properties.items())
    return (
        tuple(properties),
        attrgetter(*properties),
        tuple((name, convert) for name, convert in converters if convert is not None),
    )
