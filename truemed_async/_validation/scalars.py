"""Checks of single values: ids, texts, numbers, dates, and collections of them."""

from __future__ import annotations

import calendar
import json
import math
import re
import uuid
from collections.abc import AsyncIterable, Callable, Collection, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar, cast

from truemed_async.errors import InvalidArgumentError

T = TypeVar("T")

MAX_INT = 2**31 - 1
"""The largest whole number that is accepted as a count or a number of seconds."""
MAX_PERIOD = timedelta(days=36_500)
"""The longest time to look back."""
# \Z instead of $, which would accept a trailing line break.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}\Z")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})\Z")
_KEY = re.compile(r"[!-~]{1,255}\Z")


def validate_id(name: str, value: object) -> str:
    """Return an id that is safe in a path. Ids are opaque, but one with ``/`` or ``..`` would change the route."""
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{name} must be a string, not {type(value).__name__}")
    if not _ID.match(value):
        raise InvalidArgumentError(
            f"{name} must be 1 to 128 characters of A-Z a-z 0-9 _ - and start with a letter or digit"
        )
    return value


def resolve_idempotency_key(value: object) -> str:
    """Return the caller's key, or a new one."""
    if value is None:
        return str(uuid.uuid4())
    if not isinstance(value, str) or not _KEY.match(value):
        raise InvalidArgumentError("idempotency_key must be 1 to 255 printable ASCII characters without spaces")
    return value


def validate_text(name: str, value: object, *, allow_empty: bool = False) -> str:
    """Return a string that can be encoded."""
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{name} must be a string, not {type(value).__name__}")
    if not value and not allow_empty:
        raise InvalidArgumentError(f"{name} must not be empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        is_encodable = False
    else:
        is_encodable = True
    if not is_encodable:
        raise InvalidArgumentError(f"{name} contains a lone surrogate, which cannot be sent")
    return value


def validate_email(name: str, value: object) -> str:
    """Return an e-mail address without surrounding blanks."""
    email = validate_text(name, value).strip()
    if "@" not in email:
        raise InvalidArgumentError(f"{name} must be an e-mail address: it has no @")
    return email


def email_identity(email: str) -> bytes:
    """Return what two spellings of an e-mail address share: they differ in nothing but the case of ASCII letters.

    Other letters are compared as they are. Unicode's rules would equate different addresses, such as those with the
    Kelvin sign and with a k, and so give one person the Letter of another.
    """
    return email.encode(errors="surrogatepass").lower()  # the method of bytes only knows ASCII


def validate_bool(name: str, value: object) -> bool:
    """Return a boolean. Truthy values such as 1 or "false" are rejected."""
    if not isinstance(value, bool):
        raise InvalidArgumentError(f"{name} must be True or False")
    return value


def validate_positive_int(name: str, value: object) -> int:
    """Return a whole number from 1."""
    if type(value) is not int or value < 1:
        raise InvalidArgumentError(f"{name} must be a whole number >= 1")
    if value > MAX_INT:
        raise InvalidArgumentError(f"{name} must be at most {MAX_INT}")
    return value


def validate_seconds(name: str, value: object, *, allow_zero: bool = False) -> float:
    """Return a finite number of seconds: there is always a deadline."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidArgumentError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if isinstance(value, int) and value > MAX_INT:  # which may be too large for a float
        raise InvalidArgumentError(f"{name} must be at most {MAX_INT} seconds")
    if not math.isfinite(value) or value < 0 or (value == 0 and not allow_zero):
        raise InvalidArgumentError(f"{name} must be a finite number of seconds {'>= 0' if allow_zero else '> 0'}")
    return float(value)


def validate_max_rate(value: object) -> float | None:
    """Return a number of requests per second, or ``None``."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= MAX_INT:
        raise InvalidArgumentError("max_rate must be a number of requests per second > 0, or None")
    return float(value)


def validate_period(name: str, value: object) -> timedelta:
    """Return a length of time that is longer than 0 and lies within the calendar."""
    if not isinstance(value, timedelta):
        raise InvalidArgumentError(f"{name} must be a timedelta, not {type(value).__name__}")
    if not timedelta(0) < value <= MAX_PERIOD:
        raise InvalidArgumentError(f"{name} must be more than 0 and at most {MAX_PERIOD.days} days")
    return value


def validate_instance(name: str, value: object, kind: type[T]) -> T:
    """Return an instance of ``kind``, whose constructor has validated it."""
    if not isinstance(value, kind):
        raise InvalidArgumentError(f"{name} must be {kind.__name__}(…), not {type(value).__name__}")
    return value


def validate_iterable(name: str, values: Iterable[T] | AsyncIterable[T]) -> Iterable[T] | AsyncIterable[T]:
    """Return an iterable. Strings are rejected: iterating one would yield its characters."""
    if isinstance(values, (str, bytes)) or not isinstance(values, (Iterable, AsyncIterable)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgumentError(f"{name} must be an iterable or async iterable of {name}")
    return values


def validate_items(name: str, values: object, validate: Callable[[str, object], T]) -> list[T]:
    """Return the validated elements of a collection. Strings are rejected: iterating one would yield its characters.

    A lazy iterable is rejected because the sync facade would iterate it on the loop thread.
    """
    if isinstance(values, (str, bytes)) or not isinstance(values, Collection):
        raise InvalidArgumentError(f"{name} must be a collection, such as a list, not {type(values).__name__}")
    return [validate(f"{name}[{index}]", value) for index, value in enumerate(cast("Collection[object]", values))]


def validate_non_empty_items(name: str, values: object, validate: Callable[[str, object], T]) -> list[T]:
    """Return the validated elements of a collection that has at least one."""
    items = validate_items(name, values, validate)
    if not items:
        raise InvalidArgumentError(f"{name} must not be empty")
    return items


def parse_date(name: str, value: object) -> str:
    """Return ``YYYY-MM-DD`` in UTC from a date, a datetime (a naive one is UTC), or such a string."""
    if isinstance(value, datetime):
        value = _to_utc(value)
        value = None if value is None else value.date()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            pass  # raise outside the handler so that the value is not in the exception's context
    raise InvalidArgumentError(f"{name} must be a date, a datetime or a valid 'YYYY-MM-DD'")


def parse_month(name: str, value: object) -> str:
    """Return ``YYYY-MM`` from a date, a datetime (a naive one is UTC), or such a string."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", value) and value >= "0001":
        return value
    if isinstance(value, datetime):
        value = _to_utc(value)
    if isinstance(value, date):
        return value.isoformat()[:7]
    raise InvalidArgumentError(f"{name} must be a date, a datetime or a valid 'YYYY-MM'")


def parse_datetime(name: str, value: object) -> datetime:
    """Return a datetime in UTC from a datetime (a naive one is UTC), or from a date, which stands for its midnight."""
    moment = None
    if isinstance(value, datetime):
        moment = _to_utc(value)
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if moment is None:
        raise InvalidArgumentError(f"{name} must be a datetime or a date")
    return moment


def _to_utc(value: datetime) -> datetime | None:
    """Return a datetime in UTC, or ``None`` if it has no place in the calendar.

    That is the case for pandas' ``NaT``, a ``datetime`` that does not equal itself, and for the last hours of the
    calendar in a time zone in which UTC is already beyond it.
    """
    if value != value:  # noqa: PLR0124
        return None
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def resolve_since(since: object, look_back: object, now: float) -> datetime | None:
    """Return the earliest moment to read from, which is ``look_back`` before ``since``, or ``None`` for everything.

    A moment in the future is rejected, because no row can match (``now`` is seconds since the epoch). ``since`` itself
    may lie up to ``look_back`` in the future, to allow for clocks that differ.
    """
    if not isinstance(look_back, timedelta) or look_back < timedelta(0):
        raise InvalidArgumentError("look_back must be a timedelta >= 0")
    if since is None:
        return None
    latest = parse_datetime("since", since)
    try:
        earliest = latest - look_back
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
    if earliest.timestamp() > now:
        raise InvalidArgumentError("since must not be in the future (a datetime without a time zone is read as UTC)")
    return earliest


def resolve_until(until: object, since: object) -> datetime | None:
    """Return the moment before which to read, or ``None`` for everything; a date includes its whole day."""
    if until is None:
        return None
    latest = parse_datetime("until", until)
    if not isinstance(until, datetime):
        try:
            latest += timedelta(days=1)
        except OverflowError:
            return None  # the last day of the calendar
    if since is not None and latest <= parse_datetime("since", since):
        raise InvalidArgumentError("until must be later than the start of the period")
    return latest


def parse_month_days(name: str, value: object) -> tuple[date, date]:
    """Return the first and the last day of a month, ``"YYYY-MM"``."""
    match = _MONTH.match(value) if isinstance(value, str) else None
    year, month = (int(part) for part in match.groups()) if match else (0, 0)
    if not year or not 1 <= month <= 12:
        raise InvalidArgumentError(f"{name} must be a valid 'YYYY-MM'")
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


def validate_metadata(name: str, value: object) -> str:
    """Return the JSON text of a mapping, or validate a JSON text: Truemed's page asks for nothing more than JSON."""
    text = None
    try:
        if isinstance(value, str):
            json.loads(value, parse_constant=_reject_constant)
            text = validate_text(name, value)
        elif isinstance(value, Mapping):
            plain = dict(cast("Mapping[str, Any]", value))
            text = json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
            text.encode()
    except (ValueError, TypeError, RecursionError):
        text = None
    if text is None:
        raise InvalidArgumentError(f"{name} must be a mapping of JSON values, or a string that contains JSON")
    return text


def _reject_constant(_: str) -> Any:
    raise ValueError
