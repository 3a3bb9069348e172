"""What the emulated Truemed knows, and the moves that happen behind its API."""

import copy
import threading
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Self

import attrs

from truemed_async.emulator.newest_first import NewestFirst
from truemed_async.emulator.qualification import Filters, QualificationSession, utc_milliseconds

# Filtered listings are kept until something changes, so that reading one page by page filters once.
_KEPT_LISTINGS = 32


Order = Callable[[Sequence[QualificationSession]], list[QualificationSession]]
# What one write does: put this session in its place, or forget the one with this id.
Write = QualificationSession | str


class InvalidTransitionError(ValueError):
    """The status of the session does not allow this move."""


@attrs.frozen
class Replay:
    """The first answer to an idempotency key, and the payload that it answered."""

    fingerprint: bytes
    answer: object


class State:
    """Qualification sessions and their life: `pending` → `processing` → `approved` | `rejected`.

    Sessions are immutable: `get` returns the session as it is now, and every move puts a new one in its place.
    All methods are safe from any thread. `lock` is held during each request, so a request sees one state.
    """

    def __init__(self, sessions: Iterable[QualificationSession], *, max_page_size: int) -> None:
        """Start with these sessions; a listing never holds more than `max_page_size` of them on one page."""
        self.lock: threading.RLock = threading.RLock()
        self.max_page_size = max_page_size
        self._sessions = NewestFirst(sessions)
        self._replays: dict[tuple[str, str], Replay] = {}
        self._listings: dict[Filters, list[QualificationSession]] = {}
        self._order: Order | None = None
        self._replicas: weakref.WeakSet[Replica] = weakref.WeakSet()

    def __repr__(self) -> str:
        return f"<State of {self.count} qualification sessions>"

    def __contains__(self, qualification_session_id: str) -> bool:
        return qualification_session_id in self._sessions

    @property
    def count(self) -> int:
        """How many sessions there are."""
        return len(self._sessions)

    @property
    def sessions(self) -> Sequence[QualificationSession]:
        """All sessions as they are now, newest first."""
        with self.lock:
            return tuple(self._sessions)

    def add(self, **fields: Any) -> str:
        """Add a session with these fields of `QualificationSession` and return its id.

        What is not given: a fresh id, `created_at` now, status `pending`, null for the rest. `status` may be
        one that Truemed does not know. Datetimes are aware and cut to milliseconds. An id that exists is a ValueError, an unknown field a TypeError.
        """
        given: dict[str, Any] = {
            name: utc_milliseconds(value) if isinstance(value, datetime) else value for name, value in fields.items()
        }
        given.setdefault("qualification_session_id", f"qs_{uuid.uuid4()}")
        given.setdefault("created_at", utc_milliseconds(datetime.now(UTC)))
        session = QualificationSession(**given)
        with self.lock:
            if session.id in self._sessions:
                raise ValueError(f"qualification session {session.id} exists")
            self._write(session)
        return session.id

    def get(self, qualification_session_id: str) -> QualificationSession:
        """Return the session; KeyError when there is none."""
        return self._sessions[qualification_session_id]

    def remove(self, qualification_session_id: str) -> None:
        """Forget the session and its idempotency keys; KeyError when there is none."""
        with self.lock:
            if qualification_session_id not in self:
                raise KeyError(qualification_session_id)
            self._write(qualification_session_id)
            for at in [at for at in self._replays if at[0] == qualification_session_id]:
                del self._replays[at]

    def start_review(self, qualification_session_id: str) -> None:
        """Let the shopper complete the survey: `pending` → `processing`."""
        self._move(qualification_session_id, "pending", status="processing")

    def approve(self, qualification_session_id: str) -> None:
        """Let the review issue a Letter of Medical Necessity, valid for 12 months: `processing` → `approved`."""
        now = utc_milliseconds(datetime.now(UTC))
        expires_at = twelve_months_after(now)
        self._move(
            qualification_session_id, "processing", status="approved", lmn_reviewed_at=now, expires_at=expires_at
        )

    def reject(self, qualification_session_id: str) -> None:
        """Let the review find the shopper ineligible: `processing` → `rejected`."""
        now = utc_milliseconds(datetime.now(UTC))
        self._move(qualification_session_id, "processing", status="rejected", lmn_reviewed_at=now)

    def _move(self, id: str, expected: str, **changes: Any) -> None:
        with self.lock:
            session = self.get(id)
            if session.status != expected:
                raise InvalidTransitionError(f"{id} is {session.status}, not {expected}")
            self.replace(attrs.evolve(session, **changes))

    # What the handlers use besides `get`; the lock is theirs for the whole request.

    def page(self, filters: Filters, start: int, stop: int) -> tuple[list[QualificationSession], int]:
        """Return the matching sessions at positions `start` to `stop`, newest first, and how many match in all."""
        with self.lock:
            if self._order is not None:
                ordered = self._order([session for session in self._sessions if filters.match(session)])
                return ordered[start:stop], len(ordered)
            if filters == Filters():
                return self._sessions.slice(start, stop), len(self._sessions)
            found = self._listings.get(filters)
            if found is None:
                found = [session for session in self._sessions if filters.match(session)]
                if len(self._listings) == _KEPT_LISTINGS:
                    self._listings.clear()
                self._listings[filters] = found
            return found[start:stop], len(found)

    def replace(self, session: QualificationSession) -> None:
        """Put `session` in place of the one with its id; its `created_at` is the same."""
        with self.lock:
            self._write(session)

    def replay(self, qualification_session_id: str, idempotency_key: str) -> Replay | None:
        """Return what the key was answered before: it is scoped to the session and never forgotten."""
        return self._replays.get((qualification_session_id, idempotency_key))

    def remember(self, qualification_session_id: str, idempotency_key: str, fingerprint: bytes, answer: object) -> None:
        """Keep the answer for the next request with this key."""
        self._replays[qualification_session_id, idempotency_key] = Replay(fingerprint, answer)

    # What faults use besides: the same sessions, seen in another way.

    def view(self, *, max_page_size: int | None = None, order: Order | None = None) -> Self:
        """Return this very state, with other limits or another order of what it lists."""
        view = copy.copy(self)
        view.max_page_size = max_page_size or self.max_page_size
        view._order = order or self._order  # noqa: SLF001 - it is one of us
        return view

    def replica(self, *, behind: int) -> "State":
        """Return a copy that follows this state, always so many writes behind it."""
        with self.lock:
            replica = Replica(self._sessions, max_page_size=self.max_page_size, behind=behind)
            self._replicas.add(replica)
        return replica

    def _write(self, write: Write) -> None:
        if isinstance(write, str):
            self._sessions.remove(write)
        elif write.id in self._sessions:
            self._sessions.replace(write)
        else:
            self._sessions.add(write)
        self._listings.clear()
        for replica in self._replicas:
            replica.hear(write)


class Replica(State):
    """A copy of a state, a number of writes behind it."""

    def __init__(self, sessions: Iterable[QualificationSession], *, max_page_size: int, behind: int) -> None:
        """Start with these sessions, and keep this number of writes for later."""
        super().__init__(sessions, max_page_size=max_page_size)
        self._behind = behind
        self._ahead: deque[Write] = deque()

    def hear(self, write: Write) -> None:
        """Take note of a write, and do those that are due."""
        with self.lock:
            self._ahead.append(write)
            while len(self._ahead) > self._behind:
                self._write(self._ahead.popleft())


def twelve_months_after(moment: datetime) -> datetime:
    """Return the same day and time a year later; 28 February when that year has no 29."""
    if (moment.month, moment.day) == (2, 29):
        moment = moment.replace(day=28)
    return moment.replace(year=moment.year + 1)
