"""Help for the tests of code that uses this library: models, webhook deliveries, and clients that do not wait.

The fixtures ``truemed_client``, ``async_truemed_client``, ``truemed_environment`` and ``truemed_emulator`` need no
import: they come with the package. See :doc:`/testing`.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs
import orjson

from truemed_async._core.pipeline import Clock
from truemed_async._sensitive import mask
from truemed_async.client import AsyncTruemed, replace_clock
from truemed_async.errors import InvalidArgumentError
from truemed_async.testing._examples import PAYLOADS, make_example
from truemed_async.webhooks import sign

if TYPE_CHECKING:
    from truemed_async.sync import Truemed

__all__ = ["Delivery", "make", "make_delivery", "sign", "skip_waits"]

T = TypeVar("T")
AnyClient = TypeVar("AnyClient", bound="AsyncTruemed | Truemed")

_skipped: ContextVar[float] = ContextVar("truemed_async.testing.skipped", default=0.0)


def make(model: type[T], /, **fields: Any) -> T:
    """Return an instance of a model with made-up values, and with the given fields.

    The values are the same in every run, and fit together: those of a paid order, an approved session, an eligible item.
    A field of the model may be anything, as it may in a response: the types are not checked.

    Args:
        model: A model or a report of this library, such as :class:`~truemed_async.QualificationSession`.
        **fields: Its fields, by the names of its attributes. Amounts are cents.

    Returns:
        The instance, for example ``make(QualificationSession, status="rejected")``.

    Raises:
        InvalidArgumentError: The class is none of this library's, or has no such field.
    """
    example: Any = make_example(model)
    kind = cast("Any", type(example))
    allowed = [field.name for field in attrs.fields(kind)]
    for name in fields:
        if name not in allowed:
            raise InvalidArgumentError(f"{kind.__name__} has no field {name!r}; it has {', '.join(allowed)}")
    return cast("T", attrs.evolve(example, **fields))


@attrs.frozen(kw_only=True)
class Delivery:
    """What Truemed sends to a webhook endpoint. ``repr`` masks both.

    Attributes:
        body: The body of the POST, as signed.
        headers: Its headers: ``Content-Type`` and the signature.
    """

    body: bytes = attrs.field(repr=mask)
    headers: Mapping[str, str] = attrs.field(repr=mask)


def make_delivery(
    event_type: str,
    *,
    secret: str,
    delivery_id: str | None = None,
    timestamp: datetime | None = None,
    **data: Any,
) -> Delivery:
    """Return a signed delivery of an event, to POST to your endpoint.

    Args:
        event_type: One of :class:`~truemed_async.webhooks.EventType`, such as ``"payment_session_complete"``.
        secret: The secret of the webhook.
        delivery_id: ``webhook_delivery_id``; by default one that depends on the content, so that the same event has the
            same id.
        timestamp: When it is signed; a naive time is UTC. Default: now.
        **data: Members of the payload as in JSON, for example ``status="rejected"``. Amounts are cents.

    Raises:
        InvalidArgumentError: The type is unknown, the secret is empty, or a member is not JSON.
    """
    name = str(event_type)
    if name not in PAYLOADS:
        raise InvalidArgumentError(f"event_type must be one of {', '.join(PAYLOADS)}")
    content = {"event_type": name, "data": {**PAYLOADS[name], **data}}
    try:
        digest = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
    except TypeError:
        raise InvalidArgumentError("the members of the payload must be JSON values") from None
    body = orjson.dumps({"webhook_delivery_id": delivery_id or f"whd_{digest[:24]}", **content})
    return Delivery(body=body, headers={"Content-Type": "application/json", **sign(body, secret, timestamp=timestamp)})


def skip_waits(client: AnyClient) -> AnyClient:
    """Let a client continue at once where it would wait: before a retry, between polls, and when it is rate limited.

    The time that it skips counts: deadlines and ``Retry-After`` keep their meaning, and ``wait_until_final`` gives up
    after as many polls as it would have made. Waiting for a response takes as long as it does.

    Args:
        client: A client of a test, asynchronous or synchronous.

    Returns:
        The same client.
    """
    replace_clock(client if isinstance(client, AsyncTruemed) else client._async, _SkippingClock())  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return client


class _SkippingClock(Clock):
    """A clock that is ahead by the time which the current task skipped: other tasks have not waited, nor lost time."""

    def monotonic(self) -> float:
        return time.monotonic() + _skipped.get()

    def wall(self) -> float:
        return time.time() + _skipped.get()

    async def sleep(self, seconds: float) -> None:
        _skipped.set(_skipped.get() + seconds)
        await asyncio.sleep(0)
