"""Databases of Django, with the tables of the webhooks' app, beside whatever the process has configured."""

import contextlib
import os
import time
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from tests.support.framework_servers import configure_django

APP = "truemed_async.webhooks.django"


def describe(url):
    """Return Django's description of a URL of PostgreSQL or MySQL, or of a SQLite file."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "mysql"):
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url, "OPTIONS": {"timeout": 60}}
    if parts.scheme == "mysql":
        import pymysql

        pymysql.install_as_MySQLdb()
    return {
        "ENGINE": f"django.db.backends.{parts.scheme}",
        "HOST": parts.hostname,
        "PORT": str(parts.port),
        "USER": parts.username,
        "NAME": parts.path.removeprefix("/"),
        "CONN_MAX_AGE": None,  # connections stay open
    }


MYSQL_URL = os.environ.get("TEST_MYSQL_URL")
"""A server of MySQL or MariaDB for tests by hand, such as ``mysql://shop@127.0.0.1:3306``, with PyMySQL installed."""


DATABASES = ["sqlite", "postgres", *(["mysql"] if MYSQL_URL else [])]


@contextlib.contextmanager
def empty_database(request, name):
    """Yield the URL of an empty one of ``DATABASES``, or the path of a file."""
    if name == "mysql":
        with mysql_database() as url:
            yield url
    elif name == "postgres":
        yield request.getfixturevalue("postgres_url")
    else:
        yield str(request.getfixturevalue("tmp_path") / "django.db")


@contextlib.contextmanager
def mysql_database():
    """Create an empty database on the server; yield its URL."""
    name = f"test_{time.monotonic_ns()}"
    with mysql_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        yield f"{MYSQL_URL}/{name}"
        cursor.execute(f"DROP DATABASE {name}")


@contextlib.contextmanager
def mysql_cursor():
    import pymysql

    parts = urlsplit(MYSQL_URL)
    options = {"host": parts.hostname, "port": parts.port, "user": parts.username, "autocommit": True}
    with contextlib.closing(pymysql.connect(**options)) as connection, connection.cursor() as cursor:
        yield cursor


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
