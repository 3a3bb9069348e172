"""Runs every example of README.md and docs/ as it is printed, against one process of ``truemed emulator``.

Those with a fixture that is not in ``PLAIN`` show a rare situation, and run against an emulator that is put into it.

HTML comments before a block, invisible to readers, set it up:

``<!-- fixture: NAME -->``   names of ``FIXTURES``, separated by commas: the set-up around it
``<!-- continues -->``       continues the Python example before it
``<!-- exit: 1 -->``         the exit code of the shell commands
``<!-- output -->``          on a text block: the output of the example before it
"""

import ast
import asyncio
import inspect
import itertools
import json
import logging
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import tomllib
import types
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime

import aiohttp
import attrs
import pytest
from aiohttp.test_utils import TestServer
from celery.contrib.testing.worker import start_worker
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.support.databases import PostgresServer, find_postgres
from tests.support.example_webhooks import deliver_to_example
from tests.support.inner_pytest import PLUGINS, SETTINGS
from tests.support.paths import ROOT
from tests.support.webhook_payloads import PAYMENT_SESSION, SECRET, make_capture_body, make_signed_headers
from truemed_async import AsyncTruemed, Truemed
from truemed_async.emulator import AbortConnection, Fault

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
SECONDS = 150
"""The watchdog of each example."""

SHELLS = frozenset({"console", "sh"})
VALIDATED = {"json": json.loads, "toml": tomllib.loads}
# What Sphinx runs when it builds the documentation; `code-block` is not among them: it would hide an example.
# What `literalinclude` shows is run by tests/frameworks.
DIRECTIVES = frozenset(
    {
        "{cli}",
        "{emulator}",
        "{endpoints}",
        "{eval-rst}",
        "{faults}",
        "{include}",
        "{literalinclude}",
        "{models}",
        "{toctree}",
    }
)

FENCE = re.compile(r" *(?P<fence>`{3,}|~{3,})(?P<language>[^\s`]*).*")
MARK = re.compile(r"\s*<!-- *(?P<name>fixture|continues|exit|output)(?:: *(?P<value>[^>]*?))? *-->\s*")


@attrs.frozen(eq=False)
class Block:
    """A fenced block: its page, its first line (from 1), its language, its text, and the comments before it."""

    page: str
    line: int
    language: str
    text: str
    marks: dict[str, str]

    def __str__(self):
        return f"{self.page}:{self.line}"

    @property
    def fixtures(self):
        return [name.strip() for name in self.marks.get("fixture", "").split(",") if name.strip()]


def blocks_of(text, page):
    """Read the fenced blocks of a page."""
    found, marks = [], {}
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        mark, fence = MARK.fullmatch(line), FENCE.fullmatch(line)
        if mark:
            marks[mark["name"]] = mark["value"] or ""
        elif fence:
            end = fence["fence"]
            inside = itertools.takewhile(lambda each, end=end: each[1].strip() != end, lines)
            body = textwrap.dedent("\n".join(each for _, each in inside))
            found.append(Block(page, number + 1, fence["language"], body, marks))
            marks = {}
        else:
            assert not marks or not line.strip(), f"{page}:{number}: a comment must precede an example"
    return found


def emulator_for(request, *blocks):
    """Start the emulator of an example, and return it if it is in this process."""
    is_plain = PLAIN.issuperset(name for block in blocks for name in block.fixtures)
    return request.getfixturevalue("plain_emulator" if is_plain else "emulator")


def chains(blocks):
    """Yield each Python block as a list that ends with it, after the blocks that it continues."""
    chain = []
    for block in blocks:
        if block.language == "python":
            chain = [*chain, block] if "continues" in block.marks else [block]
            yield chain


BLOCKS = {page: blocks_of(page.read_text(encoding="utf-8"), str(page.relative_to(ROOT))) for page in PAGES}
EVERY = [block for blocks in BLOCKS.values() for block in blocks]
PYTHON = [chain for blocks in BLOCKS.values() for chain in chains(blocks)]
TESTS = [chain[-1] for chain in PYTHON if "pytest" in chain[-1].fixtures]
README = BLOCKS[ROOT / "README.md"]
EXAMPLES = [chain for chain in PYTHON if "pytest" not in chain[-1].fixtures and chain[-1] not in README]
COMMANDS = [block for block in EVERY if block.language in SHELLS and block not in README]
OUTPUTS = {
    before: after.text
    for blocks in BLOCKS.values()
    for before, after in itertools.pairwise(blocks)
    if "output" in after.marks
}


class LostResponses(Fault):
    """Applies the first ``number`` writes and loses their responses."""

    def __init__(self, number):
        self._left = number

    async def after(self, exchange, response):
        if exchange.request.method == "POST" and self._left:
            self._left -= 1
            raise AbortConnection
        return response


@contextmanager
def lost_responses(emulator, names):
    """Lose the responses of all attempts of one call."""
    emulator.faults.add(LostResponses(3))
    yield
    posts = [request for request in emulator.requests if request.method == "POST"]
    assert len(posts) == 4
    assert len({request.body for request in posts}) == 1
    assert emulator.state.qualification_sessions.get("qs_abc123").user_id == "user-42"


@contextmanager
def moving_list(emulator, names):
    """Delete a session after each page: manual paging then misses some that were never deleted, and `iter` none."""
    emulator.faults.add("delete_between_pages")
    yield
    stayed = {session.qualification_session_id for session in emulator.state.qualification_sessions.rows}
    by_hand = "requests" in names
    assert stayed
    assert (not stayed <= set(names["ids"])) is by_hand


@contextmanager
def served(emulator, names):
    """Request a session from the web application of the example."""
    yield

    async def request():
        server = TestServer(names["app"])
        async with server, aiohttp.ClientSession(server.make_url("/")) as session:
            async with session.get("/status/qs_abc123") as response:
                assert (response.status, await response.json()) == (200, {"status": "approved"})
            async with session.get("/status/qs_nobody") as response:
                assert response.status == 404

    asyncio.run(request())


@contextmanager
def tracer(emulator, names):
    """Collect the spans of the global provider, and check them."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "_TRACER_PROVIDER", provider)  # it can be set once in a process
        yield
    good, _, bad, _ = exporter.get_finished_spans()
    provider.shutdown()
    assert good.attributes["http.response.status_code"] == 200
    assert bad.attributes["error.type"] == "NotFoundError"


@contextmanager
def inbox_database():
    """Provide a database to an example with an inbox; after it, yield a connection."""
    if find_postgres() is None:
        pytest.skip("POSTGRESQL IS NOT INSTALLED (Debian: apt install postgresql)")
    with closing(PostgresServer()) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", server.start().url())
        patch.setenv("TRUEMED_WEBHOOK_SECRET", SECRET)
        yield server


def deliver_to(receiver, numbers):
    return [receiver.receive(body, make_signed_headers(body)).status for body in map(make_capture_body, numbers)]


@contextmanager
def postgres(emulator, names):
    """Provide a database with an order, deliver its payment twice, and see the order paid."""
    with inbox_database() as server:
        yield
        with closing(server.connect()) as connection, closing(names["receiver"]._store) as inbox:
            inbox.create_schema()
            connection.execute("CREATE TABLE orders (id text, paid boolean)")
            connection.execute("INSERT INTO orders VALUES (%s, false)", [PAYMENT_SESSION["metadata"]])
            assert deliver_to(names["receiver"], (1, 1)) == ["handled", "duplicate"]
            assert connection.execute("SELECT paid FROM orders").fetchall() == [(True,)]


@contextmanager
def postgres_queue(emulator, names):
    """Deliver events, some twice, to a queue with two workers, whose function fails at times; each job is done once."""
    shipped, failures, lock = [], [ValueError(), ValueError()], threading.Lock()

    def ship(payment_session_id):
        with lock:
            if failures:
                raise failures.pop()
            shipped.append(payment_session_id)

    def work(server):
        with closing(server.connect()) as connection:
            while True:
                try:
                    if not names["work_once"](connection):
                        return
                except ValueError:
                    continue

    names["ship"] = ship
    with inbox_database() as server:
        yield
        with closing(server.connect()) as connection, closing(names["receiver"]._store) as inbox:
            inbox.create_schema()
            connection.execute(names["CREATE_JOBS"])
            assert deliver_to(names["receiver"], [*range(20), 3, 4]) == ["handled"] * 20 + ["duplicate"] * 2
            with ThreadPoolExecutor(2) as pool:
                for worker in [pool.submit(work, server) for _ in range(2)]:
                    worker.result(SECONDS)
            assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (0,)
    assert sorted(shipped) == sorted(f"ps_{number}" for number in range(20))
    assert not failures


@contextmanager
def celery_queue(emulator, names):
    """Deliver events, one twice, and let a worker do the tasks."""
    shipped, done = [], threading.Event()

    def ship(payment_session_id):
        shipped.append(payment_session_id)
        if len(shipped) == 5:
            done.set()

    names["ship"] = ship
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELERY_BROKER", "memory://")
        patch.setenv("TRUEMED_WEBHOOK_SECRET", SECRET)
        yield
    assert deliver_to(names["receiver"], [*range(5), 3]) == ["handled"] * 5 + ["duplicate"]
    with start_worker(names["app"], pool="solo", perform_ping_check=False, loglevel="ERROR"):
        assert done.wait(SECONDS)
    assert shipped == [f"ps_{number}" for number in range(5)]


@contextmanager
def quiet(emulator, names):
    """Restore the logging configuration."""
    root, own = logging.getLogger(), logging.getLogger("truemed_async")
    before = root.handlers[:], root.level, own.level
    yield
    root.handlers[:], root.level, own.level = before


@contextmanager
def channels(emulator, names):
    """Set the key of each sales channel of the page; the emulator has one."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SHOP", "B2B"):
            patch.setenv(f"TRUEMED_API_KEY_{name}", os.environ["TRUEMED_API_KEY"])
        yield


@contextmanager
def outage(emulator, names):
    """Let a payment be captured and a session be approved, without a delivery, and nothing else in the last weeks."""
    emulator.state.reset()
    payments, qualifications = emulator.state.payment_sessions, emulator.state.qualification_sessions
    now = datetime.now(UTC)
    payments.add(total_amount=1999, status="captured", created_at=now, captured_on=now)
    qualifications.add(status="approved", created_at=now, lmn_reviewed_at=now)
    yield


FIXTURES = {
    "celery-queue": celery_queue,
    "channels": channels,
    "lost-responses": lost_responses,
    "moving-list": moving_list,
    "outage": outage,
    "postgres": postgres,
    "postgres-queue": postgres_queue,
    "quiet": quiet,
    "served": served,
    "tracer": tracer,
    "webhooks": deliver_to_example,
}
# Handled by the runner: `client` is an open client, asynchronous if the example awaits.
BUILT_IN = frozenset({"client", "pytest", "server"})
# Those that leave the emulator as it is.
PLAIN = BUILT_IN | {"channels", "postgres", "quiet", "served", "tracer", "webhooks"}


def compiled(chain):
    """Compile blocks as one program; its line numbers are those of the page."""
    source = ""
    for block in chain:
        source += "\n" * (block.line - 1 - source.count("\n")) + block.text + "\n"
    return compile(source, str(ROOT / chain[-1].page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


async def awaited(coroutine, names, *, with_client):
    async with asyncio.timeout(SECONDS):
        if not with_client:
            await coroutine
            return
        async with AsyncTruemed() as names["client"]:
            await coroutine


def run(chain, emulator):
    """Run an example as a module, with top-level ``await``."""
    code, fixtures = compiled(chain), [name for block in chain for name in block.fixtures]
    module = types.ModuleType("docs_example")
    names = vars(module)
    with ExitStack() as stack:
        # The module must be importable: the types of the fields of a class are resolved in it.
        stack.enter_context(pytest.MonkeyPatch.context()).setitem(sys.modules, module.__name__, module)
        for name in fixtures:
            if name not in BUILT_IN:
                stack.enter_context(FIXTURES[name](emulator, names))
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(awaited(eval(code, names), names, with_client="client" in fixtures))
        else:
            if "client" in fixtures:
                names["client"] = stack.enter_context(Truemed())
            exec(code, names)


@pytest.mark.parametrize("chain", EXAMPLES, ids=lambda chain: str(chain[-1]))
def test_python_example_runs(chain, request, capsys):
    run(chain, emulator_for(request, *chain))
    expected = OUTPUTS.get(chain[-1])
    if expected is not None:
        assert capsys.readouterr().out.rstrip() == expected.rstrip()


@pytest.mark.parametrize("block", TESTS, ids=str)
def test_pytest_example_passes(block, monkeypatch, package_on_path, tmp_path):
    """Run examples of tests with pytest."""
    # An installed package registers the plugin, and a plugin cannot be registered twice.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "test_example.py").write_text(block.text)
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", *PLUGINS]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(re.findall(r'def test_', block.text))} passed" in done.stdout


def script_of(block):
    """Return the commands: all of a ``sh`` block, the lines after ``$`` and their continuations of a ``console`` one."""
    if block.language == "sh":
        return block.text
    lines, more = [], False
    for line in block.text.splitlines():
        if more or line.startswith("$ "):
            lines.append(line if more else line[2:])
            more = line.endswith("\\")
    assert lines, f"{block}: no line starts with '$ '"
    return "\n".join(lines)


def run_in_shell(block):
    command = ["bash", "-euo", "pipefail", "-c", script_of(block)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.mark.parametrize("block", [each for each in COMMANDS if "server" not in each.fixtures], ids=str)
def test_shell_example_runs(block, request):
    emulator = emulator_for(request, block)
    request.getfixturevalue("shell_path")  # in the directory of the emulator
    with ExitStack() as stack:
        for name in block.fixtures:
            stack.enter_context(FIXTURES[name](emulator, {}))
        done = run_in_shell(block)
    assert done.returncode == int(block.marks.get("exit", 0)), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    expected = OUTPUTS.get(block)
    if expected is not None:
        assert done.stdout.rstrip() == expected.rstrip()


@pytest.mark.parametrize("block", [each for each in COMMANDS if "server" in each.fixtures], ids=str)
def test_server_example_stops_on_interrupt(block, plain_emulator, shell_path):
    """A server prints its address, and ends with Ctrl-C."""
    # Tests run at once, but the fixed port can be taken only once.
    script = script_of(block).replace("truemed emulator", "truemed emulator --port 0")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(["bash", "-c", f"exec {script}"], text=True, **pipes) as process:
        try:
            first = (process.stderr if "webhooks listen" in script else process.stdout).readline()
            assert first.startswith(("url ", "listening on "))
            process.send_signal(signal.SIGINT)
            assert process.wait(SECONDS) == int(block.marks.get("exit", 130))
        finally:
            process.kill()


def test_readme_runs_from_top_to_bottom(plain_emulator, shell_path):
    """One example after another, as a reader tries them: none makes a later one fail."""
    assert not [str(block) for block in README if block.marks or block.language not in {"python", *SHELLS}]
    for block in README:
        if block.language == "python":
            run([block], None)
        else:
            done = run_in_shell(block)
            assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("block", [each for each in EVERY if each.language in VALIDATED], ids=str)
def test_data_example_parses(block):
    VALIDATED[block.language](block.text)


def test_every_block_has_a_known_language():
    """A block in another language would be an untested example."""
    known = {"python", "text", *SHELLS, *VALIDATED, *DIRECTIVES}
    assert [f"{block}: {block.language!r}" for block in EVERY if block.language not in known] == []
    assert not [str(block) for block in EVERY if not block.text.strip() and block.language not in DIRECTIVES]


def test_every_fixture_is_used():
    used = {name for block in EVERY for name in block.fixtures}
    assert used == BUILT_IN | set(FIXTURES)


def test_text_blocks_contain_no_programs():
    """They are for output and drawings: a program in one would not be tested."""
    for block in EVERY:
        if block.language == "text":
            assert not re.search(r"^\s*(\$ |import |from \w+ import|async with|await )", block.text, re.MULTILINE), (
                block
            )
