"""Whole programs: what happens at exit and across a fork cannot be seen from inside."""

import pytest

PLAIN = """
from truemed_async import Truemed
client = Truemed()
assert client.qualification_sessions.list(page_size=3).items
"""


@pytest.mark.parametrize(
    "program",
    [
        PLAIN,
        PLAIN + "client.close()\n",
        PLAIN + "it = client.qualification_sessions.iter(page_size=2); next(it)\n",
        "def main():\n    from truemed_async import Truemed\n    Truemed().qualification_sessions.list()\nmain()\n",
        "from truemed_async import Truemed\nclient = Truemed()\n",
        PLAIN + "import sys; sys.exit(0)\n",
    ],
    ids=["open", "closed", "half an iteration", "in a function", "never used", "sys.exit"],
)
def test_a_program_ends_quietly_whether_or_not_it_closes(run_program, program):
    done = run_program(program, timeout=20)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_forked_child_starts_afresh_and_leaves_the_parent_alone(run_program):
    program = """
        import os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of any fork with threads
        from truemed_async import Truemed
        client = Truemed()
        ids = [session.qualification_session_id for session in client.qualification_sessions.list(page_size=20)]
        for leave in (sys.exit, os._exit) * 3:
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    assert client.qualification_sessions.get(ids[0]).qualification_session_id == ids[0]
                    code = 0
                finally:
                    leave(code)
            _, status = os.waitpid(child, 0)
            assert status == 0, status
            for each in ids:
                assert client.qualification_sessions.get(each).qualification_session_id == each
        print("parent and children well")
    """
    assert run_program(program).stdout == "parent and children well\n"


def test_a_child_that_merely_exits_does_not_break_the_parents_connections(run_program):
    program = """
        import os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        from truemed_async import Truemed
        client = Truemed()
        client.qualification_sessions.list(page_size=1)
        child = os.fork()
        if child == 0:
            sys.exit(0)
        os.waitpid(child, 0)
        for _ in range(10):
            client.qualification_sessions.list(page_size=1)
        print("well")
    """
    done = run_program(program)
    assert (done.stdout, done.stderr) == ("well\n", "")


def test_ctrl_c_in_a_program_is_an_ordinary_keyboard_interrupt(run_program):
    program = """
        import os, signal, threading
        from truemed_async import Truemed
        client = Truemed()
        client.qualification_sessions.list(page_size=1)
        threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()
        try:
            waiting = next(s for s in client.qualification_sessions.iter(status="pending"))
            client.qualification_sessions.wait_until_final(waiting.qualification_session_id, timeout=20)
        except KeyboardInterrupt:
            print("interrupted")
        assert client.qualification_sessions.list(page_size=1).items, "and it goes on"
    """
    done = run_program(program)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


def test_an_async_client_in_a_forked_child_leaves_the_parent_alone_too(run_program):
    """A child forked inside a coroutine ends, having used the client or not; the parent's connection still answers."""
    program = """
        import asyncio, os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        from truemed_async import AsyncTruemed

        async def main():
            client = AsyncTruemed()
            first = await client.qualification_sessions.list(page_size=1)
            for use in (False, True):
                child = os.fork()
                if child == 0:
                    asyncio.set_event_loop(None)
                    asyncio._set_running_loop(None)
                    if use:
                        loop = asyncio.new_event_loop()
                        assert loop.run_until_complete(client.qualification_sessions.list(page_size=1)) == first
                        loop.run_until_complete(client.aclose())
                    else:
                        asyncio.new_event_loop().run_until_complete(client.aclose())
                    os._exit(0)
                assert os.waitpid(child, 0)[1] == 0
                assert await client.qualification_sessions.list(page_size=1) == first
            child = os.fork()
            if child == 0:
                del client
                import gc
                gc.collect()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            assert await client.qualification_sessions.list(page_size=1) == first
            await client.aclose()

        asyncio.run(main())
        print("well")
    """
    assert run_program(program, options=("-W", "ignore")).stdout == "well\n"
