"""What each panel shows: plain values for the templates, the newest first, and no more than a page of 50 kB holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import attrs
import orjson

if TYPE_CHECKING:
    from truemed_async.emulator.inspector.desk import Desk

_MOST: Final = 25
_LONGEST: Final = 4_000  # of one body
_LONGEST_IN_ALL: Final = 20_000

# The buttons of a row: which moves its status allows.
_MOVES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = MappingProxyType(
    {
        "payment_sessions": MappingProxyType(
            {
                "pending": ("customer_completes", "cancel"),
                "processing": ("review_approves", "review_rejects"),
                "authorized": ("capture", "void", "hold_expires", "bank_renews"),
                "captured": ("refund", "dispute_opens", "dispute_closes"),
            }
        ),
        "payment_tokens": MappingProxyType(
            {"active": ("fail_next_charge", "lmn_expires", "customer_repairs", "delete")}
        ),
        "provision_requests": MappingProxyType({"pending": ("customer_completes",)}),
        "qualification_sessions": MappingProxyType({"pending": ("start_review",), "processing": ("approve", "reject")}),
    }
)


@attrs.frozen
class Panel:
    """One page of the inspector: its address, its name, its template, and what that needs."""

    slug: str
    name: str
    template: str
    values: Callable[[Desk], Mapping[str, object]]


def moves_of(resource: str, status: str) -> tuple[str, ...]:
    """Return the moves that a row of this status can make."""
    return _MOVES.get(resource, {}).get(status, ())


def _rows(desk: Desk, resource: str, *columns: str) -> dict[str, object]:
    store = desk.state.stores[resource]
    rows = [
        {
            "id": row.id,
            "status": row.status,
            "cells": [_cell(getattr(row, column)) for column in columns],
            "moves": moves_of(resource, row.status),
        }
        for row in store.rows[:_MOST]
    ]
    return {"resource": resource, "columns": columns, "rows": rows, "count": store.count}


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _payments(desk: Desk) -> dict[str, object]:
    tables = {
        "Payment sessions": _rows(desk, "payment_sessions", "total_amount", "kind", "status_summary", "created_at")
    }
    return {"tables": tables}


def _tokens(desk: Desk) -> dict[str, object]:
    return {
        "tables": {
            "Payment tokens": _rows(desk, "payment_tokens", "failure", "lmn_expires_at", "created_at"),
            "Provision requests": _rows(desk, "provision_requests", "payment_token", "next_action", "created_at"),
        }
    }


def _qualification(desk: Desk) -> dict[str, object]:
    columns = ("user_id", "source", "expires_at", "created_at")
    return {"tables": {"Qualification sessions": _rows(desk, "qualification_sessions", *columns)}}


def _catalog(desk: Desk) -> dict[str, object]:
    return {"tables": {"Catalog items": _rows(desk, "catalog_items", "name", "reviewed_at", "created_at")}}


def _requests(desk: Desk) -> dict[str, object]:
    newest = list(desk.requests)[: -_MOST - 1 : -1]
    reader = Reader()
    shown = [
        {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "route": request.route,
            "status": request.status,
            "headers": request.headers,
            "body": reader.read(request.body),
            "answer": reader.read(request.answer),
        }
        for request in newest
    ]
    return {"requests": shown, "count": desk.requests.count()}


def _webhooks(desk: Desk) -> dict[str, object]:
    now, reader = desk.state.clock.now(), Reader()
    deliveries = [
        {
            "id": delivery.id,
            "event": delivery.event,
            "resource_id": delivery.resource_id,
            "state": delivery.state,
            "in": _in_words(delivery.due - now) if delivery.state == "waiting" else "",
            "body": reader.read(delivery.body),
            "attempts": [
                {
                    "at": attempt.at,
                    "outcome": attempt.status or attempt.failure,
                    "milliseconds": round(attempt.seconds * 1000),
                    "fault": attempt.fault,
                    "headers": attempt.headers,
                }
                for attempt in delivery.attempts
            ],
        }
        for delivery in desk.webhooks.deliveries[:_MOST]
    ]
    faults = [{"name": fault.name, "hits": fault.hits} for fault in desk.webhooks.faults.active]
    return {"endpoints": desk.webhooks.endpoints, "deliveries": deliveries, "webhook_faults": faults}


def _faults(desk: Desk) -> dict[str, object]:
    active = [{"id": fault.id, "name": fault.name, "hits": fault.hits} for fault in desk.faults.active]
    return {"faults": active}


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
        try:
            text = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
        except orjson.JSONDecodeError:
            text = body.decode("utf-8", "replace")
        shown = text[: min(_LONGEST, self._left)]
        self._left -= len(shown)
        return shown if shown == text else f"{shown}\n… {len(text) - len(shown):,} more characters"


def choices(desk: Desk) -> dict[str, Any]:
    """Return what the forms offer, which does not change while one looks."""
    return {"fault_names": desk.faults.names, "webhook_fault_names": desk.webhooks.faults.names}


PANELS: Final = (
    Panel("payments", "Payments", "inspector_tables.html", _payments),
    Panel("tokens", "Tokens", "inspector_tables.html", _tokens),
    Panel("qualification", "Qualification", "inspector_tables.html", _qualification),
    Panel("catalog", "Catalog", "inspector_tables.html", _catalog),
    Panel("requests", "Requests", "inspector_requests.html", _requests),
    Panel("webhooks", "Webhooks", "inspector_webhooks.html", _webhooks),
    Panel("faults", "Faults", "inspector_faults.html", _faults),
)
