"""What an endpoint is: one frozen value."""

from __future__ import annotations

import enum
import re
from typing import Any, Generic, Literal, TypeVar

import attrs

from truemed_async.errors import InvalidArgumentError

T = TypeVar("T")

# Words and placeholders only: an id that was put in by hand could leave the route.
_PATH = re.compile(r"/\Z|(?:/(?:[A-Za-z0-9_~-]|\{[A-Za-z_]\w*\})(?:[A-Za-z0-9._~-]|\{[A-Za-z_]\w*\})*)+\Z")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")

Method = Literal["GET", "POST"]


class Idempotency(enum.Enum):
    """Whether a request may be sent again after an attempt whose effect is unknown."""

    SAFE = "safe"
    """It changes nothing: always."""
    KEYED = "keyed"
    """Its body carries an ``idempotency_key``: yes, with the same key and bytes."""
    UNKEYED = "unkeyed"
    """It changes something and takes no key: never."""


def _default_idempotency(endpoint: Endpoint[Any]) -> Idempotency:
    return Idempotency.SAFE if endpoint.method == "GET" else Idempotency.UNKEYED


def _in_path(endpoint: Endpoint[Any]) -> tuple[str, ...]:
    """Return the names of the ids in the path."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(endpoint.path)))


@attrs.frozen
class Endpoint(Generic[T]):
    """One endpoint of the API; make your own to call one that this library does not know.

    Attributes:
        name: Its name in errors, logs and hooks, for example ``"qualification_sessions.get"``.
        method: ``"GET"`` or ``"POST"``.
        path: The path, ids as ``{placeholders}``.
        result: What the answer is decoded into: a model, ``dict`` for the JSON as it is, or ``NoneType`` for no body.
        idempotency: By default safe for GET and unkeyed for POST.
        placeholders: The names of the ids in the path.
        items: For a list, the name under which the answer holds its rows; ``result`` is then ``Page[...]``.
    """

    name: str
    method: Method
    path: str
    result: type[T]
    idempotency: Idempotency = attrs.field(default=attrs.Factory(_default_idempotency, takes_self=True), kw_only=True)
    items: str | None = attrs.field(default=None, kw_only=True)

    placeholders: tuple[str, ...] = attrs.field(
        default=attrs.Factory(_in_path, takes_self=True), init=False, repr=False, eq=False
    )

    def __attrs_post_init__(self) -> None:
        if self.method not in ("GET", "POST"):
            raise InvalidArgumentError("an endpoint's method is GET or POST")
        if not _PATH.match(self.path):
            raise InvalidArgumentError("an endpoint's path starts with '/' and is made of words and {placeholders}")
