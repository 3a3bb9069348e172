"""Checks of arguments: each says what was wrong and what is allowed, never the value."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterable, Callable, Collection, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar, cast

from yarl import URL

from truemed_async._core.config import has_user, is_loopback
from truemed_async.errors import InvalidArgumentError

T = TypeVar("T")

# \Z and not $, which would let a final line break through.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}\Z")
_KEY = re.compile(r"[!-~]{1,255}\Z")


def identifier(name: str, value: object) -> str:
    """Return an id that can stand in a path. Ids are opaque, but one with ``/`` or ``..`` would leave its route."""
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{name} must be a string, not {type(value).__name__}")
    if not _ID.match(value):
        raise InvalidArgumentError(f"{name} must be 1 to 128 of A-Z a-z 0-9 _ - and start with a letter or digit")
    return value


def idempotency_key(value: object) -> str:
    """Return the caller's key, or a new one."""
    if value is None:
        return str(uuid.uuid4())
    if not isinstance(value, str) or not _KEY.match(value):
        raise InvalidArgumentError("idempotency_key must be 1 to 255 printable ASCII characters without blanks")
    return value


def text(name: str, value: object, *, may_be_empty: bool = False) -> str:
    """Return a string that can be sent."""
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{name} must be a string, not {type(value).__name__}")
    if not value and not may_be_empty:
        raise InvalidArgumentError(f"{name} must not be empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        sendable = False
    else:
        sendable = True
    if not sendable:
        raise InvalidArgumentError(f"{name} holds a lone surrogate, which cannot be sent")
    return value


def ids(values: Iterable[T] | AsyncIterable[T], name: str = "ids") -> Iterable[T] | AsyncIterable[T]:
    """Return an iterable of ids, or of what else; a string is one too, of its letters, and never what was meant."""
    if isinstance(values, (str, bytes)) or not isinstance(values, (Iterable, AsyncIterable)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgumentError(f"{name} must be an iterable or async iterable of {name}")
    return values


def each(name: str, values: object, check: Callable[[str, object], T]) -> list[T]:
    """Return the checked elements of a collection; a string is one too, of its letters, and never what was meant.

    A lazy iterable is none: through the sync facade it would run on the loop thread.
    """
    if isinstance(values, (str, bytes)) or not isinstance(values, Collection):
        raise InvalidArgumentError(f"{name} must be a collection, such as a list, not {type(values).__name__}")
    return [check(f"{name}[{at}]", value) for at, value in enumerate(cast("Collection[object]", values))]


def some(name: str, values: object, check: Callable[[str, object], T]) -> list[T]:
    """Return the checked elements of a collection that has at least one."""
    checked = each(name, values, check)
    if not checked:
        raise InvalidArgumentError(f"{name} must not be empty")
    return checked


def positive(name: str, value: object) -> int:
    """Return a whole number from 1."""
    if type(value) is not int or value < 1:
        raise InvalidArgumentError(f"{name} must be a whole number >= 1")
    return value


def day(name: str, value: object) -> str:
    """Return ``YYYY-MM-DD`` in UTC from a date, a datetime (a naive one is UTC), or that text."""
    if isinstance(value, datetime):
        try:
            value = value.astimezone(UTC).date() if value.tzinfo is not None else value.date()
        except OverflowError:  # at the ends of the calendar: said below
            value = None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            pass  # said below
    raise InvalidArgumentError(f"{name} must be a date, a datetime or a valid 'YYYY-MM-DD'")


def moment(name: str, value: object) -> datetime:
    """Return a moment in UTC from a datetime (a naive one is UTC), or a date, which stands for its first moment."""
    if isinstance(value, datetime):
        try:
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        except OverflowError:
            pass  # at the ends of the calendar: said below
    elif isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise InvalidArgumentError(f"{name} must be a datetime or a date")


def start(since: object, look_back: object, now: float) -> datetime | None:
    """Return from which moment on rows are wanted: ``look_back`` before ``since``; ``None`` for all.

    It is refused if it is in the future, ``now`` being seconds since the epoch: no row could be meant. ``since`` alone
    may be, by as much as clocks differ.
    """
    if not isinstance(look_back, timedelta) or look_back < timedelta(0):
        raise InvalidArgumentError("look_back must be a timedelta >= 0")
    if since is None:
        return None
    latest = moment("since", since)
    try:
        earliest = latest - look_back
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
    if earliest.timestamp() > now:
        raise InvalidArgumentError("since must not be in the future (a datetime without a zone is read as UTC)")
    return earliest


def metadata(name: str, value: object) -> str:
    """Return the JSON text of a mapping, or check a JSON text that holds an object."""
    problem = "must be a mapping of JSON values, or a string that holds a JSON object"
    try:
        if isinstance(value, str):
            parsed = json.loads(value, parse_constant=_refuse_constant)
            written = text(name, value)
        else:
            parsed = dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else None
            written = json.dumps(parsed, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
            written.encode()
    except (ValueError, TypeError, RecursionError):
        parsed = written = None
    if not isinstance(parsed, dict) or written is None:
        raise InvalidArgumentError(f"{name} {problem}")
    return written


def _refuse_constant(_: str) -> Any:
    raise ValueError


def web_url(name: str, value: object, *, http: bool = False) -> str:
    """Return a page's URL as it was given: https, or http on this machine; with ``http``, http on any."""
    problem = None
    written = str(value) if isinstance(value, (str, URL)) else ""
    try:
        parsed = URL(written)
    except ValueError:
        parsed = URL()
    if not written.isprintable() or any(blank in written for blank in " \\"):
        problem = "must not hold blanks, control characters or backslashes"
    elif (
        parsed.scheme not in ("https", "http") or not parsed.host or not re.match(r"https?://", written, re.IGNORECASE)
    ):
        problem = f"must be an absolute {'http or ' if http else ''}https URL"
    elif has_user(written):
        problem = "must not hold a user or password"
    elif parsed.scheme == "http" and not http and not is_loopback(parsed.host):
        problem = "must be https (http only on localhost)"
    if problem is not None:
        raise InvalidArgumentError(f"{name} {problem}")
    return written
