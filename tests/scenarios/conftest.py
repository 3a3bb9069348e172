"""One emulator, and one client for each test in both its kinds: every path holds for ``await`` and without."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from truemed_async import AsyncTruemed, OrderItem, SyncStream, Truemed
from truemed_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SUCCESS = "https://shop.example/thanks"


class Calls:
    """The methods of a resource, each to be awaited; what iterates comes as a list."""

    def __init__(self, resource: Any) -> None:
        self._resource = resource

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._resource, name)

        async def call(*args: Any, **options: Any) -> Any:
            if type(self._resource).__module__.startswith("truemed_async.sync"):
                return await asyncio.to_thread(lambda: _whole(method(*args, **options)))
            result = method(*args, **options)
            return await result if inspect.isawaitable(result) else [each async for each in result]

        return call


def _whole(result: Any) -> Any:
    return list(result) if isinstance(result, SyncStream) else result


class Shop:
    """A merchant's program: the resources of one client, and the cart that it sells."""

    def __init__(self, client: AsyncTruemed | Truemed) -> None:
        self.payments = Calls(client.payment_sessions)
        self.tokens = Calls(client.payment_tokens)
        self.catalog = Calls(client.catalog_items)
        self.qualifications = Calls(client.qualification_sessions)
        self.reconciliations = Calls(client.reconciliations)

    async def checkout(self, total: int = 11998, **options: Any) -> Any:
        """Create a payment session for one thing of this price."""
        items = [OrderItem(name="Sauna blanket", price=total, quantity=1, sku="SB-1")]
        arguments = {"total_amount": total, "order_items": items, "success_url": SUCCESS, **options}
        return await self.payments.create(**arguments)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(sessions=0) as running:
        yield running


@pytest.fixture
def customer(emulator: Emulator) -> Any:
    """What customers, clinicians and banks do to payments."""
    return emulator.state.payment_sessions


@pytest.fixture(params=[AsyncTruemed, Truemed], ids=["async", "sync"])
async def shop(emulator: Emulator, request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    client = request.param(emulator.api_key, base_url=emulator.url)
    yield Shop(client)
    if isinstance(client, AsyncTruemed):
        await client.aclose()
    else:
        await asyncio.to_thread(client.close)


@pytest.fixture
async def restarted(emulator: Emulator) -> AsyncIterator[Shop]:
    """The same merchant after a restart: another client, that remembers no key."""
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
        yield Shop(client)
