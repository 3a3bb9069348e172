"""The main jobs in every dialect that Truemed's pages allow: all pairs of values, and 2,000 random dialects.

A sample by default; ``nox -s long`` runs all. Dialects that contradict a published type need ``validation="lenient"``.
"""

import itertools
import json

import pytest
from aiohttp import web

from tests.support.dialect_jobs import CONTRADICTIONS, Jobs, pairwise_dialects, random_dialect
from truemed_async.emulator import Dialect, Fault
from truemed_async.errors import DecodeError

pytestmark = [pytest.mark.scaled]


def describe(dialect):
    """Return the fields that differ from the default."""
    default = Dialect().to_dict()
    return {name: value for name, value in dialect.to_dict().items() if value != default[name]}


async def run(dialects, directory):
    failures = []
    async with Jobs(directory) as jobs:
        for dialect in dialects:
            try:
                await jobs.run(dialect)
            except Exception as error:  # each dialect is tried, whatever happens in another
                failures.append((describe(dialect), repr(error)[:300]))
    assert not failures


async def test_main_jobs_work_in_every_pair_of_values(tmp_path, scale):
    dialects = pairwise_dialects()
    await run(dialects[:: scale(8, 1)], tmp_path)


@pytest.mark.parametrize("part", range(4))
async def test_main_jobs_work_in_random_dialects(tmp_path, scale, part):
    await run(map(random_dialect, range(part, scale(8, 2_000), 4)), tmp_path)


class LostRow(Fault):
    """One session is missing on every page of the list, which still counts it."""

    def __init__(self, id):
        self.id = id

    async def after(self, exchange, response):
        document = json.loads(response.body)
        rows = document.get("qualification_sessions")
        if rows is None:
            return response
        document["qualification_sessions"] = [row for row in rows if row["qualification_session_id"] != self.id]
        return web.json_response(document, status=response.status)


async def test_jobs_notice_a_lost_row(tmp_path):
    async with Jobs(tmp_path) as jobs:
        jobs.emulator.faults.add(LostRow(jobs.emulator.state.qualification_sessions.rows[70].id))
        with pytest.raises(AssertionError, match="129 of 130"):
            await jobs.run(Dialect())


@pytest.mark.parametrize(
    ("axis", "value"), [(axis, value) for axis, values in CONTRADICTIONS.items() for value in values]
)
async def test_strict_client_rejects_what_contradicts_a_published_type(tmp_path, axis, value):
    """Otherwise the dialects that run leniently would show nothing."""
    async with Jobs(tmp_path) as jobs:
        with pytest.raises(DecodeError):
            await jobs.run(Dialect(**{axis: value}), validation="strict")


@pytest.mark.one_python
def test_pairwise_dialects_have_every_pair():
    dialects = [dialect.to_dict() for dialect in pairwise_dialects()]
    for (one, values), (other, seconds) in itertools.combinations(Dialect.axes().items(), 2):
        found = {(repr(dialect[one]), repr(dialect[other])) for dialect in dialects}
        assert len(found) == len(values) * len(seconds), (one, other)
    assert dialects == [dialect.to_dict() for dialect in pairwise_dialects()]
