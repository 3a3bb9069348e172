"""Databases of Django, with the tables of the webhooks' app, beside whatever the process has configured."""

import contextlib

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from tests.support.framework_servers import configure_django

APP = "truemed_async.webhooks.django"


def describe(url):
    """Return Django's description of a PostgreSQL URL, or of a SQLite file."""
    if not url.startswith("postgresql:"):
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url, "OPTIONS": {"timeout": 60}}
    address, name = url.removeprefix("postgresql://shop@").split("/")
    host, port = address.split(":")
    more = {"CONN_MAX_AGE": None}  # connections stay open
    return more | {"ENGINE": "django.db.backends.postgresql", "HOST": host, "PORT": port, "USER": "shop", "NAME": name}


@contextlib.contextmanager
def django_database(url, alias="events", *, migrate=True):
    """Install the app, and create its tables in a database with this alias, unless another process has."""
    configure_django()
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, APP]):
        connections.settings[alias] = connections.configure_settings({"default": {}, alias: describe(url)})[alias]
        try:
            if migrate:
                call_command("migrate", "truemed_webhooks", database=alias, verbosity=0)
            yield connections[alias]
        finally:
            connections[alias].close()
            del connections[alias]
            del connections.settings[alias]
