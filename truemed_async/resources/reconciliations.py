"""Reconciliations: payouts, and the transactions that they consist of.

Truemed documents neither how these lists are sorted nor under which name a transaction has its id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from contextlib import aclosing
from datetime import date, timedelta

import orjson

from truemed_async._core.pagination import FetchPage, SortOrder, unordered
from truemed_async._core.stream import RequestCounter, Stream
from truemed_async._validation import scalars
from truemed_async.endpoints import LIST_PAYOUTS, LIST_TRANSACTIONS
from truemed_async.errors import InvalidArgumentError, PaginationDriftError
from truemed_async.models import Page, Payout, ReconciliationRow, Transaction
from truemed_async.options import OnInvalid, RequestOptions
from truemed_async.resources._base import Batches, ReadPages, Resource
from truemed_async.resources._fields import DAYS, TRANSACTION_FILTERS, build_body, build_query
from truemed_async.resources._reconcile import DateRange, join_payouts


def _row_digest(transaction: Transaction) -> str:
    """Return the identity of a row without an id: a hash of all its values."""
    return hashlib.sha256(orjson.dumps(transaction.to_dict(), option=orjson.OPT_SORT_KEYS)).hexdigest()


PAYOUT_ORDER = SortOrder[Payout](id="payout_id", key=unordered)
TRANSACTION_ORDER = SortOrder[Transaction](
    id=lambda transaction: transaction.transaction_id or _row_digest(transaction), key=unordered
)


PAGE_SIZE = 100  # of the lists that ``reconcile`` reads


class Reconciliations(Resource):
    """What Truemed paid out to you, and the charges, refunds, fees and disputes that each payout consists of."""

    async def list_payouts(
        self,
        *,
        start_date: date | str,
        end_date: date | str,
        page: int | None = None,
        page_size: int | None = None,
        options: RequestOptions | None = None,
    ) -> Page[Payout]:
        """Return one page of the payouts of some days, in an undocumented order. To read all, use :meth:`iter_payouts`.

        The reference page of this endpoint is not public: that the response holds its rows under ``payouts`` is assumed.

        Args:
            start_date: The first day, in UTC: a date, a datetime (a naive one is UTC), or ``"YYYY-MM-DD"``.
            end_date: The last day, in UTC, inclusive.

        Raises:
            BadRequestError: Truemed rejected a filter.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed guide, "Reconciliations"; API reference, "List Reconciliation Payouts".
        """
        filters = _days(start_date, end_date)
        return await self._list(LIST_PAYOUTS, filters, page, page_size, options)

    def iter_payouts(
        self,
        *,
        start_date: date | str,
        end_date: date | str,
        page_size: int = 100,
        prefetch: int = 4,
        on_invalid: OnInvalid = "raise",
        options: RequestOptions | None = None,
    ) -> Stream[Payout]:
        """Iterate over all payouts of some days; the arguments are those of :meth:`list_payouts`.

        Each payout that exists from the first request until it is reached is yielded exactly once, in Truemed's order.
        That order is undocumented: it has to be stable, and the id of every payout is remembered.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed guide, "Reconciliations"; API reference, "List Reconciliation Payouts".
        """
        filters = _days(start_date, end_date)
        return self._iterate(
            LIST_PAYOUTS,
            filters,
            PAYOUT_ORDER,
            page_size=page_size,
            prefetch=prefetch,
            on_invalid=on_invalid,
            options=options,
        )

    async def list_transactions(
        self,
        *,
        start_date: date | str,
        end_date: date | str,
        payout_ids: Collection[str] | None = None,
        include_pending_payouts: bool | None = None,
        page: int | None = None,
        page_size: int | None = None,
        options: RequestOptions | None = None,
    ) -> Page[Transaction]:
        """Return one page of the transactions of some days. To read all of them, use :meth:`iter_transactions`.

        The order of the list is undocumented.

        Args:
            start_date: The first day, in UTC: a date, a datetime (a naive one is UTC), or ``"YYYY-MM-DD"``.
            end_date: The last day, in UTC, inclusive.
            payout_ids: Only transactions of these payouts, at least one.
            include_pending_payouts: Whether to include transactions that are not paid out yet; Truemed's default is
                yes.

        Raises:
            BadRequestError: Truemed rejected a filter.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "List Reconciliation Transactions".
        """
        filters = _days(start_date, end_date) | build_query(
            TRANSACTION_FILTERS, payout_ids=payout_ids, include_pending_payouts=include_pending_payouts
        )
        return await self._list(LIST_TRANSACTIONS, filters, page, page_size, options)

    def iter_transactions(
        self,
        *,
        start_date: date | str,
        end_date: date | str,
        payout_ids: Collection[str] | None = None,
        include_pending_payouts: bool | None = None,
        page_size: int = 100,
        prefetch: int = 4,
        on_invalid: OnInvalid = "raise",
        options: RequestOptions | None = None,
    ) -> Stream[Transaction]:
        """Iterate over all transactions of some days; the arguments are those of :meth:`list_transactions`.

        Each transaction that exists from the first request until it is reached is yielded exactly once, in Truemed's
        order. That order is undocumented: it has to be stable, and the identity of each transaction is remembered, in
        about 100 bytes, for up to a million of them. Read more of them in slices; days before today do not change.

        Rows with a ``transaction_id`` or an ``id`` are identified by it, others by all their values. Two charges of one
        checkout may have the same values and both be real: if rows without an id do not add up to the number that the
        server states, the iteration ends with an error.

        Raises:
            PaginationDriftError: The pages contradict each other, or rows without an id are equal, so transactions may
                be missing.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "List Reconciliation Transactions".
        """
        filters = _days(start_date, end_date) | build_query(
            TRANSACTION_FILTERS, payout_ids=payout_ids, include_pending_payouts=include_pending_payouts
        )
        return self._iterate(
            LIST_TRANSACTIONS,
            filters,
            TRANSACTION_ORDER,
            page_size=page_size,
            prefetch=prefetch,
            on_invalid=on_invalid,
            options=options,
            verify=_verify_row_count,
        )

    def reconcile(
        self,
        *,
        month: str | None = None,
        start_date: date | str | None = None,
        end_date: date | str | None = None,
        look_back: timedelta = timedelta(days=31),
        concurrency: int = 4,
        options: RequestOptions | None = None,
    ) -> Stream[ReconciliationRow]:
        """Iterate over all transactions of some days, each joined with its payout.

        The result is the full outer join of two lists: the payouts of these days, and the transactions of these days
        together with those of earlier days that one of these payouts paid. Everything is read day by day, so each row
        states the UTC day under which Truemed lists it. Pass the rows to :class:`~truemed_async.ReconciliationCheck` to
        learn whether they add up.

        A payout of the first days pays for transactions of the days before: ``look_back`` is how far to search for
        them. If it is too short, the check reports payouts that do not add up.

        Args:
            month: The days, as ``"YYYY-MM"``; otherwise pass both of the next two.
            start_date: The first day, in UTC: a date, a datetime (a naive one is UTC), or ``"YYYY-MM-DD"``.
            end_date: The last day, in UTC, inclusive.
            look_back: How far before ``start_date`` to search for transactions of these payouts, in whole days.
            concurrency: How many days are read at once, at least 1. Up to twice as many are held in memory.

        Raises:
            PaginationDriftError: The pages of a day contradict each other, or rows without an id are equal.

        Warns:
            TruemedWarning: The last day has not ended, so its rows may still change.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed guide, "Reconciliations"; API reference, "List Reconciliation Transactions".
        """
        first, last = _month_or_days(month, start_date, end_date)
        dates = DateRange.of(_days(first, last), look_back)
        counter = RequestCounter()

        def payouts_of(day: date) -> Stream[Payout]:
            return self._iterate(
                LIST_PAYOUTS,
                _days(day, day),
                PAYOUT_ORDER,
                page_size=PAGE_SIZE,
                prefetch=1,
                options=options,
                counter=counter,
            )

        def transactions_of(day: date, payout_ids: tuple[str, ...] | None) -> Stream[Transaction]:
            return self._iterate(
                LIST_TRANSACTIONS,
                _days(day, day) | build_query(TRANSACTION_FILTERS, payout_ids=payout_ids, include_pending_payouts=None),
                TRANSACTION_ORDER,
                page_size=PAGE_SIZE,
                prefetch=1,
                options=options,
                verify=_verify_row_count,
                counter=counter,
            )

        rows = join_payouts(
            dates,
            payouts_of,
            transactions_of,
            clock=self._client.clock,
            concurrency=scalars.validate_positive_int("concurrency", concurrency),
        )
        filters = {"start_date": str(dates.first), "end_date": str(dates.last), "look_back": str(look_back)}
        return Stream(rows, source=self._source(ReconciliationRow, filters, counter))


def _month_or_days(month: object, start_date: object, end_date: object) -> tuple[object, object]:
    """Return the first and last day of a month, or the given days."""
    if month is None and start_date is not None and end_date is not None:
        return start_date, end_date
    if month is None or start_date is not None or end_date is not None:
        raise InvalidArgumentError("pass either month, or start_date and end_date")
    return scalars.parse_month_days("month", month)


def _days(start_date: object, end_date: object) -> dict[str, str]:
    """Check the days, which Truemed requires, and their order."""
    days = build_body(DAYS, start_date=start_date, end_date=end_date)
    if days["end_date"] < days["start_date"]:  # as text: the year has four digits
        raise InvalidArgumentError("end_date must not be before start_date")
    return days


async def _verify_row_count(fetch: FetchPage[Transaction], read: ReadPages[Transaction]) -> Batches[Transaction]:
    """Yield the transactions. If some have no id, all must be as many as the server counts, or equal ones were lost."""
    totals: list[int | None] = [None]
    found, without_id = 0, False

    async def fetch_and_keep_total(page: int, size: int) -> Page[Transaction]:
        result = await fetch(page, size)
        totals.append(result.pagination.count if result.pagination else None)
        return result

    async with aclosing(read(fetch_and_keep_total)) as batches:
        async for batch in batches:
            found += len(batch)
            without_id = without_id or any(_lacks_id(row) for row in batch)
            yield batch
    if without_id and found != totals[-1]:
        count = "does not count them" if totals[-1] is None else f"counts {totals[-1]:,}"
        raise PaginationDriftError(
            f"{found:,} different transactions, some without an id, and the server {count}: some may be equal"
        )


def _lacks_id(row: object) -> bool:
    """Whether a row is a transaction without an id; rows that cannot be read are none."""
    return isinstance(row, Transaction) and row.transaction_id is None
