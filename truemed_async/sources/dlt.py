"""A source for dlt, which loads everything that a sales channel has into a warehouse. It imports dlt and pyarrow.

Rows are Arrow tables, which dlt loads without looking at each row. What a run reads is decided by ``exports.changes``,
as for a mirror; what it has to know for that is in dlt's state, which is stored with the rows.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any, Generic, TypeVar, cast

import attrs

from truemed_async._extras import missing_extra

try:
    import dlt
    import pyarrow as pa
    from dlt.sources import DltResource
except ModuleNotFoundError as _error:
    raise missing_extra(_error, "dlt") from _error

from truemed_async._core.bulk import Outcome
from truemed_async._sensitive import Sensitive, wrap
from truemed_async._validation import scalars
from truemed_async.errors import InvalidArgumentError
from truemed_async.exports.arrow import DEFAULT_BATCH_SIZE, ArrowEncoder
from truemed_async.exports.changes import Reread, latest_creation, plan_run
from truemed_async.exports.columns import ROW_TYPES, ColumnSelection, RowType, select_columns
from truemed_async.exports.consumer import SyncBatches
from truemed_async.exports.pii import Pii, validate_pii
from truemed_async.models import (
    CatalogItem,
    Model,
    PaymentSession,
    PaymentSessionItem,
    PaymentToken,
    QualificationSession,
    ReconciliationRow,
)
from truemed_async.options import Environment
from truemed_async.sync import Truemed

__all__ = ["truemed_source"]

T = TypeVar("T")
M = TypeVar("M", bound=Model)

DELETED = "_deleted"
"""The column by which dlt deletes rows; it is null in those that remain."""
DEFAULT_START_DAYS = 365
"""How far back payouts and transactions are read at first."""
OPEN_DAYS = 35
"""How many days of payouts and transactions are read again: a payout may include those of the month before."""

PAYOUT_COLUMNS = ("payout_id", "payout_listed_on", "payout_arrival_date", "payout_amount_cents")

Tables = Generator[Any, None, None]


@attrs.frozen(kw_only=True)
class _Options:
    """The options of the source, checked."""

    sweep: bool
    pii: Pii
    secret: Sensitive[bytes] | None
    payment_look_back: timedelta
    first_day: date
    page_size: int
    prefetch: int


@dlt.source(name="truemed", section="truemed", max_table_nesting=0)
def truemed_source(
    api_key: dlt.TSecretStrValue | None = None,
    environment: str | None = None,
    base_url: str | None = None,
    sweep: bool = False,
    pii: str = "drop",
    pii_secret: dlt.TSecretStrValue | None = None,
    payment_look_back_days: int = 30,
    start_date: str | None = None,
    page_size: int = 100,
    prefetch: int = 16,
) -> Iterable[DltResource]:
    """Return the resources of a sales channel.

    They are ``qualification_sessions``, ``payment_sessions`` with the table ``payment_session_items``,
    ``payment_tokens``, ``catalog_items``, and ``reconciliations`` with the tables ``payouts`` and ``transactions``::

        pipeline = dlt.pipeline("truemed", destination="duckdb", dataset_name="merchant")
        pipeline.run(truemed_source())

    The first run reads everything. Each further run reads what is new, and gets each session again that was not final;
    ``sweep`` reads everything and replaces the tables. Rows are merged on their ids. ``catalog_items`` is replaced in
    each run. Payouts and transactions are read up to yesterday in UTC, the last 35 days of them again.

    Each argument can be set in dlt's configuration, below ``sources.truemed``: the key as ``api_key`` in
    ``secrets.toml`` or in the environment variable ``SOURCES__TRUEMED__API_KEY``.

    Args:
        api_key: The sales channel's API key; by default the environment variable ``TRUEMED_API_KEY``.
        environment: ``"production"`` or ``"sandbox"``; by default ``TRUEMED_ENVIRONMENT``, else production.
        base_url: Another server; by default ``TRUEMED_BASE_URL``.
        sweep: Whether to read everything, and so see deletions, and changes of sessions that were final.
        pii: What happens to personal data: ``"drop"`` (the columns are left out), ``"hash"`` (HMAC-SHA256 in hex) or
            ``"keep"``. Undocumented fields are never loaded.
        pii_secret: For ``"hash"``: 16 bytes or more.
        payment_look_back_days: Payment sessions of so many days before the newest one are read again, for refunds.
        start_date: The first day of payouts and transactions, ``"YYYY-MM-DD"``; by default a year ago.
        page_size: The most rows to request at once.
        prefetch: The most pages of a list in flight.

    Raises:
        ConfigurationError: The key is malformed, or the base URL is not acceptable.
        InvalidArgumentError: Another argument is invalid.
    """
    client = Truemed(api_key, environment=cast("Environment | None", environment), base_url=base_url)
    del api_key
    boxed_secret = cast("Sensitive[bytes | str | None]", wrap(pii_secret))
    del pii_secret
    today = datetime.now(UTC).date()
    first_day = today - timedelta(days=DEFAULT_START_DAYS)
    if start_date is not None:
        first_day = date.fromisoformat(scalars.parse_date("start_date", start_date))
    if payment_look_back_days < 0:
        raise InvalidArgumentError("payment_look_back_days must be an integer >= 0")
    options = _Options(
        sweep=scalars.validate_bool("sweep", sweep),
        pii=cast("Pii", pii),
        secret=validate_pii(pii, boxed_secret),
        payment_look_back=timedelta(days=payment_look_back_days),
        first_day=first_day,
        page_size=scalars.validate_positive_int("page_size", page_size),
        prefetch=scalars.validate_positive_int("prefetch", prefetch),
    )
    return _make_resources(client, options)


def _make_resources(client: Truemed, options: _Options) -> list[DltResource]:
    paging: dict[str, Any] = {"page_size": options.page_size, "prefetch": options.prefetch}

    def read_qualification_sessions() -> Tables:
        table = _Table("qualification_sessions", QualificationSession, options)
        resource = client.qualification_sessions
        return _read_changes([table], table.row_type, resource.iter, resource.get_many, options)

    def read_payment_sessions() -> Tables:
        sessions = _Table("payment_sessions", PaymentSession, options, without=("order_items",))
        resource = client.payment_sessions

        def list_sessions(**arguments: Any) -> SyncBatches[PaymentSession]:
            return resource.iter(
                include_order_items=True, summarize_refunds=True, look_back=options.payment_look_back, **arguments
            )

        tables = [sessions, _ItemTable("payment_session_items")]
        return _read_changes(
            tables, sessions.row_type, list_sessions, resource.get_many, options, complete=_add_refund_amount
        )

    def read_payment_tokens() -> Tables:
        table = _Table("payment_tokens", PaymentToken, options)
        resource = client.payment_tokens
        return _read_changes([table], table.row_type, resource.iter, resource.get_many, options)

    def read_catalog_items() -> Tables:
        table = _Table("catalog_items", CatalogItem, options)
        yield table.begin(replace=True)
        yield from _write([table], _batches(client.catalog_items.iter(**paging)))

    def read_reconciliations() -> Tables:
        tables = [
            _Table(
                "transactions",
                ReconciliationRow,
                options,
                key="listed_on",
                without=("in_period",),
                select=_transactions,
            ),
            _Table("payouts", ReconciliationRow, options, key="payout_id", only=PAYOUT_COLUMNS, select=_payouts),
        ]
        state = dlt.current.resource_state()
        last = datetime.now(UTC).date() - timedelta(days=1)
        first = options.first_day
        if "read_to" in state and not options.sweep:
            first = max(first, date.fromisoformat(state["read_to"]) - timedelta(days=OPEN_DAYS))
        for table in tables:
            yield table.begin(replace=options.sweep)
        if first <= last:
            rows = client.reconciliations.reconcile(
                start_date=first, end_date=last, look_back=timedelta(0), concurrency=options.prefetch
            )
            yield from _write(tables, _batches(rows))
            state["read_to"] = last.isoformat()

    readers = (
        read_qualification_sessions,
        read_payment_sessions,
        read_payment_tokens,
        read_catalog_items,
        read_reconciliations,
    )
    return [dlt.resource(read, name=read.__name__.removeprefix("read_")) for read in readers]


# --- reading ------------------------------------------------------------------------------------------------------


def _batches(stream: SyncBatches[T]) -> Generator[Sequence[T], None, None]:
    with closing(stream):
        yield from stream.batches()


def _read_changes(
    tables: Sequence["_AnyTable"],
    row_type: RowType[M],
    list_rows: Callable[..., SyncBatches[M]],
    get_many: Callable[[Iterable[str]], SyncBatches[Outcome[M]]],
    options: _Options,
    complete: Callable[[M], M] = lambda row: row,
) -> Tables:
    """Read what is new or may have changed, and store in dlt's state how far that was."""
    state = dlt.current.resource_state()
    watermark = datetime.fromisoformat(state["watermark"]) if "watermark" in state else None
    unfinished: set[str] = set(state.get("unfinished", ()))
    plan = plan_run(
        watermark=watermark,
        rows=state.get("rows", 0),
        unfinished=len(unfinished),
        sweep=options.sweep,
        page_size=options.page_size,
        now=datetime.now(UTC).timestamp(),
    )
    for table in tables:
        yield table.begin(replace=plan.is_sweep)
    if plan.is_sweep:
        unfinished.clear()
    stale = set(unfinished)
    row_count = 0

    def note(batches: Iterable[Sequence[M]]) -> Generator[Sequence[M], None, None]:
        nonlocal watermark, row_count
        for rows in batches:
            watermark = latest_creation(row_type, rows, watermark)
            row_count += len(rows)
            for id, row in zip(row_type.ids_of(rows), rows, strict=True):
                stale.discard(id)
                (unfinished.discard if _is_final(row) else unfinished.add)(id)
            yield rows

    yield from _write(
        tables, note(_batches(list_rows(since=plan.since, page_size=options.page_size, prefetch=options.prefetch)))
    )
    for outcomes in _batches(get_many(sorted(stale))):
        again = Reread[M].of(outcomes)
        unfinished.difference_update(row_type.ids_of(row for row in again.rows if _is_final(row)))
        unfinished.difference_update(again.gone)
        rows = [complete(row) for row in again.rows]
        for table in tables:
            yield table.name_rows(table.encode(rows))
            yield table.name_rows(table.encode_gone(again.gone))
    if watermark is not None:
        state["watermark"] = watermark.isoformat()
    state["unfinished"] = sorted(unfinished)
    state["rows"] = row_count if plan.is_sweep else state.get("rows", 0) + row_count


def _add_refund_amount(session: PaymentSession) -> PaymentSession:
    """Add what only a list has, from the ``refunds`` of a single session. Their form was seen, and is undocumented."""
    found: Any = session.extra.get("refunds")
    refunds = list(cast("Iterable[Any]", found)) if isinstance(found, list) else [None]
    amounts: list[Any] = [
        cast("dict[str, Any]", each).get("amount") if isinstance(each, dict) else None for each in refunds
    ]
    return attrs.evolve(session, refund_amount=sum(amounts) if all(type(each) is int for each in amounts) else None)


def _is_final(row: Model) -> bool:
    """Whether the status of a row does not change again; rows without a status do not change that a list shows."""
    return bool(getattr(getattr(row, "status", None), "is_final", True))


def _write(tables: Sequence["_AnyTable"], batches: Iterable[Sequence[Any]]) -> Tables:
    """Yield rows as Arrow tables of ``DEFAULT_BATCH_SIZE`` rows."""
    pending: list[Any] = []
    for rows in batches:
        pending.extend(rows)
        if len(pending) >= DEFAULT_BATCH_SIZE:
            yield from (table.name_rows(table.encode(pending)) for table in tables)
            pending = []
    yield from (table.name_rows(table.encode(pending)) for table in tables)


def _transactions(rows: Sequence[ReconciliationRow]) -> list[ReconciliationRow]:
    return [row for row in rows if row.type is not None]


def _payouts(rows: Sequence[ReconciliationRow]) -> list[ReconciliationRow]:
    return list({row.payout_id: row for row in rows if row.payout_listed_on is not None}.values())


# --- tables -------------------------------------------------------------------------------------------------------


class _AnyTable(ABC):
    """A table of the destination, whose rows are merged by the values of a column."""

    def __init__(self, name: str, key: str, schema: pa.Schema) -> None:
        self.name = name
        self.key = key
        self.is_replaced = False
        fields: list[pa.Field[Any]] = [
            field.with_nullable(field.name != key) for field in cast("Iterable[pa.Field[Any]]", schema)
        ]
        self.schema: pa.Schema = pa.schema([*fields, pa.field(DELETED, pa.bool_())])

    def begin(self, *, replace: bool) -> Any:
        """Return no row, with the hints of the table: whether it is replaced, or merged into."""
        self.is_replaced = replace
        hints = dlt.mark.make_hints(
            table_name=self.name,
            write_disposition="replace" if replace else {"disposition": "merge", "strategy": "delete-insert"},
            merge_key=self.key,
            columns={DELETED: {"name": DELETED, "data_type": "bool", "hard_delete": not replace}},
        )
        return dlt.mark.with_hints(self.schema.empty_table(), hints, create_table_variant=True)

    def name_rows(self, rows: pa.Table) -> Any:
        """Return rows with the name of the table."""
        return dlt.mark.with_table_name(rows, self.name)

    @abstractmethod
    def encode(self, rows: Sequence[Any]) -> pa.Table:
        """Return rows as a table."""
        ...

    def encode_gone(self, ids: Sequence[str]) -> pa.Table:
        """Return the rows by which dlt deletes those with these ids."""
        return pa.Table.from_pylist([{self.key: id, DELETED: True} for id in ids], self.schema)


class _Table(_AnyTable, Generic[M]):
    """The rows of a listing, or those that ``select`` takes."""

    def __init__(
        self,
        name: str,
        model: type[M],
        options: _Options,
        *,
        key: str | None = None,
        only: Sequence[str] | None = None,
        without: Sequence[str] = (),
        select: Callable[[Sequence[M]], Sequence[M]] = lambda rows: rows,
    ) -> None:
        self.row_type: RowType[M] = ROW_TYPES[model]
        key = key or cast("str", self.row_type.id)
        columns = select_columns(self.row_type, only, pii=options.pii, secret=options.secret)
        types = {field: kind for field, kind in columns.types.items() if field not in without}
        columns = attrs.evolve(columns, types=types)
        if key not in types:
            # A token is random text: no one can guess what its hash stands for, with or without a secret.
            columns = attrs.evolve(columns, types={key: str, **types}, hashed=frozenset({key}), hasher=_digest)
        self._encoder = ArrowEncoder(columns)
        self._select = select
        super().__init__(name, key, self._encoder.schema)

    def encode(self, rows: Sequence[M]) -> pa.Table:
        selected = self._select(rows)
        table = pa.Table.from_batches([self._encoder.encode(selected)])
        return table.append_column(DELETED, pa.nulls(len(selected), pa.bool_())).cast(self.schema)


def _digest(value: object) -> str:
    return hashlib.sha256(str(value).encode()).hexdigest()


class _ItemTable(_AnyTable):
    """The lines of the orders of payment sessions, by the id of the session and their position in the order."""

    def __init__(self, name: str) -> None:
        types = RowType[PaymentSessionItem](model=PaymentSessionItem, id="item_id").types
        self._encoder = ArrowEncoder[PaymentSessionItem](
            ColumnSelection(model=PaymentSessionItem, types=types, include_extra=False)
        )
        head: list[pa.Field[Any]] = [pa.field("payment_session_id", pa.string()), pa.field("position", pa.int64())]
        super().__init__(
            name, "payment_session_id", pa.schema([*head, *cast("Iterable[pa.Field[Any]]", self._encoder.schema)])
        )

    def encode(self, rows: Sequence[PaymentSession]) -> pa.Table:
        """Return the lines; for an order without lines a row by which a merge deletes those that it had."""
        lines = [(row.id, at, item) for row in rows for at, item in enumerate(row.order_items or ())]
        table = pa.Table.from_batches([self._encoder.encode([item for _, _, item in lines])])
        table = table.add_column(0, "position", pa.array([at for _, at, _ in lines], pa.int64()))
        table = table.add_column(0, "payment_session_id", pa.array([id for id, _, _ in lines], pa.string()))
        table = table.append_column(DELETED, pa.nulls(len(lines), pa.bool_())).cast(self.schema)
        empty = [] if self.is_replaced else [row.id for row in rows if not row.order_items]
        return pa.concat_tables([table, self.encode_gone(empty)])
