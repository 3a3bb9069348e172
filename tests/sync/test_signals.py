"""Ctrl-C at any moment: it is raised, the call is canceled and cleaned up, and the client stays usable."""

import socket
import threading
import types

import pytest

from tests.support.stalling_server import on_either_loop

STAGES = {
    "before the answer": 'client.qualification_sessions.get("qs_silent")',
    "in the body": 'client.qualification_sessions.get("qs_body")',
    "in the pause before the next attempt": 'client.qualification_sessions.get("qs_pause")',
    "waiting for a change": 'client.qualification_sessions.wait_until_final("qs_silent")',
    "iterating": "[each for each in client.qualification_sessions.iter(page_size=50, prefetch=1)]",
    "reading many": 'list(client.qualification_sessions.get_many(["qs_1", "qs_silent", *["qs_1"] * 40], concurrency=4))',
}
PROGRAM = """
    from truemed_async import RetryPolicy, Truemed
    client = Truemed(retry=RetryPolicy(base=8))
    assert client.qualification_sessions.get("qs_1")
    for _ in range(2):
        try:
            {call}
        except KeyboardInterrupt:
            print("interrupted")
        print(tasks_left())
    assert client.qualification_sessions.get("qs_2").qualification_session_id == "qs_2"
"""


@on_either_loop(STAGES)
def test_ctrl_c_ends_the_call_and_nothing_else(run_program, server, case, loop):
    server.stall_from = 3
    out, err = run_program(PROGRAM.format(call=case), server, loop=loop, interrupt=True)
    assert (out, err) == ("interrupted\n0\n" * 2, "")


@pytest.fixture
def silent(server):
    """A server that accepts and says nothing: a TLS handshake with it never ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept():
            connections.append(listening.accept())
            server.reached.set()

        connections = []
        thread = threading.Thread(target=accept)
        thread.start()
        yield types.SimpleNamespace(url=f"https://127.0.0.1:{listening.getsockname()[1]}", reached=server.reached)
        thread.join(10)
        for connection, _ in connections:
            connection.close()


def test_ctrl_c_ends_a_call_that_is_connecting(run_program, silent):
    program = """
        from truemed_async import Truemed, Timeouts
        client = Truemed(timeout=Timeouts(connect=50, attempt=50, total=50))
        try:
            client.qualification_sessions.get("qs_1")
        except KeyboardInterrupt:
            print("interrupted")
        print(tasks_left())
    """
    assert run_program(program, silent, interrupt=True) == ("interrupted\n0\n", "")


def test_exception_of_any_signal_handler_ends_the_call(run_program, server):
    """As Celery's soft time limit does."""
    program = """
        import signal
        from truemed_async import Truemed

        class SoftTimeLimit(Exception): pass

        def handler(number, frame):
            raise SoftTimeLimit

        signal.signal(signal.SIGINT, handler)
        client = Truemed()
        try:
            client.qualification_sessions.get("qs_silent")
        except SoftTimeLimit:
            print("interrupted", tasks_left())
    """
    assert run_program(program, server, interrupt=True) == ("interrupted 0\n", "")


def test_handler_that_raises_nothing_leaves_the_call_alone(run_program, server):
    program = """
        import signal
        from truemed_async import Truemed, Timeouts
        signal.signal(signal.SIGINT, lambda number, frame: print("handled", flush=True))
        client = Truemed(timeout=1)
        try:
            client.qualification_sessions.get("qs_silent")
        except Exception as error:
            print(type(error).__name__)
    """
    assert run_program(program, server, interrupt=True) == ("handled\nDeadlineExceededError\n", "")


def test_ctrl_c_while_one_thread_waits_leaves_the_calls_of_others_alone(run_program, server):
    program = """
        import threading
        from truemed_async import Truemed
        client = Truemed()
        good = []
        def work():
            while not done.is_set():
                good.append(client.qualification_sessions.get("qs_1").status == "approved")
        done = threading.Event()
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads: thread.start()
        try:
            client.qualification_sessions.get("qs_silent")
        except KeyboardInterrupt:
            print("interrupted")
        before = len(good)
        while len(good) < before + 50: pass
        done.set()
        for thread in threads: thread.join()
        print(all(good), tasks_left())
    """
    assert run_program(program, server, interrupt=True) == ("interrupted\nTrue 0\n", "")


MOMENTS = """
    import os, random, signal, threading, time
    from truemed_async import Truemed
    rounds = {rounds}
    chance = random.Random({seed})
    delays = [chance.uniform(0, 0.012) for _ in range(rounds)]
    go = threading.Semaphore(0)

    def press():
        for delay in delays:
            go.acquire()
            time.sleep(delay)
            os.kill(os.getpid(), signal.SIGINT)

    client = Truemed()
    sessions = client.qualification_sessions
    work = [
        lambda: sessions.get("qs_1"),
        lambda: sessions.list(page=1, page_size=5),
        lambda: [each for each in sessions.iter(page_size=100)],
        lambda: next(sessions.iter(page_size=10)),
        lambda: list(sessions.get_many(["qs_1", "qs_2", "qs_3"] * 3, concurrency=3)),
        lambda: next(sessions.get_many(iter(["qs_1"] * 50), concurrency=3)),
    ]
    [each() for each in work]  # an interrupted import is Python's
    presser = threading.Thread(target=press, daemon=True)
    presser.start()
    interrupts = 0
    for number in range(rounds):
        try:
            go.release()
            while True:
                work[number % len(work)]()
        except KeyboardInterrupt:
            interrupts += 1
    presser.join()
    assert sessions.get("qs_9").qualification_session_id == "qs_9"
    print(interrupts, tasks_left())
"""


def test_ctrl_c_at_random_moments_is_never_lost_and_leaves_nothing(run_program, server, loop, scale):
    rounds = scale(30, 500)
    out, err = run_program(MOMENTS.format(rounds=rounds, seed=1), server, loop=loop, timeout=scale(60, 300))
    assert (out, err) == (f"{rounds} 0\n", "")
