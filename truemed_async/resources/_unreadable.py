"""Rows of a listing that cannot be read: they have their place among the others, and leave the stream at its end."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from typing import Any, TypeVar, cast, get_args

import attrs
import orjson

from truemed_async._core.endpoint import Endpoint
from truemed_async._core.pagination import Comparable, SortOrder
from truemed_async._core.stream import InvalidRows
from truemed_async.models import Page
from truemed_async.models._reading import ColumnarPage, TolerantPage, UnreadableRow, has_unreadable

T = TypeVar("T")


def tolerate_rows(endpoint: Endpoint[Page[T]], *, columnar: bool = False) -> Endpoint[Page[T]]:
    """Return the endpoint of a list whose pages hold an :class:`UnreadableRow` for each row that cannot be read.

    Regular pages are read by column if ``columnar`` is true.
    """
    page: Any = ColumnarPage if columnar else TolerantPage
    return attrs.evolve(endpoint, result=page[get_args(endpoint.result)])


@attrs.frozen(kw_only=True)
class TolerantOrder(SortOrder[Any]):
    """The order of a list that may hold rows that cannot be read.

    Attributes:
        readable: The order of the other rows.
    """

    readable: SortOrder[Any]

    @classmethod
    def of(cls, order: SortOrder[Any]) -> TolerantOrder:
        """Return the same order for such rows: their id is a hash, since the row's own may be unreadable."""

        def id(row: Any) -> str:
            return _row_digest(row) if isinstance(row, UnreadableRow) else order.id_of(row)

        def key(row: Any) -> Comparable | None:
            return row.created_at if isinstance(row, UnreadableRow) else order.key_of(row)

        return cls(id=id, key=key if order.is_known else order.key, readable=order)

    def ids_of(self, rows: Sequence[Any]) -> list[str]:
        """Return the ids of rows."""
        return super().ids_of(rows) if has_unreadable(rows) else self.readable.ids_of(rows)

    def keys_of(self, rows: Sequence[Any]) -> list[Comparable | None]:
        """Return the sort keys of rows."""
        return super().keys_of(rows) if has_unreadable(rows) else self.readable.keys_of(rows)

    def rows_from(self, minimum: Comparable | None, rows: Sequence[Any]) -> Sequence[Any]:
        """Return the rows whose key is at least ``minimum``, and those whose key cannot be read."""
        if not has_unreadable(rows):
            return self.readable.rows_from(minimum, rows)
        kept_ids = {id(row) for row in super().rows_from(minimum, rows)}
        return [
            row for row in rows if id(row) in kept_ids or (isinstance(row, UnreadableRow) and row.created_at is None)
        ]


def _row_digest(row: UnreadableRow) -> str:
    return hashlib.sha256(orjson.dumps(row.data.value, option=orjson.OPT_SORT_KEYS)).hexdigest()


async def select_rows(
    batches: AsyncGenerator[Sequence[T], None],
    matches: Callable[[T], bool],
    fields: Collection[str],
    invalid: InvalidRows,
) -> AsyncGenerator[Sequence[T], None]:
    """Yield the rows that match; those that cannot be read are skipped and counted, or yielded for an export.

    ``fields`` are the fields that ``matches`` looks at. A row in which one of them cannot be read may match.
    """

    def may_match(row: T) -> bool:
        if not isinstance(row, UnreadableRow):
            return matches(row)
        return row.model is None or not set(fields).isdisjoint(row.mismatches) or matches(cast("T", row.model))

    async with aclosing(batches):
        async for batch in batches:
            rows = [row for row in batch if may_match(row)] if fields else batch
            if invalid.handling == "skip":
                found = len(rows)
                rows = [row for row in rows if not isinstance(row, UnreadableRow)]
                invalid.skipped += found - len(rows)
            yield rows
