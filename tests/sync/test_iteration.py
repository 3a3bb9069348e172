"""Iterators for synchronous callers: at most one thread switch per page, one page of prefetch, and no abandoned work."""

import asyncio
import contextvars
import gc
import threading
from types import SimpleNamespace

import pytest

from tests.support.waiting import wait_until
from truemed_async import Stream, SyncStream, Truemed, errors
from truemed_async.sync import _stream
from truemed_async.sync._runner import runner


@pytest.fixture
def plain(server):
    with Truemed("a-key-of-mine", base_url=server.url) as client:
        yield client


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Abandoned iterations are noticed at once."""
    monkeypatch.setattr(_stream, "ABANDON_POLL_SECONDS", 0.005)


class Source:
    """A stream whose batches can be watched."""

    def __init__(self, *, batches=10, size=3, fail_at=None, waits=True):
        self.batch_count = 0
        self.waits = waits
        self.closed = threading.Event()
        self.stream = SyncStream(Stream(self._batches(batches, size, fail_at)))

    async def _batches(self, batches, size, fail_at):
        try:
            for number in range(batches):
                if self.waits:
                    await asyncio.sleep(0)
                if number == fail_at:
                    raise LookupError(number)
                self.batch_count += 1
                yield [number * size + each for each in range(size)]
        finally:
            await asyncio.sleep(0)
            self.closed.set()


@pytest.fixture
def crossings(monkeypatch):
    """Count how often a caller goes to the loop thread."""
    names = []

    def run(function, /, *arguments, **named):
        names.append(function.__name__)
        return original(function, *arguments, **named)

    original = runner.run
    monkeypatch.setattr(runner, "run", run)
    return names


def test_caller_switches_threads_once_per_page(plain, server, crossings):
    assert len(list(plain.qualification_sessions.iter(page_size=100, prefetch=1))) == 500
    assert len(crossings) == server.pages + 1, "one for each page, and one that finds the end"


def test_batches_that_are_ready_are_taken_together(crossings):
    source = Source(waits=False)
    next(source.stream)
    assert source.batch_count == 1, "the first page is requested alone"
    assert list(source.stream) == list(range(1, 30))
    assert len(crossings) == 1 + 3 + 1, "the first, four at a time of nine, and one that finds the end"


def test_error_comes_after_the_batches_that_were_ready_before_it():
    source = Source(waits=False, fail_at=3)
    assert [next(source.stream) for _ in range(9)] == list(range(9))
    with pytest.raises(LookupError):
        next(source.stream)
    assert list(source.stream) == []
    assert source.closed.is_set()


def test_closing_drops_batches_that_are_ready():
    source = Source(waits=False)
    assert [next(source.stream) for _ in range(4)] == list(range(4))
    source.stream.close()
    assert list(source.stream) == []


def test_error_in_the_caller_drops_batches_that_are_ready(monkeypatch):
    source = Source(waits=False)
    assert [next(source.stream) for _ in range(6)] == list(range(6))

    def interrupt():
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(source.stream._reader, "check", interrupt)
        with pytest.raises(KeyboardInterrupt):
            next(source.stream)
    assert list(source.stream) == []
    wait_until(source.closed.is_set)


def test_one_batch_ahead_and_no_more():
    """The first page is requested alone: taking only its first item costs one request."""
    source = Source()
    assert source.batch_count == 0
    assert [next(source.stream) for _ in range(3)] == [0, 1, 2]
    runner.run(asyncio.sleep, 0.02)
    assert source.batch_count == 1
    next(source.stream)
    wait_until(lambda: source.batch_count == 3)
    runner.run(asyncio.sleep, 0.02)
    assert source.batch_count == 3
    assert list(source.stream) == list(range(4, 30))
    assert source.closed.is_set()


def test_prefetched_page_is_ready_when_needed(plain, server):
    """While the caller works on a page, the next arrives, with one request in flight as well."""
    iteration = plain.qualification_sessions.iter(page_size=100, prefetch=1)
    [next(iteration) for _ in range(101)]
    wait_until(lambda: server.pages == 3)
    server.stall_from = 1
    assert [next(iteration).qualification_session_id for _ in range(150)][-1] == "qs_250"


def test_error_comes_after_the_items_before_it_and_ends_the_iteration():
    source = Source(fail_at=3)
    rows = []
    with pytest.raises(LookupError):
        for each in source.stream:
            rows.append(each)
    assert rows == list(range(9))
    assert list(source.stream) == []
    assert source.closed.is_set()


def test_error_that_was_read_ahead_and_never_wanted_is_not_reported(caplog):
    source = Source(fail_at=2)
    [next(source.stream) for _ in range(4)]
    wait_until(source.closed.is_set)
    source.stream.close()
    del source
    gc.collect()
    runner.run(asyncio.sleep, 0)
    gc.collect()
    assert not caplog.records


def leave_by_break(source):
    for each in source.stream:
        if each == 4:
            break


def leave_by_exception(source):
    with pytest.raises(ZeroDivisionError):
        for each in source.stream:
            1 / (4 - each)


def leave_in_a_cycle(source):
    next(source.stream)
    references = [source.stream]
    references.append(references)


def leave_in_another_thread(source):
    thread = threading.Thread(target=leave_by_break, args=(source,))
    thread.start()
    thread.join(20)


@pytest.mark.parametrize(
    "leave",
    [leave_by_break, leave_by_exception, leave_in_a_cycle, leave_in_another_thread],
    ids=lambda each: each.__name__,
)
def test_iteration_that_was_left_is_closed_soon(leave):
    source = Source()
    leave(source)
    del source.stream
    gc.collect()
    wait_until(source.closed.is_set)
    assert source.batch_count <= 3


def test_iteration_that_is_only_paused_is_not_closed():
    source = Source()
    next(source.stream)
    runner.run(asyncio.sleep, 0.05)
    assert not source.closed.is_set()
    assert len(list(source.stream)) == 29


@pytest.mark.parametrize("count", [0, 2, 5])
def test_with_and_close_free_at_once(count):
    source = Source()
    with source.stream as stream:
        assert [next(stream) for _ in range(count)] == list(range(count))
    assert source.closed.is_set() or not count
    assert list(stream) == []
    stream.close()


def test_closing_ends_a_request_that_is_in_flight(plain, server):
    server.stall_from = 3
    with plain.qualification_sessions.iter(page_size=50, prefetch=1) as sessions:
        [next(sessions) for _ in range(60)]
        assert server.reached.wait(20)
    assert plain.qualification_sessions.get("qs_1")
    assert server.wire.connections == 2, "the connection that waited was given up"


def test_batch_lost_by_an_interruption_ends_the_iteration(monkeypatch):
    """An interruption between taking and yielding a batch: continuing would leave a gap."""
    source = Source()
    next(source.stream)
    original = runner.run

    def interrupted(function, /, *arguments, **named):
        original(function, *arguments, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runner, "run", interrupted)
        rows = []
        with pytest.raises(KeyboardInterrupt):
            for each in source.stream:
                rows.append(each)
    assert rows == [1, 2]
    assert list(source.stream) == []
    wait_until(source.closed.is_set)


def test_callers_context_is_seen_by_every_page():
    variable = contextvars.ContextVar("variable")
    variable.set("first")
    seen = []

    async def batches():
        for number in range(3):
            seen.append(variable.get())
            yield [number]

    stream = SyncStream(Stream(batches()), ahead=False)
    next(stream)
    variable.set("second")
    list(stream)
    assert seen == ["first", "second", "second"]


def test_server_error_during_iteration_ends_it(plain, server):
    server.failing_from = 3
    rows = []
    with pytest.raises(errors.BadRequestError):
        for each in plain.qualification_sessions.iter(page_size=50):
            rows.append(each)
    assert 50 < len(rows) < 150


def test_reader_stops_polling_at_interpreter_exit(monkeypatch):
    """The runner closes what is left; a task that is made then would never run."""
    reader = Source().stream._reader
    monkeypatch.setattr(_stream, "runner", SimpleNamespace(ended=True))
    reader._poll_consumer()
    assert (reader._poll_timer, reader._closing) == (None, None)
