"""Celery: a prefork pool, whose children share what their parent made before them."""

import json
import re

import pytest

from tests.support.waiting import wait_until

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
    worker.says(r"raised unexpected: NotFoundError\('404 Not Found, NotFound'\)")
    assert emulator.api_key not in worker.output
    assert "user-0" not in worker.output


def test_client_used_before_the_fork_does_so_too_and_the_worker_ends(work):
    worker = work(CALL_FIRST="yes")
    assert worker.end() == 0
    assert worker.complaints() == []
