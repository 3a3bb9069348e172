"""The commands of manage.py, on SQLite and PostgreSQL, and by hand on MySQL or MariaDB."""

import io
import sys
import types
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from tests.support.django_databases import DATABASES, django_database, empty_database
from tests.support.webhook_payloads import SECRET
from truemed_async.emulator import Emulator
from truemed_async.webhooks import AsyncReceiver, Claim, MemoryDedupStore, Receiver
from truemed_async.webhooks.django import DjangoDedupStore, DjangoInbox
from truemed_async.webhooks.django._stores import CLEANUP_LIMIT

SINCE = (datetime.now(UTC) - timedelta(hours=1)).isoformat()


@pytest.fixture(params=DATABASES)
def connection(request):
    """Return Django's connection to a database with the app's table."""
    with empty_database(request, request.param) as url, django_database(url) as connection:
        yield connection


@pytest.fixture
def app(tmp_path):
    """Install the app in a project."""
    with django_database(str(tmp_path / "django.db")):
        yield


def run(command, *arguments):
    """Return what a command prints, as numbers by name."""
    output = io.StringIO()
    call_command(command, *arguments, stdout=output)
    return {name.strip(): int(number) for name, number in (line.rsplit(None, 1) for line in output.getvalue().splitlines())}  # fmt: skip


def expire(connection, **columns):
    with connection.cursor() as cursor:
        conditions = " AND ".join(f"{name} = %s" for name in columns)
        cursor.execute(
            f"UPDATE truemed_webhooks_delivery SET expires_at = '2000-01-01' WHERE {conditions}", [*columns.values()]
        )


class TestDeliveries:
    def count(self, *options):
        return run("truemed_deliveries", "--database", "events", *options)

    def test_empty_table_has_none_of_each(self, connection):
        assert self.count() == {"handled": 0, "in progress": 0, "unfinished": 0, "expired": 0}

    def test_events_are_counted_by_state(self, connection):
        store = DjangoDedupStore(using="events")
        for key in ("old", "done", "new"):
            store.claim(key, "me")
            store.confirm(key, "me")
        for number in range(4):
            assert store.claim(f"dead {number}", "dead") is Claim.GRANTED
        expire(connection, owner="dead")
        expire(connection, id=store._id_of("old"))
        store.claim("current", "me")
        assert self.count() == {"handled": 2, "in progress": 1, "unfinished": 4, "expired": 1}

    def test_clear_expired_removes_all_expired_rows_and_no_other(self, connection):
        number = 2 * CLEANUP_LIMIT + 1
        with connection.cursor() as cursor:
            rows = ", ".join(f"('{each}', '', {each % 2 == 0}, '2000-01-01')" for each in range(number))
            cursor.execute(f"INSERT INTO truemed_webhooks_delivery (id, owner, done, expires_at) VALUES {rows}")
        DjangoInbox(using="events").process("done", lambda: None)
        left = sum(self.count()[state] for state in ("unfinished", "expired"))
        output = io.StringIO()
        call_command("truemed_deliveries", database="events", clear_expired=True, stdout=output)
        assert output.getvalue() == f"{left} rows removed\n"
        assert self.count() == {"handled": 1, "in progress": 0, "unfinished": 0, "expired": 0}


class TestCatchUp:
    @pytest.fixture
    def emulator(self, monkeypatch):
        with Emulator(sessions=0) as emulator:
            monkeypatch.setenv("TRUEMED_API_KEY", emulator.api_key)
            monkeypatch.setenv("TRUEMED_BASE_URL", emulator.url)
            yield emulator

    @pytest.fixture
    def shop(self, monkeypatch):
        """A module of the project; its receiver is to be set."""
        shop = types.ModuleType("shop_of_a_test")
        shop.events = []
        monkeypatch.setitem(sys.modules, shop.__name__, shop)
        return shop

    @pytest.fixture(params=["function", "coroutine function"])
    def receiver(self, request, shop):
        """Set the receiver, with one kind of handler."""

        async def handle(event):
            shop.events.append(event.data.status)

        if request.param == "function":
            handler = lambda event: shop.events.append(event.data.status)  # noqa: E731
            shop.receiver = Receiver(handler, secrets=SECRET, store=DjangoInbox(using="events"))
        else:
            shop.receiver = AsyncReceiver(handle, secrets=SECRET, store=DjangoDedupStore(using="events"))

    def catch_up(self, *options):
        return run("truemed_catch_up", "shop_of_a_test.receiver", "--since", SINCE, *options)

    def test_missed_changes_are_handled_once(self, connection, emulator, shop, receiver):
        connections.settings["events"]["CONN_MAX_AGE"] = 0  # Django's default: a worker thread keeps no connection
        sessions = emulator.state.qualification_sessions
        sessions.approve(sessions.add(status="processing"))
        assert self.catch_up() == {"handled": 1, "duplicate": 0, "in progress": 0, "failed": 0}
        assert self.catch_up("--look-back", "7") == {"handled": 0, "duplicate": 1, "in progress": 0, "failed": 0}
        assert shop.events == ["approved"]

    def test_failed_handler_ends_the_command_with_an_error(self, app, emulator, shop):
        def handle(event):
            raise ZeroDivisionError

        shop.receiver = Receiver(handle, secrets=SECRET, store=MemoryDedupStore())
        sessions = emulator.state.qualification_sessions
        sessions.approve(sessions.add(status="processing"))
        with pytest.raises(CommandError, match="run the command again"):
            self.catch_up()

    def test_unknown_provision_request_is_an_error(self, app, emulator, shop):
        shop.receiver = Receiver(print, secrets=SECRET, store=MemoryDedupStore())
        with pytest.raises(CommandError, match="404"):
            self.catch_up("--provision-token-request", "ptr_unknown")

    @pytest.mark.parametrize(
        ("path", "message"),
        [
            ("shop_of_a_test", "doesn't look like a module path"),
            ("shop_of_a_test.receiver", 'does not define a "receiver"'),
            ("no_such_module.receiver", "No module named 'no_such_module'"),
            ("shop_of_a_test.events", "receiver must be an AsyncReceiver or a Receiver"),
        ],
    )
    def test_path_without_receiver_is_an_error(self, app, emulator, shop, path, message):
        with pytest.raises(CommandError, match=message):
            run("truemed_catch_up", path, "--since", SINCE)
        assert not emulator.requests

    @pytest.mark.parametrize("since", ["soon", "2026-13-01"])
    def test_invalid_time_is_refused_by_name(self, app, emulator, shop, since):
        with pytest.raises(CommandError, match="--since: not YYYY-MM-DD or a time"):
            run("truemed_catch_up", "shop_of_a_test.receiver", "--since", since)
