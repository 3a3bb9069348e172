"""The main jobs in every dialect that Truemed's pages allow: all pairs of values, and 2,000 random dialects.

A sample by default; ``nox -s long`` runs all. Dialects that contradict a published type need ``validation="lenient"``.
"""

import itertools

import pytest

from tests.support.dialect_jobs import Jobs, pairwise_dialects, random_dialect
from truemed_async.emulator import Dialect

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


async def test_main_jobs_work_in_random_dialects(tmp_path, scale):
    await run(map(random_dialect, range(scale(6, 2_000))), tmp_path)


@pytest.mark.same_on_every_python
def test_pairwise_dialects_have_every_pair():
    dialects = [dialect.to_dict() for dialect in pairwise_dialects()]
    for (one, values), (other, seconds) in itertools.combinations(Dialect.axes().items(), 2):
        found = {(repr(dialect[one]), repr(dialect[other])) for dialect in dialects}
        assert len(found) == len(values) * len(seconds), (one, other)
    assert dialects == [dialect.to_dict() for dialect in pairwise_dialects()]
