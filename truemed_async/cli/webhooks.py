"""``truemed webhooks``: find out why a delivery is refused, and print the SQL of a store."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import orjson
from cyclopts import App

import truemed_async
from truemed_async.cli.connection import Context
from truemed_async.cli.options import CONTEXT, LITERAL
from truemed_async.cli.output import EXIT_FAILURE
from truemed_async.errors import ConfigurationError, InvalidArgumentError

SECRET_VARIABLE = "TRUEMED_WEBHOOK_SECRET"  # noqa: S105  # the name of a variable


def make_app() -> App:
    """Return ``truemed webhooks``."""
    app = App(name="webhooks", help="Webhooks: explain a refused delivery, print the SQL of a store.")
    app.command(explain)
    app.command(schema)
    return app


def explain(
    *,
    body: Annotated[Path, LITERAL],
    headers: Annotated[Path, LITERAL],
    mode: Literal["signed", "unsigned"] = "signed",
    context: Annotated[Context, CONTEXT],
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
        context.streams.print_data(f"{'ok' if check.passed else 'failed':<8}{check.name:<11}{check.detail}")
    return 0 if checks[-1].passed else EXIT_FAILURE


def schema(database: Literal["postgres"], *, context: Annotated[Context, CONTEXT]) -> int:
    """Print the SQL of the table in which a store remembers handled events. It may be executed again.

    Args:
        database: The database: postgres.
    """
    del database  # there is one so far
    try:
        from truemed_async.webhooks.postgres import SCHEMA  # noqa: PLC0415  # the driver is an extra
    except ImportError as error:
        raise ConfigurationError("this requires psycopg: pip install 'truemed-async[postgres]'") from error
    context.streams.print_data(SCHEMA.removesuffix("\n"))
    return 0


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
