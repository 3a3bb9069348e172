"""Stores: the rows of one resource, in the order of Truemed's listings, and their transitions."""

from __future__ import annotations

import inspect
import threading
import uuid
import weakref
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, ClassVar, Concatenate, Final, Generic, ParamSpec, Protocol, TypeVar, cast

import attrs
import orjson
from cattrs.preconf.json import make_converter

from truemed_async.emulator.clock import EmulatorClock, utc_milliseconds
from truemed_async.emulator.idempotency import IdempotencyStore
from truemed_async.emulator.schema import Object

# Filtered listings are cached until a row changes, so that reading page after page filters once.
MAX_CACHED_LISTINGS: Final = 32
# Serialized rows are cached, because clients read the same ones again and again: about 1 KB each.
MAX_CACHED_ROWS: Final = 200_000
# A row without a time of creation is listed after all others.
_NO_CREATION_TIME: Final = datetime.min.replace(tzinfo=UTC)
_CONVERTER: Final = make_converter(detailed_validation=False)
_NO_ORIGIN: Final[Mapping[str, str]] = MappingProxyType({})

P = ParamSpec("P")
R_contra = TypeVar("R_contra", contravariant=True)


class InvalidTransitionError(ValueError):
    """The status of the row does not allow the transition."""


class Row(Protocol):
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
        """The current state of the row's state machine."""
        ...

    def serialize(self) -> Mapping[str, Any]:
        """Return the row as it is in a response."""
        ...


R = TypeVar("R", bound=Row)


class ListingFilters(Hashable, Protocol[R_contra]):
    """The filters of a listing: equal ones match the same rows."""

    def match(self, row: R_contra, /) -> bool:
        """Return whether the row belongs to the listing."""
        ...


def _sort_key(row: Row) -> tuple[datetime, str]:
    # The id breaks ties: the order is total, hence the same in each response.
    return row.created_at or _NO_CREATION_TIME, row.id


class Table(Generic[R]):
    """Immutable rows by id, newest first; equal times are in descending order of their ids.

    The order is maintained: a page costs its own rows only, however many there are. Not thread-safe: the store locks.
    """

    def __init__(self, rows: Iterable[R] = ()) -> None:
        """Start with these rows."""
        self._listings: dict[ListingFilters[R], Sequence[R]] = {}
        self._serialized: dict[str, tuple[R, orjson.Fragment]] = {}
        self._replicas: weakref.WeakSet[Replica[R]] = weakref.WeakSet()
        self._set_rows(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, id: str) -> bool:
        return id in self._rows

    def __getitem__(self, id: str) -> R:
        return self._rows[id]

    def rows(self) -> tuple[R, ...]:
        """Return all rows, newest first."""
        return tuple(self._rows[id] for _, id in reversed(self._oldest_first))

    def matching(self, filters: ListingFilters[R] | None) -> Sequence[R]:
        """Return the matching rows, newest first."""
        if filters is None:
            return self.rows()
        found = self._listings.get(filters)
        if found is None:
            found = [row for row in self.rows() if filters.match(row)]
            if len(self._listings) == MAX_CACHED_LISTINGS:
                self._listings.clear()
            self._listings[filters] = found
        return found

    def slice(self, filters: ListingFilters[R] | None, start: int, stop: int) -> tuple[Sequence[R], int]:
        """Return the matching rows at positions ``start`` to ``stop``, newest first, and the number of all matches."""
        if filters is None:
            total = len(self._oldest_first)
            keys = self._oldest_first[max(0, total - stop) : max(0, total - start)]
            return [self._rows[id] for _, id in reversed(keys)], total
        found = self.matching(filters)
        return found[start:stop], len(found)

    def serialize(self, row: R) -> orjson.Fragment:
        """Return a row as it is in a response, in JSON."""
        cached = self._serialized.get(row.id)
        # Rows are immutable: another one with this id is an older or a newer version.
        if cached is None or cached[0] is not row:
            if len(self._serialized) == MAX_CACHED_ROWS:
                self._serialized.clear()
            cached = self._serialized[row.id] = row, orjson.Fragment(orjson.dumps(row.serialize()))
        return cached[1]

    def put(self, row: R) -> None:
        """Add a row, or replace the one with its id and ``created_at``."""
        if row.id not in self._rows:
            insort(self._oldest_first, _sort_key(row))
        self._rows[row.id] = row
        self._notify_replicas(row)

    def remove(self, id: str) -> None:
        """Remove a row; KeyError if there is none."""
        del self._oldest_first[bisect_left(self._oldest_first, _sort_key(self._rows.pop(id)))]
        self._notify_replicas(id)

    def load(self, rows: Iterable[R]) -> None:
        """Replace all rows; replicas have them at once."""
        self._set_rows(rows)
        self._listings.clear()
        self._serialized.clear()
        for replica in self._replicas:
            replica.load(self._rows.values())

    def replica(self, *, behind: int) -> Replica[R]:
        """Return a copy that follows this table, always so many writes behind."""
        replica = Replica(self._rows.values(), behind=behind)
        self._replicas.add(replica)
        return replica

    def _set_rows(self, rows: Iterable[R]) -> None:
        # Sorting all rows at once is faster than inserting each.
        self._rows = {row.id: row for row in rows}
        self._oldest_first = sorted(map(_sort_key, self._rows.values()))

    def _notify_replicas(self, write: R | str) -> None:
        self._listings.clear()
        for replica in self._replicas:
            replica.apply_write(write)


class Replica(Table[R]):
    """A copy of a table that lags a number of writes behind."""

    def __init__(self, rows: Iterable[R], *, behind: int) -> None:
        """Start with these rows, and delay this number of writes."""
        super().__init__(rows)
        self._behind = behind
        self._pending: deque[R | str] = deque()  # a new row, or the id of one that is removed

    def load(self, rows: Iterable[R]) -> None:
        """Replace all rows, and discard the delayed writes."""
        self._pending.clear()
        super().load(rows)

    def apply_write(self, write: R | str) -> None:
        """Delay a write, and apply those that are due."""
        self._pending.append(write)
        while len(self._pending) > self._behind:
            due = self._pending.popleft()
            if isinstance(due, str):
                self.remove(due)
            else:
                self.put(due)


@attrs.frozen(kw_only=True)
class Transition:
    """One transition, passed to every listener in the order of the transitions, after it is applied.

    resource, id: the row, for example ``payment_sessions`` and its id.
    name: the name of the transition, for example ``approve``; ``added`` for a new row.
    before, after: the statuses; ``before`` is None for a new row. They are equal if something else changed.
    at: the emulator's time.
    row: the row as it is now, immutable.
    origin: the ``payment_session_id``, ``failed_payment_session_id`` or ``provision_token_request_id`` that caused it;
    set for payment tokens.
    """

    resource: str
    id: str
    name: str
    before: str | None
    after: str
    at: datetime
    row: Any = attrs.field(repr=False)
    origin: Mapping[str, str] = _NO_ORIGIN

    @property
    def changed(self) -> bool:
        """Whether the status changed."""
        return self.before != self.after


TransitionListener = Callable[[Transition], None]


class Core:
    """What all stores share."""

    def __init__(self, clock: EmulatorClock) -> None:
        """Begin without listeners and idempotency keys."""
        self.clock = clock
        # Held during each request and each transition, so that both see one state.
        self.lock: threading.RLock = threading.RLock()
        self.listeners: list[TransitionListener] = []
        self.idempotency: IdempotencyStore = IdempotencyStore()

    def notify(self, transition: Transition) -> None:
        """Pass a transition to the listeners."""
        for listener in tuple(self.listeners):
            listener(transition)


@attrs.frozen
class Action:
    """A transition that can be triggered by name: the statuses that allow it, none for all, and its parameters.

    on_row: whether it is applied to one row, and not to the store as a whole.
    offered: whether the inspector has a button for a row in such a status, if not always.
    """

    name: str
    statuses: tuple[str, ...] = ()
    params: Object = Object()
    on_row: bool = True
    offered: Callable[[Any], bool] | None = None


_S = TypeVar("_S", bound="Store[Any]")
_F = TypeVar("_F", bound=Callable[..., Any])


def action(*statuses: str, params: Object = Object(), on_row: bool = True) -> Callable[[_F], _F]:
    """Declare a method of a store as an ``Action``: it appears in the inspector and over HTTP."""

    def declare(method: _F) -> _F:
        cast("Any", method).action = Action(method.__name__, statuses, params, on_row)
        return method

    return declare


def transition(
    *statuses: str,
    params: Object = Object(),
    then: Callable[[Any, Any, Any], None] | None = None,
    offered: Callable[[Any], bool] | None = None,
) -> Callable[[Callable[Concatenate[_S, R, datetime, P], R]], Callable[Concatenate[_S, str, P], R]]:
    """Turn a method from a row and the time to the new row into an ``Action`` that takes the row's id.

    statuses: those that allow the transition, none for all; else it raises ``InvalidTransitionError``.
    then: called with the old and the new row after the listeners, under the lock.
    offered: as in ``Action``.
    """

    def decorate(step: Callable[Concatenate[_S, R, datetime, P], R]) -> Callable[Concatenate[_S, str, P], R]:
        @action(*statuses, params=params)
        def apply(self: _S, id: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
            def check_and_step(row: R, now: datetime) -> R:
                if statuses and row.status not in statuses:
                    raise InvalidTransitionError(f"{row.id} is {row.status}, not {' or '.join(statuses)}")
                return step(self, row, now, *args, **kwargs)

            with self.lock:
                before: R = self.get(id)
                after: R = self.run_transition(apply.__name__, id, check_and_step)
                if then is not None:
                    then(self, before, after)
                return after

        signature = inspect.signature(step)
        own, _row, _now, *others = signature.parameters.values()
        by_position = [own.replace(kind=own.POSITIONAL_ONLY), inspect.Parameter("id", own.POSITIONAL_ONLY)]
        named = cast("Any", apply)
        named.__signature__ = signature.replace(parameters=[*by_position, *others])
        named.__name__, named.__qualname__, named.__doc__ = step.__name__, step.__qualname__, step.__doc__
        named.action = attrs.evolve(named.action, name=step.__name__, offered=offered)
        return apply

    return decorate


class Store(Generic[R]):
    """The rows of one resource. They are immutable: ``get`` returns the current one, and a transition replaces it.

    All methods are safe from any thread. A subclass names its entity and adds the transitions.
    """

    name: ClassVar[str]  # that of the resource, as in the names of its routes
    entity: type[R]
    id_field: ClassVar[str] = "id"
    prefix: ClassVar[str] = ""  # of new ids

    def __init__(self, core: Core, rows: Iterable[R] = ()) -> None:
        """Start with these rows."""
        self._core = core
        self.table: Table[R] = Table(rows)

    def __repr__(self) -> str:
        return f"<{self.count} {self.name}>"

    def __contains__(self, id: str) -> bool:
        return id in self.table

    @classmethod
    def actions(cls) -> Mapping[str, Action]:
        """Return the transitions that can be triggered by name."""
        methods = (getattr(method, "action", None) for base in cls.__mro__ for method in vars(base).values())
        return {found.name: found for found in methods if isinstance(found, Action)}

    @property
    def lock(self) -> threading.RLock:
        """Held during each request and each transition."""
        return self._core.lock

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self.table)

    @property
    def rows(self) -> tuple[R, ...]:
        """All rows, newest first."""
        with self.lock:
            return self.table.rows()

    def get(self, id: str) -> R:
        """Return the row; KeyError if there is none."""
        return self.table[id]

    def add(self, **fields: Any) -> str:
        """Add a row with these fields and return its id.

        Other fields have their defaults: a new id, the current time. Datetimes are aware and cut to milliseconds. An
        id that exists or a naive datetime is a ValueError, an unknown or missing field a TypeError.
        """
        values: dict[str, Any] = {
            name: utc_milliseconds(value) if isinstance(value, datetime) else value for name, value in fields.items()
        }
        with self.lock:
            values.setdefault(self.id_field, self.new_id())
            values.setdefault("created_at", self._core.clock.stamp())
            return self.insert(self.entity(**values), "added")

    def insert(self, row: R, name: str, origin: Mapping[str, str] = _NO_ORIGIN) -> str:
        """Add a row, notify the listeners of a transition of this name, and return the id; ValueError if it exists."""
        with self.lock:
            if row.id in self.table:
                raise ValueError(f"{row.id} exists")
            self.table.put(row)
            self._notify(name, None, row, self._core.clock.now(), origin)
        return row.id

    def remove(self, id: str) -> None:
        """Remove the row and its idempotency keys; KeyError if there is none."""
        with self.lock:
            self.table.remove(id)
            self._core.idempotency.forget(id)

    def new_id(self, random_part: uuid.UUID | None = None) -> str:
        """Return an id for a new row, with a random part unless one is passed."""
        return f"{self.prefix}{random_part or uuid.uuid4()}"

    def dump(self) -> list[Any]:
        """Return all rows as JSON values."""
        dumped: list[Any] = _CONVERTER.unstructure(list(self.rows))
        return dumped

    def parse(self, dumped: Iterable[Any]) -> list[R]:
        """Return the rows of a dump."""
        return [_CONVERTER.structure(row, self.entity) for row in dumped]

    def load(self, rows: Iterable[R]) -> None:
        """Replace all rows without notifying listeners."""
        with self.lock:
            self.table.load(rows)

    def change(self, id: str, **changes: Any) -> R:
        """Update fields of a row without a transition: listeners are not notified."""
        with self.lock:
            row: R = attrs.evolve(cast("Any", self.get(id)), **changes)
            self.table.put(row)
            return row

    def run_transition(
        self, name: str, id: str, step: Callable[[R, datetime], R], origin: Mapping[str, str] = _NO_ORIGIN
    ) -> R:
        """Replace a row by the result of ``step``, a function of the row and the time, and notify the listeners.

        KeyError if there is no such row, InvalidTransitionError if its status does not allow the step.
        """
        with self.lock:
            before = self.get(id)
            now = self._core.clock.now()
            after = step(before, now)
            self.table.put(after)
            self._notify(name, before.status, after, now, origin)
            return after

    def _notify(self, name: str, before: str | None, row: R, at: datetime, origin: Mapping[str, str]) -> None:
        self._core.notify(
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
