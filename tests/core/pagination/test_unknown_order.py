"""Lists whose order Truemed does not state: all that is relied on is that the order is stable, whatever it is."""

from __future__ import annotations

import random
from functools import partial

import attrs
import pytest
from hypothesis import given, strategies as st

from tests.core.pagination.test_completeness import examples, scenarios
from tests.support.changing_list import (
    UNORDERED,
    Server,
    read,
)
from truemed_async._core.pagination import watermark
from truemed_async.errors import PaginationDriftError
from truemed_async.resources.catalog_items import SORT_ORDER as CATALOG
from truemed_async.resources.reconciliations import PAYOUT_ORDER, TRANSACTION_ORDER


@pytest.mark.parametrize(
    "sorting", [CATALOG, PAYOUT_ORDER, TRANSACTION_ORDER], ids=["catalog", "payouts", "transactions"]
)
def test_unordered_lists_are_marked(sorting):
    assert not sorting.is_known


@examples(10_000, 50)
@given(scenario=scenarios("front", clamps=(1000,)), seed=st.integers(0, 10_000))
def test_order_that_is_not_stable_is_an_error_or_all_is_read(runner, scenario, seed):
    scenario = attrs.evolve(scenario, changes=[], keys=[0] * len(scenario.keys))
    server = scenario.server(shuffled=random.Random(seed))
    try:
        found = runner.run(read(server, scenario.page_size, scenario.prefetch, UNORDERED))
    except PaginationDriftError as error:
        assert "change places" in str(error)
    else:
        assert sorted(found) == sorted(server.ids)


async def test_any_stable_order_is_accepted():
    """Warnings are errors here: that rows have no key is no news."""
    server = Server().fill(random.Random(3).sample(range(1000), 200))
    random.Random(4).shuffle(server._sorted)
    server.changes = {number: [partial(Server.delete, index=0)] for number in range(1, 8)}
    at_first = server.ids
    found = await read(server, 20, 2, UNORDERED)
    assert len(found) == len(set(found))
    assert set(at_first) - server.removed <= set(found)
    assert [id for id in at_first if id in found] == found


async def test_unordered_lists_remember_more_ids(monkeypatch):
    monkeypatch.setattr(watermark, "MAX_TIED_IDS", 50)
    monkeypatch.setattr(watermark, "MAX_UNORDERED_IDS", 300)
    server = Server().fill(range(290))
    assert await read(server, 20, 1, UNORDERED) == server.ids
    with pytest.raises(PaginationDriftError, match="more than 300 rows have the same sort key or none"):
        await read(Server().fill(range(320)), 20, 1, UNORDERED)


def test_million_ids_are_remembered():
    assert watermark.MAX_UNORDERED_IDS == 1_000_000
