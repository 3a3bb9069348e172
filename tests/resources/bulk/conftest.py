"""An emulator, clients of both worlds, and what long runs need."""

import pytest

from truemed_async import AsyncTruemed, RetryPolicy, Truemed
from truemed_async.emulator import Emulator

QUICK = RetryPolicy(base=0.001, cap=0.004)


@pytest.fixture
def emulator():
    with Emulator(sessions=60) as running:
        yield running


@pytest.fixture
def ids(emulator):
    return [session.qualification_session_id for session in emulator.state.qualification_sessions.rows]


@pytest.fixture
async def client(emulator):
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url, retry=QUICK) as truemed:
        yield truemed


@pytest.fixture
def sync_client(emulator):
    with Truemed(emulator.api_key, base_url=emulator.url, retry=QUICK) as truemed:
        yield truemed


@pytest.fixture
def fetched(emulator):
    """Count the requests that `get_many` made."""
    return lambda: emulator.requests.count(route="qualification_sessions.get")
