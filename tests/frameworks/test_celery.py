"""Celery: a prefork pool, whose children share what their parent made before them."""

import contextlib
import json
import re
import signal
import textwrap

import psycopg
import pytest
import redis

from tests.support.waiting import wait_until
from tests.support.webhook_payloads import SECRET, make_capture_body, make_signed_headers
from truemed_async.webhooks.postgres import PostgresInbox

WORKER = ("-m", "celery", "-A", "celery_worker", "worker", "--concurrency", "2", "--loglevel", "INFO")
# Celery itself warns of root, which containers often are.
OPTIONS = ("-X", "dev", "-W", "error", "-W", "ignore:You're running the worker with superuser privileges")
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")


@pytest.fixture
def broker(tmp_path):
    folder = tmp_path / "broker"
    folder.mkdir()
    return {"BROKER": str(folder)}


@pytest.fixture
def work(start, emulator, scale, broker):
    """Send tasks, start a worker, and see every one of them done once, by both children of the pool."""

    def work(*unknown, **more):
        ids = [*unknown, *(emulator.state.qualification_sessions.add() for _ in range(scale(100, 500)))]
        good = ids[len(unknown) :]
        emulator.faults.add("latency", seconds=5, method="POST", times=1)  # meanwhile, the other child does the rest
        assert start("-m", "send_tasks", *ids, example="celery", more=broker).wait() == 0
        worker = start(*WORKER, *QUIET, example="celery", options=OPTIONS, more={**broker, **more})
        wait_until(
            lambda: len(re.findall("succeeded in|raised unexpected", worker.output)) == len(ids), lambda: worker.output
        )
        assert worker.output.count("succeeded in") == len(good)
        assert all(
            emulator.state.qualification_sessions.get(id).user_id == f"user-{number}"
            for number, id in enumerate(ids)
            if id in good
        )
        writes = [request for request in emulator.requests if request.method == "POST"]
        assert len(writes) == len({json.loads(request.body)["idempotency_key"] for request in writes}) == len(ids)
        assert set(re.findall(r"ForkPoolWorker-\d+", worker.output)) == {"ForkPoolWorker-1", "ForkPoolWorker-2"}
        return worker

    return work


def test_client_made_before_the_fork_does_every_task_once(work, emulator):
    worker = work("qs_nobody")
    # An error crosses from child to parent, pickled; neither key nor user is in what Celery logs of it.
    worker.says(r"raised unexpected: NotFoundError\('404 Not Found: there is no such object for this API key'\)")
    assert emulator.api_key not in worker.output
    assert "user-0" not in worker.output


def test_client_used_before_the_fork_does_so_too_and_the_worker_ends(work):
    worker = work(CALL_FIRST="yes")
    assert worker.end() == 0
    assert worker.complaints() == []


RECEIVE = """
    # Receives deliveries, and is killed after their commit.
    import json, os, pathlib, signal, sys
    import outbox
    with outbox.connect(outbox.DATABASE) as connection:
        connection.execute(outbox.CREATE_OUTBOX)
    for body, headers in json.loads(pathlib.Path(sys.argv[1]).read_text()):
        print(outbox.receiver.receive(body.encode(), headers).status.value)
    if sys.argv[2] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
"""
SEND = """
    # Sends tasks, and is killed between the second one and the commit.
    import os, signal
    import outbox
    send, sent = outbox.fulfill_order.apply_async, []
    def send_and_die(*args, **options):
        send(*args, **options)
        sent.append(args)
        if len(sent) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    outbox.fulfill_order.apply_async = send_and_die
    with outbox.connect(outbox.DATABASE, autocommit=True) as connection:
        outbox.send_tasks(connection)
"""


def test_outbox_sends_a_task_for_each_event_wherever_its_processes_are_killed(start, postgres_url, redis_url, tmp_path):
    events = 5
    more = {"DATABASE_URL": postgres_url, "CELERY_BROKER": redis_url, "TRUEMED_WEBHOOK_SECRET": SECRET}
    (tmp_path / "deliveries.json").write_text(json.dumps([(body.decode(), make_signed_headers(body)) for body in map(make_capture_body, range(events))]))  # fmt: skip

    def run(program, *arguments):
        return start("-c", textwrap.dedent(program), *arguments, example="celery", more=more)

    def receive(fate):
        return run(RECEIVE, tmp_path / "deliveries.json", fate)

    with (
        contextlib.closing(psycopg.connect(postgres_url, autocommit=True)) as database,
        contextlib.closing(redis.Redis.from_url(redis_url)) as broker,
        PostgresInbox(postgres_url) as inbox,
    ):

        def count(what):
            return database.execute(f"SELECT count(*) FROM {what}").fetchone()[0]

        inbox.create_schema()
        database.execute("CREATE TABLE orders (payment_session_id text, shipped boolean DEFAULT false)")
        database.execute(
            "INSERT INTO orders SELECT 'ps_' || number FROM generate_series(0, %s) AS number", [events - 1]
        )

        killed = receive("die")
        assert (killed.wait(), killed.output.split()) == (-signal.SIGKILL, ["handled"] * events)
        assert (count("outbox"), broker.llen("celery")) == (events, 0)

        assert run(SEND).wait() == -signal.SIGKILL
        assert (count("outbox"), broker.llen("celery")) == (events, 2), "sent, and not committed"

        sender = start("-m", "outbox", example="celery", more=more)
        wait_until(lambda: count("outbox") == 0, lambda: sender.output)
        sender.end()
        again = receive("live")
        assert (again.wait(), again.output.split()) == (0, ["duplicate"] * events)
        assert count("outbox") == 0
        ids = [json.loads(message)["headers"]["id"] for message in broker.lrange("celery", 0, -1)]
        assert (len(ids), len(set(ids))) == (events + 2, events), "two were sent again, with the same ids"

        worker = start("-m", "celery", "-A", "outbox", "worker", "--pool", "solo", *QUIET, example="celery", options=OPTIONS, more=more)  # fmt: skip
        wait_until(lambda: count("orders WHERE shipped") == events, lambda: worker.output)
