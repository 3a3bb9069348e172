"""The page of troubleshooting quotes messages: each is produced here, by the program, and compared with the quotation."""

import asyncio
import contextlib
import inspect
import json
import re
import socket
import ssl
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from tests.support.paths import ROOT
from tests.support.ports import reserve_port
from truemed_async import AsyncTruemed, RetryPolicy, Timeouts, Truemed, TruemedWarning
from truemed_async.emulator import Emulator
from truemed_async.errors import TruemedError
from truemed_async.webhooks import sign, verify_and_parse

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
QUOTED = {
    heading: [
        " ".join(text.split()) for text in re.findall(r"^```text\n(.*?)\n```$", section, re.MULTILINE | re.DOTALL)
    ]
    for heading, section in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
ONCE = RetryPolicy(max_attempts=1)
SECRET = "whsec-of-a-test"
BODY = json.dumps({"webhook_delivery_id": "wd_1", "event_type": "payment_token_updated", "data": {}}).encode()


@pytest.fixture(scope="module")
def emulator():
    with Emulator(sessions=60, sales_channels=["key-of-another-channel"]) as emulator:
        yield emulator


def connect(emulator, key=None, **options):
    return Truemed(key or emulator.api_key, **{"base_url": emulator.url, **options})


@contextlib.contextmanager
def closed_url():
    """Yield a URL at which nothing listens."""
    with reserve_port() as reservation:
        yield f"http://127.0.0.1:{reservation.getsockname()[1]}"


def no_key(emulator):
    Truemed()


def key_with_quotes(emulator):
    Truemed('"a-key-with-quotes"')


def wrong_key(emulator):
    with connect(emulator, "a-key-of-nobody") as client:
        client.qualification_sessions.list()


def other_channel(emulator):
    id = emulator.sales_channels["key-of-another-channel"].state.qualification_sessions.add()
    with connect(emulator) as client:
        client.qualification_sessions.get(id)


async def unknown_host(emulator, monkeypatch):
    async def fail(*arguments, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail)
    async with AsyncTruemed(emulator.api_key, base_url="https://api.truemed.invalid", retry=ONCE) as client:
        await client.qualification_sessions.list()


def refused_connection(emulator):
    with closed_url() as url, connect(emulator, base_url=url, retry=ONCE) as client:
        client.qualification_sessions.list()


def closed_proxy(emulator):
    with closed_url() as url, connect(emulator, proxy=url, retry=ONCE) as client:
        client.qualification_sessions.list()


def unknown_certificate(emulator):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ROOT / "tests" / "emulator" / "faults" / "certificate_right.pem")
    with Emulator(sessions=0, tls=context) as server, connect(server, retry=ONCE) as client:
        client.qualification_sessions.list()


def missing_field(emulator):
    with emulator.faults.add("missing_field", path="qualification_sessions.3.status"), connect(emulator) as client:
        client.qualification_sessions.list()


def bad_signature(emulator):
    verify_and_parse(BODY, sign(BODY, "another secret"), secrets=SECRET)


def no_signature(emulator):
    verify_and_parse(BODY, {}, secrets=SECRET)


def stale_delivery(emulator):
    verify_and_parse(BODY, sign(BODY, SECRET, timestamp=datetime.now(UTC) - timedelta(days=30)), secrets=SECRET)


def user_id_set(emulator):
    id = emulator.state.qualification_sessions.add(user_id="user-1")
    with connect(emulator) as client:
        client.qualification_sessions.update(id, user_id="user-2")


def key_reused(emulator):
    id = emulator.state.qualification_sessions.add()
    with connect(emulator) as client:
        client.qualification_sessions.update(id, metadata={"order": 1}, idempotency_key="order-1")
        client.qualification_sessions.update(id, metadata={"order": 2}, idempotency_key="order-1")


def key_reused_in_another_process(emulator):
    id = emulator.state.qualification_sessions.add()
    for number in (1, 2):
        with connect(emulator) as client:
            client.qualification_sessions.update(id, metadata={"order": number}, idempotency_key="order-2")


def unstable_order(emulator):
    with Emulator(sessions=0) as other, connect(other) as client:
        for _ in range(100):
            other.state.qualification_sessions.add(created_at=datetime(2026, 11, 1, tzinfo=UTC))
        other.faults.add("unstable_ties")
        for _ in client.qualification_sessions.iter(page_size=30):
            pass


async def deadline(emulator):
    with emulator.faults.add("hang"):
        async with AsyncTruemed(emulator.api_key, base_url=emulator.url, timeout=Timeouts(total=1)) as client:
            await client.qualification_sessions.list()


def attempt_timeout(emulator):
    timeout = Timeouts(attempt=1, total=60)
    with emulator.faults.add("hang"), connect(emulator, timeout=timeout, retry=ONCE) as client:
        client.qualification_sessions.list()


def rate_limit(emulator):
    with emulator.faults.add("status", code=429, retry_after=60), connect(emulator, retry=ONCE) as client:
        client.qualification_sessions.list()


def closed_client(emulator):
    client = connect(emulator)
    client.close()
    client.qualification_sessions.list()


async def other_loop(emulator):
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
        await client.qualification_sessions.list()
        await asyncio.to_thread(asyncio.run, client.qualification_sessions.list())


async def session_of_another_loop(emulator):
    async with aiohttp.ClientSession() as session:
        client = AsyncTruemed(emulator.api_key, base_url=emulator.url, session=session)
        await asyncio.to_thread(asyncio.run, client.qualification_sessions.list())


async def forgotten_await(emulator):
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
        call = client.qualification_sessions.get("qs_1")
        try:
            call.status  # noqa: B018 - raises
        finally:
            call.close()  # else a warning that it was never awaited


async def forgotten_async_with(emulator):
    with AsyncTruemed(emulator.api_key, base_url=emulator.url):
        pass


async def forgotten_async_for(emulator):
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
        for _ in client.qualification_sessions.iter():
            pass


def no_loop(emulator):
    """Trio runs a coroutine as this does: without an event loop of asyncio."""
    client = AsyncTruemed(emulator.api_key, base_url=emulator.url)
    client.qualification_sessions.list().send(None)


def amount_in_dollars(emulator):
    with connect(emulator) as client:
        client.payment_sessions.create(
            total_amount=19.99, order_items=[], success_url="https://example.com/", failure_url="https://example.com/"
        )


async def blocking_call(emulator):
    with connect(emulator) as client:
        client.qualification_sessions.list()


# The functions that produce the messages of a section, in their order.
PRODUCERS = {
    "No API key": [no_key, key_with_quotes],
    "Wrong API key (401)": [wrong_key],
    "Unknown object (404)": [other_channel],
    "Unknown host name": [unknown_host],
    "No connection": [refused_connection, closed_proxy],
    "Certificate not accepted": [unknown_certificate],
    "Unexpected response": [missing_field],
    "Refused webhook signature": [bad_signature, no_signature, stale_delivery],
    "User id already set (409)": [user_id_set],
    "Idempotency key used twice": [key_reused, key_reused_in_another_process],
    "Rate limit (429)": [rate_limit],
    "Time exceeded": [deadline, attempt_timeout],
    "List that changes": [unstable_order],
    "Closed client": [closed_client, other_loop, session_of_another_loop],
    "Forgotten `await`": [forgotten_await, forgotten_async_with, forgotten_async_for],
    "No event loop": [no_loop],
    "Synchronous call in an event loop": [blocking_call],
    "Amount in dollars": [amount_in_dollars],
}


@pytest.mark.parametrize("heading", PRODUCERS)
async def test_messages_of_a_section_are_those_of_the_program(heading, emulator, monkeypatch):
    monkeypatch.delenv("TRUEMED_API_KEY", raising=False)
    assert len(QUOTED[heading]) == len(PRODUCERS[heading])
    for quoted, produce in zip(QUOTED[heading], PRODUCERS[heading], strict=True):
        arguments = [emulator, monkeypatch][: len(inspect.signature(produce).parameters)]
        with pytest.raises((TruemedError, TruemedWarning, AttributeError, TypeError)) as caught:
            if inspect.iscoroutinefunction(produce):
                await produce(*arguments)
            else:
                await asyncio.to_thread(produce, *arguments)
        message = f"{caught.type.__name__}: {caught.value}"
        pattern = ".*".join(map(re.escape, quoted.split("…")))
        assert re.fullmatch(pattern, message), message


def test_every_quoted_message_has_a_producer():
    assert {heading for heading, messages in QUOTED.items() if messages} == PRODUCERS.keys()
