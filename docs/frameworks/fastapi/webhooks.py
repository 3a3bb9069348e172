import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import Request, Response

from truemed_async.webhooks import AsyncReceiver, Event, PaymentSessionUpdated, SQLiteDedupStore
from truemed_async.webhooks.starlette import webhook_endpoint

logger = logging.getLogger("uvicorn.error")


async def fulfill(order: str | None) -> None:
    logger.info("%s is paid", order)  # your code: ship it


async def handle(event: Event) -> None:
    if isinstance(event, PaymentSessionUpdated) and event.data.status.may_fulfill:
        await fulfill(event.data.metadata)  # what you passed when you created the session


def truemed_webhooks(secret: str, store: str | Path) -> Callable[[Request], Awaitable[Response]]:
    return webhook_endpoint(AsyncReceiver(handle, secrets=secret, store=SQLiteDedupStore(store)))
