"""Qualification sessions: get, list and update them, one or many, and wait for the result."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any

from yarl import URL

from truemed_async._core.bulk import ProgressReporter, fan_out
from truemed_async._core.bulk_update import UpdateOutcome, to_update_outcome
from truemed_async._core.pagination import SortOrder
from truemed_async._core.stream import Stream
from truemed_async._validation import scalars
from truemed_async.endpoints import (
    GET_QUALIFICATION_SESSION,
    LIST_QUALIFICATION_SESSIONS,
    UPDATE_QUALIFICATION_SESSION,
)
from truemed_async.errors import InvalidArgumentError
from truemed_async.models import Page, QualificationSession, QualificationSessionUpdate, QualificationStatus
from truemed_async.options import UNSET, RequestOptions, Unset
from truemed_async.resources._base import GettableResource
from truemed_async.resources._fields import (
    QUALIFICATION_FILTERS,
    UPDATE_QUALIFICATION_FIELDS,
    QualificationSessionUpdateParams,
    build_query,
    build_update,
)

SORT_ORDER = SortOrder[QualificationSession](
    id=lambda session: session.qualification_session_id, key=lambda session: session.created_at
)


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
            options=options,
        )

    async def update(
        self,
        qualification_session_id: str,
        *,
        user_id: str | Unset = UNSET,
        metadata: Mapping[str, Any] | str | Unset = UNSET,
        success_url: str | URL | Unset = UNSET,
        failure_url: str | URL | Unset = UNSET,
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

        Raises:
            InvalidArgumentError: Nothing was passed to update; nothing was sent.
            UserIdAlreadySetError: The session has a ``user_id``; only Truemed's support can correct it.
            IdempotencyMismatchError: The key was used on this session with other values.
            NotFoundError: This API key has no such session.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed guide, "Update a Qualification Session".
        """
        return await self._write(
            UPDATE_QUALIFICATION_SESSION,
            path={"qualification_session_id": qualification_session_id},
            body=build_update(
                UPDATE_QUALIFICATION_FIELDS,
                extra,
                user_id=user_id,
                metadata=metadata,
                success_url=success_url,
                failure_url=failure_url,
            ),
            idempotency_key=idempotency_key,
            options=options,
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

    async def wait_until_final(
        self,
        qualification_session_id: str,
        *,
        timeout: float = 300.0,  # noqa: ASYNC109  # how long to poll; cancelling a poll midway would say less
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
