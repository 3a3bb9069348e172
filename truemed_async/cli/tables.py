"""Tables and objects as people read them: money in dollars, local times, colored statuses, links on one line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import attrs
import orjson
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from truemed_async.cli.output import printable
from truemed_async.money import format_dollars

if TYPE_CHECKING:
    from truemed_async import Model

STATUS_STYLES: Mapping[str, str] = {
    "approved": "green",
    "captured": "green",
    "eligible": "green",
    "eligible_with_lmn": "green",
    "authorized": "cyan",
    "processing": "blue",
    "pending": "yellow",
    "rejected": "red",
    "ineligible": "red",
    "authorization_expired": "red",
    "canceled": "bright_black",
    "authorization_voided": "bright_black",
}
_STATUS_NAMES = frozenset({"status", "eligibility"})

# Whole numbers under these names are cents: docs/truemed-api.md names the unit of each, or marks it as assumed.
_CENTS = frozenset(
    {
        "amount",
        "amount_cents",
        "authorize_amount",
        "capture_amount",
        "captured_cents",
        "cents",
        "payout_amount_cents",
        "price",
        "refund_amount",
        "refunded_cents",
        "total_additional_charges",
        "total_amount",
        "total_capturable",
        "total_discounts",
        "total_refundable",
    }
)

_GAP = 2  # columns of the terminal between two columns of a table
_SHORT_ID, _SHORTEST_ID = 17, 9
_SHORT_TEXT, _SHORTEST_TEXT = 24, 12
_INDENT = 2


# --- values -------------------------------------------------------------------------------------------------------


def format_value(name: str, value: object, dollars: Collection[str] = ()) -> Text:
    """Return the text of a value, by the name of its field and its type; ``None`` is empty.

    Args:
        name: The name of the field.
        value: The value.
        dollars: The names of fields that are dollars.
    """
    match value:
        case None:
            return Text()
        case bool():
            return Text("yes" if value else "no")
        case datetime():
            return Text(format_local(value))
        case int() if name in _CENTS:
            return Text(format_dollars(value))
        case int() | float() | Decimal() if name in dollars:
            return Text(format_decimal_dollars(Decimal(str(value))))
        case str() if _is_link(value):
            return Text(printable(value), style=Style(link=value) if value.isprintable() else "")
        case str():
            text = printable(str(value))
            return Text(text, style=STATUS_STYLES.get(text, "") if name in _STATUS_NAMES else "")
        case _ if _has_fields(value) or _is_sequence(value):
            return Text(printable(orjson.dumps(_plain(value), default=str).decode()))
        case _:
            return Text(printable(str(value)))


def format_local(moment: datetime, *, seconds: bool = False) -> str:
    """Return a time in the time zone of this machine, which it names."""
    from truemed_async.exports.columns import to_utc  # noqa: PLC0415  # loads the models: not for --help

    try:
        local = moment.astimezone()
    except (OverflowError, ValueError):  # at the ends of the calendar
        local = to_utc(moment)
    return printable(f"{local:%Y-%m-%d %H:%M:%S %Z}" if seconds else f"{local:%Y-%m-%d %H:%M %Z}")


def format_decimal_dollars(value: Decimal) -> str:
    """Return dollars as text, rounded to cents."""
    exact = value.quantize(Decimal("0.01"), ROUND_HALF_UP)
    return f"{'-' if exact < 0 else ''}${abs(exact):,}"


def fields_of(value: Model | Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a model, undocumented ones included, or of a mapping."""
    if isinstance(value, Mapping):
        return dict(value)
    fields = {field.name: getattr(value, field.name) for field in attrs.fields(type(value)) if field.name != "extra"}
    return {**fields, **value.extra}


def _has_fields(value: object) -> bool:
    return isinstance(value, Mapping) or attrs.has(type(value))


def _is_sequence(value: object) -> bool:
    return isinstance(value, (list, tuple))


def _is_link(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("https://", "http://"))


def _plain(value: Any) -> Any:
    if _is_sequence(value):
        return [_plain(each) for each in value]
    return fields_of(value) if _has_fields(value) else value


# --- tables -------------------------------------------------------------------------------------------------------


@attrs.define
class _Column:
    """A column while it is fitted into the terminal."""

    name: str
    values: Sequence[object]
    cells: list[Text]
    head: str

    @property
    def width(self) -> int:
        """The width that nothing has to be wrapped for."""
        return max(1, *map(len, self.head.split("\n")), *(cell.cell_len for cell in self.cells))

    @property
    def is_numeric(self) -> bool:
        """Whether all values are numbers, which are aligned to the right."""
        values = [value for value in self.values if value is not None]
        return bool(values) and all(
            isinstance(each, (int, float, Decimal)) and not isinstance(each, bool) for each in values
        )

    @property
    def is_link(self) -> bool:
        """Whether its values are links, which are never wrapped."""
        return any(map(_is_link, self.values))

    @property
    def is_id(self) -> bool:
        """Whether its values are ids, of which the beginning and the end say enough."""
        return self.name in ("id", "sku", "payment_token") or self.name.endswith("_id")

    def shorten(self, change: Callable[[Text], Text]) -> None:
        self.cells = [change(cell) for cell in self.cells]


def make_table(
    rows: Sequence[Sequence[object]], columns: Sequence[str], width: int, dollars: Collection[str] = ()
) -> Table:
    """Return a table that fits into ``width``, and says which columns do not.

    On a narrow terminal ids are shortened in the middle, times to their day, and long texts at their end; then columns
    are left out from the right. The first column, the status and the first amount always stay. Links are not wrapped:
    the last column may be longer than the terminal if it holds links.

    Args:
        rows: The rows, each with a value for each column.
        columns: The names of the columns.
        width: The width of the terminal.
        dollars: The columns whose numbers are dollars.
    """
    every = [
        _Column(name, values, [format_value(name.rpartition(".")[2], value, dollars) for value in values], name)
        for name, values in zip(columns, zip(*rows, strict=True) if rows else [()] * len(columns), strict=True)
    ]
    visible = _fit(every, width)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
    for column in visible:
        table.add_column(
            column.head,
            justify="right" if column.is_numeric else "left",
            overflow="fold",
            no_wrap=column.is_link,
            min_width=column.width if column.is_link else None,
        )
    for cells in zip(*(column.cells for column in visible), strict=True):
        table.add_row(*cells)
    if any(column.is_link for column in visible):
        table.width = max(width, _total(visible))
    if hidden := [column.name for column in every if column not in visible]:
        table.caption = Text(f"No room for {', '.join(hidden)}.")
    return table


def _total(columns: Sequence[_Column]) -> int:
    return sum(column.width for column in columns) + _GAP * (len(columns) - 1)


def _fit(every: Sequence[_Column], width: int) -> list[_Column]:
    """Return the columns that fit, shortened as far as it is necessary."""
    columns = [*every]
    texts = [column for column in columns if not (column.is_id or column.is_numeric or column.is_link)]
    steps: tuple[Callable[[], None], ...] = (
        lambda: _break_heads(columns),
        lambda: _shorten_ids(columns, _SHORT_ID),
        lambda: _shorten_texts(texts, _SHORT_TEXT),
        lambda: _shorten_times(columns),
        lambda: _drop(columns, width),
        lambda: _shorten_ids(columns, _SHORTEST_ID),
        lambda: _shorten_texts(texts, _SHORTEST_TEXT),
    )
    for step in steps:
        if _total([column for column in columns if not _may_overflow(column, columns)]) <= width:
            break
        step()
    return columns


def _may_overflow(column: _Column, columns: Sequence[_Column]) -> bool:
    return column is columns[-1] and column.is_link


def _break_heads(columns: Iterable[_Column]) -> None:
    for column in columns:
        if len(column.head) > max((cell.cell_len for cell in column.cells), default=0):
            column.head = column.head.replace("_", "_\n")


def _shorten_ids(columns: Iterable[_Column], length: int) -> None:
    for column in columns:
        if column.is_id:
            column.shorten(lambda cell: shorten_middle(cell, length))


def _shorten_texts(columns: Iterable[_Column], length: int) -> None:
    for column in columns:
        if column.name not in _STATUS_NAMES and not any(isinstance(value, datetime) for value in column.values):
            column.shorten(lambda cell: _truncate(cell, length))


def _shorten_times(columns: Iterable[_Column]) -> None:
    for column in columns:
        if any(isinstance(value, datetime) for value in column.values):
            column.shorten(lambda cell: Text(cell.plain[:10]))


def _drop(columns: list[_Column], width: int) -> None:
    """Remove columns from the right, as many as necessary."""
    essential = [columns[0], *(column for column in columns if column.name in _STATUS_NAMES)]
    essential += [column for column in columns if column.name in _CENTS][:1]
    for column in reversed([*columns]):
        if _total(columns) <= width:
            break
        if column not in essential:
            columns.remove(column)


def shorten_middle(text: Text, length: int) -> Text:
    """Return a text of at most ``length``, with an ellipsis in its middle."""
    if text.cell_len <= length:
        return text
    tail = (length - 1) // 2
    head, _, end = text.divide([length - 1 - tail, len(text) - tail])
    return Text.assemble(head, "…", end)


def _truncate(text: Text, length: int) -> Text:
    if text.cell_len > length:
        text.truncate(length, overflow="ellipsis")
    return text


# --- objects ------------------------------------------------------------------------------------------------------


def print_object(console: Console, value: Model | Mapping[str, Any], dollars: Collection[str] = ()) -> None:
    """Show all fields of an object: a line for each, its parts as sections, lists of objects as small tables.

    Fields without a value are named at the end. Links are never wrapped, so that they can be copied.
    """
    _print_fields(console, fields_of(value), 0, dollars)


def _print_fields(console: Console, fields: Mapping[str, Any], indent: int, dollars: Collection[str]) -> None:
    values = {name: value for name, value in fields.items() if value not in (None, (), [], {})}
    labels = max((len(printable(name)) for name in values), default=0)
    margin = " " * indent
    for name, value in values.items():
        label = Text(printable(name), style="bold")
        if _has_fields(value):
            console.print(Text.assemble(margin, label))
            _print_fields(console, fields_of(value), indent + _INDENT, dollars)
        elif _is_sequence(value) and all(map(_has_fields, value)):
            console.print(Text.assemble(margin, label))
            _print_table(console, value, indent + _INDENT, dollars)
        else:
            label.append(" " * (labels - label.cell_len))
            for part in value if _is_sequence(value) else [value]:
                _print_line(console, Text.assemble(margin, label, "  "), _format_precisely(name, part, dollars), part)
                label = Text(" " * labels)
    if unset := [printable(name) for name in fields if name not in values]:
        console.print(Padding(Text(f"no value: {', '.join(unset)}", style="dim"), (0, 0, 0, indent)))


def _format_precisely(name: str, value: object, dollars: Collection[str]) -> Text:
    return (
        Text(format_local(value, seconds=True)) if isinstance(value, datetime) else format_value(name, value, dollars)
    )


def _print_line(console: Console, label: Text, text: Text, value: object) -> None:
    if _is_link(value):
        console.print(Text.assemble(label, text), soft_wrap=True)
        return
    line = Table.grid()
    line.add_column(no_wrap=True, width=label.cell_len)
    line.add_column(overflow="fold")
    line.add_row(label, text)
    console.print(line)


def _print_table(console: Console, parts: Sequence[Any], indent: int, dollars: Collection[str]) -> None:
    rows = [fields_of(part) for part in parts]
    names = list(dict.fromkeys(name for row in rows for name in row))
    names = [name for name in names if any(row.get(name) not in (None, (), [], {}) for row in rows)]
    table = make_table([[row.get(name) for name in names] for row in rows], names, console.width - indent, dollars)
    console.print(Padding(table, (0, 0, 0, indent), expand=False), crop=False)
