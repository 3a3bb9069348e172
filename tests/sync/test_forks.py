"""A forked child starts afresh, however and whenever it was forked, and leaves its parent's connections alone."""

import sys

import pytest

# Python 3.12 and newer warn, rightly, where the program itself has more threads than one.
THREADED = ("-X", "dev", "-W", "error", "-W", "ignore:This process:DeprecationWarning")

CHILD = """
import os, signal, threading, time, traceback
from truemed_async import Truemed
from truemed_async._core import transport

transport.IDLE_SECONDS = 300  # on a slow machine the parent's connection may be idle for longer than usual
client = Truemed(**OPTIONS)
get = client.qualification_sessions.get

def works(*names):
    return all(get(name).qualification_session_id == name for name in names)

def wait_for(child):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    return f"hangs {os.waitpid(child, 0)}"

def fork(work=lambda: True, leave=os._exit):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if work() else 2
        except Exception:
            traceback.print_exc()
        finally:
            leave(code)
    return child

def child_says(*arguments, **named):
    said = wait_for(fork(*arguments, **named))
    if said:
        print("a child says", said)
    return said

"""


@pytest.fixture
def run_forks(run_program):
    def run(source, of, *, client="", **options):
        return run_program(f"OPTIONS = dict({client})\n" + CHILD + source, of, **options)

    return run


def test_before_during_and_after_calls(run_forks, server, loop):
    """And without a warning on Python 3.12 and newer: the idle loop thread stops for the fork."""
    program = """
for leave in (sys.exit, os._exit):
    assert child_says(leave=leave) == 0, "forked before any call, which the child does not make either"
    assert child_says(lambda: works("qs_1"), leave=leave) == 0, "forked before any call"
assert works("qs_1", "qs_2")
for leave in (sys.exit, os._exit) * 3:
    assert child_says(leave=leave) == 0
    assert works("qs_3"), "the parent, after a child that merely exits"
    assert child_says(lambda: works("qs_4", "qs_5"), leave=leave) == 0
    assert works("qs_6"), "the parent, after a child that called"
children = [fork(lambda: works("qs_7")) for _ in range(3)]
assert works("qs_8"), "the parent, while children call"
assert [wait_for(child) for child in children] == [0, 0, 0]
assert threading.active_count() == 2
print("well")
"""
    assert run_forks(program, server, loop=loop) == ("well\n", "")
    assert server.wire.connections <= 2 + 6 + 3 + 1, "the parent's one connection outlives all its children"


def test_fork_of_a_forked_child_makes_calls(run_forks, server):
    program = """
assert works("qs_1")
assert child_says(lambda: works("qs_2") and child_says(lambda: works("qs_3")) == 0, leave=sys.exit) == 0
assert works("qs_4")
print("well")
"""
    assert run_forks(program, server) == ("well\n", "")


def test_tls_connections_too(run_forks, tls_server, loop):
    program = """
import ssl
for leave in (sys.exit, os._exit):
    assert works("qs_1")
    assert child_says(leave=leave) == 0
    assert works("qs_2")
    assert child_says(lambda: works("qs_3"), leave=leave) == 0
    assert works("qs_4")
print("well")
"""
    context = f"ssl_context=__import__('ssl').create_default_context(cafile={str(tls_server.authority)!r})"
    assert run_forks(program, tls_server, client=context, loop=loop) == ("well\n", "")
    assert tls_server.wire.connections == 3, "the parent's one, and one for each child that called"


def test_under_load(run_forks, server, loop, scale):
    """Eight threads make calls; some are in flight at each fork."""
    program = """
good, wrong = [], []

def load():
    number = 0
    while not done.is_set():
        number += 1
        name = f"qs_{threading.get_ident()}_{number}"
        (good if works(name) else wrong).append(name)

done = threading.Event()
threads = [threading.Thread(target=load) for _ in range(8)]
for thread in threads: thread.start()
while len(good) < 50: time.sleep(0.001)
for number in range(FORKS):
    before = len(good)
    said = child_says(lambda: works("qs_1", "qs_2"), leave=(sys.exit, os._exit)[number % 2])
    assert said == 0, said
    assert works("qs_3")
    while len(good) < before + 10: time.sleep(0.001)
done.set()
for thread in threads: thread.join()
print("well", wrong)
"""
    forks = scale(6, 50)
    out, err = run_forks(
        program.replace("FORKS", str(forks)), server, loop=loop, options=THREADED, timeout=scale(90, 300)
    )
    assert (out, err) == ("well []\n", "")
    assert server.wire.connections <= 9 + forks


def test_while_another_thread_holds_the_runners_lock(run_forks, server):
    program = """
from truemed_async.sync._runner import runner

def hold():
    with runner._lock:
        held.set()
        done.wait()

held, done = threading.Event(), threading.Event()
for first in (True, False):
    held.clear(), done.clear()
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = fork(lambda: works("qs_1"), leave=sys.exit)
    done.set()
    thread.join()
    assert wait_for(child) == 0
    assert works("qs_2")
print("well")
"""
    assert run_forks(program, server, options=THREADED) == ("well\n", "")


def test_while_an_iteration_reads_ahead(run_forks, server):
    """The parent's iterator continues; the child's raises, and a new one works."""
    server.stall_from = 99
    program = """
from truemed_async import errors
iteration = client.qualification_sessions.iter(page_size=20)
taken = [next(iteration) for _ in range(45)]

def cannot_go_on():
    rest = []
    try:
        for each in iteration: rest.append(each)
    except errors.ClientClosedError as error:
        assert "begin another" in str(error)
    iteration.close()
    return 0 < len(rest) < 20 and len(list(client.qualification_sessions.iter())) == 500

assert child_says(cannot_go_on, leave=sys.exit) == 0
taken += iteration
print(len({each.qualification_session_id for each in taken}))
"""
    assert run_forks(program, server) == ("500\n", "")


def test_fork_waits_for_a_hook_that_does_not_return_only_so_long(run_forks, server):
    """The thread that did not step aside is waited for by the next call."""
    program = """
from truemed_async.sync import _runner
_runner.SHUTDOWN_SECONDS = 0.1
release, stuck = threading.Event(), threading.Event()

def hook(attempt):
    if attempt.number == 1 and hooked:
        hooked.clear()
        stuck.set()
        release.wait()

hooked = []
watched = client.with_options(hooks=[hook])
iteration = watched.qualification_sessions.iter(page_size=20)
[next(iteration) for _ in range(25)]
hooked.append(True)
while not stuck.is_set():
    next(iteration)
    time.sleep(0.01)
child = fork(lambda: works("qs_1"))
assert wait_for(child) == 0
threading.Timer(0.2, release.set).start()
assert works("qs_2")
print(len(list(iteration)) > 0)
"""
    assert run_forks(program, server, options=THREADED) == ("True\n", "")


def test_fork_by_the_loop_thread_leaves_child_usable(run_forks, server):
    program = """
def hook(attempt):
    if not forked:
        forked.append(child_says())
forked = []
assert client.with_options(hooks=[hook]).qualification_sessions.get("qs_1")
assert works("qs_2")
print(forked)
"""
    assert run_forks(program, server, options=THREADED) == ("[0]\n", "")


def test_async_client_in_child_leaves_the_parent_unaffected(run_program, server):
    """A child forked inside a coroutine ends, having used the client or not; the parent's connection still answers."""
    program = """
        import asyncio, os, gc
        from truemed_async import AsyncTruemed

        async def main():
            client = AsyncTruemed()
            first = await client.qualification_sessions.get("qs_1")
            for use in (False, True):
                child = os.fork()
                if child == 0:
                    asyncio.set_event_loop(None)
                    asyncio._set_running_loop(None)
                    loop = asyncio.new_event_loop()
                    if use:
                        assert loop.run_until_complete(client.qualification_sessions.get("qs_1")) == first
                    loop.run_until_complete(client.aclose())
                    os._exit(0)
                assert os.waitpid(child, 0)[1] == 0
                assert await client.qualification_sessions.get("qs_1") == first
            child = os.fork()
            if child == 0:
                del client
                gc.collect()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            assert await client.qualification_sessions.get("qs_1") == first
            await client.aclose()

        asyncio.run(main())
        print("well")
    """
    assert run_program(program, server, options=("-W", "ignore"))[0] == "well\n"
    assert server.wire.connections == 2


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python warns of forks with threads from 3.12 on")
def test_python_warns_where_threads_of_the_program_wait_for_calls(run_forks, server):
    """The warning is then right, and it is not hidden."""
    program = """
import warnings
from truemed_async.sync._runner import runner
threading.Thread(target=get, args=["qs_silent"], daemon=True).start()
while not runner._submissions: time.sleep(0.001)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert child_says() == 0
print(caught[0].message)
"""
    assert "multi-threaded" in run_forks(program, server)[0]
