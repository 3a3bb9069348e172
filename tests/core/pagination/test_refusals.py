"""Servers that refuse large pages, pages beyond the end, or ignore the page size: every row is still read once."""

import itertools

import attrs
import pytest

from truemed_async._core.pagination import RefusalHandler, SortOrder, iterate_all, unordered
from truemed_async.errors import BadRequestError, NotFoundError, ServerError, UnprocessableError
from truemed_async.models import Page, Pagination

BY_NUMBER = SortOrder(id=str, key=lambda row: row)
BY_ID = SortOrder(id=str, key=unordered)


@attrs.define
class Server:
    """A list of numbers, and how its server treats what it does not like."""

    rows: list
    limit: int | None = None
    too_large: object = BadRequestError
    ignores_size: int | None = None
    beyond: object = None
    counts: bool = True
    requests: list = attrs.field(factory=list)

    async def fetch(self, page, size):
        self.requests.append((page, size))
        if self.limit is not None and size > self.limit:
            if self.too_large is not None:
                raise self.too_large("refused", endpoint="list")
            size = self.limit
        size = self.ignores_size or size
        rows = tuple(self.rows[(page - 1) * size : page * size])
        if not rows and page > 1 and self.beyond is not None:
            raise self.beyond("refused", endpoint="list")
        last = max(1, -(-len(self.rows) // size))
        position = Pagination(count=len(self.rows), current_page=page, last_page=last, page_size=size)
        return Page(items=rows, pagination=position if self.counts else None)


async def read(server, page_size=100, order=BY_NUMBER, prefetch=4):
    batches = iterate_all(RefusalHandler(server.fetch).fetch, order, page_size=page_size, prefetch=prefetch)
    return [row async for batch in batches for row in batch]


SERVERS = list(
    itertools.product(
        [0, 1, 29, 30, 31, 59, 60, 61, 100, 101, 130, 300],
        [
            {"limit": 30},
            {"limit": 50},
            {"limit": 30, "too_large": UnprocessableError},
            {"limit": 30, "too_large": None},
            {"ignores_size": 30},
            {"ignores_size": 7},
            {},
        ],
        [None, BadRequestError, NotFoundError],
        [True, False],
        [BY_NUMBER, BY_ID],
        [30, 50, 100],
    )
)


@pytest.mark.filterwarnings("ignore::truemed_async.TruemedWarning")
async def test_iter_reads_every_row_once_from_every_server():
    for count, options, beyond, counts, order, page_size in SERVERS:
        server = Server(list(range(count)), beyond=beyond, counts=counts, **options)
        assert await read(server, page_size, order) == server.rows, server


@pytest.mark.filterwarnings("ignore::truemed_async.TruemedWarning")
@pytest.mark.parametrize("error", [BadRequestError, UnprocessableError])
async def test_iter_with_page_size_refused_falls_back_to_30_once(error):
    server = Server(list(range(200)), limit=99, too_large=error)
    assert await read(server) == server.rows
    assert server.requests[:2] == [(1, 100), (1, 30)]
    assert all(size <= 30 for _, size in server.requests[1:])


async def test_iter_with_page_size_of_30_refused_raises_the_refusal():
    server = Server([1], limit=20)
    with pytest.raises(BadRequestError):
        await read(server, page_size=30)
    assert server.requests == [(1, 30)]


async def test_iter_with_every_size_refused_raises_the_first_refusal():
    """A wrong filter is refused with any size."""
    refusals = []

    async def fetch(page, size):
        refusals.append(BadRequestError(f"{size}", endpoint="list"))
        raise refusals[-1]

    with pytest.raises(BadRequestError) as caught:
        await RefusalHandler(fetch).fetch(1, 100)
    assert caught.value is refusals[0]
    assert len(refusals) == 2


async def test_missing_list_is_not_an_empty_list():
    server = Server([1], limit=0, too_large=NotFoundError)
    with pytest.raises(NotFoundError):
        await read(server)


async def test_refused_page_is_not_the_end_if_the_first_page_is_refused_too():
    """The key was revoked, or the service moved, while the list was read."""
    server = Server(list(range(300)))

    async def fetch(page, size):
        if len(server.requests) >= 2:
            raise NotFoundError("refused", endpoint="list")
        return await server.fetch(page, size)

    with pytest.raises(NotFoundError):
        await read(_Wrapped(fetch), prefetch=1)


@attrs.define
class _Wrapped:
    fetch: object


async def test_refused_page_within_the_count_of_the_first_page_is_an_error():
    server = Server(list(range(300)))

    async def fetch(page, size):
        if page >= 3:
            raise BadRequestError("refused", endpoint="list")
        return await server.fetch(page, size)

    with pytest.raises(BadRequestError):
        await read(_Wrapped(fetch), prefetch=1)


async def test_transient_refusal_without_count_loses_no_row():
    server, refused = Server(list(range(500)), counts=False), []

    async def fetch(page, size):
        if page == 3 and not refused:
            refused.append(page)
            raise NotFoundError("refused", endpoint="list")
        return await server.fetch(page, size)

    assert await read(_Wrapped(fetch), prefetch=1) == server.rows
    assert refused


async def test_other_error_is_not_taken_for_the_end():
    async def fetch(page, size):
        raise ServerError("down", endpoint="list")

    with pytest.raises(ServerError):
        await RefusalHandler(fetch).fetch(2, 30)
