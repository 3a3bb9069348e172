"""Many gets and many changes, the same way for every resource."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Any, TypeVar

from truemed_async._core.bulk import Outcome, every, fan_out, outcome_of
from truemed_async._core.bulk_changes import Change, UpdateOutcome, to_update_outcome
from truemed_async._core.bulk_progress import Once, Tally, wanted
from truemed_async._core.endpoint import Endpoint
from truemed_async._core.stream import Stream
from truemed_async._validation import scalars
from truemed_async.errors import InvalidArgumentError

T = TypeVar("T")
C = TypeVar("C", bound=Change)

Progress = Callable[[int, int, "int | None"], object]


def get_many(
    get: Callable[[str], Awaitable[T]],
    ids: Iterable[str] | AsyncIterable[str],
    *,
    concurrency: int,
    ordered: bool,
    unique: bool,
    progress: Progress | None,
) -> Stream[Outcome[T]]:
    """Return the outcomes of ``get`` over the ids."""
    scalars.validate_positive_int("concurrency", concurrency)
    scalars.validate_iterable("ids", ids)
    once = Once() if unique else None

    async def one(id: str) -> Outcome[T]:
        return await outcome_of(id, get)

    return Stream(
        fan_out(
            ids, one, concurrency=concurrency, ordered=ordered, wanted=every if once is None else wanted(ids, once)
        ),
        None if progress is None else Tally(progress, ids, once),
    )


def update_many(
    changes: Iterable[C] | AsyncIterable[C],
    kind: type[C],
    endpoint: Endpoint[Any],
    update: Callable[..., Awaitable[T]],
    *,
    run_id: str | None,
    concurrency: int,
    ordered: bool,
    progress: Progress | None,
) -> Stream[UpdateOutcome[C, T]]:
    """Return the outcomes of the changes, each made by ``update``."""
    scalars.validate_positive_int("concurrency", concurrency)
    scalars.validate_iterable("changes", changes)
    if run_id is not None:
        scalars.validate_text("run_id", run_id)

    async def one(change: C) -> UpdateOutcome[C, T]:
        if not isinstance(change, kind):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidArgumentError(f"changes must be {kind.__name__} objects, not {type(change).__name__}")
        return await to_update_outcome(change, endpoint, update, run_id)

    return Stream(
        fan_out(changes, one, concurrency=concurrency, ordered=ordered),
        None if progress is None else Tally(progress, changes, None),
    )
