"""Summaries of whole listings, counted while they are read: memory holds the counts only."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from truemed_async._sensitive import Sensitive
from truemed_async.models import QualificationSession, QualificationStatus
from truemed_async.options import RequestOptions

if TYPE_CHECKING:
    from truemed_async.client import AsyncTruemed

EXPIRING_WITHIN = (30, 60, 90)  # days


@attrs.frozen(kw_only=True)
class SessionsSummary:
    """Qualification sessions in numbers. It holds nothing personal.

    Attributes:
        as_of: The moment that expiry is counted from, in UTC.
        sessions: How many there are.
        statuses: How many of each status, the most frequent first.
        days: How many of each status were created on each day in UTC, the earliest day first. Days without sessions
            are not there, nor are sessions whose ``created_at`` is null.
        expiring: How many approved Letters of Medical Necessity expire within 30, 60 and 90 days of ``as_of``; each
            number holds those before it, and none holds Letters that have expired.
    """

    as_of: datetime
    sessions: int
    statuses: Mapping[str, int]
    days: Mapping[date, Mapping[str, int]]
    expiring: Mapping[int, int]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready data: days as ``YYYY-MM-DD``, all keys strings."""
        return {
            "as_of": self.as_of.isoformat(),
            "sessions": self.sessions,
            "statuses": dict(self.statuses),
            "days": {day.isoformat(): dict(statuses) for day, statuses in self.days.items()},
            "expiring_within_days": {str(within): number for within, number in self.expiring.items()},
        }


@attrs.define
class _Counting:
    """The numbers so far."""

    as_of: datetime
    statuses: Counter[str] = attrs.field(factory=Counter[str])
    days: defaultdict[date, Counter[str]] = attrs.field(factory=lambda: defaultdict[date, Counter[str]](Counter))
    expiring: Counter[int] = attrs.field(factory=Counter[int])

    def add(self, session: QualificationSession) -> None:
        status = str(session.status)
        self.statuses[status] += 1
        if session.created_at is not None:
            self.days[session.created_at.astimezone(UTC).date()][status] += 1
        if session.status == QualificationStatus.APPROVED and session.expires_at is not None:
            left = session.expires_at - self.as_of
            self.expiring.update(within for within in EXPIRING_WITHIN if timedelta(0) <= left < timedelta(days=within))

    def summary(self) -> SessionsSummary:
        return SessionsSummary(
            as_of=self.as_of,
            sessions=self.statuses.total(),
            statuses=dict(self.statuses.most_common()),
            days={day: dict(self.days[day].most_common()) for day in sorted(self.days)},
            expiring={within: self.expiring[within] for within in EXPIRING_WITHIN},
        )


async def summarize_sessions(
    client: AsyncTruemed,
    *,
    status: QualificationStatus | str | None = None,
    user_id: str | None = None,
    expires_at: date | str | None = None,
    search: str | None = None,
    since: date | None = None,
    page_size: int = 100,
    prefetch: int = 4,
    options: RequestOptions | None = None,
) -> SessionsSummary:
    """Read every qualification session that matches, and return them in numbers.

    Args:
        client: Makes the requests.
        status: As in ``client.qualification_sessions.iter``.
        user_id: As in ``iter``.
        expires_at: As in ``iter``.
        search: As in ``iter``.
        since: As in ``iter``, without looking back. Letters of sessions that were created before are not counted.
        page_size: As in ``iter``.
        prefetch: As in ``iter``.
        options: As in ``iter``.

    Raises:
        InvalidArgumentError: An argument was refused; nothing was sent.
        CallError: A page could not be read.
        PaginationDriftError: Sessions may be missing.

    Source: Truemed API reference, "List Qualification Sessions".
    """
    filters = Sensitive({"status": status, "user_id": user_id, "expires_at": expires_at, "search": search})
    del user_id, search  # a traceback may show the locals of this frame
    counting = _Counting(datetime.fromtimestamp(client.clock.wall(), UTC))
    given: dict[str, Any] = filters.value | {"since": since, "look_back": timedelta(0), "options": options}
    stream = client.qualification_sessions.iter(**given, page_size=page_size, prefetch=prefetch)
    del given
    async with stream:
        async for session in stream:
            counting.add(session)
    return counting.summary()
