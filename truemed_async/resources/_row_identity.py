"""What tells the rows of reconciliations apart: no page says how they are sorted, nor where a transaction has its id."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

import orjson

from truemed_async._core.pagination import FetchPage, SortOrder, unordered
from truemed_async.errors import PaginationDriftError
from truemed_async.models import Page, Payout, Transaction


def _row_digest(transaction: Transaction) -> str:
    """Return what tells a row without an id from others: all that it holds."""
    return hashlib.sha256(orjson.dumps(transaction.to_dict(), option=orjson.OPT_SORT_KEYS)).hexdigest()


PAYOUT_ORDER = SortOrder[Payout](id=lambda payout: payout.payout_id, key=unordered)
TRANSACTION_ORDER = SortOrder[Transaction](
    id=lambda transaction: transaction.transaction_id or _row_digest(transaction), key=unordered
)


async def verify_row_count(
    fetch: FetchPage[Transaction], read: Callable[[FetchPage[Transaction]], AsyncGenerator[Sequence[Transaction], None]]
) -> AsyncGenerator[Sequence[Transaction], None]:
    """Pass a listing on, and at its end hold rows without an id to the number that the server states."""
    totals: list[int | None] = [None]
    found, without_id = 0, False

    async def told(page: int, size: int) -> Page[Transaction]:
        answer = await fetch(page, size)
        totals.append(answer.pagination.count if answer.pagination else None)
        return answer

    async with aclosing(read(told)) as batches:
        async for batch in batches:
            found += len(batch)
            without_id = without_id or any(transaction.transaction_id is None for transaction in batch)
            yield batch
    if without_id and found != totals[-1]:
        counted = "does not count them" if totals[-1] is None else f"counts {totals[-1]:,}"
        raise PaginationDriftError(
            f"{found:,} different transactions, some without an id, and the server {counted}: some may be alike"
        )
