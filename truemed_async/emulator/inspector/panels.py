"""The values of the inspector's panels for their templates, newest first and limited to a number of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs
import orjson

from truemed_async.emulator.schema import Enum

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.store import Action
    from truemed_async.emulator.webhooks.model import Delivery

MAX_BODY_CHARS: Final = 4_000
MAX_PAGE_CHARS: Final = 20_000  # of all bodies on a page
MAX_LINE_CHARS: Final = 200
MAX_ATTEMPTS: Final = 10


@attrs.frozen
class Panel:
    """One page of the inspector; ``values`` returns the values of its template, with at most so many rows."""

    slug: str
    name: str
    template: str
    values: Callable[[EmulatorContext, int], Mapping[str, object]]


def _table(context: EmulatorContext, limit: int, resource: str) -> dict[str, object]:
    store = context.state.stores[resource]
    newest, count = store.table.slice(None, 0, limit)
    columns = [name for name, member in store.entity.members().items() if member.column]
    rows = [
        {
            "id": row.id,
            "name": _line(row.id),
            "status": _line(row.status),
            "cells": [_line(getattr(row, column)) for column in columns],
            "buttons": [button for action in store.actions().values() for button in _buttons(action, row.status)],
        }
        for row in newest
    ]
    return {"resource": resource, "columns": columns, "rows": rows, "count": count}


def _buttons(action: Action, status: str) -> list[dict[str, object]]:
    """Return the buttons of an action for a row of this status: one for each value of a required parameter."""
    required = list(action.params.required.items())
    if not action.on_row or (action.statuses and status not in action.statuses):
        return []
    if not required:
        return [{"transition": action.name, "name": "transition", "value": action.name}]
    ((name, schema),) = required
    assert isinstance(schema, Enum)
    return [{"transition": action.name, "name": name, "value": value} for value in schema.values]


def _line(value: object) -> str:
    """Return a value as text of limited length."""
    text = "" if value is None else str(value)
    return text if len(text) <= MAX_LINE_CHARS else f"{text[:MAX_LINE_CHARS]}…"


def _headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(_line(name), _line(value)) for name, value in headers]


def _tables(*resources: str) -> Callable[[EmulatorContext, int], Mapping[str, object]]:
    """Return the values of a panel with one table for each resource."""

    def values(context: EmulatorContext, limit: int) -> Mapping[str, object]:
        titles = {resource.replace("_", " ").capitalize(): resource for resource in resources}
        return {"tables": {title: _table(context, limit, resource) for title, resource in titles.items()}}

    return values


def _requests(context: EmulatorContext, limit: int) -> dict[str, object]:
    formatter = BodyFormatter()
    entries = [
        {
            "method": _line(request.method),
            "path": _line(request.path),
            "query": _line(request.query),
            "status": request.status,
            "headers": _headers(request.headers),
            "body": formatter.format(request.body),
            "response": formatter.format(request.response_body),
        }
        for request in context.requests.newest(limit)
    ]
    return {"requests": entries, "count": context.requests.count()}


def _webhooks(context: EmulatorContext, limit: int) -> dict[str, object]:
    now, formatter, deliveries = context.state.clock.now(), BodyFormatter(), context.webhooks.deliveries
    entries = [
        {
            "id": delivery.id,
            "event": delivery.event,
            "resource_id": _line(delivery.resource_id),
            "state": delivery.state,
            "due_in": _describe(delivery.due - now) if delivery.state == "waiting" else "",
            "body": formatter.format(delivery.body),
            "attempts": _attempts(delivery),
        }
        for delivery in deliveries[:limit]
    ]
    endpoints = [
        {"id": each.id, "url": _line(each.url), "mode": each.mode, "secret": _line(each.secrets[0])}
        for each in context.webhooks.endpoints
    ]
    faults = [{"name": fault.name, "hits": fault.hits} for fault in context.webhooks.faults.active]
    return {
        "endpoints": endpoints[:limit],
        "registered": len(endpoints),
        "deliveries": entries,
        "count": len(deliveries),
        "webhook_faults": faults[:limit],
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
        for attempt in delivery.attempts[-MAX_ATTEMPTS:]
    ]


def _faults(context: EmulatorContext, limit: int) -> dict[str, object]:
    active = [{"id": fault.id, "name": _line(fault.name), "hits": fault.hits} for fault in context.faults.active]
    return {"faults": active[:limit], "count": len(active)}


def _describe(left: timedelta) -> str:
    seconds = max(0, round(left.total_seconds()))
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds % 60} s"


class BodyFormatter:
    """Formats bodies for reading: indents JSON, and limits the length of each and of all on a page."""

    def __init__(self) -> None:
        """Start a page."""
        self._left = MAX_PAGE_CHARS

    def format(self, body: bytes) -> str:
        """Return a body as text."""
        text = _indent(body) if len(body) <= MAX_PAGE_CHARS else body[:MAX_BODY_CHARS].decode("utf-8", "replace")
        shortened = text[: min(MAX_BODY_CHARS, self._left)]
        self._left -= len(shortened)
        complete = len(body) <= MAX_PAGE_CHARS and shortened == text
        return shortened if complete else f"{shortened}\n… ({len(body):,} bytes in total)"


def _indent(body: bytes) -> str:
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")


def form_options(context: EmulatorContext) -> dict[str, Any]:
    """Return the options of the forms."""
    return {"fault_names": context.faults.names, "webhook_fault_names": context.webhooks.faults.names}


PANELS: Final = (
    Panel("payments", "Payments", "inspector_tables.html", _tables("payment_sessions")),
    Panel("tokens", "Tokens", "inspector_tables.html", _tables("payment_tokens", "provision_requests")),
    Panel("qualification", "Qualification", "inspector_tables.html", _tables("qualification_sessions")),
    Panel("catalog", "Catalog", "inspector_tables.html", _tables("catalog_items")),
    Panel("requests", "Requests", "inspector_requests.html", _requests),
    Panel("webhooks", "Webhooks", "inspector_webhooks.html", _webhooks),
    Panel("faults", "Faults", "inspector_faults.html", _faults),
)
