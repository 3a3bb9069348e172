"""The loop of the loop thread: which one it is, and that looking up a name leaves no thread behind."""

import concurrent.futures
import socket
import sys
import threading

import pytest
import uvloop

from truemed_async.sync import _loop


def test_uvloop_is_used_where_it_is_installed():
    loop = _loop.new_loop()
    assert isinstance(loop, uvloop.Loop)
    loop.close()


@pytest.fixture(params=["uvloop", "asyncio"])
def one_loop(request, monkeypatch):
    """The loop of a loop thread, of each kind."""
    if request.param == "asyncio":
        monkeypatch.setitem(sys.modules, "uvloop", None)
    loop = _loop.new_loop()
    yield loop
    loop.close()


def test_address_needs_no_thread_and_a_name_one_that_ends(one_loop, monkeypatch):
    def look_up(name):
        found = one_loop.run_until_complete(one_loop.getaddrinfo(name, 80, type=socket.SOCK_STREAM))
        return {entry[4][0] for entry in found}

    before = {*threading.enumerate()}
    assert look_up("127.0.0.1") == {"127.0.0.1"}
    assert "127.0.0.1" in look_up("localhost")

    def fail(*arguments, **named):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(socket.gaierror):
        look_up("name.invalid")
    for thread in threading.enumerate():
        if thread.name == "truemed-async-dns":
            thread.join(10)
    assert {*threading.enumerate()} <= before


def test_work_that_was_canceled_before_it_began_is_not_done():
    future = concurrent.futures.Future()
    future.cancel()
    _loop._worker(future, pytest.fail, ("it was done",), {})
