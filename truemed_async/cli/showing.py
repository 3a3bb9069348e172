"""Shows what a call returned: one object, one page of a list, or one outcome for each id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import orjson

from truemed_async.cli.exits import exit_code
from truemed_async.cli.options import AS_GIVEN
from truemed_async.cli.rows import json_line, write_rows
from truemed_async.cli.streams import Streams
from truemed_async.cli.tables import counted, details, models_table
from truemed_async.errors import CallError, TruemedError

if TYPE_CHECKING:
    from truemed_async import Model, Outcome, Page, Stream

    M = TypeVar("M", bound=Model)

ListFormat = Annotated[Literal["table", "json", "jsonl", "csv"] | None, AS_GIVEN]


def show(streams: Streams, model: Model) -> None:
    """Show all fields of an object: a table on a terminal, else JSON on one line."""
    if streams.for_people:
        streams.console().print(details(model))
    else:
        streams.line(json_line(model))


def show_page(
    streams: Streams, page: Page[M], format: str | None, *, model: type[M], columns: Sequence[str], noun: str
) -> None:
    """Show one page of a list, and where it stands.

    Args:
        streams: Where.
        page: The page.
        format: table, json, jsonl or csv; ``None`` is a table on a terminal, else jsonl.
        model: The class of a row.
        columns: The columns of the table.
        noun: What a row is called.
    """
    match format or ("table" if streams.for_people else "jsonl"):
        case "table":
            console = streams.console()
            console.print(models_table(page, columns, console.width))
        case "json":
            streams.line(orjson.dumps([model.to_dict() for model in page], option=orjson.OPT_INDENT_2).decode())
        case "csv":
            write_rows(streams.out, "csv", model, page)
        case _:
            write_rows(streams.out, "jsonl", model, page)
    if streams.err.isatty() and page.pagination is not None:
        at = page.pagination
        streams.say(f"page {at.current_page:,} of {at.last_page:,}; {counted(at.count, noun)} in all")


async def show_each(streams: Streams, outcomes: Stream[Outcome[M]]) -> int:
    """Show what there is of each id and tell of the others; return the exit code."""
    failures: list[TruemedError] = []
    number = 0
    async with outcomes:
        async for outcome in outcomes:
            number += 1
            if outcome.error is None:
                show(streams, outcome.unwrap())
                continue
            failures.append(outcome.error)
            # What is no id may be anything, for example an e-mail address: it is told by its place.
            which = outcome.id if isinstance(outcome.error, CallError) else f"argument {number}"
            streams.say(f"error: {which}: {outcome.error}")
    return min(map(exit_code, failures), default=0)
