"""Faults of meaning: correct answers that say what one would rather not hear."""

# ruff: noqa: D102 - `Fault` says what each method is for, the class what the fault does

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import attrs
import orjson
from aiohttp import web
from attrs.validators import ge

from truemed_async.emulator.faults.base import Drawing, Exchange, Fault, body
from truemed_async.emulator.faults.status import Answered
from truemed_async.emulator.request import ApiError, error_response, json_response, validation_error
from truemed_async.emulator.state import State
from truemed_async.emulator.store import StatusRow, Store


class OfWrites(Answered):
    """Concerns what may change something; reading goes on."""

    def selects(self, exchange: Exchange) -> bool:
        return exchange.request.method == "POST"


class KeyReuseMismatch(OfWrites):
    """A write is refused with 400: its idempotency key was used with another payload."""

    def answer(self) -> web.Response:
        return error_response(validation_error("idempotency_key was used with another payload"))


@attrs.define(eq=False)
class Conflict409(OfWrites):
    """A write is refused with 409 and this `error`."""

    error: str = "user_id_already_set"

    def answer(self) -> web.Response:
        return error_response(ApiError(409, self.error, "this is in conflict with what is there"))


@attrs.define(eq=False)
class Declined422(OfWrites):
    """A write is refused with 422: the stored payment method was declined, the customer is to go to `redirect_url`."""

    redirect_url: str = "https://app.truemed.example/payment-method"

    def answer(self) -> web.Response:
        # Truemed documents the redirect_url; the words beside it are our choice.
        body = {"error": "payment_method_declined", "message": "the payment method was declined"}
        return json_response(422, {**body, "redirect_url": self.redirect_url})


class OfListings(Fault):
    """Concerns listings."""

    def selects(self, exchange: Exchange) -> bool:
        return exchange.route is not None and exchange.route.listing is not None


@attrs.define(eq=False)
class ReplicaLag(OfListings):
    """A listing is that of `n` writes ago."""

    n: int = attrs.field(default=1, validator=ge(1))
    _replica: State = attrs.field(init=False, repr=False)

    def begin(self, state: State, seed: str) -> None:
        del seed
        self._replica = state.replica(behind=self.n)

    async def before(self, exchange: Exchange) -> web.StreamResponse | None:
        exchange.state = self._replica
        return None


class UnstableTies(OfListings, Drawing):
    """Rows with the same `created_at` are in another order on each answer."""

    async def before(self, exchange: Exchange) -> web.StreamResponse | None:
        exchange.state = exchange.state.view(order=self._shuffled)
        return None

    def _shuffled(self, rows: Sequence[StatusRow]) -> list[StatusRow]:
        # SortOrder keeps the order of what is equal: that of the shuffle.
        unknown = datetime.min.replace(tzinfo=UTC)
        shuffled = self._draw.sample(rows, len(rows))
        return sorted(shuffled, key=lambda row: row.created_at or unknown, reverse=True)


@attrs.define(eq=False)
class ClampPageSize(OfListings):
    """A page never holds more than `n`, whatever was asked for."""

    n: int = attrs.field(default=10, validator=ge(1))

    async def before(self, exchange: Exchange) -> web.StreamResponse | None:
        exchange.state = exchange.state.view(max_page_size=self.n)
        return None


@attrs.define(eq=False)
class BetweenPages(OfListings, Drawing, ABC):
    """Changes what there is after each page of a listing."""

    n: int = attrs.field(default=1, validator=ge(1))
    _state: State = attrs.field(init=False, repr=False)

    def begin(self, state: State, seed: str) -> None:
        super().begin(state, seed)
        self._state = state

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        route = exchange.route
        assert route is not None
        assert route.listing is not None
        page: Any = orjson.loads(body(response))
        listed: list[str] = [row[route.listing.id] for row in page.get(route.listing.key, ())]
        # The state that the emulator has, whatever another fault showed the handler.
        store = self._state.stores[route.listing.store]
        with self._state.lock:
            self.change(store, [id for id in listed if id in store][: self.n])
        return response

    @abstractmethod
    def change(self, store: Store[Any], ids: list[str]) -> None:
        """Change the rows; the ids are the first `n` on the page."""


class DeleteBetweenPages(BetweenPages):
    """After each page of a listing its first `n` rows are deleted: others slip from the next page to this one."""

    def change(self, store: Store[Any], ids: list[str]) -> None:
        for id in ids:
            store.remove(id)


class InsertBetweenPages(BetweenPages):
    """After each page of a listing `n` rows like its first are created: some of this page slip to the next one."""

    def change(self, store: Store[Any], ids: list[str]) -> None:
        for _ in range(self.n if ids else 0):
            (newest,), _count = store.table.slice(None, 0, 1)
            row = store.get(ids[0])
            fields: dict[str, Any] = {name: getattr(row, name) for name in attrs.fields_dict(store.kind)}
            fields[store.id_field] = store.new_id(UUID(int=self._draw.getrandbits(128), version=4))
            fields["created_at"] = (newest.created_at or datetime.now(UTC)) + timedelta(milliseconds=1)
            store.add(**fields)
