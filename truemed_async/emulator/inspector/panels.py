"""What each panel shows: plain values for the templates, the newest first, and no more of them than it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs
import orjson

from truemed_async.emulator.moves import moves_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.webhooks.model import Delivery

_LONGEST: Final = 4_000  # of one body
_LONGEST_IN_ALL: Final = 20_000
_LONGEST_IN_A_LINE: Final = 200
_ATTEMPTS: Final = 10


@attrs.frozen
class Panel:
    """One page of the inspector: its address, its name, its template, and what that needs to show so many rows."""

    slug: str
    name: str
    template: str
    values: Callable[[EmulatorContext, int], Mapping[str, object]]


def _rows(context: EmulatorContext, most: int, resource: str, *columns: str) -> dict[str, object]:
    store = context.state.stores[resource]
    newest, count = store.table.slice(None, 0, most)
    rows = [
        {
            "id": row.id,
            "name": _line(row.id),
            "status": _line(row.status),
            "cells": [_line(getattr(row, column)) for column in columns],
            "moves": moves_of(resource, row.status),
        }
        for row in newest
    ]
    return {"resource": resource, "columns": columns, "rows": rows, "count": count}


def _line(value: object) -> str:
    """Return a value in one line that is not too long."""
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST_IN_A_LINE else f"{text[:_LONGEST_IN_A_LINE]}…"


def _headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(_line(name), _line(value)) for name, value in headers]


def _payments(context: EmulatorContext, most: int) -> dict[str, object]:
    columns = ("total_amount", "kind", "status_summary", "created_at")
    return {"tables": {"Payment sessions": _rows(context, most, "payment_sessions", *columns)}}


def _tokens(context: EmulatorContext, most: int) -> dict[str, object]:
    return {
        "tables": {
            "Payment tokens": _rows(context, most, "payment_tokens", "failure", "lmn_expires_at", "created_at"),
            "Provision requests": _rows(
                context, most, "provision_requests", "payment_token", "next_action", "created_at"
            ),
        }
    }


def _qualification(context: EmulatorContext, most: int) -> dict[str, object]:
    columns = ("user_id", "source", "expires_at", "created_at")
    return {"tables": {"Qualification sessions": _rows(context, most, "qualification_sessions", *columns)}}


def _catalog(context: EmulatorContext, most: int) -> dict[str, object]:
    return {"tables": {"Catalog items": _rows(context, most, "catalog_items", "name", "reviewed_at", "created_at")}}


def _requests(context: EmulatorContext, most: int) -> dict[str, object]:
    reader = Reader()
    shown = [
        {
            "method": _line(request.method),
            "path": _line(request.path),
            "query": _line(request.query),
            "status": request.status,
            "headers": _headers(request.headers),
            "body": reader.read(request.body),
            "response": reader.read(request.response_body),
        }
        for request in context.requests.newest(most)
    ]
    return {"requests": shown, "count": context.requests.count()}


def _webhooks(context: EmulatorContext, most: int) -> dict[str, object]:
    now, reader, deliveries = context.state.clock.now(), Reader(), context.webhooks.deliveries
    shown = [
        {
            "id": delivery.id,
            "event": delivery.event,
            "resource_id": _line(delivery.resource_id),
            "state": delivery.state,
            "in": _in_words(delivery.due - now) if delivery.state == "waiting" else "",
            "body": reader.read(delivery.body),
            "attempts": _attempts(delivery),
        }
        for delivery in deliveries[:most]
    ]
    endpoints = [
        {"id": each.id, "url": _line(each.url), "mode": each.mode, "secret": _line(each.secrets[0])}
        for each in context.webhooks.endpoints
    ]
    faults = [{"name": fault.name, "hits": fault.hits} for fault in context.webhooks.faults.active]
    return {
        "endpoints": endpoints[:most],
        "registered": len(endpoints),
        "deliveries": shown,
        "count": len(deliveries),
        "webhook_faults": faults[:most],
    }


def _attempts(delivery: Delivery) -> list[dict[str, object]]:
    return [
        {
            "at": attempt.at,
            "outcome": attempt.status or attempt.failure,
            "milliseconds": round(attempt.seconds * 1000),
            "fault": attempt.fault,
            "headers": _headers(attempt.headers),
        }
        for attempt in delivery.attempts[-_ATTEMPTS:]
    ]


def _faults(context: EmulatorContext, most: int) -> dict[str, object]:
    active = [{"id": fault.id, "name": _line(fault.name), "hits": fault.hits} for fault in context.faults.active]
    return {"faults": active[:most], "count": len(active)}


def _in_words(left: timedelta) -> str:
    seconds = max(0, round(left.total_seconds()))
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds % 60} s"


class Reader:
    """Makes bodies readable: JSON indented, and cut where one, or all of a page together, would be too long."""

    def __init__(self) -> None:
        """Begin a page."""
        self._left = _LONGEST_IN_ALL

    def read(self, body: bytes) -> str:
        """Return a body as a person reads it."""
        text = _indented(body) if len(body) <= _LONGEST_IN_ALL else body[:_LONGEST].decode("utf-8", "replace")
        shown = text[: min(_LONGEST, self._left)]
        self._left -= len(shown)
        return shown if len(body) <= _LONGEST_IN_ALL and shown == text else f"{shown}\n… of {len(body):,} bytes in all"


def _indented(body: bytes) -> str:
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")


def choices(context: EmulatorContext) -> dict[str, Any]:
    """Return what the forms offer, which does not change while one looks."""
    return {"fault_names": context.faults.names, "webhook_fault_names": context.webhooks.faults.names}


PANELS: Final = (
    Panel("payments", "Payments", "inspector_tables.html", _payments),
    Panel("tokens", "Tokens", "inspector_tables.html", _tokens),
    Panel("qualification", "Qualification", "inspector_tables.html", _qualification),
    Panel("catalog", "Catalog", "inspector_tables.html", _catalog),
    Panel("requests", "Requests", "inspector_requests.html", _requests),
    Panel("webhooks", "Webhooks", "inspector_webhooks.html", _webhooks),
    Panel("faults", "Faults", "inspector_faults.html", _faults),
)
