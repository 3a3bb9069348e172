"""Qualification sessions: get, list and update them, one or many, and wait for the result."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import Any

import attrs
from yarl import URL

from truemed_async._core.bulk import ProgressReporter, fan_out
from truemed_async._core.bulk_update import UpdateOutcome, to_update_outcome
from truemed_async._core.pagination import SortOrder
from truemed_async._core.stream import Stream
from truemed_async._sensitive import Sensitive
from truemed_async._validation import scalars
from truemed_async.endpoints import (
    GET_QUALIFICATION_SESSION,
    LIST_QUALIFICATION_SESSIONS,
    UPDATE_QUALIFICATION_SESSION,
)
from truemed_async.errors import InvalidArgumentError, UserIdAlreadySetError
from truemed_async.models import (
    LetterInvoiceReport,
    Page,
    QualificationSession,
    QualificationSessionUpdate,
    QualificationStatus,
)
from truemed_async.options import UNSET, OnInvalid, RequestOptions, Unset
from truemed_async.resources._attach import Accounts, Attachment, AttachOutcome, UserMatch
from truemed_async.resources._base import GettableResource
from truemed_async.resources._fields import (
    QUALIFICATION_FILTERS,
    UPDATE_QUALIFICATION_FIELDS,
    QualificationSessionUpdateParams,
    build_query,
    build_update,
)

MAX_EXPIRY_DAYS = 1100  # three years: a Letter is valid for one, and each day takes a request

SORT_ORDER = SortOrder[QualificationSession](id="qualification_session_id", key="created_at")


class QualificationSessions(GettableResource[QualificationSession]):
    """Whether shoppers hold a Letter of Medical Necessity for their orders."""

    async def get(
        self, qualification_session_id: str, *, options: RequestOptions | None = None
    ) -> QualificationSession:
        """Return one qualification session.

        Args:
            qualification_session_id: The session's id, for example ``"qs_abc123"``.

        Raises:
            NotFoundError: This API key has no such session.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Get Qualification Session Details".
        """
        return await self._request(
            GET_QUALIFICATION_SESSION,
            path={"qualification_session_id": qualification_session_id},
            options=options,
        )

    async def list(
        self,
        *,
        status: QualificationStatus | str | None = None,
        user_id: str | None = None,
        expires_at: date | str | None = None,
        search: str | None = None,
        page: int | None = None,
        page_size: int | None = None,
        extra: Mapping[str, str | int | bool] | None = None,
        options: RequestOptions | None = None,
    ) -> Page[QualificationSession]:
        """Return one page of qualification sessions, sorted by creation. To read all of them, use :meth:`iter`.

        Args:
            status: Only sessions with this status.
            user_id: Only sessions of this user.
            expires_at: Only sessions whose Letter of Medical Necessity expires on this day, in UTC: a date, a datetime
                (a naive one is UTC), or ``"YYYY-MM-DD"``.
            search: Text to find in user name, e-mail, user_business_id, utm and external_user_id.
            extra: Further query parameters.

        Raises:
            BadRequestError: Truemed rejected a filter (``ValidationError``).

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "List Qualification Sessions".
        """
        filters = build_query(
            QUALIFICATION_FILTERS, extra, status=status, user_id=user_id, expires_at=expires_at, search=search
        )
        return await self._list(LIST_QUALIFICATION_SESSIONS, filters, page, page_size, options)

    def iter(
        self,
        *,
        status: QualificationStatus | str | None = None,
        user_id: str | None = None,
        expires_at: date | str | None = None,
        search: str | None = None,
        since: date | None = None,
        until: date | None = None,
        look_back: timedelta = timedelta(minutes=5),
        page_size: int = 100,
        prefetch: int = 4,
        on_invalid: OnInvalid = "raise",
        extra: Mapping[str, str | int | bool] | None = None,
        options: RequestOptions | None = None,
    ) -> Stream[QualificationSession]:
        """Iterate over all qualification sessions that match the filters of :meth:`list`.

        Each session that matches from the first request until it is reached is yielded exactly once, in Truemed's
        order, whatever is added, removed or moved out of the filter meanwhile. Truemed does not document whether the
        list is sorted oldest or newest first. With ``since`` a list that is newest first is read only as far as needed;
        one that is oldest first is read completely.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "List Qualification Sessions".
        """
        filters = build_query(
            QUALIFICATION_FILTERS, extra, status=status, user_id=user_id, expires_at=expires_at, search=search
        )
        return self._iterate(
            LIST_QUALIFICATION_SESSIONS,
            filters,
            SORT_ORDER,
            since=since,
            until=until,
            look_back=look_back,
            page_size=page_size,
            prefetch=prefetch,
            on_invalid=on_invalid,
            options=options,
        )

    async def find_valid(
        self,
        *,
        user_id: str | None = None,
        email: str | None = None,
        options: RequestOptions | None = None,
    ) -> QualificationSession | None:
        """Return the session of a shopper whose Letter is valid now, with the latest expiry; ``None`` if there is none.

        Valid is what :meth:`~truemed_async.QualificationSession.is_valid_at` says. Approved sessions are searched on
        the server and compared here, because Truemed does not document whether its search finds parts of a value: the
        ``user_id`` must be equal, the e-mail address equal but for the case of ASCII letters.

        Args:
            user_id: Your identifier of the user. Pass this or ``email``.
            email: The e-mail address with which the shopper qualified. A server whose search is case-sensitive finds
                only this spelling.

        Raises:
            InvalidArgumentError: Neither or both are passed, or ``email`` is no e-mail address; nothing was sent.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "List Qualification Sessions".
        """
        if (user_id is None) == (email is None):
            raise InvalidArgumentError("pass either user_id or email")
        shopper = Sensitive(_Shopper(user_id, None if email is None else scalars.validate_email("email", email)))
        del user_id, email
        approved = self.iter(
            status=QualificationStatus.APPROVED,
            user_id=shopper.value.user_id,
            search=shopper.value.email,
            options=options,
        )
        async with approved:
            sessions = [session async for session in approved if shopper.value.has(session)]
        now = datetime.fromtimestamp(self._client.clock.wall(), UTC)
        # A clock that is behind Truemed's must not hide a Letter that was issued a moment ago.
        valid = [each for each in sessions if each.is_valid_at(max(now, each.lmn_reviewed_at or now))]
        return max(valid, key=lambda session: session.expires_at or now, default=None)

    def iter_expiring(
        self,
        start: date,
        end: date,
        *,
        concurrency: int = 8,
        page_size: int = 100,
        options: RequestOptions | None = None,
    ) -> Stream[QualificationSession]:
        """Iterate over the approved sessions whose Letter of Medical Necessity expires in a period, first expiry first.

        Truemed can only filter by one day of expiry. Therefore each day of the period, in UTC, takes one request, or
        more if it has more than ``page_size`` sessions; several days are read at a time. Each session is yielded once.

        Args:
            start: The start of the period: a datetime (a naive one is UTC), or a date, which stands for its midnight in
                UTC.
            end: The end of the period, itself excluded; as ``start``.
            concurrency: How many days to read at a time.

        Raises:
            InvalidArgumentError: ``end`` is before ``start``, or the period is longer than 1,100 days; nothing was sent.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "List Qualification Sessions".
        """
        first, last = scalars.parse_datetime("start", start), scalars.parse_datetime("end", end)
        scalars.validate_positive_int("concurrency", concurrency)
        scalars.validate_positive_int("page_size", page_size)
        days = _days_between(first, last)
        source = self._source(
            QualificationSession, {"status": "approved", "expires_from": first, "expires_before": last}
        )

        async def read_day(day: date) -> list[QualificationSession]:
            stream = self._iterate(
                LIST_QUALIFICATION_SESSIONS,
                {"status": "approved", "expires_at": day.isoformat()},
                SORT_ORDER,
                page_size=page_size,
                prefetch=1,
                options=options,
                counter=source.counter,
            )
            async with stream:
                sessions = [(each.expires_at, each) async for each in stream if each.status == "approved"]
            expiring = [(at, each) for at, each in sessions if at is not None and first <= at < last]
            return [each for _, each in sorted(expiring, key=itemgetter(0))]

        return Stream(_flatten_unique(fan_out(days, read_day, concurrency=concurrency, ordered=True)), source=source)

    async def update(
        self,
        qualification_session_id: str,
        *,
        user_id: str | Unset = UNSET,
        metadata: Mapping[str, Any] | str | Unset = UNSET,
        success_url: str | URL | Unset = UNSET,
        failure_url: str | URL | Unset = UNSET,
        if_unset: bool = False,
        idempotency_key: str | None = None,
        extra: Mapping[str, Any] | None = None,
        options: RequestOptions | None = None,
    ) -> QualificationSessionUpdate:
        """Update your own data on a session. Fields that are not passed stay as they are; none can be cleared.

        An update never changes the status.

        Args:
            qualification_session_id: The session's id.
            user_id: Your identifier of the user. It can be set only while the session has none.
            metadata: Your data: a mapping, which is sent as JSON text, or any JSON text.
            success_url: Where the customer returns; https, http on localhost, or a :class:`~truemed_async.DeepLink`.
                Stored but without effect once the session is approved or rejected.
            failure_url: As ``success_url``, for a customer who does not qualify.
            if_unset: Make ``user_id``, which is then the only field, the session's user unless it has one: if Truemed
                refuses it, the session is read, and the same user is a success. Another user remains an error.

        Raises:
            InvalidArgumentError: Nothing was passed to update, or ``if_unset`` with another field than ``user_id``;
                nothing was sent.
            UserIdAlreadySetError: The session has a ``user_id``, with ``if_unset`` another one; only Truemed's support
                can correct it.
            IdempotencyMismatchError: The key was used on this session with other values.
            NotFoundError: This API key has no such session.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed guide, "Update a Qualification Session".
        """
        body = Sensitive(
            build_update(
                UPDATE_QUALIFICATION_FIELDS,
                extra,
                user_id=user_id,
                metadata=metadata,
                success_url=success_url,
                failure_url=failure_url,
            )
        )
        if scalars.validate_bool("if_unset", if_unset) and [*body.value] != ["user_id"]:
            raise InvalidArgumentError("if_unset goes with user_id and no other field")
        del user_id, metadata, success_url, failure_url
        try:
            return await self._write(
                UPDATE_QUALIFICATION_SESSION,
                path={"qualification_session_id": qualification_session_id},
                body=body.value,
                idempotency_key=idempotency_key,
                options=options,
            )
        except UserIdAlreadySetError as error:
            if not if_unset:
                raise
            session = await self.get(qualification_session_id, options=options)
            if session.user_id != body.value["user_id"]:
                raise
            return QualificationSessionUpdate(
                qualification_session_id=session.qualification_session_id,
                status=session.status,
                idempotency_key=error.idempotency_key or "",
            )

    def update_many(
        self,
        changes: Iterable[QualificationSessionUpdateParams] | AsyncIterable[QualificationSessionUpdateParams],
        *,
        run_id: str | None = None,
        concurrency: int = 16,
        ordered: bool = False,
        progress: Callable[[int, int, int | None], object] | None = None,
        options: RequestOptions | None = None,
    ) -> Stream[UpdateOutcome[QualificationSessionUpdateParams, QualificationSessionUpdate]]:
        """Update many sessions, ``concurrency`` at a time. Updates of the same session may overtake each other.

        Each update yields one :class:`~truemed_async.UpdateOutcome` with the idempotency key that was sent; one that
        fails, even because of an invalid value, does not affect the others. With a ``run_id`` the keys are the same in
        every run: after a crash, repeat the whole run with the same ``run_id`` and each update is applied once. Truemed
        does not document how long it remembers keys, so repeat soon.

        Args:
            changes: The updates, from any iterable or async iterable; it is read only as fast as the outcomes are taken.
            run_id: Your name of this run, for example ``"relabel-2026-11-21"``. Each key is derived from it, the
                session's id and the values: the same update twice in a run is applied once. By default keys are random.
                An update's own ``idempotency_key`` takes precedence.

        Raises:
            InvalidArgumentError: An element of ``changes`` is not a
                :class:`~truemed_async.QualificationSessionUpdateParams`; raised while iterating.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed guide, "Update a Qualification Session".
        """
        scalars.validate_positive_int("concurrency", concurrency)
        scalars.validate_iterable("changes", changes)
        if run_id is not None:
            scalars.validate_text("run_id", run_id)
        update = partial(self.update, options=options)

        async def apply(
            change: QualificationSessionUpdateParams,
        ) -> UpdateOutcome[QualificationSessionUpdateParams, QualificationSessionUpdate]:
            if not isinstance(change, QualificationSessionUpdateParams):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
                raise InvalidArgumentError(
                    f"changes must be QualificationSessionUpdateParams objects, not {type(change).__name__}"
                )
            return await to_update_outcome(change, UPDATE_QUALIFICATION_SESSION, update, run_id)

        return Stream(
            fan_out(changes, apply, concurrency=concurrency, ordered=ordered),
            None if progress is None else ProgressReporter(progress, changes, None),
        )

    def attach_users(
        self,
        matches: Iterable[UserMatch],
        *,
        run_id: str | None = None,
        dry_run: bool = False,
        concurrency: int = 16,
        options: RequestOptions | None = None,
    ) -> Stream[AttachOutcome]:
        """Attach your accounts to the sessions of people who qualified before you knew who they were.

        A session gets the ``user_id`` of the match whose e-mail address is that of the session, but for the case of
        ASCII letters, if it has no ``user_id``; each such session of a person gets it. An address with two accounts is
        reported, and nothing is attached to it. Nothing is written to a session that has another ``user_id``.

        Each session with a matching address yields one :class:`~truemed_async.AttachOutcome`, and so does each address
        without a session or with several accounts. Run it again after a crash or a failure: what is attached stays as
        it is. Sessions are searched by e-mail address where that takes fewer requests than to read all of them.

        Args:
            matches: The accounts, from any iterable. It is read completely by this call.
            run_id: Your name of this run, from which the idempotency keys are derived, as for :meth:`update_many`. By
                default keys are random; Truemed sets a ``user_id`` only once in either case.
            dry_run: Report what would be attached, and write nothing.

        Raises:
            InvalidArgumentError: An element of ``matches`` is not a :class:`~truemed_async.UserMatch`, or its e-mail
                address or user id is invalid; nothing was sent.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed guide, "Update a Qualification Session".
        """
        scalars.validate_positive_int("concurrency", concurrency)
        scalars.validate_bool("dry_run", dry_run)
        if run_id is not None:
            scalars.validate_text("run_id", run_id)
        accounts = Accounts(matches)
        attachment = Attachment(
            list=partial(self.list, options=options),
            iter=partial(self.iter, options=options),
            update=partial(self.update, options=options),
            run_id=run_id,
            dry_run=dry_run,
        )
        return Stream(attachment.run(accounts, concurrency))

    async def letter_invoices(
        self, *, month: str | None = None, options: RequestOptions | None = None
    ) -> LetterInvoiceReport:
        """Return Truemed's invoices to you for Letters, added up from all sessions.

        Merchants that reimburse after a purchase pay a flat fee for each Letter, billed in a batch every Thursday.
        Truemed has no endpoint for these invoices. That ``fee``, ``charge_group_created_at`` and ``stripe_invoice_…`` of
        a session describe them is inferred. The whole list of sessions is read, because an invoice may contain a session
        of any age.

        Args:
            month: Only invoices that were billed in this month in UTC, as ``"YYYY-MM"``; by default all.

        Raises:
            PaginationDriftError: The pages do not form a sorted list, so sessions may be missing.

        Shared arguments and errors: :doc:`/common`.
        Source: docs/truemed-api.md, section 7, row N10.
        """
        days = None if month is None else scalars.parse_month_days("month", month)
        async with self.iter(options=options) as sessions:
            return LetterInvoiceReport.of([session async for session in sessions], days)

    async def wait_until_final(
        self,
        qualification_session_id: str,
        *,
        timeout: float = 300.0,  # noqa: ASYNC109  # how long to poll; canceling a poll midway would say less
        options: RequestOptions | None = None,
    ) -> QualificationSession:
        """Poll a session until it is approved or rejected, with growing delays from 1 to 30 seconds.

        A review by a clinician can take hours: prefer Truemed's webhook where you can receive one.

        Args:
            qualification_session_id: The session's id.
            timeout: How long to poll, in seconds. The last request may take as long as its own timeouts allow.

        Raises:
            DeadlineExceededError: The session was not final in time.
            NotFoundError: This API key has no such session.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Get Qualification Session Details".
        """
        return await self._poll(
            GET_QUALIFICATION_SESSION,
            lambda: self.get(qualification_session_id, options=options),
            lambda session: session.status.is_final,
            timeout=timeout,
            unfinished="the session is not final",
        )


@attrs.frozen(repr=False)
class _Shopper:
    """Whom to find: by the one or by the other."""

    user_id: str | None
    email: str | None

    def has(self, session: QualificationSession) -> bool:
        """Whether this is a session of the shopper."""
        if self.email is None:
            return session.user_id == self.user_id
        identity = scalars.email_identity
        return session.email is not None and identity(session.email.strip()) == identity(self.email)


def _days_between(start: datetime, end: datetime) -> list[date]:
    """Return the days in UTC that a period touches."""
    if end < start:
        raise InvalidArgumentError("end must not be before start")
    if end - start > timedelta(days=MAX_EXPIRY_DAYS):
        raise InvalidArgumentError(
            f"end must be at most {MAX_EXPIRY_DAYS:,} days after start: each day takes a request"
        )
    if end == start:
        return []
    last = (end - timedelta.resolution).date()
    return [date.fromordinal(day) for day in range(start.date().toordinal(), last.toordinal() + 1)]


async def _flatten_unique(
    batches: AsyncGenerator[Sequence[Sequence[QualificationSession]], None],
) -> AsyncGenerator[list[QualificationSession], None]:
    """Yield each session once: one whose expiry moves while days are read may be on two of them."""
    seen: set[str] = set()
    async with aclosing(batches):
        async for batch in batches:
            sessions = {each.qualification_session_id: each for day in batch for each in day}
            yield [each for id, each in sessions.items() if id not in seen]
            seen.update(sessions)
