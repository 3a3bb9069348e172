"""Qualification sessions: get, list, update, and what is built on them."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any, cast

import attrs
from yarl import URL

from truemed_async._core.bulk import Outcome
from truemed_async._core.bulk_changes import UpdateOutcome
from truemed_async._core.pagination import SortOrder
from truemed_async._core.stream import Stream
from truemed_async._validation import scalars
from truemed_async.endpoints import (
    GET_QUALIFICATION_SESSION,
    LIST_QUALIFICATION_SESSIONS,
    UPDATE_QUALIFICATION_SESSION,
)
from truemed_async.models import Page, QualificationSession, QualificationSessionUpdate, QualificationStatus
from truemed_async.options import UNSET, RequestOptions, Unset
from truemed_async.resources._base import Resource
from truemed_async.resources._bulk import get_many, update_many
from truemed_async.resources._polling import poll
from truemed_async.resources._qualification_fields import QualificationSessionUpdateParams, changed_fields, filters

SORT_ORDER = SortOrder[QualificationSession](
    id=lambda session: session.qualification_session_id, key=lambda session: session.created_at
)


class QualificationSessions(Resource):
    """Whether shoppers hold a Letter of Medical Necessity for their orders."""

    __slots__ = ()

    async def get(
        self, qualification_session_id: str, *, options: RequestOptions | None = None
    ) -> QualificationSession:
        """Return one qualification session.

        Args:
            qualification_session_id: Its id, for example ``"qs_abc123"``.
            options: Time-outs, retry policy and headers of this call.

        Raises:
            InvalidArgumentError: The id cannot be one; nothing was sent.
            NotFoundError: There is no such session for this API key.
            CallError: Anything else that happened on the call.

        Source: Truemed API reference, "Get Qualification Session Details".
        """
        return await self._call(
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
        options: RequestOptions | None = None,
    ) -> Page[QualificationSession]:
        """Return one page of qualification sessions, sorted by creation.

        To read them all, use :meth:`iter`: pages asked for one by one shift while sessions come and go.

        Args:
            status: Only sessions of this status.
            user_id: Only sessions of this user.
            expires_at: Only sessions whose Letter of Medical Necessity expires on this day, in UTC: a date, a datetime
                (a naive one is UTC), or ``"YYYY-MM-DD"``.
            search: Text to find in user name, e-mail, user_business_id, utm and external_user_id.
            page: The page, from 1; Truemed's default is 1.
            page_size: Rows on a page, at least 1; Truemed's default is 30. The server may apply less: see
                ``.pagination.page_size``.
            options: Time-outs, retry policy and headers of this call.

        Raises:
            InvalidArgumentError: An argument was refused; nothing was sent.
            BadRequestError: Truemed refused a filter (``ValidationError``).
            CallError: Anything else that happened on the call.

        Source: Truemed API reference, "List Qualification Sessions".
        """
        return await self._call(
            LIST_QUALIFICATION_SESSIONS,
            query={
                **filters(status, user_id, expires_at, search),
                "page": None if page is None else scalars.validate_positive_int("page", page),
                "page_size": None if page_size is None else scalars.validate_positive_int("page_size", page_size),
            },
            options=options,
        )

    def iter(
        self,
        *,
        status: QualificationStatus | str | None = None,
        user_id: str | None = None,
        expires_at: date | str | None = None,
        search: str | None = None,
        since: date | None = None,
        look_back: timedelta = timedelta(minutes=5),
        page_size: int = 100,
        prefetch: int = 4,
        options: RequestOptions | None = None,
    ) -> Stream[QualificationSession]:
        """Iterate over every qualification session that matches, without a gap while the list changes.

        Each session that matches from the first request until it is reached comes exactly once, in Truemed's order,
        whatever is added, removed or moved out of the filter meanwhile. Sessions that are added meanwhile come too,
        unless the place where they are sorted in has been passed.

        Args:
            status: As in :meth:`list`.
            user_id: As in :meth:`list`.
            expires_at: As in :meth:`list`.
            search: As in :meth:`list`.
            since: Only sessions created at this moment or later: a datetime (a naive one is UTC), or a date, which is
                its first moment in UTC. A list that is newest first is read only down to there, so that a run costs
                what is new; of one that is oldest first (Truemed does not state which it is) all is read. A session
                whose ``created_at`` is null does not come, nor does one because it was changed.
            look_back: How much further back than ``since`` to read, for sessions that became visible late: sessions
                that an earlier run has seen come again, so tell them apart by their ids.
            page_size: Rows to ask for at once, at most; the server may give less. Pages overlap a little: at 100 it
                takes 1.15 times the requests of plain paging, at 30 about 1.3 times. Below 7 pages cannot overlap:
                sessions that leave the list then hide others, and a warning says so.
            prefetch: How many requests may be in flight, at least 1, which is one after another. Up to twice as many
                pages are held.
            options: Time-outs, retry policy and headers of each request.

        Raises:
            InvalidArgumentError: An argument was refused; raised at once, nothing was sent.
            CallError: A page could not be read; raised while iterating.
            PaginationDriftError: The pages do not add up to a sorted list, so sessions may be missing.

        Warns:
            TruemedWarning: Once, if the server gives smaller pages than were asked for, pages cannot overlap, or
                sessions without ``created_at`` are left out by ``since``.

        Source: Truemed API reference, "List Qualification Sessions".
        """
        return self._iterate(
            LIST_QUALIFICATION_SESSIONS,
            filters(status, user_id, expires_at, search),
            SORT_ORDER,
            since=scalars.resolve_since(since, look_back, self._client.clock.wall()),
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
        options: RequestOptions | None = None,
    ) -> QualificationSessionUpdate:
        """Change what you keep on a session; fields that are not given stay as they are.

        Nothing can be cleared, so ``None`` is refused. The status is never changed by this.

        Args:
            qualification_session_id: The session's id.
            user_id: Your identifier of the user. It can be set only while the session has none.
            metadata: Your data: a mapping, or a JSON text that holds an object. It travels as JSON text.
            success_url: Where the customer returns; https, or http on localhost. Stored but without effect once the
                session is approved or rejected.
            failure_url: As ``success_url``, for a customer who does not qualify.
            idempotency_key: Makes repeats harmless: the same key with the same values has one effect. By default a
                new one is made; give your own where the call may be cancelled or the process may die, and repeat
                with it. Do not put personal data in it: it is shown in errors.
            options: Time-outs, retry policy and headers of this call.

        Returns:
            The session's id and status, and the idempotency key that was used.

        Raises:
            InvalidArgumentError: An argument was refused, there is nothing to change, or this client has used the key
                on this session with other values; nothing was sent.
            UserIdAlreadySetError: The session has a ``user_id``; only Truemed's support can correct it.
            IdempotencyMismatchError: The key was used on this session with other values.
            NotFoundError: There is no such session for this API key.
            CallError: Anything else; ``outcome`` says whether the change may have been made, and repeating with the
                error's ``idempotency_key`` settles it.

        Source: Truemed guide, "Update a Qualification Session".
        """
        response = await self._client.send(
            UPDATE_QUALIFICATION_SESSION,
            path={"qualification_session_id": qualification_session_id},
            body=changed_fields(user_id, metadata, success_url, failure_url),
            idempotency_key=idempotency_key,
            options=options,
        )
        return attrs.evolve(response.value, idempotency_key=cast("str", response.idempotency_key))

    def get_many(
        self,
        ids: Iterable[str] | AsyncIterable[str],
        *,
        concurrency: int = 16,
        ordered: bool = False,
        unique: bool = False,
        progress: Callable[[int, int, int | None], object] | None = None,
        options: RequestOptions | None = None,
    ) -> Stream[Outcome[QualificationSession]]:
        """Get many sessions at once, ``concurrency`` at a time.

        One that fails, for whatever reason, does not touch the others: each id gives one
        :class:`~truemed_async.Outcome`.

        Args:
            ids: The ids, from any iterable or async iterable; it is read only as fast as the outcomes are taken.
            concurrency: Calls in flight, at least 1. The client's ``max_concurrency`` bounds them too.
            ordered: Whether outcomes come in the order of the ids, rather than as they arrive.
            unique: Whether an id that was there before is left out. The last 100,000 different ids are remembered,
                in about 15 MiB; one that comes again later than that is asked for again.
            progress: Called with ``(done, failed, total)`` each time that outcomes have arrived, before you get them.
                Failed ones are done too, and so are repeats that ``unique`` left out; ``total`` is ``None`` where
                ``ids`` has no length. What it raises ends the iteration.
            options: Time-outs, retry policy and headers of each call.

        Raises:
            InvalidArgumentError: An argument was refused; raised at once.
        """
        return get_many(
            lambda each: self.get(each, options=options),
            ids,
            concurrency=concurrency,
            ordered=ordered,
            unique=unique,
            progress=progress,
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
        """Make many changes at once, ``concurrency`` at a time; changes of one session may overtake each other.

        One that fails, a bad value included, does not touch the others: each change gives one
        :class:`~truemed_async.UpdateOutcome`, with the idempotency key that it went out with. With a ``run_id`` the
        keys are the same each time: after a crash run the same changes again, all of them, under the same ``run_id``,
        and each has its effect once. How long Truemed remembers keys is not documented: do so soon.

        Args:
            changes: The changes, from any iterable or async iterable; it is read only as fast as the outcomes are taken.
            run_id: Your name of this run, for example ``"relabel-2026-11-21"``. Each key is made of it, the session's
                id and the values, whatever the order: the same change twice in a run is one change, and a change with
                other values is another. By default keys are random. A change's own ``idempotency_key`` goes first.
            concurrency: Calls in flight, at least 1. The client's ``max_concurrency`` bounds them too.
            ordered: Whether outcomes come in the order of the changes, rather than as they arrive.
            progress: As in :meth:`get_many`.
            options: Time-outs, retry policy and headers of each call.

        Raises:
            InvalidArgumentError: An argument was refused, raised at once; or what ``changes`` holds is no
                :class:`~truemed_async.QualificationSessionUpdateParams`, raised while iterating.

        Source: Truemed guide, "Update a Qualification Session".
        """
        return update_many(
            changes,
            QualificationSessionUpdateParams,
            UPDATE_QUALIFICATION_SESSION,
            partial(self.update, options=options),
            run_id=run_id,
            concurrency=concurrency,
            ordered=ordered,
            progress=progress,
        )

    async def wait_until_final(
        self,
        qualification_session_id: str,
        *,
        timeout: float = 300.0,  # noqa: ASYNC109  # how long to poll; cancelling a poll midway would say less
        options: RequestOptions | None = None,
    ) -> QualificationSession:
        """Poll a session until it is approved or rejected, with growing pauses from 1 to 30 seconds.

        A review by a clinician can take hours: prefer Truemed's webhook where you can receive one.

        Args:
            qualification_session_id: The session's id.
            timeout: How long to go on polling, in seconds; the last poll may take its own time-outs longer.
            options: Time-outs, retry policy and headers of each request.

        Raises:
            InvalidArgumentError: An argument was refused; nothing was sent.
            DeadlineExceededError: The session was not final in time.
            NotFoundError: There is no such session for this API key.
            CallError: Anything else that happened on a call.

        Source: Truemed API reference, "Get Qualification Session Details".
        """
        return await poll(
            lambda: self.get(qualification_session_id, options=options),
            lambda session: session.status.is_final,
            what="the session",
            seconds_left=timeout,
            clock=self._client.clock,
            endpoint=GET_QUALIFICATION_SESSION,
        )
