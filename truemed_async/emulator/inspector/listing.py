"""Lists of the inspector: what a page of one shows, chosen by the query of its address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from urllib.parse import urlencode

import attrs
import orjson

from truemed_async.emulator.inspector.formats import (
    FormattedValue,
    Tone,
    field_names,
    format_seconds,
    response_tone,
    shorten,
    show,
    tone,
)
from truemed_async.emulator.inspector.kinds import INSPECTOR, Button, Kind, buttons_of, find_reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.request_log import LoggedRequest
    from truemed_async.emulator.store import Row
    from truemed_async.emulator.webhooks.model import EmulatedDelivery

T = TypeVar("T")

DEFAULT_SIZE: Final = 25
SIZES: Final = (25, 50, 100)
MAX_SEARCH_CHARS: Final = 200
# How many of the newest requests a search or filter looks at.
MAX_SEARCHED_REQUESTS: Final = 10_000
_MAX_CELL_CHARS: Final = 80
_MAX_SMALL_CELL_CHARS: Final = 20  # where a page would be too large


@attrs.frozen(kw_only=True)
class ListQuery:
    """The query of a list: page, size, order, and what to show."""

    page: int = 1
    size: int = DEFAULT_SIZE
    search: str = ""
    status: str = ""
    oldest_first: bool = False
    failures: bool = False

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> ListQuery:
        """Read the query of an address; what is not valid is ignored."""
        page, size = query.get("page", ""), query.get("size", "")
        return cls(
            page=int(page) if page.isdecimal() and 0 < len(page) < 7 and int(page) else 1,
            size=int(size) if size in {str(each) for each in SIZES} else DEFAULT_SIZE,
            search=query.get("q", "").strip()[:MAX_SEARCH_CHARS],
            status=query.get("status", "")[:MAX_SEARCH_CHARS],
            oldest_first=query.get("sort") == "oldest",
            failures="failures" in query,
        )

    def url(self, path: str, **changes: Any) -> str:
        """Return the address of the list at a path with this query, changed."""
        query = attrs.evolve(self, **changes)
        parts = {
            "q": query.search,
            "status": query.status,
            "sort": "oldest" if query.oldest_first else "",
            "failures": "1" if query.failures else "",
            "size": "" if query.size == DEFAULT_SIZE else query.size,
            "page": "" if query.page == 1 else query.page,
        }
        encoded = urlencode({name: value for name, value in parts.items() if value})
        return f"{path}?{encoded}" if encoded else path


@attrs.frozen(kw_only=True)
class ListPage(Generic[T]):
    """One page of a list: its items, the number of all, and the query with the page that exists."""

    items: Sequence[T]
    total: int
    query: ListQuery
    path: str

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(1, -(-self.total // self.query.size))

    @property
    def first_item(self) -> int:
        """The position of the first item, from 1; 0 if there is none."""
        return (self.query.page - 1) * self.query.size + 1 if self.items else 0

    @property
    def last_item(self) -> int:
        """The position of the last item."""
        return (self.query.page - 1) * self.query.size + len(self.items)

    @property
    def links(self) -> list[tuple[str, str]]:
        """The numbers and addresses of pages: the first, the last, and those around this one; empty ones are gaps."""
        here = self.query.page
        numbers = sorted({1, self.last, *range(max(1, here - 2), min(self.last, here + 2) + 1)})
        links: list[tuple[str, str]] = []
        for before, number in zip([0, *numbers], numbers, strict=False):
            if number > before + 1:
                links.append(("…", ""))
            links.append((f"{number:,}", self.query.url(self.path, page=number)))
        return links

    def url(self, **changes: Any) -> str:
        """Return the address of this list with another query."""
        return self.query.url(self.path, **changes)


def paginate(read: Callable[[int, int], tuple[Sequence[T], int]], query: ListQuery, path: str) -> ListPage[T]:
    """Return the page of a query, the last one if it is beyond; ``read`` returns items, newest first, and their number."""
    _, total = read(0, 0)
    page = min(query.page, max(1, -(-total // query.size)))
    start = (page - 1) * query.size
    stop = min(total, start + query.size)
    items, _ = read(total - stop, total - start) if query.oldest_first else read(start, stop)
    if query.oldest_first:
        items = items[::-1]
    return ListPage(items=items, total=total, query=attrs.evolve(query, page=page), path=path)


# --- objects ----------------------------------------------------------------------------------------------------------


@attrs.frozen
class RowFilters:
    """Rows of a status, with a text (case-folded) in one of their members; empty ones do not restrict."""

    status: str = ""
    search: str = ""

    def match(self, row: Any) -> bool:
        """Return whether a row is listed."""
        if self.status and row.status != self.status:
            return False
        if not self.search:
            return True
        values = (getattr(row, name) for name in field_names(row))
        return any(isinstance(value, str) and self.search in value.casefold() for value in values)


@attrs.frozen(kw_only=True)
class RowCells:
    """A row of a list of objects."""

    id: str
    name: str
    href: str
    status: str
    summary: str
    tone: Tone
    cells: tuple[FormattedValue, ...]
    buttons: Sequence[Button]


def read_rows(context: EmulatorContext, kind: Kind, query: ListQuery) -> ListPage[Row]:
    """Return the rows of a kind that match a query."""
    table = kind.store(context).table
    restricted = bool(query.status or query.search)
    filters = RowFilters(query.status, query.search.casefold()) if restricted else None
    return paginate(lambda start, stop: table.slice(filters, start, stop), query, kind.path)


def columns_of(context: EmulatorContext, kind: Kind) -> tuple[str, ...]:
    """Return the members in the columns of a list, the time of creation last."""
    # A summary is shown beside the status.
    entity = kind.store(context).entity
    members = [name for name, member in entity.members().items() if member.column and name != "status_summary"]
    return tuple(sorted(members, key=lambda name: name == "created_at"))


def _in_words(name: str, value: object) -> object:
    """Return a value of an enumeration as words, which may be on several lines."""
    return value.replace("_", " ") if name in {"kind", "type"} and isinstance(value, str) else value


def summary_of(row: Row) -> str:
    """Return the ``status_summary`` of a payment session where it tells more than the status; empty otherwise."""
    summary = getattr(row, "status_summary", "")
    return summary if summary.lower() != row.status and row.status != "pending" else ""


def cells_of(
    context: EmulatorContext, kind: Kind, row: Row, columns: Sequence[str], *, small: bool = False
) -> RowCells:
    """Return a row as it is listed; a ``small`` one takes little of the page, whatever it holds."""
    limit = _MAX_SMALL_CELL_CHARS if small else _MAX_CELL_CHARS
    now = context.state.clock.now()
    values = [(name, getattr(row, name)) for name in columns]
    href = kind.object_path(row.id)
    return RowCells(
        id=row.id,
        name=shorten(row.id, limit),
        href="" if small and len(href) > 10 * limit else href,
        status=shorten(row.status, limit),
        summary=summary_of(row),
        tone=tone(row.status),
        cells=tuple(
            attrs.evolve(
                show(name, _in_words(name, value), now, limit),
                href="" if small else find_reference(context, name, value),
            )
            for name, value in values
        ),
        buttons=() if small else buttons_of(context, kind, row),
    )


# --- requests and deliveries ------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class RequestLine:
    """A request of a list."""

    href: str
    method: str
    path: str
    route: str
    status: str
    tone: Tone
    duration: str
    at: FormattedValue
    sales_channel: str


def request_path(number: int) -> str:
    """Return the path of the page of a request."""
    return f"{INSPECTOR}/requests/{number}"


def is_failed(request: LoggedRequest) -> bool:
    """Return whether a request has no response, or an error as its response."""
    return request.status is None or request.status >= 400


def read_requests(context: EmulatorContext, query: ListQuery) -> ListPage[LoggedRequest]:
    """Return the requests that match a query; of those that are restricted, the newest 10,000 are looked at."""
    if not (query.failures or query.search):
        log = context.requests
        return paginate(lambda start, stop: (log.newest(stop)[start:], len(log)), query, f"{INSPECTOR}/requests")
    needle = query.search.casefold()
    found = [
        request
        for request in context.requests.newest(MAX_SEARCHED_REQUESTS)
        if (not query.failures or is_failed(request)) and (not needle or needle in _words_of(request))
    ]
    return _paginate_list(found, query, f"{INSPECTOR}/requests")


def _words_of(request: LoggedRequest) -> str:
    """Return where a search looks: the request line, the route, and the body."""
    line = f"{request.method} {request.path}?{request.query} {request.route} "
    return line.casefold() + request.body.decode("utf-8", "replace").casefold()


def describe_request(request: LoggedRequest, now: datetime) -> RequestLine:
    """Return a request as it is listed."""
    return RequestLine(
        href=request_path(request.number),
        method=shorten(request.method, 10),
        path=shorten(request.path, 120),
        route=request.route or "",
        status=str(request.status or "no response"),
        tone=response_tone(request.status),
        duration=format_seconds(request.seconds),
        at=show("at", request.at, now),
        sales_channel=format_channel(request),
    )


def format_channel(request: LoggedRequest) -> str:
    """Return the number of the sales channel to which the key of a request belongs."""
    return "none" if request.sales_channel is None else str(request.sales_channel)


@attrs.frozen(kw_only=True)
class DeliveryLine:
    """A delivery of a list."""

    id: str
    href: str
    event: str
    resource_id: str
    object_href: str
    state: str
    tone: Tone
    attempts: int
    outcome: str
    outcome_tone: Tone
    duration: str
    due: FormattedValue | None
    at: FormattedValue


def delivery_path(id: str) -> str:
    """Return the path of the page of a delivery."""
    return f"{INSPECTOR}/webhooks/{id}"


def has_failed(delivery: EmulatedDelivery) -> bool:
    """Return whether an attempt of a delivery was not acknowledged, or it was given up."""
    return delivery.state == "abandoned" or any(not attempt.acknowledged for attempt in delivery.attempts)


def read_deliveries(context: EmulatorContext, query: ListQuery) -> ListPage[EmulatedDelivery]:
    """Return the deliveries that match a query; ``status`` is their state."""
    needle = query.search.casefold()
    found = [
        delivery
        for delivery in context.webhooks.deliveries
        if (not query.failures or has_failed(delivery))
        and (not query.status or delivery.state == query.status)
        and (not needle or needle in f"{delivery.id} {delivery.resource_id} {delivery.event}".casefold())
    ]
    return _paginate_list(found, query, f"{INSPECTOR}/webhooks")


def event_name(delivery: EmulatedDelivery) -> str:
    """Return the event as the payload names it; an unsigned one may have no name there: then that of the dashboard."""
    body: Any = orjson.loads(delivery.body)
    for member in ("event_type", "type"):
        if isinstance(body.get(member), str):
            return str(body[member])
    return delivery.event


def describe_delivery(delivery: EmulatedDelivery, object_href: str, now: datetime) -> DeliveryLine:
    """Return a delivery as it is listed, with the outcome of its last attempt."""
    last = delivery.attempts[-1] if delivery.attempts else None
    return DeliveryLine(
        id=delivery.id,
        href=delivery_path(delivery.id),
        event=shorten(event_name(delivery), 60),
        resource_id=shorten(delivery.resource_id, 60),
        object_href=object_href,
        state=delivery.state,
        tone=tone(delivery.state),
        attempts=len(delivery.attempts),
        outcome="" if last is None else str(last.status or last.failure),
        outcome_tone="" if last is None else "good" if last.acknowledged else "bad",
        duration="" if last is None else format_seconds(last.seconds),
        due=show("due", delivery.due, now) if delivery.state == "waiting" else None,
        at=show("created_at", delivery.created_at, now),
    )


def _paginate_list(found: Sequence[T], query: ListQuery, path: str) -> ListPage[T]:
    return paginate(lambda start, stop: (found[start:stop], len(found)), query, path)
