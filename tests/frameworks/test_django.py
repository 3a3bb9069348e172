"""Django: prefork workers and threads under gunicorn, and the async view under uvicorn."""

import json
import re
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.processes import EXAMPLES, get_all
from tests.support.waiting import wait_until

ACCESS = ("--access-logfile", "-", "--access-logformat", "served by %(p)s: %(s)s", "--no-control-socket")
GUNICORN = ("-m", "gunicorn", "--bind", "127.0.0.1:0", *ACCESS)


def expected(emulator, session_id):
    return 200, {"status": emulator.state.qualification_sessions.get(session_id).status}


def paid_orders(folder):
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        return [number for (number,) in database.execute("SELECT number FROM shop_order WHERE paid ORDER BY number")]


def workers(server):
    """Count what each worker has served."""
    return Counter(re.findall(r"served by <(\d+)>: 200", server.output))


@pytest.mark.parametrize(
    ("application", "how"),
    [
        ("shop.wsgi", ("--workers", "2", "--preload")),
        ("django_called_first", ("--workers", "2", "--preload")),
        ("shop.wsgi", ("--workers", "2", "--threads", "4")),
    ],
    ids=["made before the fork", "used before the fork", "made in each worker, with threads"],
)
def test_two_workers_respond_to_every_request(start, emulator, ids, scale, application, how):
    server = start(*GUNICORN, *how, application, example="django")
    address = server.address()
    first = f"/status/{ids[0]}"
    wait_until(lambda: get_all(address, [first] * 8) and len(workers(server)) == 2, lambda: server.output)

    session_ids = [ids[number % len(ids)] for number in range(scale(200, 2000))]
    responses = get_all(address, [f"/status/{session_id}" for session_id in session_ids])
    assert [(status, json.loads(body)) for status, body in responses] == [
        expected(emulator, each) for each in session_ids
    ]
    assert get_all(address, ["/status/qs_nobody", "/status/-"])[0][0] == 404

    assert server.end() == 0
    assert sum(workers(server).values()) >= len(session_ids) + 8
    assert server.complaints() == []


def test_both_kinds_of_view_under_asgi(start, emulator, ids):
    server = start("-m", "uvicorn", "shop.asgi:application", "--port", "0", example="django")
    address = server.address()
    session_ids = [*ids, *ids]
    paths = [*(f"/status/{each}" for each in ids), *(f"/async/status/{each}" for each in ids)]
    responses = get_all(address, paths)
    assert [(status, json.loads(body)) for status, body in responses] == [
        expected(emulator, each) for each in session_ids
    ]
    assert [status for status, _ in get_all(address, ["/status/qs_nobody", "/async/status/qs_nobody"])] == [404, 404]

    assert server.end(signal.SIGINT) == 0  # after SIGTERM uvicorn ends without finalisers, which would complain
    server.says("Application shutdown complete")
    assert server.complaints() == []


def test_deployed_project_marks_orders_as_paid(start, deliver, purchase, ids, tmp_path):
    migration = start(EXAMPLES / "django" / "manage.py", "migrate", example="django")
    assert migration.wait() == 0, migration.output
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        for number in ("order-7", "order-8", "order-9"):
            database.execute("INSERT INTO shop_order (number, paid) VALUES (?, false)", (number,))

    options = ("-c", EXAMPLES / "django" / "gunicorn.conf.py")
    server = start(*GUNICORN, *options, "shop.wsgi", example="django")
    address = server.address()
    assert deliver(address) == [204] * 4 + [401]
    purchase(address, "order-8")
    assert get_all(address, [f"/status/{ids[0]}"])[0][0] == 200
    assert server.end() == 0
    assert server.complaints() == []
    assert paid_orders(tmp_path) == ["order-7", "order-8"]


def test_commands_of_the_project_count_and_catch_up(start, emulator, tmp_path):
    def manage(*arguments):
        run = start(EXAMPLES / "django" / "manage.py", *arguments, example="django")
        assert run.wait() == 0, run.output
        return run.output

    manage("migrate")
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("INSERT INTO shop_order (number, paid) VALUES ('order-9', false)")
    now = datetime.now(UTC)
    emulator.state.payment_sessions.add(
        total_amount=1999, status="captured", metadata="order-9", created_at=now, captured_on=now
    )
    caught = manage(
        "truemed_catch_up", "shop.webhooks.receiver", "--since", f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M}"
    )
    assert re.search(r"^handled +1$", caught, re.MULTILINE), caught
    assert paid_orders(tmp_path) == ["order-9"]
    assert re.search(r"^handled +1$", manage("truemed_deliveries"), re.MULTILINE)


def test_projects_own_tests_pass(start):
    run = start(EXAMPLES / "django" / "manage.py", "test", "shop", example="django")
    assert run.wait() == 0, run.output
    assert "Ran 2 tests" in run.output
