"""Check the installed wheel with one extra, or with none: what it promises works, and the rest says what is missing.

``python -I check_extra.py [EXTRA]``, in a new environment.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module, util
from pathlib import Path
from urllib.request import urlopen

import truemed_async
from truemed_async import OrderItem, Truemed
from truemed_async.emulator import Emulator

LIBRARIES = {  # what each module of an extra imports
    "truemed_async.exports.arrow": "pyarrow",
    "truemed_async.opentelemetry": "opentelemetry",
    "truemed_async.sources.dlt": "dlt",
    "truemed_async.sources.spark": "pyspark",
    "truemed_async.webhooks.postgres": "psycopg",
    "truemed_async.webhooks.redis": "redis",
}


def run_command(*arguments: str, code: int = 0) -> str:
    script = Path(sys.executable).with_name("truemed")
    done = subprocess.run([script, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def check_cli(client: Truemed, emulator: Emulator) -> None:
    assert truemed_async.__version__ in run_command("--version")
    assert "qs_" in run_command("--env", "emulator", "sessions", "list", "--format", "csv")


def check_emulator(client: Truemed, emulator: Emulator) -> None:
    session = client.payment_sessions.create(
        total_amount=1000,
        order_items=[OrderItem(name="Mat", sku="MAT", price=1000, quantity=1)],
        success_url="https://shop.example/thanks",
        failure_url="https://shop.example/cart",
        customer_email="sam@example.com",
        customer_name="Sam Example",
        idempotency_key="order-1",
    )
    with urlopen(str(session.redirect_url), timeout=60) as page:
        assert page.status == 200


def check_arrow(client: Truemed, emulator: Emulator) -> None:
    from truemed_async.exports.arrow import to_arrow

    assert to_arrow(client.qualification_sessions.iter()).num_rows == 40


def check_dlt(client: Truemed, emulator: Emulator) -> None:
    from truemed_async.sources.dlt import truemed_source

    assert "qualification_sessions" in truemed_source(emulator.api_key, base_url=emulator.url).resources


def check_spark(client: Truemed, emulator: Emulator) -> None:
    from truemed_async.sources.spark import TruemedDataSource

    assert TruemedDataSource.name() == "truemed"


def check_postgres(client: Truemed, emulator: Emulator) -> None:
    from truemed_async.webhooks.postgres import SCHEMA

    assert "CREATE TABLE" in SCHEMA


def check_redis(client: Truemed, emulator: Emulator) -> None:
    from truemed_async.webhooks.redis import RedisDedupStore

    RedisDedupStore("redis://127.0.0.1:1/0")


def check_otel(client: Truemed, emulator: Emulator) -> None:
    from truemed_async.opentelemetry import ClientTelemetry

    ClientTelemetry()


def check_keyring(client: Truemed, emulator: Emulator) -> None:
    import_module("keyring")


def check_png(client: Truemed, emulator: Emulator) -> None:
    import_module("PIL.ImageFont")


def check_speed(client: Truemed, emulator: Emulator) -> None:
    import_module("uvloop")


CHECKS: dict[str, Callable[[Truemed, Emulator], None]] = {
    name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")
}


def main(extra: str = "") -> None:
    assert "site-packages" in truemed_async.__file__, truemed_async.__file__
    with Emulator(sessions=40) as emulator, Truemed(emulator.api_key, base_url=emulator.url) as client:
        assert len(list(client.qualification_sessions.iter())) == 40
        if extra:
            CHECKS[extra](client, emulator)
    for module, library in LIBRARIES.items():
        if util.find_spec(library) is None:
            try:
                import_module(module)
            except ModuleNotFoundError as error:
                assert "pip install 'truemed-async[" in str(error), error
            else:
                raise AssertionError(f"{module} works without {library}")
    if util.find_spec("cyclopts") is None:
        assert "pip install 'truemed-async[cli]'" in run_command("--version", code=2)
    print(f"truemed-async[{extra}]: works")


if __name__ == "__main__":
    main(*sys.argv[1:])
