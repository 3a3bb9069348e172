"""Emulators with everything that a report looks at, shared because only their dialects differ."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from truemed_async import AsyncTruemed
from truemed_async.diagnostics import ServerReport, examine_server
from truemed_async.emulator import Dialect, Emulator

TIES = 10


def make_emulator() -> Emulator:
    """Return an emulator with as many sessions as the largest page that is requested; the first and last share a time."""
    emulator = Emulator(sessions=500 - 2 * TIES, payment_sessions=40, payment_tokens=5, catalog_items=5)
    for year in (2020, 2030):
        for number in range(TIES):
            emulator.state.qualification_sessions.add(
                qualification_session_id=f"qs_{year}_{number}",
                created_at=datetime(year, 1, 1, tzinfo=UTC),
                eligible_amount=150.0,
            )
    return emulator


@pytest.fixture(scope="module")
def emulators() -> Iterator[tuple[Emulator, Emulator]]:
    """Two emulators with the same data."""
    with make_emulator() as one, make_emulator() as other:
        yield one, other


def examine(emulator: Emulator, **options: Any) -> ServerReport:
    """Examine an emulator as ``truemed doctor`` does."""

    async def run() -> ServerReport:
        async with AsyncTruemed(emulator.api_key, base_url=emulator.url, **options) as client:
            return await examine_server(client)

    return asyncio.run(run())


@pytest.fixture
def examine_dialect(emulators: tuple[Emulator, Emulator]) -> Iterator[Callable[..., ServerReport]]:
    """Return a function that examines an emulator that speaks a dialect; with ``other=True``, a second one."""

    def examine_dialect(dialect: Dialect, *, other: bool = False) -> ServerReport:
        emulator = emulators[other]
        emulator.dialect = dialect
        return examine(emulator)

    yield examine_dialect
    for emulator in emulators:
        emulator.dialect = Dialect()
        emulator.requests.clear()
