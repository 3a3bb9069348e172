"""The duties of the loop thread."""

import asyncio
import contextvars
import gc
import random
import signal
import sys
import threading
import types
import warnings

import pytest

from truemed_async import AsyncTruemed, errors
from truemed_async.sync import _loop, _runner, _submission
from truemed_async.sync._runner import Runner, runner


@pytest.fixture
def fresh():
    """A runner of its own, ended with the test."""
    own_runner = Runner()
    yield own_runner
    own_runner.close()


def test_all_calls_share_one_thread(fresh):
    seen = {fresh.run(thread_of) for _ in range(5)}
    assert len(seen) == 1
    assert threading.get_ident() not in seen


async def thread_of():
    return threading.get_ident()


def test_starting_from_many_threads_at_once_starts_one(fresh):
    gate = threading.Barrier(16)
    seen = []

    def call():
        gate.wait()
        seen.append(fresh.run(thread_of))

    threads = [threading.Thread(target=call) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(seen) == 16
    assert len(set(seen)) == 1


def test_32_threads_do_not_mix_their_responses(client, ids):
    wrong = []

    def work(seed):
        choose = random.Random(seed)
        for _ in range(25):
            expected = choose.choice(ids)
            if client.qualification_sessions.get(expected).qualification_session_id != expected:
                wrong.append(expected)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert not any(thread.is_alive() for thread in threads)


def test_call_from_the_loop_thread_raises_with_a_hint(client, ids):
    async def inside():
        client.qualification_sessions.get(ids[0])

    with pytest.raises(errors.SyncInAsyncError, match=r"await AsyncTruemed\(…\)\.qualification_sessions\.get\(…\)"):
        runner.run(inside)
    with pytest.raises(RuntimeError):
        runner.run(inside)


def test_methods_of_the_client_itself_are_spelled_without_a_resource(client):
    async def inside():
        client.close()

    with pytest.raises(errors.SyncInAsyncError, match=r"await AsyncTruemed\(…\)\.aclose\(…\)"):
        runner.run(inside)


async def test_synchronous_client_in_running_loop_works_and_warns_once(client, ids, monkeypatch):
    monkeypatch.setattr(runner, "_warned", False)
    with pytest.warns(RuntimeWarning, match=r"await AsyncTruemed\(…\)\.qualification_sessions\.get") as caught:
        assert client.qualification_sessions.get(ids[0])
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert client.qualification_sessions.get(ids[0])


async def test_notebook_shows_no_warning(client, ids, monkeypatch):
    monkeypatch.setattr(runner, "_warned", False)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=object))
    assert client.qualification_sessions.get(ids[0])


async def test_ipython_that_is_merely_imported_is_not_a_notebook(client, ids, monkeypatch):
    monkeypatch.setattr(runner, "_warned", False)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    with pytest.warns(RuntimeWarning):
        client.qualification_sessions.get(ids[0])


def test_context_variables_of_the_caller_are_seen_and_not_changed(fresh):
    variable = contextvars.ContextVar("variable", default="before")
    variable.set("mine")

    async def look():
        seen = variable.get()
        variable.set("theirs")
        return seen

    assert fresh.run(look) == "mine"
    assert variable.get() == "mine"


def test_errors_come_through_as_they_are(fresh):
    error = LookupError("mine")

    async def fail():
        raise error

    with pytest.raises(LookupError) as caught:
        fresh.run(fail)
    assert caught.value is error


def test_canceled_coroutine_raises_canceled(fresh):
    async def cancel_itself():
        asyncio.current_task().cancel()
        await asyncio.sleep(10)

    with pytest.raises(asyncio.CancelledError):
        fresh.run(cancel_itself)


def interrupt_when(event):
    """Send this process the signal of Ctrl-C once ``event`` is set."""

    def wait():
        event.wait(10)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=wait).start()


def test_ctrl_c_cancels_waits_for_the_clean_up_and_goes_on(fresh):
    begun, cleaned = threading.Event(), threading.Event()

    async def work():
        try:
            begun.set()
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    interrupt_when(begun)
    with pytest.raises(KeyboardInterrupt):
        fresh.run(work)
    assert cleaned.is_set()


def test_interruption_before_the_call_is_handed_over_makes_no_call(fresh, monkeypatch):
    """Whether the loop is known by then or not; a coroutine that was made for nothing would complain."""
    ran = []

    async def never():
        ran.append(1)

    def interrupted(loop):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fresh, "_start", interrupted.__get__(fresh))
        with pytest.raises(KeyboardInterrupt):
            fresh.run(never)
    fresh.run(asyncio.sleep, 0)
    with monkeypatch.context() as patch:
        patch.setattr(_submission.contextvars, "copy_context", interrupted.__get__(fresh))
        with pytest.raises(KeyboardInterrupt):
            fresh.run(never)
    fresh.run(asyncio.sleep, 0)
    assert not ran
    assert not fresh._submissions


def test_interrupting_the_loop_greenlet_interrupts_callers(fresh):
    """Only among greenlets can it hit the loop thread."""
    fresh.run(thread_of)
    begun = threading.Event()

    async def wait():
        begun.set()
        await asyncio.sleep(60)

    def interrupt():
        begun.wait(20)

        def hit():
            raise KeyboardInterrupt

        fresh.loop.call_soon_threadsafe(hit)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        fresh.run(wait)
    assert fresh.run(thread_of)


@pytest.mark.parametrize("module", ["_thread.start_new_thread", "select.select"])
def test_partial_monkey_patching_raises(fresh, monkeypatch, module):
    monkeypatch.setattr(module, lambda *arguments: None)
    with pytest.raises(errors.ConfigurationError, match="patch_all"):
        fresh.run(thread_of)


def test_without_uvloop_the_standard_loop_is_used(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)
    loop = _loop.new_loop()
    assert type(loop).__module__.startswith("asyncio")
    loop.close()


def test_runner_that_never_ran_ends_without_a_thread():
    own_runner = Runner()
    own_runner.close()
    assert own_runner._thread is None


@pytest.mark.parametrize(("daemon", "error"), [(False, asyncio.CancelledError), (True, SystemExit)])
def test_shutdown_cancels_running_calls(daemon, error):
    """A daemon thread has to end without a word."""
    own_runner = Runner()
    begun, cancelled = threading.Event(), threading.Event()

    async def work():
        try:
            begun.set()
            await asyncio.sleep(30)
        finally:
            cancelled.set()

    def call():
        with pytest.raises(error):
            own_runner.run(work)

    thread = threading.Thread(target=call, daemon=daemon)
    thread.start()
    assert begun.wait(10)
    own_runner.close()
    thread.join(10)
    assert cancelled.is_set()
    assert not thread.is_alive()
    assert own_runner._loop.is_closed()


def test_loop_that_cannot_end_does_not_hold_up_the_exit(monkeypatch):
    monkeypatch.setattr(_runner, "SHUTDOWN_SECONDS", 0.05)
    own_runner = Runner()
    own_runner.run(asyncio.sleep, 0)
    release = threading.Event()
    own_runner._loop.call_soon_threadsafe(release.wait)
    own_runner.close()
    assert not own_runner._loop.is_closed()
    release.set()
    own_runner._thread.join(10)
    own_runner._loop.call_soon(own_runner._loop.call_soon, own_runner._loop.call_soon, own_runner._loop.stop)
    own_runner._loop.run_forever()  # what was given up on is still to be ended
    own_runner._loop.close()


def test_client_that_was_never_used_is_dropped_without_a_loop():
    own_runner = Runner()
    client = AsyncTruemed("a-key-of-mine")
    own_runner.track(client)
    assert own_runner._open
    del client
    gc.collect()
    assert not own_runner._open
    assert own_runner._thread is None
