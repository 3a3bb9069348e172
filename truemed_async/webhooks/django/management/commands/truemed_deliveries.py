"""``manage.py truemed_deliveries``: show the table of handled events, and remove what has expired."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandParser
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now

from truemed_async.webhooks.django._stores import CLEANUP_LIMIT, remove_expired


class Command(BaseCommand):
    """Show how many events the stores remember, or remove the expired rows."""

    help: str = "Shows how many events of Truemed's webhooks are handled, in progress, unfinished and expired."
    requires_migrations_checks: bool = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--database", default=DEFAULT_DB_ALIAS, help='The database with the table. Defaults to "default".'
        )
        parser.add_argument(
            "--clear-expired",
            action="store_true",
            help="Remove the unfinished and expired rows, as the endpoint does after every hundredth event.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the counts, or the number of removed rows."""
        del args
        deliveries: QuerySet[Any] = apps.get_model("truemed_webhooks", "Delivery").objects.using(options["database"])
        if options["clear_expired"]:
            total = removed = remove_expired(deliveries)
            while removed == CLEANUP_LIMIT:
                removed = remove_expired(deliveries)
                total += removed
            self.stdout.write(f"{total} rows removed")
            return
        is_current = Q(expires_at__gt=Now())
        counts = deliveries.aggregate(
            handled=Count("id", filter=is_current & Q(done=True)),
            in_progress=Count("id", filter=is_current & Q(done=False)),
            unfinished=Count("id", filter=~is_current & Q(done=False)),
            expired=Count("id", filter=~is_current & Q(done=True)),
        )
        for name, number in counts.items():
            self.stdout.write(f"{name.replace('_', ' '):<12}{number:>8}")
