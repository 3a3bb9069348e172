"""How a listing is read, case by case: requests, ends, servers with ways of their own, errors and warnings."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import warnings
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Self

import pytest

from tests.support.changing_list import SORT_ORDER, Row, Server, read
from tests.support.scale import scale
from truemed_async._core.pagination import SortOrder, iterate_all, watermark
from truemed_async._core.pagination.iterate import MAX_PROBES
from truemed_async._core.stream import Stream
from truemed_async.errors import PaginationDriftError
from truemed_async.models import Page, Pagination


def batches(server: Any, page_size: int = 10, prefetch: int = 1) -> AsyncGenerator[Sequence[Row], None]:
    return iterate_all(server, SORT_ORDER, page_size=page_size, prefetch=prefetch)


async def ids_of(server: Any, page_size: int = 10, prefetch: int = 1) -> list[str]:
    return [id for batch in [each async for each in batches(server, page_size, prefetch)] for _, id in batch]


# --- a list at rest -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefetch", [1, 4])
@pytest.mark.parametrize("pagination", [True, False], ids=["pagination", "null"])
@pytest.mark.parametrize("descends", [True, False], ids=["descends", "ascends"])
@pytest.mark.parametrize("rows", [0, 1, 9, 10, 11, 19, 20, 21, 95, 2521])
async def test_every_row_of_a_list_at_rest_comes_once_and_in_order(rows, descends, pagination, prefetch):
    server = Server(descends=descends, pagination=pagination).fill(range(rows))
    assert await read(server, 10, prefetch) == server.ids


@pytest.mark.parametrize("rows", [0, 1, 99])
async def test_list_of_one_page_takes_one_request(rows):
    server = Server().fill(range(rows))
    assert len(await read(server, 100, 8)) == rows
    assert server.requests == [(1, 100)]


async def test_full_page_is_not_the_last_despite_its_total():
    """A total is counted a moment before the rows are read: a row may have been added in between."""
    server = Server().fill(range(10))
    torn = server.says
    server.says = lambda page, size, total: torn(page, size, 10)
    server.insert(100)
    assert len(await read(server, 10)) == 11


async def test_second_page_is_not_requested_before_the_second_batch():
    server = Server().fill(range(95))
    stream = batches(server, prefetch=4)
    assert server.requests == []
    assert len(await anext(stream)) == 10
    for _ in range(20):
        await asyncio.sleep(0)
    assert server.requests == [(1, 10)]
    await anext(stream)
    assert len(server.requests) > 2
    await stream.aclose()


async def test_no_more_windows_are_held_than_twice_the_prefetch():
    server = Server().fill(range(1000))
    stream = batches(server, prefetch=4)
    for _ in range(3):
        await anext(stream)
    for _ in range(200):
        await asyncio.sleep(0)
    assert len(server.requests) <= 3 + 2 * 4
    await stream.aclose()


@pytest.mark.parametrize("prefetch", [2, 4, 16])
async def test_guesses_cost_no_request_while_the_list_is_at_rest(prefetch):
    one_by_one, ahead = Server().fill(range(1000)), Server(delays=[3, 1, 4, 1, 5, 9, 2]).fill(range(1000))
    await read(one_by_one, 100)
    await read(ahead, 100, prefetch)
    assert ahead.requests == one_by_one.requests
    assert ahead.max_in_flight == min(prefetch, len(ahead.requests) - 1)


@pytest.mark.parametrize("prefetch", [1, 8])
async def test_removed_row_costs_one_request(prefetch):
    quiet, server = Server().fill(range(5000)), Server().fill(range(5000))
    for number in range(5, 45, 8):
        server.changes[number] = [lambda server: server.delete(3)]
    await read(quiet, 100, prefetch)
    await read(server, 100, prefetch)
    assert len(server.requests) <= len(quiet.requests) + 5


async def test_all_that_were_passed_leave():
    """As a status filter does whose sessions are dealt with meanwhile."""
    server = Server().fill(range(1000))
    at_first = server.ids
    server.changes[9] = [lambda server: [server.delete(0) for _ in range(700)]]
    found = await read(server, 100, 4)
    assert set(at_first) - server.removed <= set(found)
    assert len(server.requests) < 40


# --- what the server makes of the page size ------------------------------------------------------------------------


@pytest.mark.parametrize("prefetch", [1, 4])
async def test_smaller_server_page_size_is_learned_and_warned_once(prefetch):
    server = Server(clamp=30).fill(range(200))
    with pytest.warns(RuntimeWarning, match="30 rows a page instead of 100: more requests are needed$") as caught:
        assert await read(server, 100, prefetch) == server.ids
    assert len(caught) == 1
    assert max(size for _, size in server.requests[1:]) <= 30


async def test_warning_points_at_the_loop_that_iterates():
    with pytest.warns(RuntimeWarning, match="30 rows a page") as caught:
        async for _ in Stream(batches(Server(clamp=30).fill(range(200)), 100)):
            pass
    assert caught[0].filename == __file__


async def test_smaller_server_page_size_without_cost_does_not_warn():
    assert len(await read(Server(clamp=30).fill(range(20)), 100)) == 20


async def test_unreported_server_page_size_is_learned():
    server = Server(clamp=30, pagination=False).fill(range(200))
    with pytest.warns(RuntimeWarning, match="30 rows a page instead of 100"):
        assert await read(server, 100) == server.ids


@pytest.mark.parametrize(("page_size", "clamp"), [(6, 1000), (100, 6), (1, 1000)])
async def test_pages_that_are_too_small_to_overlap_follow_each_other(page_size, clamp):
    server = Server(clamp=clamp).fill(range(50))
    with pytest.warns(RuntimeWarning, match="cannot overlap: rows deleted while the list is read can hide") as caught:
        assert await read(server, page_size, 4) == server.ids
    assert len(caught) == 1
    assert server.max_in_flight == 1
    size = min(page_size, clamp)
    assert server.requests[1:] == [(page, size) for page in range(2, -(-50 // size) + 1)]


@pytest.mark.parametrize("pagination", [True, False], ids=["pagination", "null"])
async def test_ignored_page_size_still_reads_every_row(pagination):
    server = Server(clamp=30, fixed=True, pagination=pagination).fill(range(100))
    with (
        pytest.warns(RuntimeWarning, match="cannot overlap"),
        pytest.warns(RuntimeWarning, match="instead of 100: more requests are needed$"),
    ):
        assert await read(server, 100) == server.ids
    with pytest.warns(RuntimeWarning, match="^listing: pages cannot overlap"):
        assert await read(server, 10) == server.ids


async def test_server_that_repeats_its_last_page_ends_the_listing():
    class Kind(Server):
        def respond(self, page: int, page_size: int) -> Page[Row]:
            last = max(1, -(-len(self.rows) // page_size))
            return super().respond(min(page, last), page_size)

    server = Kind().fill(range(200))
    at_first = server.ids
    server.changes[12] = [lambda server: [server.delete(0) for _ in range(120)]]
    found = await read(server, 10, 4)
    assert set(at_first) - server.removed <= set(found)
    assert len(found) == len(set(found))


# --- where a list ends --------------------------------------------------------------------------------------------


async def test_without_totals_an_empty_page_after_a_short_one_ends_the_list():
    server = Server(pagination=False).fill(range(25))
    assert await read(server, 10, 4) == server.ids
    assert server.max_in_flight == 1
    assert server.requests[-1][0] == server.requests[-2][0] + 1


async def test_growing_list_is_not_a_smaller_page_size():
    server = Server(pagination=False).fill(range(5))
    server.changes[1] = [lambda server: server.insert_in_front(40)]
    assert len(await read(server, 10)) >= 5
    assert max(size for _, size in server.requests[3:]) > 5


async def test_short_page_before_the_reported_end_continues():
    """A page whose rows are cut between the count and the answer: it is read again, from its last row."""
    server = Server().fill(range(45))
    whole = server.respond
    server.respond = lambda page, size: (
        Page(items=(found := whole(page, size)).items[:-3], pagination=found.pagination)
        if len(server.requests) == 2
        else whole(page, size)
    )
    assert await read(server, 10) == server.ids


async def test_total_that_is_too_large_is_settled_by_an_empty_page():
    server = Server().fill(range(45))
    says = server.says
    server.says = lambda page, size, total: says(page, size, total + 100)
    assert await read(server, 10, 4) == server.ids


# --- edges that no window straddles -------------------------------------------------------------------------------


@pytest.mark.parametrize("prefetch", [1, 8])
async def test_boundary_is_stepped_over_with_alternating_page_sizes(prefetch):
    server = Server().fill(range(430))
    assert await read(server, 7, prefetch) == server.ids
    first = server.requests.index((61, 7))
    assert [window for window in server.requests[first:] if window in {(60, 7), (61, 7)}] == [(61, 7), (60, 7), (61, 7)]


@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("where", [0, 419, 420, 429])
@pytest.mark.parametrize("prefetch", [1, 8])
async def test_rows_leave_at_an_edge(at, where, prefetch):
    quiet = Server().fill(range(440))
    await read(quiet, 7, prefetch)
    server = Server().fill(range(440))
    at_first = server.ids
    server.changes[quiet.requests.index((61, 7)) + at] = [lambda server: server.delete(where)]
    found = await read(server, 7, prefetch)
    assert set(at_first) - server.removed <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("prefetch", [1, 8])
async def test_rows_are_added_and_leave_at_an_edge_again_and_again(prefetch):
    server = Server().fill(range(440))
    at_first = server.ids
    for number in range(1, 200, 3):
        server.changes[number] = [lambda server: server.delete(5)]
        server.changes[number + 1] = [lambda server: server.insert_in_front()]
    found = await read(server, 7, prefetch)
    assert set(at_first) - server.removed <= set(found)
    assert len(found) == len(set(found))


# --- rows without a key -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefetch", [1, 4])
@pytest.mark.parametrize("every", [1, 2, 5])
async def test_rows_without_a_key_are_distinguished_by_their_ids(every, prefetch):
    """Truemed types created_at "string or null"."""
    server = Server().fill(None if index % every == 0 else index for index in range(60))
    at_first = server.ids
    server.changes = {number: [lambda server: server.delete(0)] for number in range(2, 30, 3)}
    with pytest.warns(RuntimeWarning, match="identified by id alone") as caught:
        found = await read(server, 10, prefetch)
    assert set(at_first) - server.removed <= set(found)
    assert len(found) == len(set(found))
    assert len(caught) == 1


async def test_few_rows_without_sort_key_cause_no_warning():
    server = Server().fill([*range(50), None, None])
    assert await read(server, 10) == server.ids


@pytest.mark.parametrize("key", [None, 7])
async def test_ids_are_remembered_up_to_a_number(monkeypatch, key):
    monkeypatch.setattr(watermark, "MAX_TIED_IDS", 50)
    server = Server().fill([key] * 80)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(PaginationDriftError, match="more than 50 rows have the same sort key or none"):
            await read(server, 10)


def test_ten_thousand_ids_are_remembered():
    assert watermark.MAX_TIED_IDS == 10_000


# --- no list ------------------------------------------------------------------------------------------------------


def pages_of(*pages: list[Any], size: int = 10, total: int | None = None) -> Any:
    """Answer the n-th request with the n-th list of keys, and all others with the last."""
    calls = 0

    async def fetch(page: int, page_size: int) -> Page[Row]:
        nonlocal calls
        keys = pages[min(calls, len(pages) - 1)]
        calls += 1
        pagination = Pagination(count=total or 1000, current_page=page, last_page=100, page_size=page_size)
        return Page(items=tuple((key, f"{calls} {at}") for at, key in enumerate(keys)), pagination=pagination)

    return fetch


@pytest.mark.parametrize(
    "pages",
    [
        [[5, 4, 6, 3, 2, 1, 0, 0, 0, 0]],
        [[5, 6, 5, 5, 5, 5, 5, 5, 5, 5]],
        [[9, 8, 7, 6, 5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
        [[1, 2, None, 1, 2, 3, 4, 5, 6, 7]],
    ],
)
async def test_page_that_is_not_sorted_is_an_error(pages):
    with pytest.raises(PaginationDriftError, match="not sorted"):
        await ids_of(pages_of(*pages))


async def test_endless_pages_without_new_rows_raise():
    server = Server().fill(range(100))
    whole = server.respond
    server.respond = lambda page, size: Page(items=whole(1, size).items, pagination=server.says(page, size, 100))
    with pytest.raises(PaginationDriftError, match="contained no new row"):
        await read(server, 10)


async def test_pages_that_never_overlap_are_an_error():
    server = Server().fill(range(1000))
    whole = server.respond
    server.respond = lambda page, size: whole(page if page == 1 else page + 2, size)
    with pytest.raises(PaginationDriftError, match="contained no new row"):
        await read(server, 10, 4)


# --- equal keys ---------------------------------------------------------------------------------------------------


async def test_direction_is_learnt_when_keys_differ():
    """Pages of one key each: which of them is the last is known only afterwards."""
    server = Server(descends=False).fill([5] * 30)
    server.changes[1] = [lambda server: [server.insert(4) for _ in range(12)]]
    at_first = server.ids
    found = await read(server, 10)
    assert set(at_first) <= set(found)
    assert len(found) == len(set(found))


class Turning(Server):
    """Equal keys come in the other order for windows of odd sizes, as a query planner may have it."""

    def respond(self, page: int, page_size: int) -> Page[Row]:
        found = super().respond(1, 10_000)
        rows = sorted(found.items, key=lambda row: (-row[0], row[1] if page_size % 2 else row[1][::-1]))
        page_rows = tuple(rows[(page - 1) * page_size : page * page_size])
        return Page(items=page_rows, pagination=self.says(page, page_size, len(rows)))


@pytest.mark.parametrize("prefetch", [1, 4])
async def test_few_equal_rows_that_change_places_are_all_read(prefetch):
    server = Turning(clamp=10_000).fill([index // 3 for index in range(3000)])
    assert sorted(await read(server, 100, prefetch)) == sorted(server.ids)


async def test_more_equal_rows_than_a_page_holds_that_change_places_are_an_error():
    server = Turning(clamp=10_000).fill([1] * 60)
    found: list[str] = []
    with pytest.raises(PaginationDriftError, match="change places"):
        async for batch in batches(server):
            found += [id for _, id in batch]
    assert len(found) == len(set(found)) > 10


async def test_unstable_order_is_proved_at_the_end_where_a_list_at_rest_gave_too_few():
    """From the second request on a row is where the reader has been: nothing contradicts itself, but it is missing."""
    quiet = Server().fill([1] * 30)
    await read(quiet, 10)
    rows = [(1, f"r{number:02}") for number in range(30)]
    moved = [*rows[:8], rows[12], *rows[8:12], *rows[13:]]
    draw = random.Random(0)
    calls = 0

    async def fetch(page: int, size: int) -> Page[Row]:
        nonlocal calls
        calls += 1
        page_rows = rows if calls == 1 else moved if calls <= len(quiet.requests) else draw.choice([rows, moved])
        pagination = Pagination(count=30, current_page=page, last_page=9, page_size=size)
        return Page(items=tuple(page_rows[(page - 1) * size : page * size]), pagination=pagination)

    found: list[str] = []
    with pytest.raises(PaginationDriftError, match="change places"):
        async for batch in batches(fetch):
            found += [id for _, id in batch]
    assert found == [id for _, id in rows if id != "r12"]


@pytest.mark.parametrize("later", [{}, {number: number for number in range(30, 150)}])
async def test_equal_additions_and_removals_do_not_raise(later):
    server = Server().fill([1] * 40)
    server.changes[1] = [lambda server: server.insert_in_front(), lambda server: server.delete(39)]
    for number in later:
        server.changes[number] = [lambda server: server.insert_in_front(), lambda server: server.delete(-1)]
    assert len(await read(server, 10)) == 39


async def test_row_that_a_page_lists_twice_comes_once():
    """As from a query that joins another table."""
    server = Server().fill(range(30))
    doubled = [row for row in server.rows for _ in range(2)]

    async def fetch(page: int, size: int) -> Page[Row]:
        page_rows = tuple(doubled[(page - 1) * size : page * size])
        return Page(items=page_rows, pagination=server.says(page, size, len(doubled)))

    assert await ids_of(fetch) == server.ids


async def test_worked_example_of_the_docstring_holds():
    """``truemed_async/_core/pagination/__init__.py`` shows these pages."""
    rows = list("abcdefghijklmnopqrst")
    pages: list[tuple[int, int, str]] = []

    async def fetch(page: int, size: int) -> Page[str]:
        items = rows[(page - 1) * size : page * size]
        pages.append((page, size, "".join(items)))
        response = Page(
            items=tuple(items), pagination=Pagination(count=len(rows), current_page=page, last_page=9, page_size=size)
        )
        if len(pages) == 1:
            rows.remove("c")
        return response

    order = SortOrder[str](id=str, key=str)
    batches = ["".join(batch) async for batch in iterate_all(fetch, order, page_size=8, prefetch=1)]
    assert pages[:3] == [(1, 8, "abcdefgh"), (2, 7, "ijklmno"), (2, 5, "ghijk")]
    assert batches[:3] == ["abcdefgh", "ijk", "lmno"]
    assert "".join(batches) == "abcdefghijklmnopqrst"


@pytest.mark.filterwarnings("ignore:listing. the server gives:truemed_async.TruemedWarning")
@pytest.mark.parametrize("server_limit", [1000, 8])
async def test_unstable_ties_are_probed_with_at_most_ten_requests(server_limit):
    rows = [(1, f"r{number:02}") for number in range(30)]
    requests = 0

    async def fetch(page: int, size: int) -> Page[Row]:
        nonlocal requests
        requests += 1
        size = min(size, server_limit)
        total = len(rows) + 1  # one more than there is: a row may be missing
        pagination = Pagination(count=total, current_page=page, last_page=9, page_size=size)
        return Page(items=tuple(rows[(page - 1) * size : page * size]), pagination=pagination)

    assert len(await ids_of(fetch)) == 30
    without_probes = requests - MAX_PROBES
    assert 0 < without_probes < 10


# --- errors and early ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefetch", [1, 4, 8])
@pytest.mark.parametrize("at", [0, 1, 5])
async def test_error_of_a_page_comes_after_the_rows_before_it_and_frees_everything(at, prefetch):
    server = Server(delays=[3, 0, 5, 1]).fill(range(300))
    broken = None

    async def fetch(page: int, size: int) -> Page[Row]:
        nonlocal broken
        if len(server.requests) == at:
            broken = (page - 1) * size
            server.requests.append((page, size))
            raise ZeroDivisionError("mine")
        return await server(page, size)

    found: list[str] = []
    with pytest.raises(ZeroDivisionError, match="mine"):
        async for batch in batches(fetch, prefetch=prefetch):
            found += [id for _, id in batch]
    assert broken is not None
    assert found == server.ids[: len(found)]
    assert len(found) > broken or at == 0
    assert len(asyncio.all_tasks()) == 1
    assert server.in_flight == 0


async def test_error_ends_the_search_for_the_last_page():
    server = Server().fill(range(1000))

    async def fetch(page: int, size: int) -> Page[Row]:
        if len(server.requests) >= 3:
            server.requests.append((page, size))
            raise ZeroDivisionError
        return await server(page, size)

    stream = batches(fetch, prefetch=4)
    await anext(stream)
    await anext(stream)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(server.requests) <= 3 + 4
    await stream.aclose()


async def test_error_of_a_window_that_is_not_needed_is_not_raised():
    server = Server(delays=[0, 9]).fill(range(100))
    at_first = server.ids

    async def fetch(page: int, size: int) -> Page[Row]:
        if len(server.requests) == 1:  # the list shrinks, so prefetched windows beyond it are never read
            del server._sorted[12:]
        if page * size > 40:
            raise ZeroDivisionError
        return await server(page, size)

    assert [id async for batch in batches(fetch, prefetch=8) for _, id in batch] == at_first[:12]


@pytest.mark.parametrize("prefetch", [1, 4])
@pytest.mark.parametrize("count", [0, 1, 15, 150])
async def test_leaving_early_frees_everything(count, prefetch):
    server = Server(delays=[2, 7, 1]).fill(range(1000))
    async with Stream(batches(server, prefetch=prefetch)) as stream:
        for _ in range(count):
            await anext(stream)
    assert len(asyncio.all_tasks()) == 1
    assert server.in_flight == 0


async def test_iteration_that_is_dropped_frees_everything_soon_after():
    server = Server(delays=[2, 7, 1]).fill(range(1000))
    stream = Stream(batches(server, prefetch=4))
    async for _, id in stream:
        if id == server.ids[25]:
            break
    assert server.in_flight > 0
    del stream
    gc.collect()
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1
    assert server.in_flight == 0


@pytest.mark.parametrize("prefetch", [1, 4])
@pytest.mark.parametrize("turns", range(0, 60, 3))
async def test_cancelling_frees_everything_and_is_heard(turns, prefetch):
    server = Server(delays=[2, 7, 1]).fill(range(1000))
    task = asyncio.create_task(read_quietly(server, prefetch))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == 1
    assert server.in_flight == 0


async def read_quietly(server: Server, prefetch: int) -> None:
    async with contextlib.aclosing(batches(server, prefetch=prefetch)) as stream:
        async for _ in stream:
            pass


# --- memory -------------------------------------------------------------------------------------------------------


class Counted(str):
    """An id that counts how many of its kind exist."""

    __slots__ = ()
    alive = 0
    most = 0

    def __new__(cls, value: str) -> Self:
        Counted.alive += 1
        Counted.most = max(Counted.most, Counted.alive)
        return super().__new__(cls, value)

    def __del__(self) -> None:
        Counted.alive -= 1


@pytest.mark.parametrize(("ties", "most"), [(1, 500), (3000, 3600)])
async def test_memory_does_not_grow_with_the_list(ties, most):
    """Two hundred thousand rows in a long run: memory holds the last page, the rows of its last key, and the prefetched windows."""
    Counted.alive = Counted.most = 0
    total = scale(50_000, 200_000)

    async def fetch(page: int, size: int) -> Page[int]:
        await asyncio.sleep(0)
        page_rows = tuple(range((page - 1) * size, min(page * size, total)))
        pagination = Pagination(count=total, current_page=page, last_page=-(-total // size), page_size=size)
        return Page(items=page_rows, pagination=pagination)

    sorting = SortOrder[int](id=lambda row: Counted(row), key=lambda row: row // ties)
    rows = 0
    async for batch in iterate_all(fetch, sorting, page_size=100, prefetch=8):
        rows += len(batch)
    assert rows == total
    assert Counted.most <= most
    gc.collect()
    assert Counted.alive == 0
