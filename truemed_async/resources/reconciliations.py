"""Reconciliations: payouts, and the transactions that they are made of."""

from __future__ import annotations

import calendar
import re
from collections.abc import Collection
from datetime import date, timedelta

from truemed_async._core.stream import RequestCounter, Stream
from truemed_async._validation import scalars
from truemed_async.endpoints import LIST_PAYOUTS, LIST_TRANSACTIONS
from truemed_async.errors import InvalidArgumentError
from truemed_async.models import Page, Payout, ReconciliationRow, Transaction
from truemed_async.options import RequestOptions
from truemed_async.resources._base import Resource
from truemed_async.resources._reconcile import DateRange, join_payouts
from truemed_async.resources._row_identity import PAYOUT_ORDER, TRANSACTION_ORDER, verify_row_count

PAGE_SIZE = 100  # of the lists that ``reconcile`` reads

_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})\Z")


class Reconciliations(Resource):
    """What Truemed paid out to you, and the charges, refunds, fees and disputes that each payout is made of."""

    __slots__ = ()

    async def list_payouts(
        self,
        *,
        start_date: date | str,
        end_date: date | str,
        page: int | None = None,
        page_size: int | None = None,
        options: RequestOptions | None = None,
    ) -> Page[Payout]:
        """Return one page of the payouts of some days; Truemed does not say in which order.

        To read them all, use :meth:`iter_payouts`. The reference page of this endpoint is not at hand: that the answer
        holds its rows under ``payouts`` is a guess.

        Args:
            start_date: The first day, in UTC: a date, a datetime (a naive one is UTC), or ``"YYYY-MM-DD"``.
            end_date: The last day, in UTC; it is included.
            page: The page, from 1; Truemed's default is 1.
            page_size: Rows on a page, at least 1; Truemed's default is 30. The server may apply less: see
                ``.pagination.page_size``.
            options: Time-outs, retry policy and headers of this call.

        Raises:
            InvalidArgumentError: An argument was refused; nothing was sent.
            BadRequestError: Truemed refused a filter.
            CallError: Anything else that happened on the call.

        Source: Truemed guide, "Reconciliations"; API reference, "List Reconciliation Payouts".
        """
        return await self._call(
            LIST_PAYOUTS,
            query={**_days(start_date, end_date), **_paging(page, page_size)},
            options=options,
        )

    def iter_payouts(
        self,
        *,
        start_date: date | str,
        end_date: date | str,
        page_size: int = 100,
        prefetch: int = 4,
        options: RequestOptions | None = None,
    ) -> Stream[Payout]:
        """Iterate over every payout of some days, without a gap while payouts are added.

        Each payout that is there from the first request until it is reached comes exactly once, in Truemed's order.
        Truemed does not state that order: it has to be stable, and the id of every payout is kept.

        Args:
            start_date: As in :meth:`list_payouts`.
            end_date: As in :meth:`list_payouts`.
            page_size: Rows to ask for at once, at most; the server may give less. Pages overlap a little. Below 7 they
                cannot: rows that leave the list then hide others, and a warning says so.
            prefetch: How many requests may be in flight, at least 1, which is one after another. Up to twice as many
                pages are held.
            options: Time-outs, retry policy and headers of each request.

        Raises:
            InvalidArgumentError: An argument was refused; raised at once, nothing was sent.
            CallError: A page could not be read; raised while iterating.
            PaginationDriftError: The pages contradict each other, so payouts may be missing.

        Warns:
            TruemedWarning: Once, if the server gives smaller pages than were asked for, or pages cannot overlap.

        Source: Truemed guide, "Reconciliations"; API reference, "List Reconciliation Payouts".
        """
        return self._iterate(
            LIST_PAYOUTS,
            _days(start_date, end_date),
            PAYOUT_ORDER,
            page_size=page_size,
            prefetch=prefetch,
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
        """Return one page of the transactions of some days; Truemed does not say in which order.

        To read them all, use :meth:`iter_transactions`.

        Args:
            start_date: The first day, in UTC: a date, a datetime (a naive one is UTC), or ``"YYYY-MM-DD"``.
            end_date: The last day, in UTC; it is included.
            payout_ids: Only transactions of these payouts, at least one.
            include_pending_payouts: Whether transactions that are not paid out yet come too; Truemed's default is yes.
            page: The page, from 1; Truemed's default is 1.
            page_size: Rows on a page, at least 1; Truemed's default is 30. The server may apply less: see
                ``.pagination.page_size``.
            options: Time-outs, retry policy and headers of this call.

        Raises:
            InvalidArgumentError: An argument was refused; nothing was sent.
            BadRequestError: Truemed refused a filter.
            CallError: Anything else that happened on the call.

        Source: Truemed API reference, "List Reconciliation Transactions".
        """
        return await self._call(
            LIST_TRANSACTIONS,
            query={
                **_days(start_date, end_date),
                **_filters(payout_ids, include_pending_payouts),
                **_paging(page, page_size),
            },
            options=options,
        )

    def iter_transactions(
        self,
        *,
        start_date: date | str,
        end_date: date | str,
        payout_ids: Collection[str] | None = None,
        include_pending_payouts: bool | None = None,
        page_size: int = 100,
        prefetch: int = 4,
        options: RequestOptions | None = None,
    ) -> Stream[Transaction]:
        """Iterate over every transaction of some days, without a gap while transactions are added.

        Each transaction that is there from the first request until it is reached comes exactly once, in Truemed's
        order. Truemed does not state that order: it has to be stable, and what identifies each transaction is kept, in
        about 100 bytes, for up to a million of them. Days before today are at rest; read more of them in slices.

        Nor is it known under which name a transaction has its id. Rows with a ``transaction_id`` or an ``id`` are told
        apart by that; others by all that they hold. Two charges of one checkout may be alike in that, and both be real:
        where rows without an id do not add up to the number that the server states, that is an error and not a guess.

        Args:
            start_date: As in :meth:`list_transactions`.
            end_date: As in :meth:`list_transactions`.
            payout_ids: As in :meth:`list_transactions`.
            include_pending_payouts: As in :meth:`list_transactions`.
            page_size: Rows to ask for at once, at most; the server may give less. Pages overlap a little. Below 7 they
                cannot: rows that leave the list then hide others, and a warning says so.
            prefetch: How many requests may be in flight, at least 1, which is one after another. Up to twice as many
                pages are held.
            options: Time-outs, retry policy and headers of each request.

        Raises:
            InvalidArgumentError: An argument was refused; raised at once, nothing was sent.
            CallError: A page could not be read; raised while iterating.
            PaginationDriftError: The pages contradict each other, or rows without an id are alike, so transactions may
                be missing.

        Warns:
            TruemedWarning: Once, if the server gives smaller pages than were asked for, or pages cannot overlap.

        Source: Truemed API reference, "List Reconciliation Transactions".
        """
        return self._iterate(
            LIST_TRANSACTIONS,
            {**_days(start_date, end_date), **_filters(payout_ids, include_pending_payouts)},
            TRANSACTION_ORDER,
            page_size=page_size,
            prefetch=prefetch,
            options=options,
            verify=verify_row_count,
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
        """Iterate over all transactions of some days, each joined its payout.

        What comes is the full outer join of two lists: the payouts of these days, and the transactions of these days
        together with those of earlier days that were paid by one of these payouts. Everything is read day by day, so
        each row tells under which UTC day Truemed lists it. Give the rows to :class:`~truemed_async.ReconciliationCheck`
        to learn whether they add up.

        A payout of the first days pays for transactions of the days before: ``look_back`` says how far to look for
        them. Where it is too short, the check tells of payouts that do not add up.

        Args:
            month: The days as ``"YYYY-MM"``; otherwise give both of the next two.
            start_date: The first day, in UTC: a date, a datetime (a naive one is UTC), or ``"YYYY-MM-DD"``.
            end_date: The last day, in UTC; it is included.
            look_back: How far before ``start_date`` to look for transactions of these payouts, in whole days.
            concurrency: How many days are read at once, at least 1. Up to twice as many are held.
            options: Time-outs, retry policy and headers of each request.

        Raises:
            InvalidArgumentError: An argument was refused; raised at once, nothing was sent.
            CallError: A page could not be read; raised while iterating.
            PaginationDriftError: The pages of a day contradict each other, or rows without an id are alike.

        Warns:
            TruemedWarning: The last day is not over, so its rows may still change.

        Source: Truemed guide, "Reconciliations"; API reference, "List Reconciliation Transactions".
        """
        first, last = _month_or_days(month, start_date, end_date)
        period = DateRange.of(_days(first, last), look_back)
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
                {**_days(day, day), **_filters(payout_ids, None)},
                TRANSACTION_ORDER,
                page_size=PAGE_SIZE,
                prefetch=1,
                options=options,
                verify=verify_row_count,
                counter=counter,
            )

        rows = join_payouts(
            period,
            payouts_of,
            transactions_of,
            clock=self._client.clock,
            concurrency=scalars.validate_positive_int("concurrency", concurrency),
        )
        filters = {"start_date": str(period.first), "end_date": str(period.last), "look_back": str(look_back)}
        return Stream(rows, source=self._source(ReconciliationRow, filters, counter))


def _month_or_days(
    month: object, start_date: date | str | None, end_date: date | str | None
) -> tuple[date | str, date | str]:
    """Return the first and last day of a month, or the given days."""
    if month is None and start_date is not None and end_date is not None:
        return start_date, end_date
    if month is None or start_date is not None or end_date is not None:
        raise InvalidArgumentError("give either month, or start_date and end_date")
    match = _MONTH.match(month) if isinstance(month, str) else None
    year, number = (int(part) for part in match.groups()) if match else (0, 0)
    if not year or not 1 <= number <= 12:
        raise InvalidArgumentError("month must be a valid 'YYYY-MM'")
    return date(year, number, 1), date(year, number, calendar.monthrange(year, number)[1])


def _days(start_date: date | str, end_date: date | str) -> dict[str, str]:
    """Check the days, which Truemed requires, and their order."""
    days = {
        "start_date": scalars.parse_date("start_date", start_date),
        "end_date": scalars.parse_date("end_date", end_date),
    }
    if days["end_date"] < days["start_date"]:  # as texts: the year has four digits
        raise InvalidArgumentError("end_date must not lie before start_date")
    return days


def _filters(payout_ids: object, include_pending_payouts: object) -> dict[str, str | int | bool | None]:
    if include_pending_payouts is not None and not isinstance(include_pending_payouts, bool):
        raise InvalidArgumentError("include_pending_payouts must be True, False or None")
    return {
        "payout_ids": None
        if payout_ids is None
        else ",".join(scalars.validate_non_empty_items("payout_ids", payout_ids, scalars.validate_id)),
        "include_pending_payouts": include_pending_payouts,
    }


def _paging(page: int | None, page_size: int | None) -> dict[str, str | int | bool | None]:
    return {
        "page": None if page is None else scalars.validate_positive_int("page", page),
        "page_size": None if page_size is None else scalars.validate_positive_int("page_size", page_size),
    }
