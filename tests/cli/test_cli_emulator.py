"""`truemed emulator`, inside the test: a signal arrives when it has said where it is."""

from __future__ import annotations

import io
import signal
import socket

import pytest


class Signalled(io.StringIO):
    """Raises a signal once the emulator has printed everything."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__()
        self.number = number

    def flush(self) -> None:
        if self.getvalue().count("\n") == 3 and self.number:
            number, self.number = self.number, None
            signal.raise_signal(number)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_serves_until_a_signal(truemed, number, code):
    before = signal.getsignal(signal.SIGTERM)

    done = truemed("emulator", out=Signalled(number))

    assert done.code == code
    url, key, export = done.out.splitlines()
    url, key = url.removeprefix("url      "), key.removeprefix("api key  ")
    assert url.startswith("http://127.0.0.1:")
    assert export == f"export TRUEMED_BASE_URL={url} TRUEMED_API_KEY={key}"
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    "argv",
    [("emulator", "--sessions", "3", "--seed", "4"), ("--sessions", "3", "--seed", "4", "emulator"), ("emulator",)],
)
def test_its_sessions_are_those_that_were_asked_for(truemed, monkeypatch, argv):
    import truemed_async.emulator

    made = []

    class Watched(truemed_async.emulator.Emulator):
        def __init__(self, **options):
            made.append(options)
            super().__init__(**options)

    monkeypatch.setattr(truemed_async.emulator, "Emulator", Watched, raising=False)

    assert truemed(*argv, out=Signalled(signal.SIGTERM)).code == 0
    (options,) = made
    assert (options["sessions"], options["seed"]) == ((3, 4) if len(argv) > 1 else (1000, 0))
    assert options["port"] == options["payment_sessions"] == options["payment_tokens"] == options["catalog_items"] == 0


def test_a_port_that_is_taken_is_a_configuration_error(truemed):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        done = truemed("emulator", "--port", str(port))

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: cannot serve on port {port}: ")


@pytest.mark.parametrize(
    "argv",
    [
        ("emulator", "--port", "70000"),
        ("emulator", "--port", "-1"),
        ("emulator", "--sessions", "-1"),
        ("--env", "sandbox", "emulator"),
        ("--base-url", "http://127.0.0.1:1", "emulator"),
    ],
)
def test_usage_errors(truemed, argv):
    done = truemed(*argv)

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
