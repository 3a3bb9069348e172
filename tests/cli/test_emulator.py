"""`truemed emulator`, inside the test: a signal arrives when it has said where it is."""

from __future__ import annotations

import errno
import io
import json
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.request

import pytest

from tests.support.factories import CREATE, order
from tests.support.waiting import wait_until
from truemed_async.cli.signals import stop_on_signal

FREE_PORT = ("--port", "0")


class Signalled(io.StringIO):
    """Raises a signal once the emulator has printed everything."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__()
        self.number = number

    def flush(self) -> None:
        if self.getvalue().count("\n") == 4 and self.number:
            number, self.number = self.number, None
            signal.raise_signal(number)


ENDING_SIGNALS = [
    (getattr(signal, name), 130 if name == "SIGINT" else 0)
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGXCPU")
    if hasattr(signal, name)
]


@pytest.mark.parametrize(("number", "code"), ENDING_SIGNALS)
def test_emulator_serves_until_signal(truemed, number, code):
    before = signal.getsignal(signal.SIGTERM)

    done = truemed("emulator", *FREE_PORT, out=Signalled(number))

    assert done.code == code
    url, *exports = done.out.splitlines()
    url = url.removeprefix("url      ")
    assert url.startswith("http://127.0.0.1:")
    assert exports == [
        f"export TRUEMED_BASE_URL={url}",
        "export TRUEMED_API_KEY=emulator-development-key",
        "export TRUEMED_WEBHOOK_SECRET=emulator-webhook-secret",
    ]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(("number", "code"), ENDING_SIGNALS)
def test_emulator_with_repeated_signals_saves_its_state(tmp_path, number, code):
    """Supervisors and terminals send a signal again, here while each snapshot is written."""
    file = tmp_path / "state.json"
    program = (
        "import signal, sys\n"
        "import truemed_async.cli.emulator as command\n"
        "from truemed_async.__main__ import main\n"
        "write = command.write_snapshot\n"
        "def write_and_signal(*args):\n"
        f"    signal.raise_signal({int(number)})\n"
        "    write(*args)\n"
        f"    signal.raise_signal({int(number)})\n"
        "command.write_snapshot = write_and_signal\n"
        f"sys.argv = ['truemed', 'emulator', '--port', '0', '--sessions', '1', '--quiet', '--state', {str(file)!r}]\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)

    assert done.returncode == code, done.stderr
    assert len(json.loads(file.read_bytes())["state"]["qualification_sessions"]) == 1


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX")
def test_emulator_with_ignored_signal_keeps_serving(truemed):
    """As under nohup: what is ignored at the start stays ignored."""

    class Both(Signalled):
        def flush(self):
            if self.getvalue().count("\n") == 4 and self.number:
                signal.raise_signal(signal.SIGHUP)
                super().flush()

    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert truemed("emulator", *FREE_PORT, "--sessions", "0", out=Both(signal.SIGTERM)).code == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, previous)


@pytest.mark.parametrize(
    ("argv", "warned"),
    [
        (("--host", "127.0.0.1"), False),
        (("--host", "localhost"), False),
        (("--host", "0.0.0.0"), True),
        ((), False),
    ],
)
def test_emulator_host_warns_unless_it_is_loopback(truemed, argv, warned):
    done = truemed("emulator", *FREE_PORT, "--sessions", "0", *argv, out=Signalled(signal.SIGTERM))

    assert done.code == 0
    assert ("warning: 0.0.0.0 accepts other machines" in done.err) is warned
    assert re.match(r"url      http://(127\.0\.0\.1|localhost):\d+\n", done.out)


def test_emulator_host_that_cannot_be_bound_is_reported(truemed):
    done = truemed("emulator", *FREE_PORT, "--sessions", "0", "--host", "192.0.2.1")

    assert done.code == 2
    assert "cannot serve on port 0 of 192.0.2.1: " in done.err


def test_emulator_allow_host_is_accepted(truemed):
    import truemed_async.emulator

    received = []

    class Watched(truemed_async.emulator.Emulator):
        def __init__(self, **options):
            received.append(tuple(options["allowed_hosts"]))
            super().__init__(**options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(truemed_async.emulator, "Emulator", Watched, raising=False)
        argv = ("emulator", *FREE_PORT, "--allow-host", "emulator:8080", "--allow-host", "proxy")
        assert truemed(*argv, out=Signalled(signal.SIGTERM)).code == 0
    assert received == [("emulator:8080", "proxy")]


@pytest.mark.parametrize(
    "argv",
    [
        ("emulator", *FREE_PORT, "--sessions", "3", "--seed", "4"),
        ("emulator", *FREE_PORT),
    ],
)
def test_sessions_and_seed_options_apply(truemed, monkeypatch, argv):
    import truemed_async.emulator

    ids = []

    class Watched(truemed_async.emulator.Emulator):
        def __init__(self, **options):
            ids.append(options)
            super().__init__(**options)

    monkeypatch.setattr(truemed_async.emulator, "Emulator", Watched, raising=False)

    assert truemed(*argv, out=Signalled(signal.SIGTERM)).code == 0
    (options,) = ids
    assert (options["sessions"], options["seed"]) == ((3, 4) if "--seed" in argv else (1000, 0))
    assert (options["payment_sessions"], options["payment_tokens"], options["catalog_items"]) == (200, 20, 20)
    assert options["examples"]


def test_print_env_prints_the_settings_and_exits(truemed):
    done = truemed("emulator", "--print-env", "--port", "4567")

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "export TRUEMED_BASE_URL=http://127.0.0.1:4567",
        "export TRUEMED_API_KEY=emulator-development-key",
        "export TRUEMED_WEBHOOK_SECRET=emulator-webhook-secret",
    ]


def test_print_env_with_free_port_is_rejected(truemed):
    done = truemed("emulator", "--print-env", *FREE_PORT)

    assert (done.code, done.out) == (2, "")
    assert done.err == "error: --print-env requires a --port other than 0\n"


def test_print_env_has_the_key_and_secret_of_the_state(truemed, tmp_path):
    from truemed_async.cli.emulator import EmulatorSnapshot, write_snapshot
    from truemed_async.emulator import Emulator

    server = Emulator(sessions=0, api_key="a-key-of-a-team")
    server.webhooks.register("http://127.0.0.1:9/", secret="a secret")
    write_snapshot(tmp_path / "state.json", EmulatorSnapshot.capture(server))

    webhook = ("--webhook", "http://127.0.0.1:9/")  # known already, with its secret
    done = truemed("emulator", "--print-env", *webhook, "--state", str(tmp_path / "state.json"))

    assert done.out.splitlines() == [
        "export TRUEMED_BASE_URL=http://127.0.0.1:8642",
        "export TRUEMED_API_KEY=a-key-of-a-team",
        "export TRUEMED_WEBHOOK_SECRET='a secret'",
    ]


def test_sales_channels_are_passed_to_the_emulator(serve, ask, stopped):
    process, url, key = serve("--sales-channel", "key-of-b2b", "--sales-channel", "key-of-eu", "--catalog-items", "1")
    counts = [
        ask(f"{url}/api/v1/product_catalog/items/list", each)["pagination"]["count"]
        for each in (key, "key-of-b2b", "key-of-eu")
    ]
    assert counts == [1, 0, 0]
    stopped(process)


def test_sales_channels_are_kept_in_the_state(truemed, tmp_path):
    from truemed_async.cli.emulator import EmulatorSnapshot, read_snapshot, write_snapshot
    from truemed_async.emulator import Emulator

    file = tmp_path / "state.json"
    server = Emulator(sessions=0, api_key="first-key", sales_channels=["second-key"])
    server.sales_channels["second-key"].state.catalog_items.add(sku="S")
    server.sales_channels["second-key"].webhooks.register("http://127.0.0.1:9/")
    write_snapshot(file, EmulatorSnapshot.capture(server))

    done = truemed(
        "emulator", *FREE_PORT, "--state", str(file), "--sales-channel", "third", out=Signalled(signal.SIGTERM)
    )
    assert (done.code, done.err.splitlines()[1:]) == (0, [])
    snapshot = read_snapshot(file, "--state")
    again = Emulator(sessions=0, api_key="first-key", sales_channels=snapshot.sales_channels)
    snapshot.restore(again)
    assert list(again.sales_channels) == ["first-key", "second-key", "third"]
    counts = [channel.state.catalog_items.count for channel in again.sales_channels.values()]
    assert counts == [0, 1, 0]
    assert [len(channel.webhooks.endpoints) for channel in again.sales_channels.values()] == [0, 1, 0]


@pytest.mark.parametrize("channels", ['"x"', '{"k": 1}', '{"k": {}}', '{"k": {"state": {}, "webhooks": {}}}'])
def test_state_with_invalid_sales_channels_is_rejected(truemed, tmp_path, channels):
    file = tmp_path / "state.json"
    assert truemed("emulator", *FREE_PORT, "--empty", "--state", str(file), out=Signalled(signal.SIGTERM)).code == 0
    text = file.read_text()
    file.write_text(text.replace('"sales_channels": {}', f'"sales_channels": {channels}'))
    assert file.read_text() != text
    done = truemed("emulator", *FREE_PORT, "--state", str(file))
    assert (done.code, done.err) == (2, "error: the file was not written by `truemed emulator --state`\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sales-channel", "k", "--sales-channel", "k"), "each sales channel needs an API key of its own"),
        (("--sales-channel", "emulator-development-key"), "each sales channel needs an API key of its own"),
        (("--sales-channel", ""), "each sales channel needs an API key of its own"),
    ],
)
def test_invalid_sales_channels_are_usage_errors(truemed, options, message):
    done = truemed("emulator", *FREE_PORT, *options)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_emulator_by_default_listens_on_the_fixed_port(truemed, monkeypatch):
    import truemed_async.emulator

    ports = []

    class Watched(truemed_async.emulator.Emulator):
        def __init__(self, **options):
            ports.append(options["port"])
            super().__init__(**{**options, "port": 0})

    monkeypatch.setattr(truemed_async.emulator, "Emulator", Watched, raising=False)

    assert truemed("emulator", out=Signalled(signal.SIGTERM)).code == 0
    assert ports == [8642]


def test_merchant_name_is_on_the_pages_for_shoppers(serve, ask, stopped):
    process, url, key = serve("--merchant-name", "Sam's Shop")
    link = ask(f"{url}{CREATE}", key, "POST", order())["redirect_url"]
    with urllib.request.urlopen(link, timeout=10) as response:
        page = response.read().decode()
    assert "Sam&#39;s Shop" in page
    assert "Example Shop" not in page
    stopped(process)


def test_other_problem_of_a_port_names_no_other_one(truemed, monkeypatch):
    import truemed_async.emulator

    class Refused(truemed_async.emulator.Emulator):
        async def start(self):
            raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(truemed_async.emulator, "Emulator", Refused, raising=False)

    done = truemed("emulator", "--port", "80")
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: cannot serve on port 80 of 127.0.0.1: Permission denied\n"


def test_occupied_port_exits_2_and_names_a_port_that_print_env_accepts(truemed):
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]

        done = truemed("emulator", "--port", str(port))

        assert (done.code, done.out) == (2, "")
        problem, _, advice = done.err.partition("; ")
        assert problem.startswith(f"error: cannot serve on port {port} of 127.0.0.1: ")
        assert advice.startswith("pass another one here and to --print-env, such as --port ")
        other = advice.split()[-1]
        assert int(other) != port

    printed = truemed("emulator", "--print-env", "--port", other)
    assert printed.code == 0
    assert f"export TRUEMED_BASE_URL=http://127.0.0.1:{other}\n" in printed.out


@pytest.mark.parametrize(
    "argv",
    [
        ("emulator", "--port", "70000"),
        ("emulator", "--port", "-1"),
        ("emulator", "--sessions", "-1"),
        ("--env", "sandbox", "emulator"),
        ("--base-url", "http://127.0.0.1:1", "emulator"),
        ("--sessions", "3", "emulator"),
    ],
)
def test_usage_error_exits_2(truemed, argv):
    done = truemed(*argv)

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")


@pytest.fixture
def serve(start):
    """Start the command as a process; return it with the URL and the key that it prints."""

    def serve(*argv):
        process = start("emulator", *FREE_PORT, "--empty", *argv)
        url, _, key, _ = (process.stdout.readline().split()[-1].rpartition("=")[2] for _ in range(4))
        return process, url, key

    return serve


@pytest.fixture
def ask():
    def ask(url, key, method="GET", body=None):
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, content, {"x-truemed-api-key": key}, method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.loads(response.read() or b"null")

    return ask


@pytest.fixture
def stopped(finish):
    def stopped(process):
        process.send_signal(signal.SIGTERM)
        return finish(process)

    return stopped


@pytest.fixture
def nowhere(free_port):
    """Return the URL of a webhook at which nothing listens."""
    return f"http://127.0.0.1:{free_port}/webhooks"


class TestState:
    def test_state_is_restored_by_next_run(self, serve, ask, stopped, tmp_path, nowhere):
        file = tmp_path / "state.json"
        process, url, key = serve("--state", str(file), "--payment-sessions", "3", "--webhook", nowhere)
        session, *_ = ask(f"{url}/payments/v1/payment_sessions", key)["payment_sessions"]
        ask(f"{url}/_emulator/clock", key, "POST", {"advance": 7200})
        item = {"sku": "S", "name": "Mat"}
        ask(f"{url}/api/v1/product_catalog/items/create", key, "POST", item)
        review = {"resource": "catalog_items", "id": "S", "transition": "review", "eligibility": "eligible"}
        ask(f"{url}/_emulator/transitions", key, "POST", review)
        webhooks = ask(f"{url}/_emulator/webhooks", key)
        (delivery,) = ask(f"{url}/_emulator/deliveries", key)["deliveries"]
        assert stopped(process).code == 0
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert not list(tmp_path.glob("*.new"))

        # The same key and webhook; --payment-sessions adds nothing to what was kept.
        process, url, same_key = serve("--state", str(file), "--payment-sessions", "9", "--webhook", nowhere)
        assert same_key == key
        rows = ask(f"{url}/payments/v1/payment_sessions", key)["payment_sessions"]
        assert (len(rows), rows[0]) == (3, session)
        assert ask(f"{url}/_emulator/clock", key)["ahead"] == 7200
        assert ask(f"{url}/_emulator/webhooks", key) == webhooks
        (restored_delivery,) = ask(f"{url}/_emulator/deliveries", key)["deliveries"]
        assert (restored_delivery["id"], restored_delivery["state"]) == (delivery["id"], "waiting")
        assert stopped(process).code == 0

    def test_seed_file_is_loaded_and_unchanged(self, serve, ask, stopped, tmp_path):
        seed, file = tmp_path / "seed.json", tmp_path / "state.json"
        process, *_ = serve("--state", str(seed), "--catalog-items", "2")
        stopped(process)
        before = seed.read_bytes()
        for count in (2, 3):
            process, url, key = serve("--seed-file", str(seed), "--state", str(file))
            items = f"{url}/api/v1/product_catalog/items"
            assert ask(f"{items}/list", key)["pagination"]["count"] == count
            ask(f"{items}/create", key, "POST", {"sku": f"S{count}", "name": "Mat"})
            stopped(process)
        assert seed.read_bytes() == before

    def test_state_link_remains_and_its_target_is_written(self, serve, stopped, tmp_path):
        real, link = tmp_path / "real.json", tmp_path / "link.json"
        link.symlink_to(real.name)

        process, _, key = serve("--state", str(link))

        assert stopped(process).code == 0
        assert link.is_symlink()
        assert json.loads(real.read_bytes())["api_key"] == key

    def test_state_is_written_at_start(self, serve, tmp_path):
        file = tmp_path / "state.json"
        serve("--state", str(file))
        wait_until(file.exists)

    @pytest.mark.parametrize("option", ["--state", "--seed-file"])
    @pytest.mark.parametrize(
        "content",
        [
            "",
            "{",
            "[]",
            "{}",
            '{"api_key": 1, "webhooks": {}, "state": {}}',
            '{"api_key": "k", "webhooks": [], "state": {}}',
            '{"api_key": "k", "webhooks": {}, "state": {"version": 0}}',
            '{"api_key": "k", "webhooks": {}, "state": {"version": 1}}',
        ],
    )
    def test_invalid_state_file_is_rejected(self, truemed, tmp_path, option, content):
        file = tmp_path / "state.json"
        file.write_text(content)
        done = truemed("emulator", *FREE_PORT, option, str(file))
        assert (done.code, done.out) == (2, "")
        assert done.err == "error: the file was not written by `truemed emulator --state`\n"
        assert file.read_text() == content

    def test_state_with_remote_webhook_is_rejected(self, truemed, tmp_path):
        file = tmp_path / "state.json"
        assert truemed("emulator", *FREE_PORT, "--state", str(file), out=Signalled(signal.SIGTERM)).code == 0
        snapshot = json.loads(file.read_text())
        snapshot["webhooks"]["endpoints"] = [
            {"id": "w", "url": "https://evil.example/", "secrets": ["s"], "events": None}
        ]
        file.write_text(json.dumps(snapshot))
        assert truemed("emulator", *FREE_PORT, "--state", str(file)).code == 2

    @pytest.mark.parametrize("option", ["--state", "--seed-file"])
    def test_unreadable_state_file_is_rejected(self, truemed, tmp_path, option):
        done = truemed("emulator", *FREE_PORT, option, str(tmp_path))
        assert (done.code, done.err) == (2, f"error: {option} cannot be read: Is a directory\n")

    def test_state_in_missing_directory_is_rejected(self, truemed, tmp_path):
        done = truemed("emulator", *FREE_PORT, "--state", str(tmp_path / "nowhere" / "state.json"))
        assert (done.code, done.out) == (2, "")
        assert done.err == "error: --state cannot be written: No such file or directory\n"

    def test_missing_seed_file_is_rejected(self, truemed, tmp_path):
        done = truemed("emulator", *FREE_PORT, "--seed-file", str(tmp_path / "seed.json"))
        assert (done.code, done.err) == (2, "error: --seed-file: there is no such file\n")


class TestRequestLog:
    def test_log_shows_each_request_and_delivery(self, serve, ask, stopped, nowhere):
        process, url, key = serve("--webhook", nowhere, "--catalog-items", "1")
        (item,) = ask(f"{url}/api/v1/product_catalog/items/list?page=1", key)["data"]
        review = {"resource": "catalog_items", "id": item["sku"], "transition": "review", "eligibility": "eligible"}
        ask(f"{url}/_emulator/transitions", key, "POST", review)
        (endpoint,) = ask(f"{url}/_emulator/webhooks", key)["webhooks"]
        wait_until(lambda: ask(f"{url}/_emulator/deliveries", key)["deliveries"][0]["attempts"])
        first, second, third, fourth = stopped(process).err.splitlines()
        assert first == f"inspector {url}/"
        assert second == f"webhook   {nowhere} signed, secret {endpoint['secrets'][0]}"
        assert re.fullmatch(r"\d\d:\d\d:\d\d GET /api/v1/product_catalog/items/list 200", third)
        pattern = rf"\d\d:\d\d:\d\d webhook product_catalog_item_eligibility_updated to {nowhere}: ClientConnectorError"
        assert re.fullmatch(pattern, fourth)

    def test_quiet_shows_no_requests(self, serve, ask, stopped):
        process, url, key = serve("--quiet")
        ask(f"{url}/api/v1/product_catalog/items/list", key)
        assert stopped(process).err == f"inspector {url}/\n"

    def test_log_ends_when_pipe_is_closed(self, serve, ask, stopped):
        process, url, key = serve()
        assert process.stderr.readline().startswith("inspector ")
        process.stderr.close()
        for _ in range(2):
            assert ask(f"{url}/api/v1/product_catalog/items/list", key)["data"] == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, 120)  # 120: the interpreter itself could not write to it at its end

    def test_log_shows_removed_webhook_and_aborted_request(self, truemed, monkeypatch):
        """Called in process, because a client cannot observe it."""
        from truemed_async.cli import emulator as module
        from truemed_async.cli.output import Streams
        from truemed_async.emulator import Emulator

        err = io.StringIO()
        with Emulator(sessions=0) as server:
            module._log_requests(server, Streams(io.StringIO(), err))
            server.faults.add("empty_response", times=1)
            with pytest.raises(OSError):
                urllib.request.urlopen(f"{server.url}/api/v1/qualification_sessions", timeout=10)
            with socket.create_server(("127.0.0.1", 0)) as hangs:
                endpoint = server.webhooks.register(f"http://127.0.0.1:{hangs.getsockname()[1]}/")
                server.state.qualification_sessions.approve(
                    server.state.qualification_sessions.add(status="processing")
                )
                accepted, _ = hangs.accept()
                server.webhooks.unregister(endpoint.id)
                accepted.close()
                assert server.webhooks.wait_until_idle(10)
                (delivery,) = server.webhooks.deliveries
                wait_until(lambda: delivery.attempts)
            with server.state.lock:
                cut, removed = err.getvalue().splitlines()
        assert cut.endswith(" GET /api/v1/qualification_sessions cut off")
        assert re.search(r" webhook qualification_session_complete to removed: Server|Client", removed)


@pytest.mark.parametrize("url", ["https://shop.example/", "nonsense"])
def test_remote_webhook_is_rejected(truemed, url):
    done = truemed("emulator", *FREE_PORT, "--webhook", url)
    assert (done.code, done.err) == (
        2,
        "error: --webhook: a webhook must be an http or https URL of this machine\n",
    )


@pytest.mark.parametrize("option", ["--payment-sessions", "--payment-tokens", "--catalog-items"])
def test_negative_count_is_rejected(truemed, option):
    assert truemed("emulator", *FREE_PORT, option, "-1").code == 2


def test_port_above_65535_is_rejected(serve, ask, stopped):
    process, url, key = serve("--catalog-items", "66000")
    assert ask(f"{url}/api/v1/product_catalog/items/list", key)["pagination"]["count"] == 66000
    stopped(process)


class TestDialect:
    def test_dialect_file_is_passed_to_emulator(self, truemed, tmp_path, monkeypatch):
        import truemed_async.emulator

        dialects = []

        class Watched(truemed_async.emulator.Emulator):
            def __init__(self, **options):
                dialects.append(options["dialect"])
                super().__init__(**options)

        monkeypatch.setattr(truemed_async.emulator, "Emulator", Watched, raising=False)
        file = tmp_path / "dialect.json"
        file.write_text('{"times": "no_zone"}')
        assert truemed("emulator", *FREE_PORT, "--dialect", str(file), out=Signalled(signal.SIGTERM)).code == 0
        assert truemed("emulator", *FREE_PORT, out=Signalled(signal.SIGTERM)).code == 0
        assert dialects == [truemed_async.emulator.Dialect(times="no_zone"), None]

    def test_invalid_dialect_is_usage_error(self, truemed, tmp_path):
        file = tmp_path / "dialect.json"
        file.write_text('{"ties": "odd"}')
        done = truemed("emulator", *FREE_PORT, "--dialect", str(file))
        assert (done.code, done.out) == (2, "")
        assert done.err == "error: --dialect: ties must be 'stable' or 'random', not 'odd'\n"

    def test_unreadable_dialect_is_usage_error(self, truemed, tmp_path):
        done = truemed("emulator", *FREE_PORT, "--dialect", str(tmp_path))
        assert (done.code, done.err) == (2, "error: --dialect cannot be read: Is a directory\n")


class TestEmulatorInsideTheCommand:
    """``--env emulator``: a whole merchant, made anew by each command."""

    @pytest.mark.parametrize(
        "argv",
        [
            ("sessions", "get", "qs_abc123", "qs_def456", "qs_ghi789"),
            ("payments", "get", "5b0d2a3e-7a52-4f43-9f0e-0d2f1d0f6c11", "7c1e4b60-2d95-4a3b-8b1c-5e6f70819203"),
            ("tokens", "get", "pt_abc123"),
            ("tokens", "provision-request", "ptr_abc123"),
            ("catalog", "get", "SB-1"),
        ],
    )
    def test_example_objects_are_there(self, truemed, argv):
        done = truemed("--env", "emulator", *argv)
        assert (done.code, done.err, len(done.rows)) == (0, "", max(1, len(argv) - 2))

    @pytest.mark.parametrize("resource", ["payments", "tokens", "catalog"])
    def test_each_resource_has_rows(self, truemed, resource):
        assert len(truemed("--env", "emulator", resource, "list", "--page-size", "15").rows) == 15

    @pytest.mark.parametrize(
        ("seed", "code", "output"),
        [("0", 0, "of them from the previous run"), ("1", 2, "was begun with different server")],
    )
    def test_next_command_resumes_export_of_the_same_data(self, truemed, monkeypatch, tmp_path, seed, code, output):
        import truemed_async.emulator

        file = tmp_path / "all.csv"
        argv = ("--env", "emulator", "sessions", "export", "--output", str(file))

        class Failing(truemed_async.emulator.Emulator):
            def __init__(self, **options):
                super().__init__(**options)
                self.faults.add("status", code=403, nth=2)

        with monkeypatch.context() as patch:
            patch.setattr(truemed_async.emulator, "Emulator", Failing, raising=False)
            assert truemed(*argv).code == 1
        done = truemed("--seed", seed, *argv, "--resume")

        assert done.code == code
        assert output in done.err
        assert file.exists() is (code == 0)
        if not code:
            assert len(file.read_text(encoding="utf-8").splitlines()) == 1001

    def test_command_that_prints_a_link_says_that_it_ends(self, truemed):
        item = ("--item", '{"name": "Box", "price": "29.99", "quantity": 1}')
        done = truemed("--env", "emulator", "tokens", "create", *item, "--success-url", "https://shop.example/")
        assert done.code == 0
        assert re.search(
            r"note: links to http://127\.0\.0\.1:\d+ end with this command; those of `truemed emulator` stay\n",
            done.err,
        )
        assert "note:" not in truemed("--env", "emulator", "tokens", "list").err


@pytest.mark.skipif(sys.platform == "win32", reason="the loop of Windows sets the descriptor itself")
async def test_signal_before_the_loop_waits_wakes_it():
    """Python's handler runs only when the loop does; the descriptor, written at once, ends the wait."""
    with stop_on_signal() as stop:
        descriptor = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(descriptor)
        assert descriptor != -1
        signal.raise_signal(signal.SIGTERM)
        await stop.wait()
    assert signal.set_wakeup_fd(-1) == -1
