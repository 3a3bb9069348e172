"""The timeline of an object: the requests that touched it, its transitions, and the webhook deliveries about it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

import attrs
import orjson

from truemed_async.emulator.inspector.formats import (
    FormattedValue,
    Tone,
    format_seconds,
    response_tone,
    shorten,
    show,
    tone,
)
from truemed_async.emulator.inspector.listing import (
    MAX_SEARCHED_REQUESTS,
    delivery_path,
    event_name,
    request_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.history import Change
    from truemed_async.emulator.inspector.kinds import Kind
    from truemed_async.emulator.request_log import LoggedRequest
    from truemed_async.emulator.store import Row
    from truemed_async.emulator.webhooks.model import EmulatedDelivery

MAX_ENTRIES: Final = 40
_ORDER: Final = ("request", "change", "delivery", "attempt")  # of entries at the same time


@attrs.frozen(kw_only=True)
class Entry:
    """One entry: what happened, its result as a badge, and the page that has more about it."""

    moment: datetime
    kind: Literal["request", "change", "delivery", "attempt"]
    text: str
    href: str = ""
    badge: str = ""
    tone: Tone = ""
    detail: str = ""
    at: FormattedValue


@attrs.frozen
class Timeline:
    """The newest entries, oldest first, and the number of those before.

    ``searched`` is how many of the newest requests were searched for those that only name the object; 0 for all.
    """

    entries: tuple[Entry, ...]
    omitted: int
    searched: int


def read_timeline(context: EmulatorContext, kind: Kind, row: Row) -> Timeline:
    """Return what happened to an object."""
    now = context.state.clock.now()
    changes = context.history.of_object(kind.resource, row.id)
    causes = {change.request for change in changes}
    entries = [
        *(_of_request(each, now) for each in _requests_about(context, row.id, causes)),
        *(_of_change(each, now) for each in changes),
        *_of_creation(row, changes, now),
    ]
    for delivery in context.webhooks.deliveries:
        if (delivery.resource, delivery.resource_id) == (kind.resource, row.id):
            entries.extend(_of_delivery(delivery, now))
    entries.sort(key=lambda entry: (entry.moment, _ORDER.index(entry.kind)))
    searched = MAX_SEARCHED_REQUESTS if len(context.requests) > MAX_SEARCHED_REQUESTS else 0
    return Timeline(tuple(entries[-MAX_ENTRIES:]), max(0, len(entries) - MAX_ENTRIES), searched)


def _requests_about(context: EmulatorContext, id: str, causes: set[int | None]) -> Iterator[LoggedRequest]:
    """Yield the requests that caused a transition, that name the object, or whose write was answered with its id.

    The first are known by their numbers. The others are searched for, among the newest ones. The oldest come first:
    those of the same millisecond stay in this order.
    """
    quoted, member = quote(id, safe=""), orjson.dumps(id)
    newest = context.requests.newest(MAX_SEARCHED_REQUESTS)
    searched = {request.number for request in newest}
    for number in sorted(number for number in causes if number is not None and number not in searched):
        with suppress(KeyError):  # not stored any more
            yield context.requests.get(number)
    for request in reversed(newest):
        if request.number in causes or (
            request.sales_channel in {None, context.number}
            and (
                quoted in request.path.split("/")
                or f"={quoted}&" in f"{request.query}&"
                or member in request.body
                or (request.method != "GET" and member in request.response_body)
            )
        ):
            yield request


def _of_request(request: LoggedRequest, now: datetime) -> Entry:
    return Entry(
        moment=request.at or now,
        kind="request",
        text=f"{request.method} {shorten(request.path, 100)}",
        href=request_path(request.number),
        badge=str(request.status or "no response"),
        tone=response_tone(request.status),
        detail=format_seconds(request.seconds),
        at=show("at", request.at or now, now),
    )


def _of_change(change: Change, now: datetime) -> Entry:
    arrow = "" if change.before in {None, change.after} else f"{_words(change.before or '')} → "
    return Entry(
        moment=change.at,
        kind="change",
        text=_words(change.name),
        href="" if change.request is None else request_path(change.request),
        badge=f"{arrow}{_words(change.after)}",
        tone=tone(change.after),
        detail="" if change.request is None else f"by request {change.request}",
        at=show("at", change.at, now),
    )


def _of_creation(row: Row, changes: tuple[Change, ...], now: datetime) -> Iterator[Entry]:
    """Yield the creation of an object that is older than the history, as those of the seed are."""
    if row.created_at is not None and not any(change.before is None for change in changes):
        yield Entry(moment=row.created_at, kind="change", text="created", at=show("at", row.created_at, now))


def _of_delivery(delivery: EmulatedDelivery, now: datetime) -> Iterator[Entry]:
    name, href = shorten(event_name(delivery), 60), delivery_path(delivery.id)
    waits = f"next attempt {show('due', delivery.due, now).text}" if delivery.state == "waiting" else ""
    yield Entry(
        moment=delivery.created_at,
        kind="delivery",
        text=f"Webhook {name}",
        href=href,
        badge=delivery.state,
        tone=tone(delivery.state),
        detail=waits,
        at=show("at", delivery.created_at, now),
    )
    for number, attempt in enumerate(delivery.attempts, 1):
        yield Entry(
            moment=attempt.at,
            kind="attempt",
            text=f"Attempt {number} of {name}",
            href=f"{href}#attempt-{number}",
            badge=str(attempt.status or attempt.failure),
            tone="good" if attempt.acknowledged else "bad",
            detail=format_seconds(attempt.seconds),
            at=show("at", attempt.at, now),
        )


def _words(name: str) -> str:
    return name.replace("_", " ")
