"""The start of the loop thread, when it is interrupted or fails."""

import asyncio
import threading

import pytest

from tests.support.waiting import wait_until
from truemed_async.sync import _loop, _submission
from truemed_async.sync._runner import Runner


@pytest.fixture
def fresh():
    """A runner of its own, ended with the test."""
    runner = Runner()
    yield runner
    runner.close()


async def thread_of():
    return threading.get_ident()


@pytest.fixture
def starting(monkeypatch):
    """Interrupt the start of the next thread, before or after it began; return the threads."""

    def interrupt(error, *, begun):
        def start(thread):
            threads.append(thread)
            claim = thread._args[1]
            monkeypatch.setattr(threading.Thread, "start", original)
            if begun:
                original(thread)
                wait_until(claim.locked)
            raise error

        monkeypatch.setattr(threading.Thread, "start", start)
        return threads

    original = threading.Thread.start
    threads = []
    return interrupt


def test_interruption_that_comes_as_the_call_ends_changes_nothing(fresh):
    fresh.run(thread_of)
    submission = _submission.Submission(thread_of, (), {})
    submission.start(fresh.loop)
    ended = submission.result()
    fresh.loop.call_soon_threadsafe(submission._cancel)
    fresh.run(asyncio.sleep, 0)
    assert submission.result() == ended


def test_ctrl_c_while_the_thread_starts_leaves_it_to_the_next_call(fresh, starting):
    threads = starting(KeyboardInterrupt(), begun=True)
    with pytest.raises(KeyboardInterrupt):
        fresh.run(thread_of)
    assert fresh.run(thread_of) == threads[0].ident


def test_ctrl_c_before_the_thread_has_started_leaves_none(fresh, starting):
    """It may begin later all the same, and then ends at once: it must not run the loop as well."""
    threads = starting(KeyboardInterrupt(), begun=False)
    with pytest.raises(KeyboardInterrupt):
        fresh.run(thread_of)
    other = fresh.run(thread_of)
    threads[0].daemon = True
    threads[0].start()
    threads[0].join(20)
    assert not threads[0].is_alive()
    assert fresh.run(thread_of) == other != threads[0].ident


def test_thread_that_cannot_be_started_is_an_error_and_no_leak(starting):
    runner = Runner()
    starting(RuntimeError("can't start new thread"), begun=False)
    with pytest.raises(RuntimeError, match="can't start"):
        runner.run(thread_of)
    runner.close()
    assert runner.loop.is_closed()


async def test_interrupt_that_comes_when_the_call_has_ended_changes_nothing():
    async def respond():
        return 1

    submission = _submission.Submission(respond, (), {})
    submission.start(asyncio.get_running_loop())
    while not submission.ended:
        await asyncio.sleep(0)
    submission.interrupt()
    await asyncio.sleep(0)
    assert submission.result() == 1


def test_interruption_before_the_call_was_handed_over_is_what_its_caller_gets():
    submission = _submission.Submission(thread_of, (), {})
    submission.interrupt()
    assert (submission.cancellation, submission.ended) == (KeyboardInterrupt, False)


def test_thread_that_the_kernel_still_counts_is_waited_for(monkeypatch):
    """What Python before 3.13 does after a join, without leaving it to chance: here it is counted until time is up."""
    living, ended = threading.Thread(target=(release := threading.Event()).wait, args=(20,)), []
    living.start()
    monkeypatch.setattr(living, "join", lambda _: None)
    monkeypatch.setattr(_loop.time, "sleep", ended.append)
    _loop.join_thread(living, 0.01)
    release.set()
    threading.Thread.join(living, 20)
    assert ended
