"""However a program ends, it ends soon and without a word, whether or not it closed its client."""

import time

from tests.support.stalling_server import on_either_loop

BEGIN = """
from truemed_async import Truemed
client = Truemed()
"""
CALL = BEGIN + 'assert client.qualification_sessions.get("qs_1").status == "approved"\n'
ITERATION = CALL + "it = client.qualification_sessions.iter(page_size=20); [next(it) for _ in range(30)]\n"
THREAD = """
import threading
def work():
    threading.current_thread().begun = True
    client.qualification_sessions.get("qs_silent")
thread = threading.Thread(target=work, daemon=True)
thread.start()
"""
ENDINGS = {
    "never used": BEGIN,
    "open": CALL,
    "closed": CALL + "client.close()\n",
    "in a function": "def main():\n    from truemed_async import Truemed\n    Truemed().qualification_sessions.get('qs_1')\nmain()\n",
    "sys.exit": CALL + "sys.exit(0)\n",
    "os._exit": CALL + "import os; os._exit(0)\n",
    "half an iteration": ITERATION,
    "half an iteration, in a function": CALL
    + "def main():\n    for _ in client.qualification_sessions.iter(page_size=20):\n        break\nmain()\n",
    "half of many": CALL + "it = client.qualification_sessions.get_many(['qs_1'] * 500); next(it)\n",
    "a reference cycle": CALL + "class A: pass\na = A(); a.a, a.client = a, client; del client, a\n",
}


@on_either_loop(ENDINGS)
def test_program_ends_quietly_whether_or_not_it_closes(run_program, server, case, loop):
    assert run_program(case, server, loop=loop) == ("", "")


@on_either_loop({"open": CALL, "half an iteration": ITERATION})
def test_exit_takes_less_than_a_second(run_program, server, case, loop, scale):
    """The program notes when its last line has run; the clock is the machine's, not the process's."""
    out, err = run_program(case + "import time; print(time.monotonic())\n", server, loop=loop)
    assert time.monotonic() - float(out) < scale(60, 1)
    assert err == ""


def test_uncaught_error_prints_only_its_traceback(run_program, server):
    out, err = run_program(CALL + "raise LookupError('mine')\n", server, expect=1)
    assert out == ""
    assert err.startswith("Traceback")
    assert err.endswith("LookupError: mine\n")
    assert err.count("Traceback") == 1


def test_uncaught_ctrl_c_prints_only_its_traceback(run_program, server, loop):
    program = CALL + 'client.qualification_sessions.get("qs_silent")\n'
    _, err = run_program(program, server, loop=loop, interrupt=True, expect=-2)
    assert err.count("Traceback") == 1
    assert err.endswith("KeyboardInterrupt\n")


def test_daemon_thread_during_a_call_ends_silently(run_program, server, loop):
    program = CALL + THREAD + "while not runner._submissions: pass\n"
    program = program.replace("import threading", "import threading\nfrom truemed_async.sync._runner import runner", 1)
    assert run_program(program, server, loop=loop) == ("", "")


def test_daemon_thread_that_submits_to_the_closed_loop_ends_silently(run_program, server, loop):
    """It has read the running loop immediately before the interpreter's exit closes that loop."""
    program = (
        CALL
        + """
import threading
from truemed_async.sync._runner import runner
runner.close()
runner._running_loop = runner.loop  # what the thread has read
thread = threading.Thread(target=client.qualification_sessions.get, args=("qs_1",), daemon=True)
thread.start()
thread.join()
runner._running_loop = None
"""
    )
    assert run_program(program, server, loop=loop) == ("", "")


def test_daemon_threads_that_call_all_the_time_are_ended_without_a_word(run_program, server, loop):
    program = """
        import threading
        from truemed_async import Truemed
        client = Truemed()
        def work():
            while True:
                client.qualification_sessions.get("qs_1")
                calls.release()
        calls = threading.Semaphore(0)
        for _ in range(8):
            threading.Thread(target=work, daemon=True).start()
        for _ in range(50):
            calls.acquire()
    """
    assert run_program(program, server, loop=loop) == ("", "")


def test_thread_that_is_not_a_daemon_is_waited_for(run_program, server):
    program = """
        import threading
        from truemed_async import Truemed
        client = Truemed()
        assert client.qualification_sessions.get("qs_1")  # Python 3.12.1 starts no thread any more when this one ends
        def work():
            for _ in range(20):
                assert client.qualification_sessions.get("qs_1").status == "approved"
            print("all of it")
        threading.Thread(target=work).start()
    """
    assert run_program(program, server) == ("all of it\n", "")


def test_calls_at_exit_work_until_close_and_then_raise(run_program, server):
    """What is registered later runs earlier."""
    program = """
        import atexit

        @atexit.register
        def after():
            from truemed_async import errors
            try:
                client.qualification_sessions.get("qs_2")
            except errors.ClientClosedError as error:
                print(error)

        from truemed_async import Truemed
        client = Truemed()
        assert client.qualification_sessions.get("qs_1")
        atexit.register(lambda: print(client.qualification_sessions.get("qs_3").qualification_session_id))
    """
    assert run_program(program, server) == ("qs_3\nthe interpreter is exiting\n", "")


def test_call_in_finalizer_at_interpreter_exit_does_not_hang(run_program, server):
    """The interpreter reports the finaliser's error, as of any; ``__del__`` is no place for calls."""
    program = """
        from truemed_async import Truemed, errors

        class Session:
            def __init__(self):
                self.client = Truemed()
                self.get = self.client.qualification_sessions.get
                self.get("qs_1")
                self.closed, self.print = errors.ClientClosedError, print

            def __del__(self):
                try:
                    self.get("qs_2")
                except self.closed:
                    self.print("closed", flush=True)

        import builtins
        builtins.kept = Session()
    """
    assert run_program(program, server) == ("closed\n", "")


def test_hook_that_does_not_return_holds_up_the_exit_for_seconds_only(run_program, server):
    program = """
        import threading
        from truemed_async import Truemed
        from truemed_async.sync import _runner
        _runner.SHUTDOWN_SECONDS = 0.2
        stuck = threading.Event()
        def hook(attempt):
            stuck.set()
            threading.Event().wait()
        client = Truemed(hooks=[hook])
        threading.Thread(target=client.qualification_sessions.get, args=["qs_1"], daemon=True).start()
        stuck.wait()
    """
    run_program(program, server, options=())


def test_name_server_that_does_not_respond_does_not_delay_the_exit(run_program, server):
    """The interpreter waits for the threads of ordinary pools; the look-up of a name is in none."""
    program = """
        import socket, threading
        requested = threading.Event()
        def getaddrinfo(*arguments, **named):
            requested.set()
            threading.Event().wait()
        socket.getaddrinfo = getaddrinfo
        from truemed_async import Truemed
        client = Truemed(base_url="https://name.invalid")
        threading.Thread(target=client.qualification_sessions.get, args=["qs_1"], daemon=True).start()
        requested.wait()
    """
    assert run_program(program, server) == ("", "")


def test_names_are_looked_up(run_program, server):
    program = """
        import os, socket
        from truemed_async import Truemed, errors
        url = os.environ["TRUEMED_BASE_URL"].replace("127.0.0.1", "localhost")
        print(Truemed(base_url=url).qualification_sessions.get("qs_1").status)

        def getaddrinfo(*arguments, **named):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")

        socket.getaddrinfo = getaddrinfo
        try:
            Truemed(base_url="https://name.invalid", timeout=5).qualification_sessions.get("qs_1")
        except errors.ConnectError as error:
            print(error.outcome)
    """
    assert run_program(program, server) == ("approved\nnot_sent\n", "")
