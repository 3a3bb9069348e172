"""Draws models as tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from truemed_async import Model

GAP = 3  # columns of the terminal between two of the table


def models_table(models: Iterable[Model], columns: Sequence[str], width: int) -> Table:
    """Return a table of one object a row, with as many columns as fit into ``width``; times are UTC."""
    rows = [[cell(getattr(model, name)) for name in columns] for model in models]
    fitting = _fitting([[Text(name) for name in columns], *rows], width)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, caption_justify="left")
    for name in columns[:fitting]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row[:fitting])
    if fitting < len(columns):
        table.caption = f"Too narrow for {', '.join(columns[fitting:])}."
    return table


def _fitting(rows: Sequence[Sequence[Text]], width: int) -> int:
    """Return how many columns fit side by side, at least one."""
    widths = [max(text.cell_len for text in column) + GAP for column in zip(*rows, strict=True)]
    return max(1, len([taken for taken in accumulate(widths) if taken - GAP <= width]))


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


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return how many there are, in words."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
