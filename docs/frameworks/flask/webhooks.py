import logging
from pathlib import Path

from flask import Flask

from truemed_async.webhooks import Event, PaymentSessionUpdated, Receiver, SQLiteDedupStore
from truemed_async.webhooks.flask import webhook_endpoint

logger = logging.getLogger("gunicorn.error")


def fulfill(order: str | None) -> None:
    logger.info("%s is paid", order)  # your code: ship it


def handle(event: Event) -> None:
    if isinstance(event, PaymentSessionUpdated) and event.data.status.may_fulfill:
        fulfill(event.data.metadata)  # what you passed when you created the session


def add_webhooks(app: Flask, secret: str, store: str | Path) -> None:
    view = webhook_endpoint(Receiver(handle, secrets=secret, store=SQLiteDedupStore(store)))
    app.add_url_rule("/webhooks/truemed", view_func=view, methods=["GET", "POST"])
