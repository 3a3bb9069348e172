"""A process with a watchdog, and many questions to the server in it."""

import http.client
import os
import re
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from tests.support.paths import ROOT
from tests.support.waiting import TIMEOUT, wait_until

EXAMPLES = ROOT / "docs" / "frameworks"
SECONDS = 120
"""The watchdog: no process of a test lives longer."""


def environment_without_coverage():
    """Return the variables of this process for one that coverage would slow down, and whose lines others cover.

    It is measured, or killed before it can write its data, or does not run the package.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


class Program:
    """A process and all that it starts, as a group of their own; its output goes to a file."""

    def __init__(self, command, *, env, folder):
        self._file = folder / f"output-{threading.get_ident()}-{time.monotonic_ns()}"
        with self._file.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env=env,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._watchdog = threading.Timer(SECONDS, self._kill)
        self._watchdog.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._watchdog.cancel()
        self._watchdog.join()
        self._kill()
        self._process.wait(TIMEOUT)

    def _kill(self):
        try:
            os.killpg(self._process.pid, signal.SIGKILL)  # the group is there while anything of it is
        except ProcessLookupError:
            return

    @property
    def output(self):
        return self._file.read_text(encoding="utf-8", errors="replace")

    def says(self, pattern):
        """Wait for a line of the output."""

        def found():
            match = re.search(pattern, self.output)
            assert match or self._process.poll() is None, self.output
            return match

        return wait_until(found, lambda: f"{pattern!r} in:\n{self.output}")

    def address(self):
        """Wait until a server has said where it listens, and listens there."""
        address = self.says(r"http://(127\.0\.0\.1:\d+)")[1]
        wait_until(lambda: accepts_connections(address), lambda: self.output)
        return address

    def end(self, number=signal.SIGTERM):
        """Ask it to end; return its exit code."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self):
        try:
            return self._process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still there:\n{self.output}") from None

    def complaints(self):
        """Return the lines of the output that a warning or a traceback has left."""
        own = re.compile(r"laddr=\('127\.0\.0\.1', \d+\)>")  # gunicorn leaves its listener to the collector
        words = re.compile(r"Traceback|Warning|Error|[Uu]nclosed|never (awaited|retrieved)|Exception ignored")
        return [line for line in self.output.splitlines() if words.search(line) and not own.search(line)]


def accepts_connections(address):
    """Whether a server accepts connections; nothing is asked of it."""
    host, port = address.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT)
    try:
        connection.connect()
    except ConnectionError:
        return False
    connection.close()
    return True


def get_all(address, paths, *, clients=8):
    """Ask for every path, by a number of clients at once; return statuses and bodies in the order of the paths."""
    parts = [paths[start::clients] for start in range(clients)]
    with ThreadPoolExecutor(clients) as pool:
        responses = [iter(part) for part in pool.map(lambda part: _ask_in_turn(address, part), parts)]
    return [next(responses[number % clients]) for number in range(len(paths))]


def _ask_in_turn(address, paths):
    netloc = urlsplit(f"//{address}")
    connection = http.client.HTTPConnection(netloc.hostname, netloc.port, timeout=TIMEOUT)
    found = []
    for path in paths:
        connection.request("GET", path)
        response = connection.getresponse()
        found.append((response.status, response.read()))
    connection.close()
    return found


def post(address, path, body, headers):
    """Send a body; return the status of the response."""
    netloc = urlsplit(f"//{address}")
    connection = http.client.HTTPConnection(netloc.hostname, netloc.port, timeout=TIMEOUT)
    connection.request("POST", path, body, dict(headers))
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status
