"""What all listings have in common: pages of 30 unless asked for others, and what is said about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from truemed_async.emulator.schema import Array, DateTime, Integer, Nullable, Object, Schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from truemed_async.emulator.request import Request
    from truemed_async.emulator.state import State
    from truemed_async.emulator.store import StatusRow, Store
    from truemed_async.emulator.table import Filters

    S = TypeVar("S", bound=StatusRow)

_PAGINATION: Final = Object({name: Integer(0) for name in ("count", "current_page", "last_page", "page_size")})
DATETIME: Final = Nullable(DateTime())


def page_schema(key: str, row: Schema) -> Object:
    """Return what a page of such rows is: `pagination` may be null, Truemed says, though here it never is."""
    return Object({key: Array(row), "pagination": Nullable(_PAGINATION)})


def paginate(
    state: State,
    store: Store[S],
    request: Request,
    key: str,
    show: Callable[[S], object],
    filters: Filters[S] | None = None,
) -> Mapping[str, object]:
    """Return the page that is asked for, its rows under `key` as `show` has them."""
    page: int = request.query["page"]
    # Truemed does not state its largest page: a larger one is cut to ours, and the answer says so.
    page_size: int = min(request.query["page_size"], state.max_page_size)
    rows, count = state.page(store, filters, (page - 1) * page_size, page * page_size)
    return {
        key: [show(row) for row in rows],
        "pagination": {
            "count": count,
            "current_page": page,
            # An empty listing still has its first page.
            "last_page": max(1, -(-count // page_size)),
            "page_size": page_size,
        },
    }
