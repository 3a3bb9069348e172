"""The cure for aioresponses with aiohttp 3.14, and the day on which it is no longer needed."""

from __future__ import annotations

import aiohttp
import pytest
from aioresponses import aioresponses

URL = "https://api.truemed.com/"


async def test_mocked_response_is_read_with_the_documented_patch(mocked):
    mocked.get(URL, payload={"a": 1})
    async with aiohttp.ClientSession() as session, session.get(URL) as response:
        assert await response.json() == {"a": 1}


async def test_workaround_is_still_needed():
    """When this fails, aioresponses works by itself again: take `WriterlessResponse` out of conftest.py."""
    with aioresponses() as uncured:
        uncured.get(URL, payload={"a": 1})
        async with aiohttp.ClientSession() as session:
            with pytest.raises(TypeError, match="stream_writer"):
                await session.get(URL)
