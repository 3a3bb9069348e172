"""A page is accepted as its rows are one by one."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from typing import Any

from hypothesis import given, strategies as st

from truemed_async._core.pagination.watermark import FetchedPage, Watermark
from truemed_async.errors import PaginationDriftError


class RowByRow(Watermark[Any]):
    """The simple way: to ask of each row whether it is new."""

    def _accept_end(self, page: FetchedPage[Any]) -> None:
        return None


KEYS = st.integers(0, 12) | st.none()
ROWS = st.lists(st.tuples(st.integers(0, 30), KEYS), max_size=12)


def make_page(rows: list[tuple[int, int | None]]) -> FetchedPage[Any]:
    return FetchedPage(
        items=rows, ids=[str(id) for id, _ in rows], keys=[key for _, key in rows], start=0, size=12, total=None,
        is_first=False,
    )  # fmt: skip


def in_order(rows: list[tuple[int, int | None]], *, descends: bool) -> list[tuple[int, int | None]]:
    return sorted(rows, key=lambda row: -1 if row[1] is None else row[1], reverse=descends)


@given(st.lists(ROWS, max_size=6), st.booleans(), st.booleans())
def test_page_is_accepted_as_row_by_row(pages, descends, without_none):
    fast, slow = Watermark[Any](order_is_known=True), RowByRow(order_is_known=True)
    for rows in pages:
        chosen = [row for row in rows if row[1] is not None] if without_none else rows
        page = make_page(in_order(chosen, descends=descends))
        with contextlib.suppress(PaginationDriftError):
            for watermark in (fast, slow):
                watermark.check_sorted(page)
        assert [fast.overlap_with(page), fast.is_past(5)] == [slow.overlap_with(page), slow.is_past(5)]
        assert fast.accept(page) == slow.accept(page)
        assert (fast.id_count, fast.ties_were_reread) == (slow.id_count, slow.ties_were_reread)
        assert fast.index_before_ties() == slow.index_before_ties()


@given(ROWS, st.sampled_from([[], [(40, 3), (41, 1)], [(40, 1), (41, 3)]]))
def test_page_is_sorted_if_each_row_is_before_the_next(rows, first):
    """Before the direction is known, a page whose first and last keys differ sets it."""
    watermark = Watermark[Any](order_is_known=True)
    watermark.check_sorted(make_page(first))
    keys = [key for _, key in rows if key is not None]
    outer = [key for _, key in first] or [*keys[:1], *keys[-1:]]
    descends = outer[0] > outer[-1] if outer and outer[0] != outer[-1] else None
    is_sorted = all(
        one == other or (descends is not None and (one > other if descends else one < other))
        for one, other in pairwise(keys)
    )
    try:
        watermark.check_sorted(make_page(rows))
    except PaginationDriftError:
        assert not is_sorted
    else:
        assert is_sorted
