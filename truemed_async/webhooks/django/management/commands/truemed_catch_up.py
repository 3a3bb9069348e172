"""``manage.py truemed_catch_up``: hand the changes whose webhooks were missed to the project's receiver."""

import asyncio
from argparse import ArgumentTypeError
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from truemed_async.client import AsyncTruemed
from truemed_async.errors import TruemedError
from truemed_async.sync import Truemed
from truemed_async.webhooks import AsyncReceiver, CatchUpResult, Receiver


class Command(BaseCommand):
    """Call ``catch_up`` of a client with the receiver of the project."""

    help: str = (
        "Hands the changes whose webhooks were missed to your receiver, which handles each once. The client reads its "
        "key from the environment."
    )
    requires_migrations_checks: bool = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("receiver", help="Where your receiver is, such as shop.webhooks.receiver.")
        parser.add_argument(
            "--since",
            required=True,
            type=_parse_time,
            help="When the first delivery can have been missed: YYYY-MM-DD, or a time such as "
            "2026-11-01T09:30+01:00; UTC if it has no time zone.",
        )
        parser.add_argument(
            "--look-back",
            default=30,
            type=int,
            metavar="DAYS",
            help="How long before that an object may have been created. Defaults to 30 days.",
        )
        parser.add_argument(
            "--provision-token-request",
            action="append",
            default=[],
            metavar="ID",
            help="A request for a token, or for an update of one, whose end you do not know; may be repeated.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the number of changes by outcome; one that is not handled is an error."""
        del args
        try:
            receiver = import_string(options["receiver"])
        except ImportError as error:
            raise CommandError(str(error)) from error
        try:
            result = _catch_up(
                receiver,
                since=options["since"],
                look_back=timedelta(days=options["look_back"]),
                provision_token_request_ids=options["provision_token_request"],
            )
        except TruemedError as error:
            raise CommandError(str(error)) from error
        for status, number in result.counts.items():
            self.stdout.write(f"{status.replace('_', ' '):<12}{number:>8}")
        if not result.ok:
            raise CommandError("not every change is handled: run the command again")


def _parse_time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"not YYYY-MM-DD or a time: {text!r}") from error


def _catch_up(receiver: AsyncReceiver | Receiver, **options: Any) -> CatchUpResult:
    """Run it where the handler belongs: an ordinary one in this thread, with its connections to the database."""
    if not isinstance(receiver, AsyncReceiver):
        with Truemed() as client:
            return client.catch_up(receiver, **options)

    async def run() -> CatchUpResult:
        async with AsyncTruemed() as async_client:
            return await async_client.catch_up(receiver, **options)

    return asyncio.run(run())
