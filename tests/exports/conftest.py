"""An emulator, clients of it, and files to compare."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from truemed_async import AsyncTruemed
from truemed_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """120 sessions on pages of 20 and more."""
    async with Emulator(sessions=120) as emulator:
        yield emulator


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[AsyncTruemed]:
    async with AsyncTruemed(emulator.api_key, environment="sandbox", base_url=emulator.url) as client:
        yield client


@pytest.fixture
def rows_of() -> Callable[[Path], list[dict[str, Any]]]:
    """Read a file of any format back as rows, a null of CSV as an empty string."""

    def rows_of(path: Path) -> list[dict[str, Any]]:
        if path.suffix == ".csv":
            return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in path.read_bytes().splitlines()]
        import pyarrow.parquet

        return pyarrow.parquet.read_table(path).to_pylist()

    return rows_of


@pytest.fixture
def yesterday() -> Callable[..., datetime]:
    """A time of long ago, by day and minute: tests do not depend on today."""

    def moment(day: int, minute: int = 0) -> datetime:
        return datetime(2024, 1, day, 10, minute, tzinfo=UTC)

    return moment
