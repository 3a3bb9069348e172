"""The state of the emulated Truemed: all resources, the clock and the idempotency keys.

The files of the resources import ``State`` for annotations only, since the handlers beside each entity receive it. A
protocol for them would repeat all of its stores, and a file of handlers for each entity would part what is read together.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Self, TypeVar

from cattrs.preconf.json import make_converter

from truemed_async.emulator.clock import EmulatorClock
from truemed_async.emulator.idempotency import IdempotencyStore, StoredResponse
from truemed_async.emulator.request import ReceivedRequest
from truemed_async.emulator.resources.catalog_items import CatalogItemStore
from truemed_async.emulator.resources.payment_sessions import PaymentSessionStore
from truemed_async.emulator.resources.payment_tokens import PaymentTokenStore, ProvisionRequestStore
from truemed_async.emulator.resources.qualification_sessions import (
    EmulatedQualificationSession,
    QualificationSessionStore,
)
from truemed_async.emulator.resources.reconciliations import PayoutStore, TransactionStore
from truemed_async.emulator.schema import Enum, Object, String
from truemed_async.emulator.store import (
    Core,
    InvalidTransitionError,
    ListingFilters,
    Row,
    Store,
    Table,
    TransitionListener,
)

R = TypeVar("R", bound=Row)

# Another order of the rows of a listing.
Order = Callable[[Sequence[Any]], list[Any]]

_VERSION: Final = 1
_CONVERTER: Final = make_converter(detailed_validation=False)


class State:
    """All resources, each with its rows and their transitions; one lock, one clock, and one list of listeners.

    ``payment_sessions``, ``payment_tokens``, ``provision_requests``, ``qualification_sessions``, ``catalog_items``,
    ``transactions`` and ``payouts`` are stores. All methods are safe from any thread. ``lock`` is held during each
    request, so a request sees one state.
    """

    def __init__(
        self,
        sessions: Iterable[EmulatedQualificationSession] = (),
        *,
        max_page_size: int = 500,
        clock: EmulatorClock | None = None,
    ) -> None:
        """Start with these qualification sessions; a page of a listing never has more than ``max_page_size`` rows."""
        self._core = Core(clock or EmulatorClock())
        self.max_page_size = max_page_size
        self.transactions: TransactionStore = TransactionStore(self._core)
        self.payouts: PayoutStore = PayoutStore(self._core, self.transactions)
        self.payment_tokens: PaymentTokenStore = PaymentTokenStore(self._core)
        self.provision_requests: ProvisionRequestStore = ProvisionRequestStore(self._core, self.payment_tokens)
        self.catalog_items: CatalogItemStore = CatalogItemStore(self._core)
        self.payment_sessions: PaymentSessionStore = PaymentSessionStore(
            self._core, self.payment_tokens, self.transactions, self.catalog_items
        )
        self.qualification_sessions: QualificationSessionStore = QualificationSessionStore(self._core, sessions)
        self._order: Order | None = None
        self._replicas: Mapping[str, Table[Any]] = {}
        self.clock.on_advance.append(self._apply_time)

    def __repr__(self) -> str:
        counts = (f"{store.count} {name.replace('_', ' ')}" for name, store in self.stores.items() if store.count)
        return f"<State of {', '.join(counts) or 'nothing'}>"

    @property
    def clock(self) -> EmulatorClock:
        """The emulator's time: ``clock.advance(seconds)``."""
        return self._core.clock

    @property
    def lock(self) -> threading.RLock:
        """Held during each request and each transition."""
        return self._core.lock

    @property
    def on_transition(self) -> list[TransitionListener]:
        """The listeners: called after each transition by the thread that made it, under the lock."""
        return self._core.listeners

    @property
    def idempotency(self) -> IdempotencyStore:
        """The responses to idempotency keys."""
        return self._core.idempotency

    @property
    def stores(self) -> Mapping[str, Store[Any]]:
        """Every store by the name of its resource."""
        stores: tuple[Store[Any], ...] = (
            self.payment_sessions,
            self.payment_tokens,
            self.provision_requests,
            self.qualification_sessions,
            self.catalog_items,
            self.transactions,
            self.payouts,
        )
        return MappingProxyType({store.name: store for store in stores})

    def apply(self, request: Mapping[str, Any]) -> Any:
        """Apply a transition: ``resource``, ``id``, ``transition`` and its parameters; return the new row.

        Without an ``id`` where a store as a whole is concerned, as by ``pay_out``. ValueError: there is no such
        resource or transition, or it has other parameters. KeyError: no such row. InvalidTransitionError: the row's
        status does not allow it.
        """
        actions = {name: found for name, store in self.stores.items() if (found := store.actions())}
        Object({"resource": Enum(tuple(actions)), "transition": String(1)}).validate(request, "")
        resource = request["resource"]
        action = actions[resource].get(request["transition"])
        if action is None:
            raise ValueError(f"{resource} have {', '.join(actions[resource])}")
        if action.on_row:
            Object({"id": String(1)}).validate(request, "")
        action.params.validate(request, "")
        target = (request["id"],) if action.on_row else ()
        options = {name: value for name, value in request.items() if name in action.params.properties}
        store = self.stores[resource]
        with self.lock:
            result = getattr(store, action.name)(*target, **options)
            if not action.on_row and result is None:
                raise InvalidTransitionError(f"{resource} have nothing to {action.name.replace('_', ' ')}")
            return store.get(request["id"] if action.on_row else result)

    def dump(self) -> dict[str, Any]:
        """Return the whole state as JSON values: rows, idempotency keys, and how far the clock is ahead."""
        with self.lock:
            return {
                "version": _VERSION,
                "clock": {"ahead": self.clock.ahead},
                "idempotency": _CONVERTER.unstructure(list(self.idempotency)),
                **{name: store.dump() for name, store in self.stores.items()},
            }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Replace the whole state by one that was dumped, without notifying listeners.

        ValueError if it is of another version or broken: then nothing is changed.
        """
        if dumped.get("version") != _VERSION:
            raise ValueError(f"a saved state of version {_VERSION} is needed")
        try:
            responses = _CONVERTER.structure(dumped["idempotency"], list[StoredResponse])
            rows = {name: store.parse(dumped[name]) for name, store in self.stores.items()}
            ahead = float(dumped["clock"]["ahead"])
        except Exception as error:  # cattrs raises Exception itself for an unknown value of a Literal
            raise ValueError("this is not a saved state") from error
        with self.lock:
            self.clock.restore(ahead)
            self.idempotency.clear()
            for response in responses:
                self.idempotency.put(response)
            for name, store in self.stores.items():
                store.load(rows[name])

    def reset(self) -> None:
        """Delete all rows and idempotency keys without notifying listeners. The clock is not changed."""
        with self.lock:
            self.idempotency.clear()
            for store in self.stores.values():
                store.load(())

    def _apply_time(self) -> None:
        """Do what happens at Truemed by itself in the course of time."""
        with self.lock:
            now = self.clock.now()
            self.payment_sessions.cancel_outlasted(now)
            self.qualification_sessions.bill_due(now)
            self.payouts.pay_out_due(now)

    def becomes_due(self, after: datetime, until: datetime) -> bool:
        """Return whether anything that happens by itself is due in this time."""
        with self.lock:
            stores = (self.payment_sessions, self.qualification_sessions, self.payouts)
            return any(after < moment <= until for store in stores for moment in store.due_moments())

    # For handlers and faults: the rows, possibly seen in another way.

    def page(
        self, store: Store[R], filters: ListingFilters[R] | None, start: int, stop: int
    ) -> tuple[Sequence[R], int]:
        """Return the matching rows at positions ``start`` to ``stop``, newest first, and the number of all matches."""
        with self.lock:
            table: Table[R] = self._replicas.get(store.name, store.table)
            if self._order is None:
                return table.slice(filters, start, stop)
            ordered: list[R] = self._order(table.matching(filters))
            return ordered[start:stop], len(ordered)

    def paginate(
        self,
        store: Store[R],
        request: ReceivedRequest,
        key: str,
        filters: ListingFilters[R] | None = None,
        serialize: Callable[[R], object] | None = None,
    ) -> Mapping[str, object]:
        """Return the requested page of a listing, its rows under ``key``: as ``serialize`` returns them, or their own.

        Give ``serialize`` if the response depends on more than the row.
        """
        page: int = request.query["page"]
        # Truemed does not document its largest page: a larger size is reduced to ours, and the response says so.
        page_size: int = min(request.query["page_size"], self.max_page_size)
        rows, count = self.page(store, filters, (page - 1) * page_size, page * page_size)
        return {
            key: list(map(serialize or store.table.serialize, rows)),
            "pagination": {
                "count": count,
                "current_page": page,
                # An empty listing still has its first page.
                "last_page": max(1, -(-count // page_size)),
                "page_size": page_size,
            },
        }

    def view(self, *, max_page_size: int | None = None, order: Order | None = None) -> Self:
        """Return this state with another limit or another order of its listings."""
        view = copy.copy(self)
        view.max_page_size = max_page_size or self.max_page_size
        view._order = order or self._order  # noqa: SLF001 - of the same class
        return view

    def replica(self, *, behind: int) -> Self:
        """Return this state with listings that lag so many writes behind."""
        replica = copy.copy(self)
        with self.lock:
            replica._replicas = {  # noqa: SLF001 - of the same class
                name: store.table.replica(behind=behind) for name, store in self.stores.items()
            }
        return replica
