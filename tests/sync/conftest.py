"""Servers, a synchronous client, and programs in processes of their own."""

import contextlib
import os
import signal
import ssl
import subprocess
import sys
import textwrap
import threading

import pytest
import trustme

from tests.support.stalling_server import KEY, Server
from truemed_async import Truemed
from truemed_async.emulator import Emulator

STRICT = ("-X", "dev", "-W", "error")

# What every program begins with; with the loop of the standard library, uvloop cannot be imported.
PRELUDE = '''
import faulthandler, logging, sys
faulthandler.enable()
# In the development mode asyncio reports what is slow, as everything is on a busy machine.
logging.getLogger("asyncio").addFilter(lambda record: not record.msg.startswith("Executing"))
if {loop!r} == "asyncio":
    sys.modules["uvloop"] = None

def tasks_left():
    """Count the tasks that are left on the loop thread, once what was dropped has had the time to be noticed."""
    import asyncio, gc, time
    from truemed_async.sync._runner import runner

    async def others():
        return len(asyncio.all_tasks()) - 1

    gc.collect()
    until = time.monotonic() + 10
    while (count := runner.run(others)) and time.monotonic() < until:
        time.sleep(0.05)
    return count

'''


@pytest.fixture
def emulator():
    with Emulator(sessions=250) as running:
        yield running


@pytest.fixture
def client(emulator):
    with Truemed(emulator.api_key, base_url=emulator.url) as truemed:
        yield truemed


@pytest.fixture
def ids(emulator):
    return [session.qualification_session_id for session in emulator.state.qualification_sessions.rows]


@pytest.fixture
def server():
    with Server() as running:
        yield running


@pytest.fixture
def tls_server(tmp_path):
    """A server with a certificate; ``authority`` is the file of who signed it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Server(context) as running:
        running.authority = tmp_path / "authority.pem"
        authority.cert_pem.write_to_path(running.authority)
        yield running


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request):
    """Which event loop the programs' loop thread runs."""
    return request.param


@pytest.fixture
def run_program(tmp_path):
    """Run a program against a server, with every warning an error, and a watchdog.

    Ctrl-C is sent to it each time that the server waits, if ``interrupt`` says so.
    """

    def run(source, of, *, timeout=60, expect=0, options=STRICT, loop="asyncio", interrupt=False, key=None, **extra):
        script = tmp_path / "program.py"
        prelude = PRELUDE.format(loop=loop)
        script.write_text(prelude + textwrap.dedent(source), encoding="utf-8")
        key = key or getattr(of, "api_key", KEY)
        environment = {**os.environ, "TRUEMED_API_KEY": key, "TRUEMED_BASE_URL": of.url, **extra}
        process = subprocess.Popen(
            [sys.executable, *options, str(script)],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a group of its own, with its children
        )
        if interrupt:
            threading.Thread(target=_interrupt, args=(process, of.reached), daemon=True).start()
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGABRT)  # each process says where it hangs
            out, err = process.communicate(timeout=10)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        assert process.returncode == expect, out + err
        return out, err

    return run


def _interrupt(process, reached):
    while process.poll() is None:
        if reached.wait(0.1):
            reached.clear()
            process.send_signal(signal.SIGINT)
