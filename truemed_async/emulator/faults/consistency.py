"""Valid responses with undesired content: conflicts, declines, and lists that are stale or change between pages."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import attrs
import orjson
from aiohttp import web

from truemed_async.emulator.faults.base import Exchange, Fault
from truemed_async.emulator.faults.registry import Count, fault
from truemed_async.emulator.idempotency import KEY_REUSE
from truemed_async.emulator.request import ApiError, error_response, json_response, validation_error
from truemed_async.emulator.resources.state import State
from truemed_async.emulator.store import Row, Store


def _is_write(exchange: Exchange) -> bool:
    return exchange.request.method == "POST"


def _is_list(exchange: Exchange) -> bool:
    return exchange.route is not None and exchange.route.listing is not None


@fault("before", applies_to=_is_write)
def key_reuse_mismatch() -> web.Response:
    """A write is refused with 400: its idempotency key was used with another payload.

    Happens when a program takes one key for two different requests.
    """
    return error_response(validation_error(KEY_REUSE))


@fault("before", applies_to=_is_write)
def conflict_409(*, error: str = "user_id_already_set") -> web.Response:
    """A write is refused with 409 and this ``error``.

    Happens when two processes change the same object, such as by attaching a user to a session twice.
    """
    return error_response(ApiError(409, error, "the request conflicts with the current state"))


@fault("before", applies_to=_is_write)
def declined_422(*, redirect_url: str = "https://app.truemed.example/payment-method") -> web.Response:
    """A write is refused with 422: the stored payment method was declined.

    The customer must go to ``redirect_url``. Happens when a stored card has expired, or its account is empty.
    """
    # Truemed documents the redirect_url; the values beside it are our choice.
    body = {"error": "payment_method_declined", "message": "the payment method was declined"}
    return json_response(422, {**body, "redirect_url": redirect_url})


@fault("before", name="replica_lag")
@attrs.define(eq=False, kw_only=True)
class ReplicaLag(Fault):
    """A list is as it was ``n`` writes ago: it lacks what was just written.

    Happens when lists are read from a copy of the database that lags behind.
    """

    n: Count = 1
    _replica: State = attrs.field(init=False, repr=False)

    def begin(self, state: State, seed: str) -> None:
        """Create the replica."""
        del seed
        self._replica = state.replica(behind=self.n)

    def applies_to(self, exchange: Exchange) -> bool:
        """Return whether the request is for a list."""
        return _is_list(exchange)

    async def before(self, exchange: Exchange) -> None:
        """Let the handler read the replica."""
        exchange.state = self._replica


@fault("before", applies_to=_is_list)
def unstable_ties(exchange: Exchange, random: Random) -> None:
    """Rows with the same ``created_at`` are in another order in each response, so that pages repeat and omit rows.

    Happens when a server sorts by time alone, and several rows have the same.
    """

    def shuffle(rows: Sequence[Row]) -> list[Row]:
        # Sorting is stable: equal rows stay in their shuffled order.
        unknown = datetime.min.replace(tzinfo=UTC)
        shuffled = random.sample(rows, len(rows))
        return sorted(shuffled, key=lambda row: row.created_at or unknown, reverse=True)

    exchange.state = exchange.state.view(order=shuffle)


@fault("before", applies_to=_is_list)
def clamp_page_size(exchange: Exchange, *, n: Count = 10) -> None:
    """A page never holds more than ``n`` rows, whatever ``page_size`` asks for.

    Happens when a server has a limit that its documentation does not state.
    """
    exchange.state = exchange.state.view(max_page_size=n)


def _change_listed(
    exchange: Exchange, response: web.Response, state: State, n: int, change: Callable[[Store[Any], list[str]], None]
) -> web.Response:
    """Change the rows of a list after a page of it; ``change`` gets the store and the ids of the first ``n`` rows."""
    assert exchange.route is not None
    listing = exchange.route.listing
    assert listing is not None
    page: Any = orjson.loads(exchange.handler_body)
    ids: list[str] = [row[listing.id] for row in page.get(listing.key, ())]
    # The emulator's own state, even if another fault showed the handler a different one.
    store = state.stores[listing.store]
    with state.lock:
        change(store, [id for id in ids if id in store][:n])
    return response


@fault("after", applies_to=_is_list)
def delete_between_pages(exchange: Exchange, response: web.Response, state: State, *, n: Count = 1) -> web.Response:
    """After each page of a list its first ``n`` rows are deleted: rows move from the next page to this one.

    A client that counts pages misses them. Happens when objects are removed, or leave the filter, while the list is
    read.
    """

    def delete(store: Store[Any], ids: list[str]) -> None:
        for id in ids:
            store.remove(id)

    return _change_listed(exchange, response, state, n, delete)


@fault("after", applies_to=_is_list)
def insert_between_pages(
    exchange: Exchange, response: web.Response, state: State, random: Random, *, n: Count = 1
) -> web.Response:
    """After each page of a list ``n`` copies of its first row are created: rows of this page move to the next one.

    A client that counts pages gets them twice. Happens when objects are created while the list is read.
    """

    def insert(store: Store[Any], ids: list[str]) -> None:
        for _ in range(n if ids else 0):
            (newest,), _count = store.table.slice(None, 0, 1)
            row = store.get(ids[0])
            fields: dict[str, Any] = {name: getattr(row, name) for name in attrs.fields_dict(store.entity)}
            fields[store.id_field] = store.new_id(UUID(int=random.getrandbits(128), version=4))
            fields["created_at"] = (newest.created_at or datetime.now(UTC)) + timedelta(milliseconds=1)
            store.add(**fields)

    return _change_listed(exchange, response, state, n, insert)
