"""The emulator's time: that of this machine, and as much later as a test wants it to be."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

# Beyond that, dates would leave the calendar.
_MAX_LEAD: Final = timedelta(days=365_000)


class EmulatorClock:
    """The emulator's clock; thread-safe."""

    def __init__(self, *, ahead: float = 0) -> None:
        """Start ``ahead`` seconds ahead of this machine's clock."""
        self.on_advance: list[Callable[[], None]] = []  # called by `apply`
        self._ahead = _lead(ahead)
        self._stamped = datetime.min.replace(tzinfo=UTC)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<EmulatorClock {self.ahead:g} s ahead>"

    @property
    def ahead(self) -> float:
        """How many seconds it is ahead of this machine's clock."""
        return self._ahead.total_seconds()

    def now(self) -> datetime:
        """Return the time: aware, in UTC, cut to whole milliseconds."""
        return utc_milliseconds(datetime.now(UTC) + self._ahead)

    def advance(self, seconds: float) -> None:
        """Advance the clock; holds and Letters may expire.

        Raises:
            ValueError: The duration is negative, or the clock would be more than 1,000 years ahead.
        """
        if not seconds >= 0:
            raise ValueError("cannot advance by a negative duration")
        with self._lock:
            self._ahead = _lead(self.ahead + seconds)
        self.apply()

    def apply(self) -> None:
        """Let happen what is due by now."""
        for notify in tuple(self.on_advance):
            notify()

    def restore(self, ahead: float) -> None:
        """Set how many seconds it is ahead of this machine's clock."""
        lead = _lead(ahead)
        with self._lock:
            self._ahead = lead

    def stamp(self) -> datetime:
        """Return a time of creation: now, but later than every earlier stamp, so that newer rows are listed first."""
        with self._lock:
            self._stamped = max(self.now(), self._stamped + timedelta(milliseconds=1))
            return self._stamped


def _lead(seconds: float) -> timedelta:
    # The comparison also fails for NaN.
    if not abs(seconds) <= _MAX_LEAD.total_seconds():
        raise ValueError("the clock is at most 1,000 years ahead")
    return timedelta(seconds=seconds)


def utc_milliseconds(value: datetime) -> datetime:
    """Return the same moment in UTC, cut to whole milliseconds; a naive datetime is refused with ValueError."""
    if value.tzinfo is None:
        raise ValueError("a datetime needs a timezone")
    value = value.astimezone(UTC)
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def twelve_months_after(moment: datetime) -> datetime:
    """Return the same day and time a year later; 28 February when that year has no 29."""
    if (moment.month, moment.day) == (2, 29):
        moment = moment.replace(day=28)
    return moment.replace(year=moment.year + 1)


def wire_datetime(value: datetime | None) -> str | None:
    """Return it as Truemed's examples have it: ISO 8601 in UTC with milliseconds, 2024-06-13T16:03:07.473Z."""
    # The first 23 characters are the time without its offset, which is that of UTC.
    return None if value is None else value.isoformat(timespec="milliseconds")[:23] + "Z"
