"""What the stores of all resources have in common: rows that move, under one lock, told to those who listen."""

import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar, cast

import attrs

from truemed_async.emulator.clock import Clock, utc_milliseconds
from truemed_async.emulator.replays import Replays
from truemed_async.emulator.table import Table
from truemed_async.emulator.transition import Listener, Transition

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class StatusRow(Protocol):
    """A row that can be listed, and has a status."""

    @property
    def id(self) -> str:
        """An opaque string."""
        ...

    @property
    def created_at(self) -> datetime | None:
        """Aware, in UTC."""
        ...

    @property
    def status(self) -> str:
        """Where it is in its life."""
        ...


S = TypeVar("S", bound=StatusRow)


class Core:
    """What all stores share."""

    def __init__(self, clock: Clock) -> None:
        """Begin without listeners and keys."""
        self.clock = clock
        # Held during each request and each move, so that both see one state.
        self.lock: threading.RLock = threading.RLock()
        self.listeners: list[Listener] = []
        self.replays: Replays = Replays()

    def tell(self, transition: Transition) -> None:
        """Tell the listeners of a move that is done."""
        for listener in tuple(self.listeners):
            listener(transition)


class Store(Generic[S]):
    """The rows of one resource. They are immutable: `get` returns one as it is now, and each move puts a new one.

    All methods are safe from any thread. A subclass says what its rows are and adds their moves.
    """

    name: ClassVar[str]  # that of the resource, as in the names of its routes
    kind: type[S]
    id_field: ClassVar[str] = "id"
    prefix: ClassVar[str] = ""  # that of new ids

    def __init__(self, core: Core, rows: Iterable[S] = ()) -> None:
        """Start with these rows."""
        self._core = core
        self.table: Table[S] = Table(rows)

    def __repr__(self) -> str:
        return f"<{self.count} {self.name}>"

    def __contains__(self, id: str) -> bool:
        return id in self.table

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.table)

    @property
    def rows(self) -> tuple[S, ...]:
        """All rows as they are now, newest first."""
        with self._core.lock:
            return self.table.rows()

    def get(self, id: str) -> S:
        """Return the row; KeyError when there is none."""
        return self.table[id]

    def add(self, **fields: Any) -> str:
        """Add a row with these fields and return its id.

        What is not given has its default: a fresh id, `created_at` now. Datetimes are aware and cut to milliseconds.
        An id that exists or a naive datetime is a ValueError, an unknown or missing field a TypeError.
        """
        given: dict[str, Any] = {
            name: utc_milliseconds(value) if isinstance(value, datetime) else value for name, value in fields.items()
        }
        with self._core.lock:
            given.setdefault(self.id_field, self.new_id())
            given.setdefault("created_at", self._core.clock.stamp())
            return self.insert(self.kind(**given), "added")

    def insert(self, row: S, name: str, origin: Mapping[str, str] = _NOTHING) -> str:
        """Add a row, tell of it as a move of this name, and return its id; ValueError when the id exists."""
        with self._core.lock:
            if row.id in self.table:
                raise ValueError(f"{row.id} exists")
            self.table.put(row)
            self._tell(name, None, row, self._core.clock.now(), origin)
        return row.id

    def remove(self, id: str) -> None:
        """Forget the row and its idempotency keys; KeyError when there is none."""
        with self._core.lock:
            self.table.remove(id)
            self._core.replays.forget(id)

    def new_id(self, drawn: uuid.UUID | None = None) -> str:
        """Return an id for a row that is to be added; `drawn` takes the place of chance."""
        return f"{self.prefix}{drawn or uuid.uuid4()}"

    def load(self, rows: Iterable[S]) -> None:
        """Have these rows and no others; nobody is told."""
        with self._core.lock:
            self.table.load(rows)

    def change(self, id: str, **changes: Any) -> S:
        """Put these fields in place of what the row has, which is no move: nobody is told."""
        with self._core.lock:
            row: S = attrs.evolve(cast("Any", self.get(id)), **changes)
            self.table.put(row)
            return row

    def move(self, name: str, id: str, step: Callable[[S, datetime], S], origin: Mapping[str, str] = _NOTHING) -> S:
        """Let the row do a step, a pure function of the row and the time, and tell of it.

        KeyError when there is no such row, InvalidTransitionError when its status does not allow the step.
        """
        with self._core.lock:
            before = self.get(id)
            now = self._core.clock.now()
            after = step(before, now)
            self.table.put(after)
            self._tell(name, before.status, after, now, origin)
            return after

    def _tell(self, name: str, before: str | None, row: S, at: datetime, origin: Mapping[str, str]) -> None:
        self._core.tell(
            Transition(
                resource=self.name,
                id=row.id,
                name=name,
                before=before,
                after=row.status,
                at=at,
                row=row,
                origin=origin,
            )
        )
