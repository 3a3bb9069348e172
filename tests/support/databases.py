"""Real PostgreSQL and Redis servers: on a free port of loopback, in a temporary directory, ended by the test session."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
import redis

from tests.support.ports import reserve_port
from tests.support.waiting import TIMEOUT

MAX_LIFETIME = 3_600
"""Seconds after which ``timeout`` ends a server whose test session was killed."""

SHARED_MEMORY = Path("/dev/shm")


def find_postgres():
    """Return the directory of PostgreSQL's programs, which Debian keeps off the PATH, or None."""
    on_path = shutil.which("initdb")
    directories = [Path(on_path).resolve().parent] if on_path else []
    directories += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    return next((path for path in directories if (path / "postgres").exists()), None)


def find_redis():
    return shutil.which("redis-server") or shutil.which("valkey-server")


class Server:
    """A process with a watchdog that can be stopped and started again on the same port."""

    def __init__(self, user=None):
        self._reservation = reserve_port()
        self.port = self._reservation.getsockname()[1]
        self._user = {} if user is None else {"user": user, "extra_groups": []}
        self.directory = Path(tempfile.mkdtemp(dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None))
        if user is not None:
            shutil.chown(self.directory, user)
        self._process = None

    def run(self, *command):
        subprocess.run(
            list(map(str, command)),
            cwd=self.directory,
            capture_output=True,
            timeout=TIMEOUT * 4,
            check=True,
            **self._user,
        )

    def start(self):
        command = ["timeout", "--signal=QUIT", "--kill-after=10", MAX_LIFETIME, *self.command()]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                list(map(str, command)),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._user,
            )
        deadline = time.monotonic() + TIMEOUT
        while not self.is_ready():
            assert self._process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < deadline, (self.directory / "log").read_text()
            time.sleep(0.02)
        return self

    @property
    def pid(self):
        return self._process.pid

    def stop(self, number=signal.SIGINT):
        """End the server; SIGQUIT and SIGKILL end it as a crash would."""
        if self._process is not None and self._process.poll() is None:
            if number == signal.SIGKILL:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)  # ``timeout`` passes it on
            self._process.wait(TIMEOUT)

    def close(self):
        self.stop(signal.SIGQUIT)
        self._reservation.close()
        shutil.rmtree(self.directory, ignore_errors=True)


class PostgresServer(Server):
    """A cluster of its own. ``durable`` waits for the disk at each commit, as a server does by default."""

    def __init__(self, *, durable=False, settings=()):
        # PostgreSQL refuses to run as root.
        super().__init__("postgres" if os.getuid() == 0 else None)
        self._bin, self._durable, self._settings = find_postgres(), durable, dict(settings)
        if durable:
            shutil.rmtree(self.directory)
            self.directory = Path(tempfile.mkdtemp(dir="/var/tmp"))
            if self._user:
                shutil.chown(self.directory, "postgres")
        initdb = self._bin / "initdb"
        self.run(
            initdb,
            "--no-sync",
            "--no-instructions",
            "-A",
            "trust",
            "-U",
            "shop",
            "-E",
            "UTF8",
            "--locale=C",
            "-D",
            "data",
        )

    def command(self):
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "on" if self._durable else "off",
            "max_connections": 60,
            "log_min_messages": "fatal",
            **self._settings,
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [self._bin / "postgres", "-D", "data", *settings]

    def url(self, database="postgres"):
        return f"postgresql://shop@127.0.0.1:{self.port}/{database}"

    def connect(self, database="postgres"):
        return psycopg.connect(self.url(database), autocommit=True)

    def is_ready(self):
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    @contextlib.contextmanager
    def database(self, name):
        """Create an empty database; yield its URL."""
        with contextlib.closing(self.connect()) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        yield self.url(name)
        with contextlib.closing(self.connect()) as connection:  # the server may have been restarted
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


class RedisServer(Server):
    """A server without persistence: after a restart it is empty."""

    def command(self):
        return [find_redis(), "--bind", "127.0.0.1", "--port", self.port, "--save", "", "--appendonly", "no"]

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def is_ready(self):
        with contextlib.closing(redis.Redis.from_url(self.url, retry=None)) as client:
            try:
                return client.ping()
            except redis.exceptions.ConnectionError:
                return False


@pytest.fixture(scope="session")
def postgres_server():
    """Return a running server, shared by the tests of this process."""
    if find_postgres() is None:
        pytest.skip("POSTGRESQL IS NOT INSTALLED (Debian: apt install postgresql): its stores are not tested")
    server = PostgresServer()
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture
def postgres_url(postgres_server):
    """Return the URL of an empty database."""
    with postgres_server.database(f"test_{time.monotonic_ns()}") as url:
        yield url


@pytest.fixture(scope="session")
def redis_server():
    """Return a running server, shared by the tests of this process."""
    if find_redis() is None:
        pytest.skip("REDIS IS NOT INSTALLED (Debian: apt install redis-server): its stores are not tested")
    server = RedisServer()
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture
def redis_url(redis_server):
    """Return the URL of an empty server."""
    with contextlib.closing(redis.Redis.from_url(redis_server.url)) as client:
        client.flushall()
    return redis_server.url
