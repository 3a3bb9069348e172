"""The pytest plugin, and what importing it costs those who do not use it."""

import ast
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import truemed_async.emulator

PACKAGE = Path(truemed_async.emulator.__file__).parent
ROOT = PACKAGE.parent.parent
PLUGIN = "truemed_async.emulator.pytest_plugin"

TESTS = """
import http.client
import pytest
from tests.support.waiting import TIMEOUT
from truemed_async.emulator import Dialect

def count(emulator):
    connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=TIMEOUT)
    connection.request("GET", "/api/v1/qualification_sessions", headers={"x-truemed-api-key": emulator.api_key})
    assert connection.getresponse().status == 200
    connection.close()
    return emulator.state.qualification_sessions.count

def test_plain(truemed_emulator):
    assert count(truemed_emulator) == 1000

def test_faults(truemed_emulator):
    fault = truemed_emulator.faults.add("reset_peer", method="GET", nth=2)
    count(truemed_emulator)
    with pytest.raises(ConnectionResetError):
        count(truemed_emulator)
    count(truemed_emulator)
    assert fault.hits == truemed_emulator.faults.hits == 1

@pytest.mark.truemed_emulator(sessions=5, max_page_size=7)
class TestMarked:
    def test_class(self, truemed_emulator):
        assert count(truemed_emulator) == 5

    @pytest.mark.truemed_emulator(sessions=6)
    def test_nearest(self, truemed_emulator):
        assert count(truemed_emulator) == 6
        assert truemed_emulator.state.max_page_size == 7

@pytest.mark.truemed_emulator(dialect=Dialect(times="no_zone"))
def test_dialect(truemed_emulator):
    assert truemed_emulator.dialect.times == "no_zone"
"""

SESSION_TESTS = """
import pytest

@pytest.fixture(scope="session")
def truemed_emulator_options():
    return {"sessions": 3}

@pytest.fixture(scope="session")
def added(truemed_emulator_session):
    return truemed_emulator_session.state.qualification_sessions.add()

def test_first(truemed_emulator_session, added):
    assert truemed_emulator_session.state.qualification_sessions.count == 4

def test_second(truemed_emulator_session, truemed_emulator, added):
    assert truemed_emulator_session is not truemed_emulator
    assert truemed_emulator_session.state.qualification_sessions.get(added).status == "pending"
"""

DEFAULT_SESSION_TESTS = """
def test_defaults(truemed_emulator_session):
    assert truemed_emulator_session.state.qualification_sessions.count == 1000
"""

ASYNC_TESTS = """
import aiohttp

async def test_async(truemed_emulator):
    headers = {"x-truemed-api-key": truemed_emulator.api_key}
    async with aiohttp.ClientSession(truemed_emulator.url, headers=headers) as session:
        async with session.get("/api/v1/qualification_sessions") as response:
            assert response.status == 200
"""


def python(*arguments, **options):
    """Run this Python with a watchdog."""
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


@pytest.fixture
def inner(tmp_path, monkeypatch):
    """Write a test file and return the arguments that run it with the plugin and no other of this environment."""
    # An installed package registers the plugin by itself, and one plugin cannot be registered twice.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def inner(tests, ini="", plugins=()):
        (tmp_path / "pytest.ini").write_text(f"[pytest]\naddopts = --strict-markers -p no:cacheprovider\n{ini}")
        # One name for each, since runs in this process import their files.
        file = tmp_path / f"test_inner_{zlib.crc32(tests.encode())}.py"
        file.write_text(tests)
        return ["-q", *(f"-p{plugin}" for plugin in (PLUGIN, *plugins)), "-c", str(tmp_path / "pytest.ini"), str(file)]

    return inner


def test_fixture_gives_each_test_its_own_emulator(inner):
    """In this process, so that its lines are seen to run."""
    assert pytest.main(inner(TESTS)) == pytest.ExitCode.OK


@pytest.mark.parametrize("tests", [SESSION_TESTS, DEFAULT_SESSION_TESTS], ids=["options", "defaults"])
def test_session_fixture_is_shared_between_tests(inner, tests):
    done = python("-m", "pytest", *inner(tests), cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert pytest.main(inner(tests)) == pytest.ExitCode.OK


def test_fixture_serves_asynchronous_tests(inner):
    ini = "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function"
    done = python("-m", "pytest", *inner(ASYNC_TESTS, ini, ["pytest_asyncio.plugin"]), cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_process_that_does_not_stop_its_emulator_exits():
    """A notebook or a script that forgets to leave the `with` block ends quietly all the same."""
    code = "from truemed_async.emulator import Emulator; Emulator(sessions=0).__enter__()"
    done = python("-W", "default", "-c", code, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


def test_loads_nothing_heavy_until_it_is_used():
    code = f"import sys, pytest, {PLUGIN}; print([name for name in ('aiohttp', 'attrs', 'orjson', 'asyncio') if name in sys.modules])"
    done = python("-c", code, cwd=ROOT)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_every_public_name_is_there():
    names = truemed_async.emulator._MODULES
    assert {"Emulator", "State", "ROUTES", "FAULTS"} <= set(names)
    for name in names:
        assert getattr(truemed_async.emulator, name) is not None
        assert name in dir(truemed_async.emulator)
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        truemed_async.emulator.Nonsense  # noqa: B018 - the access is the test


def test_shares_no_code_with_the_sdk():
    """The SDK and the emulator must not be able to share one mistake."""
    allowed = {"aiohttp", "attrs", "cattrs", "jinja2", "orjson", "pytest", *sys.stdlib_module_names}
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [node.module]
            for name in names:
                own = name == "truemed_async.emulator" or name.startswith("truemed_async.emulator.")
                assert own or name.split(".")[0] in allowed, f"{file.name} imports {name}"
