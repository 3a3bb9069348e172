"""What the emulated Truemed knows, and the moves that happen behind its API."""

import copy
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self, TypeVar

from truemed_async.emulator import saved
from truemed_async.emulator.catalog_items.store import CatalogItems
from truemed_async.emulator.clock import Clock
from truemed_async.emulator.payment_sessions.store import PaymentSessions
from truemed_async.emulator.payment_tokens.store import PaymentTokens, ProvisionRequests
from truemed_async.emulator.qualification_sessions.model import QualificationSession
from truemed_async.emulator.qualification_sessions.store import QualificationSessions
from truemed_async.emulator.reconciliations.store import Payouts, Transactions
from truemed_async.emulator.replays import Replays
from truemed_async.emulator.store import Core, StatusRow, Store
from truemed_async.emulator.table import Filters, Table
from truemed_async.emulator.transition import Listener

S = TypeVar("S", bound=StatusRow)

# Another order of what is listed.
Order = Callable[[Sequence[Any]], list[Any]]


class State:
    """All resources, each with its rows and their moves; one lock, one clock, and one list of who is told of moves.

    `payment_sessions`, `payment_tokens`, `provision_requests`, `qualification_sessions`, `catalog_items`,
    `transactions` and `payouts` are stores. All methods are safe from any thread. `lock` is held during each request,
    so a request sees one state.
    """

    def __init__(
        self, sessions: Iterable[QualificationSession] = (), *, max_page_size: int = 500, clock: Clock | None = None
    ) -> None:
        """Start with these qualification sessions; a listing never holds more than `max_page_size` rows on one page."""
        self._core = Core(clock or Clock())
        self.max_page_size = max_page_size
        self.transactions: Transactions = Transactions(self._core)
        self.payouts: Payouts = Payouts(self._core, self.transactions)
        self.payment_tokens: PaymentTokens = PaymentTokens(self._core)
        self.provision_requests: ProvisionRequests = ProvisionRequests(self._core, self.payment_tokens)
        self.payment_sessions: PaymentSessions = PaymentSessions(self._core, self.payment_tokens, self.transactions)
        self.qualification_sessions: QualificationSessions = QualificationSessions(self._core, sessions)
        self.catalog_items: CatalogItems = CatalogItems(self._core)
        self._order: Order | None = None
        self._replicas: Mapping[str, Table[Any]] = {}

    def __repr__(self) -> str:
        counts = (f"{store.count} {name.replace('_', ' ')}" for name, store in self.stores.items() if store.count)
        return f"<State of {', '.join(counts) or 'nothing'}>"

    @property
    def clock(self) -> Clock:
        """The time of all this: `clock.advance(seconds)`."""
        return self._core.clock

    @property
    def lock(self) -> threading.RLock:
        """Held during each request and each move."""
        return self._core.lock

    @property
    def on_transition(self) -> list[Listener]:
        """Who is told of each move when it is done, by the thread that made it, under the lock."""
        return self._core.listeners

    @property
    def replays(self) -> Replays:
        """What idempotency keys were answered."""
        return self._core.replays

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

    def dump(self) -> dict[str, Any]:
        """Return everything that is known, idempotency keys and the clock's lead included, made of what JSON can say."""
        return saved.dump(self)

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Know what was dumped, and nothing else; nobody is told. ValueError when it is not of this version."""
        saved.load(self, dumped)

    def reset(self) -> None:
        """Know nothing: no rows and no idempotency keys. Nobody is told, and the time stays what it is."""
        with self.lock:
            self.replays.clear()
            for store in self.stores.values():
                store.load(())

    # What handlers and faults use: the rows, possibly seen in another way.

    def page(self, store: Store[S], filters: Filters[S] | None, start: int, stop: int) -> tuple[Sequence[S], int]:
        """Return the matching rows at positions `start` to `stop`, newest first, and how many match in all."""
        with self.lock:
            table: Table[S] = self._replicas.get(store.name, store.table)
            if self._order is None:
                return table.slice(filters, start, stop)
            ordered: list[S] = self._order(table.matching(filters))
            return ordered[start:stop], len(ordered)

    def view(self, *, max_page_size: int | None = None, order: Order | None = None) -> Self:
        """Return this very state, with other limits or another order of what it lists."""
        view = copy.copy(self)
        view.max_page_size = max_page_size or self.max_page_size
        view._order = order or self._order  # noqa: SLF001 - it is one of us
        return view

    def replica(self, *, behind: int) -> Self:
        """Return this state with listings that follow it, each always so many writes behind."""
        replica = copy.copy(self)
        with self.lock:
            replica._replicas = {  # noqa: SLF001 - it is one of us
                name: store.table.replica(behind=behind) for name, store in self.stores.items()
            }
        return replica
