"""What became of a delivery, and what is logged of it: an allow-list, so that nothing else can slip in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import attrs

from truemed_async.webhooks._events import Event

logger = logging.getLogger("truemed_async.webhooks")


class Result(StrEnum):
    """What became of a delivery."""

    HANDLED = "handled"
    """Your handler returned. 204."""
    DUPLICATE = "duplicate"
    """It was handled before; your handler was not called. 204."""
    UNKNOWN_EVENT = "unknown_event"
    """An event that this version does not know; your handler was not called. 204."""
    UNREADABLE = "unreadable"
    """It is Truemed's, but it is not the event it says it is. 400."""
    REFUSED = "refused"
    """Its signature or secret is missing or wrong. 401."""
    STALE = "stale"
    """Its signature is right, but too old or from the future. 401."""
    TOO_LARGE = "too_large"
    """Its body was not read. 413."""
    IN_PROGRESS = "in_progress"
    """Another delivery of the event is being handled, or died while it was; Truemed shall come again. 500."""
    FAILED = "failed"
    """Your handler or the store raised; Truemed shall come again. 500."""


_STATUS: Mapping[Result, int] = {
    Result.HANDLED: 204,
    Result.DUPLICATE: 204,
    Result.UNKNOWN_EVENT: 204,
    Result.UNREADABLE: 400,
    Result.REFUSED: 401,
    Result.STALE: 401,
    Result.TOO_LARGE: 413,
    Result.IN_PROGRESS: 500,
    Result.FAILED: 500,
}
_LEVEL: Mapping[Result, int] = {
    Result.HANDLED: logging.DEBUG,
    Result.DUPLICATE: logging.DEBUG,
    Result.IN_PROGRESS: logging.INFO,
    Result.FAILED: logging.ERROR,
}


@attrs.frozen(kw_only=True)
class Receipt:
    """What became of a delivery, and how to answer it. The answer has no body.

    Attributes:
        result: What became of it.
        event: The event, if the delivery was verified and could be read.
        error: Why it was refused, or what your handler or the store raised.
    """

    result: Result
    event: Event | None = None
    error: Exception | None = attrs.field(default=None, eq=False)

    @property
    def status(self) -> int:
        """The HTTP status to answer with."""
        return _STATUS[self.result]


ReceiptHook = Callable[[Receipt], object]
"""Called with each receipt, before the answer is sent."""


def report(receipt: Receipt, hooks: Sequence[ReceiptHook]) -> None:
    """Log a receipt and tell the hooks.

    No header or body is at hand here. What a handler raised is logged with its traceback, as a web framework would.
    """
    refused = receipt.error if receipt.event is None else None  # our own error: it holds no value
    logger.log(
        _LEVEL.get(receipt.result, logging.WARNING),
        "webhook %s: %s, answered %d%s",
        "-" if receipt.event is None else receipt.event.type.name,
        receipt.result,
        receipt.status,
        "" if refused is None else f": {refused}",
        exc_info=receipt.error if receipt.result is Result.FAILED else None,
    )
    for hook in hooks:
        try:
            hook(receipt)
        except Exception:  # a broken hook must not turn an event that had its effect into a failure
            logger.exception("a hook of truemed_async.webhooks raised")
