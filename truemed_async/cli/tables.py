"""Draws sessions as tables for people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from truemed_async import Model, QualificationSession

COLUMNS = ("qualification_session_id", "status", "created_at", "expires_at", "user_id", "email")


def sessions_table(sessions: Iterable[QualificationSession]) -> Table:
    """Return a narrow table, one session a row; times are UTC."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, overflow="fold", no_wrap=name == COLUMNS[0])
    for session in sessions:
        table.add_row(*(cell(getattr(session, name)) for name in COLUMNS))
    return table


def details(model: Model) -> Table:
    """Return all fields of one object, one a row."""
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in model.to_dict().items():
        table.add_row(cell(name), cell(value))
    return table


def cell(value: object) -> Text:
    """Return what a person sees of a value."""
    if value is None:
        return Text()
    return Text(f"{value.astimezone(UTC):%Y-%m-%d %H:%M}" if isinstance(value, datetime) else visible(str(value)))


def visible(text: str) -> str:
    """Write control characters as escapes: text of somebody else must not steer the terminal."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
