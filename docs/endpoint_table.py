"""The table of endpoints, generated from ``truemed_async.endpoints.ENDPOINTS``."""

from __future__ import annotations

import typing
from collections.abc import Iterator

from truemed_async import Endpoint, Idempotency
from truemed_async.endpoints import ENDPOINTS

RETRIED = {
    Idempotency.SAFE: "yes: it changes nothing",
    Idempotency.KEYED: "yes: with its idempotency key",
    Idempotency.UNKEYED: "only if it certainly had no effect",
}


def markdown() -> str:
    """Return the table as MyST Markdown."""
    return "\n".join(("| method | request | returns | retried |", "| --- | --- | --- | --- |", *_rows()))


def _rows() -> Iterator[str]:
    for endpoint in ENDPOINTS:
        cells = (
            method(endpoint),
            f"`{endpoint.method} {endpoint.path}`",
            result(endpoint),
            RETRIED[endpoint.idempotency],
        )
        yield f"| {' | '.join(cells)} |"


def method(endpoint: Endpoint[object]) -> str:
    """Link the method that calls the endpoint: ``qualification_sessions.get`` is ``QualificationSessions.get``."""
    resource, name = endpoint.name.split(".")
    owner = "".join(word.capitalize() for word in resource.split("_"))
    return f"{{py:meth}}`{endpoint.name} <truemed_async.resources.{owner}.{name}>`"


def result(endpoint: Endpoint[object]) -> str:
    """Format the type of the response, with the type of its rows in brackets if it is a page."""
    origin: typing.Any = typing.get_origin(endpoint.result) or endpoint.result
    inner = ", ".join(kind.__name__ for kind in typing.get_args(endpoint.result))
    return f"`{origin.__name__}[{inner}]`" if inner else f"`{origin.__name__}`"
