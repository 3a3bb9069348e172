"""Reconciliations: payouts, and the transactions that they are made of."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from truemed_async._core.listing import complete
from truemed_async._core.stream import Stream
from truemed_async._sensitive import Sensitive
from truemed_async._validation import scalars
from truemed_async.endpoints import LIST_PAYOUTS, LIST_TRANSACTIONS
from truemed_async.errors import InvalidArgumentError
from truemed_async.models import Page, Payout, ReconciliationRow, Transaction
from truemed_async.options import RequestOptions
from truemed_async.resources._base import Resource
from truemed_async.resources._reconcile import DateRange, join_payouts
from truemed_async.resources._row_identity import PAYOUT_ORDER, TRANSACTION_ORDER, verify_row_count


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
            RuntimeWarning: Once, if the server gives smaller pages than were asked for, or pages cannot overlap.

        Source: Truemed guide, "Reconciliations"; API reference, "List Reconciliation Payouts".
        """
        days = _days(start_date, end_date)
        scalars.validate_positive_int("page_size", page_size)
        scalars.validate_positive_int("prefetch", prefetch)

        async def fetch(page: int, size: int) -> Page[Payout]:
            return await self._call(LIST_PAYOUTS, query={**days, "page": page, "page_size": size}, options=options)

        return Stream(complete(fetch, PAYOUT_ORDER, page_size=page_size, prefetch=prefetch))

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
            RuntimeWarning: Once, if the server gives smaller pages than were asked for, or pages cannot overlap.

        Source: Truemed API reference, "List Reconciliation Transactions".
        """
        filters = Sensitive({**_days(start_date, end_date), **_filters(payout_ids, include_pending_payouts)})
        scalars.validate_positive_int("page_size", page_size)
        scalars.validate_positive_int("prefetch", prefetch)

        async def fetch(page: int, size: int) -> Page[Transaction]:
            return await self._call(
                LIST_TRANSACTIONS,
                query={**filters.value, "page": page, "page_size": size},
                options=options,
            )

        return Stream(
            verify_row_count(
                fetch, lambda told: complete(told, TRANSACTION_ORDER, page_size=page_size, prefetch=prefetch)
            )
        )

    def reconcile(
        self,
        *,
        start_date: date | str,
        end_date: date | str,
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
            RuntimeWarning: The last day is not over, so its rows may still change.

        Source: Truemed guide, "Reconciliations"; API reference, "List Reconciliation Transactions".
        """
        period = DateRange.of(_days(start_date, end_date), look_back)

        def payouts_of(day: date) -> Stream[Payout]:
            return self.iter_payouts(start_date=day, end_date=day, prefetch=1, options=options)

        def transactions_of(day: date, payout_ids: tuple[str, ...] | None) -> Stream[Transaction]:
            return self.iter_transactions(
                start_date=day, end_date=day, payout_ids=payout_ids, prefetch=1, options=options
            )

        return Stream(
            join_payouts(
                period,
                payouts_of,
                transactions_of,
                clock=self._client.clock,
                concurrency=scalars.validate_positive_int("concurrency", concurrency),
            )
        )


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
