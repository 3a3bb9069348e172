"""A data source for Spark: lists of several sales channels as data frames, and a stream of new sessions.

``spark.dataSource.register(TruemedDataSource)`` and then ``spark.read.format("truemed")``. It imports PySpark and pyarrow.

The driver plans partitions, and Python workers on the executors read them; both pickle what they exchange, and write
plans to event files. So everything here that is pickled holds the *name* of the environment variable with the key, and
only a partition that is being read holds the key itself.
"""

import importlib
import itertools
import os
import re
import time
from collections.abc import Generator, Iterable, Iterator, MutableMapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import attrs

from truemed_async._extras import missing_extra

try:
    import pyarrow as pa
    from pyspark.sql.datasource import (
        DataSource,
        DataSourceReader,
        DataSourceStreamReader,
        EqualTo,
        Filter,
        GreaterThan,
        GreaterThanOrEqual,
        InputPartition,
    )
    from pyspark.sql.pandas.types import from_arrow_schema
    from pyspark.sql.streaming.datasource import ReadLimit, SupportsTriggerAvailableNow
    from pyspark.sql.types import StructType
except ModuleNotFoundError as _error:
    raise missing_extra(_error, "spark") from _error

from truemed_async._sensitive import Secret, Sensitive
from truemed_async._validation import scalars
from truemed_async.errors import ConfigurationError, InvalidArgumentError
from truemed_async.exports.arrow import DEFAULT_BATCH_SIZE, ArrowEncoder
from truemed_async.exports.columns import ROW_TYPES, select_columns
from truemed_async.exports.pii import Pii
from truemed_async.models import CatalogItem, PaymentSession, QualificationSession, ReconciliationRow
from truemed_async.sync import Truemed

__all__ = ["TruemedDataSource"]

CHANNEL = "channel"
"""The column with the name in ``key_variables`` of the row's sales channel."""
DEFAULT_DELAY_SECONDS = 300
"""How far a stream stays behind the present, so that sessions that become visible late are not missed."""
DEFAULT_PREFETCH = 4
"""The pages of one channel in flight, over all of its partitions."""

_SCHEMAS: Sequence[tuple[str, type[Any]]] = (
    ("qualification_sessions", QualificationSession),
    ("payment_sessions", PaymentSession),
    ("catalog_items", CatalogItem),
    ("transactions", ReconciliationRow),
)


@attrs.frozen(kw_only=True)
class _ReaderOptions:
    """The options of a read. They are pickled and written to plans, so they hold no key.

    Attributes:
        resource: The list to read.
        channels: The environment variables with the keys, one for each sales channel; or the names that ``key_function``
            takes.
        key_function: ``"package.module:function"``, which returns the key of a channel.
        environment: ``"production"`` or ``"sandbox"``.
        base_url: Another server.
        pii: What happens to personal data.
        first: The first day of transactions.
        last: Their last day.
        partitions: How many partitions to read transactions in; other lists have one for each channel.
        rate: The most requests a second of one channel, over all of its partitions.
        page_size: The most rows to request at once.
        delay: How far a stream stays behind the present.
    """

    resource: str
    channels: tuple[str, ...]
    key_function: str | None
    environment: str | None
    base_url: str | None
    pii: Pii
    first: date
    last: date
    partitions: int
    rate: float | None
    page_size: int
    delay: timedelta

    @classmethod
    def of(cls, options: MutableMapping[str, str]) -> "_ReaderOptions":
        """Check the options of ``spark.read``."""
        known = {"resource", "key_variables", "environment", "base_url", "pii", "start_date", "end_date", "partitions"}
        known |= {"requests_per_second", "page_size", "delay_seconds", "api_key_from", "path"}
        if unknown := sorted(set(options) - known):
            # Never the value: it may be a key.
            raise InvalidArgumentError(
                f"unknown option {unknown[0]}: the options are {', '.join(sorted(known - {'path'}))}"
            )
        channels = tuple(name.strip() for name in options.get("key_variables", "TRUEMED_API_KEY").split(","))
        if not all(name.isidentifier() for name in channels) or len(set(channels)) < len(channels):
            raise InvalidArgumentError("key_variables must be the names of environment variables, separated by commas")
        key_function = options.get("api_key_from")
        if key_function is not None and not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", key_function, re.ASCII):
            raise InvalidArgumentError("api_key_from must name a function as 'package.module:function'")
        resource = options.get("resource", "qualification_sessions")
        if resource not in dict(_SCHEMAS):
            raise InvalidArgumentError(f"resource must be one of {', '.join(dict(_SCHEMAS))}")
        pii = options.get("pii", "drop")
        if pii not in {"drop", "keep"}:
            raise InvalidArgumentError("pii must be 'drop' or 'keep'")
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        last = _to_day("end_date", options, yesterday)
        return cls(
            resource=resource,
            channels=channels,
            key_function=key_function,
            environment=options.get("environment"),
            base_url=options.get("base_url"),
            pii=cast("Pii", pii),
            first=_to_day("start_date", options, last - timedelta(days=30)),
            last=last,
            partitions=int(_to_number("partitions", options, len(channels))),
            rate=_to_number("requests_per_second", options, 0) or None,
            page_size=int(_to_number("page_size", options, 100)),
            delay=timedelta(seconds=_to_number("delay_seconds", options, DEFAULT_DELAY_SECONDS)),
        )

    def make_encoder(self) -> ArrowEncoder[Any]:
        """Return the encoder of the rows, without their channel."""
        return ArrowEncoder(select_columns(ROW_TYPES[dict(_SCHEMAS)[self.resource]], pii=self.pii))


def _to_day(name: str, options: MutableMapping[str, str], default: date) -> date:
    return date.fromisoformat(scalars.parse_date(name, options[name])) if name in options else default


def _to_number(name: str, options: MutableMapping[str, str], default: float) -> float:
    text = options.get(name, str(default))
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e9:
        raise InvalidArgumentError(f"{name} must be a number >= 0")
    return number


class TruemedDataSource(DataSource):
    """Lists of sales channels for ``spark.read.format("truemed")`` and ``spark.readStream.format("truemed")``.

    Register it with ``spark.dataSource.register(TruemedDataSource)``. Its options are described in :doc:`/spark`.

    Raises:
        InvalidArgumentError: An option is unknown or invalid.
    """

    def __init__(self, options: MutableMapping[str, str]) -> None:
        super().__init__(options)
        self._options = _ReaderOptions.of(options)

    @classmethod
    def name(cls) -> str:
        """Return ``"truemed"``."""
        return "truemed"

    def schema(self) -> StructType:
        """Return the documented fields of the rows, after the column ``channel``."""
        fields = cast("Iterable[pa.Field[Any]]", self._options.make_encoder().schema)
        return from_arrow_schema(pa.schema([pa.field(CHANNEL, pa.string()), *fields]), prefer_timestamp_ntz=False)

    def reader(self, schema: StructType) -> DataSourceReader:
        """Return the reader of a data frame."""
        del schema
        return _Reader(self._options)

    def streamReader(self, schema: StructType) -> DataSourceStreamReader:  # noqa: N802  # a name of PySpark
        """Return the reader of a stream of new sessions."""
        del schema
        return _StreamReader(self._options)


@attrs.frozen(kw_only=True)
class _Slice(InputPartition):
    """What one partition reads: a channel, and a part of its rows.

    Attributes:
        channel: The environment variable with the key.
        share: The number of partitions of this channel, which share its rate.
        first: The first day of transactions.
        last: Their last day.
        after: Only sessions that were created after this time, in ISO 8601.
        until: Only those that were not created after this time.
    """

    channel: str
    share: int = 1
    first: date | None = None
    last: date | None = None
    after: str | None = None
    until: str | None = None


class _Reader(DataSourceReader):
    """Reads a list of each channel, and transactions in slices of days."""

    def __init__(self, options: _ReaderOptions) -> None:
        self._options = options
        self._filters: dict[str, Any] = {}

    def pushFilters(self, filters: list[Filter]) -> Iterable[Filter]:  # noqa: N802  # a name of PySpark
        """Let the server select rows where it can; Spark evaluates all filters again."""
        for each in filters:
            if isinstance(each, EqualTo) and each.attribute in {("status",), ("user_id",), (CHANNEL,)}:
                self._filters[each.attribute[0]] = each.value
            elif isinstance(each, (GreaterThan, GreaterThanOrEqual)) and each.attribute == ("created_at",):
                self._filters["since"] = each.value
            yield each

    def partitions(self) -> Sequence[InputPartition]:
        """Return a partition for each channel; for transactions, slices of days."""
        options = self._options
        channels = [name for name in options.channels if self._filters.get(CHANNEL, name) == name]
        if options.resource != "transactions":
            return [_Slice(channel=channel) for channel in channels]
        slices: list[InputPartition] = []
        for at, channel in enumerate(channels):
            count = max(1, (options.partitions + len(channels) - 1 - at) // len(channels))
            days = (options.last - options.first).days + 1
            bounds = [options.first + timedelta(days=days * each // count) for each in range(count + 1)]
            parts = [(start, end - timedelta(days=1)) for start, end in itertools.pairwise(bounds) if start < end]
            slices += [_Slice(channel=channel, share=len(parts), first=start, last=end) for start, end in parts]
        return slices

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Read one partition, on an executor."""
        filters = {name: value for name, value in self._filters.items() if name != CHANNEL}
        return _read(self._options, cast("_Slice", partition), filters)


class _StreamReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """Reads sessions by their time of creation: a batch has those after its start and up to its end.

    A batch that Spark reads again after a restart has the same sessions, as they are then.
    """

    def __init__(self, options: _ReaderOptions) -> None:
        if options.resource not in {"qualification_sessions", "payment_sessions"}:
            raise InvalidArgumentError("a stream requires the resource qualification_sessions or payment_sessions")
        self._options = options
        self._last: str | None = None  # where a query that ends by itself ends

    def prepareForTriggerAvailableNow(self) -> None:  # noqa: N802  # a name of PySpark
        """Let a query that ends by itself end with the present, after the batch that an earlier run left unfinished."""
        self._last = self._present_moment()

    def initialOffset(self) -> dict[str, str]:  # noqa: N802  # a name of PySpark
        """Return the first day."""
        return {"until": datetime.combine(self._options.first, datetime.min.time(), UTC).isoformat()}

    def latestOffset(self, start: dict[str, str], limit: ReadLimit) -> dict[str, str]:  # noqa: N802  # a name of PySpark
        """Return the present, less the delay; a time is never before that of the last batch."""
        del limit
        return {"until": max(self._last or self._present_moment(), start["until"])}

    def _present_moment(self) -> str:
        return (datetime.now(UTC) - self._options.delay).isoformat()

    def partitions(self, start: dict[str, str], end: dict[str, str]) -> Sequence[InputPartition]:
        """Return a partition for each channel."""
        if start == end:
            return []
        return [_Slice(channel=each, after=start["until"], until=end["until"]) for each in self._options.channels]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Read one partition, on an executor."""
        return _read(self._options, cast("_Slice", partition), {})


# --- reading, on an executor --------------------------------------------------------------------------------------


def _read(options: _ReaderOptions, part: _Slice, filters: dict[str, Any]) -> Iterator[pa.RecordBatch]:
    encoder = options.make_encoder()
    with _connect(options, part) as client:
        pending: list[Any] = []
        for rows in _select(options, part, filters, client):
            pending.extend(rows)
            if len(pending) >= DEFAULT_BATCH_SIZE:
                yield from _encode(encoder, part, pending)
                pending = []
        yield from _encode(encoder, part, pending)


def _connect(options: _ReaderOptions, part: _Slice) -> Truemed:
    key = _read_key(options, part.channel)
    return Truemed(key, environment=cast("Any", options.environment), base_url=options.base_url)


def _read_key(options: _ReaderOptions, channel: str) -> Secret:
    """Return the key of a channel, from this executor's environment or the user's function."""
    if options.key_function is None:
        if channel not in os.environ:
            raise ConfigurationError(f"{channel} is not set in the environment of this executor")
        return Secret(os.environ[channel])
    module, name = options.key_function.split(":")
    box = Sensitive(getattr(importlib.import_module(module), name)(channel))
    if not isinstance(box.value, str) or not box.value:
        raise ConfigurationError(f"{options.key_function} returned no key for {channel}")
    return Secret(box.value)


def _encode(encoder: ArrowEncoder[Any], part: _Slice, rows: Sequence[Any]) -> list[pa.RecordBatch]:
    channels = pa.array([part.channel] * len(rows), pa.string())
    return pa.Table.from_batches([encoder.encode(rows)]).add_column(0, CHANNEL, channels).to_batches()


def _select(
    options: _ReaderOptions, part: _Slice, filters: dict[str, Any], client: Truemed
) -> Generator[Sequence[Any], None, None]:
    """Yield the rows of a partition, page by page, at its share of the channel's rate."""
    prefetch = max(1, DEFAULT_PREFETCH // part.share)
    paging: dict[str, Any] = {"page_size": options.page_size, "prefetch": prefetch}
    if part.after is not None:
        filters = {"since": datetime.fromisoformat(part.after)}
    if "since" in filters and filters["since"] > datetime.now(UTC):
        return  # nothing was created in the future
    stream: Any
    if options.resource == "transactions":
        stream = client.reconciliations.reconcile(
            start_date=cast("date", part.first),
            end_date=cast("date", part.last),
            look_back=timedelta(0),
            concurrency=prefetch,
        )
    elif options.resource == "catalog_items":
        stream = client.catalog_items.iter(**paging)
    elif options.resource == "payment_sessions":
        filters.pop("user_id", None)  # the list has no such filter, and its rows no such column
        stream = client.payment_sessions.iter(look_back=timedelta(0), **filters, **paging)
    else:
        stream = client.qualification_sessions.iter(look_back=timedelta(0), **filters, **paging)
    started = time.monotonic()
    with closing(stream):
        for rows in stream.batches():
            yield [row for row in rows if _belongs(row, part)]
            if options.rate is not None:
                due = started + stream.source.counter.requests * part.share / options.rate
                time.sleep(max(0.0, due - time.monotonic()))


def _belongs(row: Any, part: _Slice) -> bool:
    """Whether a row is of the batch of a stream, and of the days of a slice, without the payouts that have no rows."""
    if part.until is not None and part.after is not None:
        after, until = datetime.fromisoformat(part.after), datetime.fromisoformat(part.until)
        return row.created_at is not None and after < row.created_at <= until
    return not isinstance(row, ReconciliationRow) or row.type is not None
