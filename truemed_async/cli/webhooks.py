"""``truemed webhooks``: test deliveries, refused ones and missed ones, and the SQL of a store."""

import importlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import orjson
from cyclopts import App

import truemed_async
from truemed_async.cli.connection import Context
from truemed_async.cli.endpoint import SECRET_VARIABLE, parse_endpoint, send_delivery
from truemed_async.cli.listen import listen
from truemed_async.cli.options import (
    CONTEXT,
    LITERAL,
    MANY,
    NO_VALUES,
    SHOW_CHOICES,
    Flag,
    RequiredText,
    Text,
    WebhookEvent,
    parse_duration,
    parse_time,
)
from truemed_async.cli.output import EXIT_FAILURE, Streams
from truemed_async.errors import ConfigurationError, InvalidArgumentError


def make_app() -> App:
    """Return ``truemed webhooks``."""
    app = App(
        name="webhooks",
        help="Webhooks: receive those of an emulator, send a test delivery, explain a refused one, catch up.",
    )
    app.command(listen)
    app.command(explain)
    app.command(trigger)
    app.command(schema)
    app.command(catch_up)
    return app


def explain(
    *,
    body: Annotated[Path, LITERAL],
    headers: Annotated[Path, LITERAL],
    mode: Literal["signed", "unsigned"] = "signed",
    streams: Annotated[Streams, CONTEXT],
) -> int:
    """Show which checks a saved delivery passes, and how its signature header is written.

    No value of the delivery is shown. The secret is read from the environment variable TRUEMED_WEBHOOK_SECRET. The exit
    code is 1 if a check fails.

    Args:
        body: The file with the raw bytes of the body.
        headers: The file with the headers: a JSON object, or a line "Name: value" for each.
        mode: How the webhook was created: signed or unsigned.
    """
    secret = os.environ.get(SECRET_VARIABLE)
    if not secret:
        raise ConfigurationError(f"set {SECRET_VARIABLE} to the secret of the webhook")
    checks = truemed_async.webhooks.explain_delivery(
        body.read_bytes(), parse_headers(headers.read_bytes()), secrets=secret, mode=mode
    )
    for check in checks:
        streams.print_data(f"{'ok' if check.passed else 'failed':<8}{check.name:<11}{check.detail}")
    return 0 if checks[-1].passed else EXIT_FAILURE


def trigger(
    event: Annotated[WebhookEvent, SHOW_CHOICES],
    /,
    *member: Annotated[str, LITERAL],
    to: RequiredText,
    delivery_id: Text = None,
    dry_run: Flag = False,
    streams: Annotated[Streams, CONTEXT],
) -> int:
    """Send a signed delivery with made-up data to your endpoint, and show the status of its response.

    The secret is read from the environment variable TRUEMED_WEBHOOK_SECRET. The exit code is 1 if the status is not 2xx.

    Args:
        event: The type of the event.
        member: Members of the payload to change, as NAME=VALUE: VALUE is JSON, such as 19900 or null, or else a text, \
such as status=rejected. Amounts are cents.
        to: The URL of your endpoint, such as http://127.0.0.1:8000/webhooks.
        delivery_id: The id of the delivery; by default the same event has the same id, as for a delivery that is repeated.
        dry_run: Show the body that would be sent, and send nothing.
    """
    from truemed_async.testing import make_delivery  # noqa: PLC0415  # loads the models: not for --help

    url = parse_endpoint("--to", to)
    secret = os.environ.get(SECRET_VARIABLE, "" if not dry_run else "dry run")
    if not secret:
        raise ConfigurationError(f"set {SECRET_VARIABLE} to the secret of the webhook")
    delivery = make_delivery(event, secret=secret, delivery_id=delivery_id, **dict(map(parse_member, member)))
    if dry_run:
        streams.print_data(delivery.body.decode())
        return 0
    start = time.monotonic()
    headers = [*delivery.headers.items(), ("Content-Length", str(len(delivery.body)))]
    status = send_delivery(url, headers, delivery.body).status
    streams.print_data(f"{status} in {time.monotonic() - start:.2f} s")
    return 0 if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES else EXIT_FAILURE


def schema(database: Literal["postgres"], *, streams: Annotated[Streams, CONTEXT]) -> int:
    """Print the SQL of the table in which a store remembers handled events. It may be executed again.

    Args:
        database: The database: postgres.
    """
    del database  # there is one so far
    try:
        from truemed_async.webhooks.postgres import SCHEMA  # noqa: PLC0415  # the driver is an extra
    except ImportError as error:
        raise ConfigurationError("this requires psycopg: pip install 'truemed-async[postgres]'") from error
    streams.print_data(SCHEMA.removesuffix("\n"))
    return 0


async def catch_up(
    receiver: str,
    /,
    *,
    since: RequiredText,
    look_back: RequiredText = "30d",
    provision_token_request: Annotated[tuple[str, ...], MANY] = NO_VALUES,
    context: Annotated[Context, CONTEXT],
) -> int:
    """Hand the changes whose webhooks were missed to the receiver of your program, which handles each once.

    The result is a JSON object with the number of changes by outcome. The exit code is 1 if one failed or is just being \
handled; run the command again.

    Args:
        receiver: Where your program has its Receiver or AsyncReceiver, as MODULE:NAME, such as shop.webhooks:receiver. \
The module is found as python -m would find it.
        since: When the first delivery can have been missed: YYYY-MM-DD, or a time such as 2026-11-01T09:30+01:00; UTC \
if it has no time zone.
        look_back: How long before that an object may have been created, such as 30d, 8w or 36h.
        provision_token_request: The id of a request for a token, or for an update of one, whose end you do not know; \
may be repeated.
    """
    moment, period = parse_time("--since", since), parse_duration("--look-back", look_back)
    found = import_receiver(receiver)
    async with context.target.connect() as client:
        result = await client.catch_up(
            found, since=moment, look_back=period, provision_token_request_ids=provision_token_request
        )
    counts = {status.value: number for status, number in result.counts.items()}
    context.streams.print_data(orjson.dumps(counts).decode())
    return 0 if result.ok else EXIT_FAILURE


def import_receiver(place: str) -> Any:
    """Return the receiver that MODULE:NAME stands for; the working directory is searched, too."""
    module_name, colon, name = place.partition(":")
    if not (colon and all(part.isidentifier() for part in [*module_name.split("."), *name.split(".")])):
        raise InvalidArgumentError("RECEIVER must be MODULE:NAME, such as shop.webhooks:receiver")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the program lacks a module of its own
        found = None
    if found is None:
        raise InvalidArgumentError(f"there is no module {module_name} here")
    for part in name.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, (truemed_async.webhooks.AsyncReceiver, truemed_async.webhooks.Receiver)):
        raise InvalidArgumentError(f"{place} is no Receiver or AsyncReceiver")
    return found


def parse_member(text: str) -> tuple[str, Any]:
    """Return the name and the value of NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier() or name in ("delivery_id", "secret", "timestamp"):
        raise InvalidArgumentError("members must be NAME=VALUE, such as status=rejected, by the names of the payload")
    try:
        return name, orjson.loads(value)
    except orjson.JSONDecodeError:
        return name, value


def parse_headers(data: bytes) -> Mapping[str, str | Sequence[str]]:
    """Return the headers of a file: a JSON object, or a request's head."""
    text = data.decode("utf-8-sig", errors="replace")
    if text.lstrip().startswith("{"):
        try:
            value: Any = orjson.loads(text)
        except orjson.JSONDecodeError:
            value = None
        if not isinstance(value, dict):
            raise InvalidArgumentError("--headers must be a JSON object or lines of the form Name: value")
        return cast("dict[str, str | list[str]]", value)
    headers: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, colon, content = line.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), []).append(content.strip())
    return headers
