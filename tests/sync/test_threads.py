"""One client, many threads: responses are not mixed up, and closing raises in all of them."""

import random
import threading

import pytest

from truemed_async import Truemed, errors


@pytest.fixture
def plain(server):
    """A client of the server that returns the requested id."""
    with Truemed("a-key-of-mine", base_url=server.url) as client:
        yield client


def at_once(count, work):
    """Run ``work(number)`` in threads that begin together; return what each returned, or raised."""
    gate = threading.Barrier(count)
    results = [None] * count

    def run(number):
        gate.wait()
        try:
            results[number] = work(number)
        except BaseException as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert not any(thread.is_alive() for thread in threads)
    return results


def test_32_threads_do_not_mix_their_responses(plain, scale):
    calls = scale(20, 500)

    def work(number):
        chance = random.Random(number)
        names = [f"qs_{number}_{each}_{chance.random():.17f}".replace(".", "_") for each in range(calls)]
        return sum(plain.qualification_sessions.get(name).qualification_session_id == name for name in names)

    assert at_once(32, work) == [calls] * 32


def test_iterations_of_many_threads_do_not_mix(plain):
    def work(number):
        return [each.qualification_session_id for each in plain.qualification_sessions.iter(page_size=40 + number)]

    assert at_once(4, work) == [[f"qs_{number}" for number in range(500)]] * 4


def test_closing_while_32_threads_call(server):
    """Each call returns its object or raises ClientClosedError; none hangs."""
    client = Truemed("a-key-of-mine", base_url=server.url)
    client.qualification_sessions.get("qs_1")
    calls = threading.Semaphore(0)

    def work(number):
        if number == 0:
            for _ in range(100):
                calls.acquire()
            client.close()
            return "closed"
        done = 0
        while True:
            name = f"qs_{number}_{done}"
            try:
                assert client.qualification_sessions.get(name).qualification_session_id == name
            except errors.ClientClosedError:
                return done
            done += 1
            calls.release()

    results = at_once(33, work)
    assert results[0] == "closed"
    assert all(isinstance(done, int) for done in results[1:]), results


@pytest.mark.parametrize(
    "call",
    [
        lambda sessions: sessions.get("qs_silent"),
        lambda sessions: sessions.get("qs_body"),
        lambda sessions: list(sessions.iter(page_size=50)),
    ],
    ids=["no response", "no body", "iteration"],
)
def test_closing_ends_the_call_of_another_thread_at_once(server, call):
    server.stall_from = 3
    client = Truemed("a-key-of-mine", base_url=server.url)

    def work(number):
        if number:
            assert server.reached.wait(20)
            return client.close()
        return call(client.qualification_sessions)

    ended, close = at_once(2, work)
    assert close is None
    assert isinstance(ended, errors.ClientClosedError), ended


def test_one_iterator_used_by_two_threads_at_once_is_an_error_and_not_a_hang(server):
    server.stall_from = 2
    client = Truemed("a-key-of-mine", base_url=server.url)
    iteration = client.qualification_sessions.iter(page_size=50)
    [next(iteration) for _ in range(50)]

    def work(number):
        if number:
            assert server.reached.wait(20)
            try:
                return next(iteration)
            finally:
                client.close()
        return next(iteration)

    first, second = at_once(2, work)
    assert isinstance(second, RuntimeError), second
    assert isinstance(first, (errors.ClientClosedError, RuntimeError)), first
