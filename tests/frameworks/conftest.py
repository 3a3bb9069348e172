"""Servers, workers and kernels as processes of their own, and an emulator in this one for them to talk to."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

import truemed_async
from tests.support.processes import EXAMPLES, Program, post
from truemed_async.emulator import Emulator
from truemed_async.testing import make_delivery

HERE = Path(__file__).parent


@pytest.fixture
def emulator():
    with Emulator(sessions=0) as running:
        yield running


@pytest.fixture
def ids(emulator):
    """Sessions of every status: an answer that belongs to another request shows."""
    statuses = ("pending", "processing", "approved", "rejected")
    return [emulator.state.qualification_sessions.add(status=statuses[number % 4]) for number in range(40)]


@pytest.fixture
def environment(emulator, tmp_path):
    """What a process of the user's would have: not what this one has for coverage, pytest or a client of its own."""
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST", "TRUEMED_"))
    }
    return {
        **variables,
        "HOME": str(tmp_path),
        "PYTHONUNBUFFERED": "1",
        "TRUEMED_API_KEY": emulator.api_key,
        "TRUEMED_BASE_URL": emulator.url,
        "TRUEMED_WEBHOOK_SECRET": "a-secret",
    }


@pytest.fixture
def start(environment, tmp_path):
    """Run ``python -m`` beside the example of a page; it ends with the test, whatever happens."""
    package = Path(truemed_async.__file__).parents[1]
    with ExitStack() as stack:

        def start(*arguments, example, options=("-X", "dev", "-W", "error"), more=()):
            path = os.pathsep.join(map(str, (EXAMPLES / example, HERE / "programs", package)))
            command = [sys.executable, *options, *map(str, arguments)]
            env = {**environment, "PYTHONPATH": path, **dict(more)}
            return stack.enter_context(Program(command, env=env, folder=tmp_path))

        yield start


@pytest.fixture
def deliver(environment):
    """Deliver the same event of a paid order four times, and one with another secret; return the statuses."""

    def deliver(address):
        event = {"event_type": "payment_session_complete", "status": "captured", "metadata": "order-7"}
        own = make_delivery(**event, secret=environment["TRUEMED_WEBHOOK_SECRET"])
        deliveries = [*[own] * 4, make_delivery(**event, secret="another")]
        return [post(address, "/webhooks/truemed", each.body, each.headers) for each in deliveries]

    return deliver


@pytest.fixture
def purchase(emulator, environment):
    """Check an order out with two clicks, and pay it at the emulator, which delivers the webhooks."""

    def purchase(address, number):
        payments = emulator.state.payment_sessions
        emulator.webhooks.register(f"http://{address}/webhooks/truemed", secret=environment["TRUEMED_WEBHOOK_SECRET"])
        clicks = {post(address, f"/orders/{number}/checkout", b"", {}) for _ in range(2)}
        (session,) = payments.rows
        assert clicks <= {302, 303}
        assert session.metadata == number
        payments.submit(session.id)
        payments.approve(session.id)
        assert emulator.webhooks.wait_until_idle()
        assert {delivery.attempts[-1].status for delivery in emulator.webhooks.deliveries} == {204}

    return purchase
