"""An endpoint as one frozen value."""

from __future__ import annotations

import enum
import re
from typing import Any, Generic, Literal, TypeVar

import attrs

from truemed_async.errors import InvalidArgumentError

T = TypeVar("T")

# Words and placeholders only: an id that was formatted into the path could change the route.
_PATH = re.compile(r"/\Z|(?:/(?:[A-Za-z0-9_~-]|\{[A-Za-z_]\w*\})(?:[A-Za-z0-9._~-]|\{[A-Za-z_]\w*\})*)+\Z")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")

Method = Literal["GET", "POST"]


class Idempotency(enum.Enum):
    """Whether a request may be sent again after an attempt whose outcome is unknown."""

    SAFE = "safe"
    """It changes nothing: always."""
    KEYED = "keyed"
    """Its body has an ``idempotency_key``: yes, with the same key and bytes."""
    UNKEYED = "unkeyed"
    """It changes something and takes no key: never."""


def _default_idempotency(endpoint: Endpoint[Any]) -> Idempotency:
    return Idempotency.SAFE if endpoint.method == "GET" else Idempotency.UNKEYED


def _find_placeholders(endpoint: Endpoint[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(endpoint.path)))


@attrs.frozen
class Endpoint(Generic[T]):
    """One endpoint of the API. Create one to call an endpoint that this library does not know.

    Attributes:
        name: Its name in errors, logs and hooks, for example ``"qualification_sessions.get"``.
        method: ``"GET"`` or ``"POST"``.
        path: The path, with ids as ``{placeholders}``.
        result: The type of the response: a model, ``dict`` for the JSON unchanged, or ``NoneType`` for no body.
        idempotency: By default safe for GET and unkeyed for POST.
        placeholders: The names of the ids in the path.
        items: For a list, the key of the rows in the response; ``result`` is then ``Page[...]``.
    """

    name: str
    method: Method
    path: str
    result: type[T]
    idempotency: Idempotency = attrs.field(default=attrs.Factory(_default_idempotency, takes_self=True), kw_only=True)
    items: str | None = attrs.field(default=None, kw_only=True)

    placeholders: tuple[str, ...] = attrs.field(
        default=attrs.Factory(_find_placeholders, takes_self=True), init=False, repr=False, eq=False
    )

    def __attrs_post_init__(self) -> None:
        if self.method not in ("GET", "POST"):
            raise InvalidArgumentError("an endpoint's method must be GET or POST")
        if not _PATH.match(self.path):
            raise InvalidArgumentError("an endpoint's path must start with '/' and consist of words and {placeholders}")
