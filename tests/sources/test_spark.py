"""The data source for Spark in local mode: each row once, the stream over restarts, and where the key is not."""

from __future__ import annotations

import contextlib
import pickle
import random
import runpy
import shutil
import sys
import time
import types
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.paths import ROOT
from truemed_async.emulator import Emulator
from truemed_async.errors import ConfigurationError, InvalidArgumentError

pytest.importorskip("pyspark", reason="PySpark is installed on the oldest Python only")

import itertools

from pyspark.errors import StreamingQueryException
from pyspark.sql.datasource import EqualTo, GreaterThanOrEqual
from pyspark.sql.streaming.datasource import ReadAllAvailable

from truemed_async.sources.spark import TruemedDataSource, _Slice

START = datetime(2024, 1, 1, tzinfo=UTC)
CHANNELS = ("TRUEMED_KEY_A", "TRUEMED_KEY_B", "TRUEMED_KEY_C")
KEYS = tuple(f"key-of-channel-{name}-0123456789" for name in "abc")
needs_java = pytest.mark.skipif(
    shutil.which("java") is None, reason="JAVA IS NOT INSTALLED: SPARK IS NOT TESTED (apt install default-jre-headless)"
)


@pytest.fixture
def emulator(monkeypatch):
    with Emulator(sessions=0, api_key=KEYS[0], sales_channels=KEYS[1:]) as emulator:
        for name, key in zip(CHANNELS, KEYS, strict=True):
            monkeypatch.setenv(name, key)
        monkeypatch.setenv("TRUEMED_BASE_URL", emulator.url)
        yield emulator


def source(emulator, **options):
    return TruemedDataSource({"key_variables": ",".join(CHANNELS), **options})


def fill(emulator, number=30):
    """Add sessions and transactions of yesterday and before to each channel."""
    yesterday = datetime.now(UTC).replace(hour=12) - timedelta(days=1)
    for channel in emulator.sales_channels.values():
        for at in range(number):
            channel.state.qualification_sessions.add(
                created_at=START + timedelta(minutes=at),
                status="approved" if at % 3 else "pending",
                user_id=f"user-{at}",
            )
            channel.state.payment_sessions.add(created_at=START + timedelta(minutes=at))
            channel.state.transactions.add(created_at=yesterday - timedelta(days=at % 20), amount=at, type="charge")


def rows_of(reader, partitions=None):
    partitions = reader.partitions() if partitions is None else partitions
    return [row for part in partitions for batch in reader.read(part) for row in batch.to_pylist()]


class TestInProcess:
    """The parts that Spark calls in workers, without Spark."""

    @pytest.mark.parametrize("resource", ["qualification_sessions", "payment_sessions", "transactions"])
    def test_each_row_of_each_channel_is_read_once(self, emulator, resource):
        fill(emulator)
        reader = source(emulator, resource=resource, partitions="8").reader(None)

        rows = rows_of(reader)

        assert len(reader.partitions()) == (8 if resource == "transactions" else 3)
        assert len(rows) == 90
        assert len({tuple(sorted((name, str(value)) for name, value in row.items())) for row in rows}) == 90
        assert {row["channel"] for row in rows} == set(CHANNELS)

    def test_schema_has_the_types_of_the_rows(self, emulator):
        fill(emulator, 1)
        emulator.state.catalog_items.add(sku="MAT", name="Mat")
        for resource in ("qualification_sessions", "payment_sessions", "catalog_items", "transactions"):
            schema = source(emulator, resource=resource).schema()
            reader = source(emulator, resource=resource).reader(schema)
            (batch,) = reader.read(reader.partitions()[0])
            assert batch.schema.names == schema.names
        assert TruemedDataSource.name() == "truemed"
        assert source(emulator).schema()["created_at"].dataType.simpleString() == "timestamp"

    def test_filters_are_pushed_to_the_server(self, emulator):
        fill(emulator)
        reader = source(emulator, pii="keep").reader(None)
        filters = [
            EqualTo(("status",), "approved"),
            EqualTo(("user_id",), "user-20"),
            EqualTo(("channel",), CHANNELS[1]),
            EqualTo(("email",), "ada@example.com"),
            GreaterThanOrEqual(("created_at",), START + timedelta(minutes=10)),
        ]

        assert list(reader.pushFilters(filters)) == filters
        (row,) = rows_of(pickle.loads(pickle.dumps(reader)))

        assert (row["channel"], row["user_id"]) == (CHANNELS[1], "user-20")
        assert all("status=approved" in request.query for request in emulator.requests)

    def test_filter_in_the_future_reads_nothing(self, emulator):
        reader = source(emulator).reader(None)
        list(reader.pushFilters([GreaterThanOrEqual(("created_at",), datetime.now(UTC) + timedelta(days=1))]))
        assert rows_of(reader) == []
        assert not emulator.requests

    def test_user_filter_does_not_reach_payments(self, emulator):
        fill(emulator, 2)
        reader = source(emulator, resource="payment_sessions").reader(None)
        list(reader.pushFilters([EqualTo(("user_id",), "user-1")]))
        assert len(rows_of(reader)) == 6

    def test_rate_is_shared_by_the_partitions_of_a_channel(self, emulator, monkeypatch):
        fill(emulator, 40)
        waits = []
        monkeypatch.setattr("truemed_async.sources.spark.time.sleep", waits.append)
        reader = source(emulator, requests_per_second="0.1", page_size="20").reader(None)

        rows_of(reader, [_Slice(channel=CHANNELS[0], share=1)])
        alone = max(waits)
        waits.clear()
        rows_of(reader, [_Slice(channel=CHANNELS[0], share=4)])

        assert max(waits) == pytest.approx(4 * alone, rel=0.2)

    def test_stream_is_cut_by_time(self, emulator):
        fill(emulator)
        reader = source(emulator, start_date="2023-12-31", delay_seconds="0").streamReader(None)
        bounds = [reader.initialOffset(), {"until": (START + timedelta(minutes=7)).isoformat()}]
        bounds.append(reader.latestOffset(bounds[-1], ReadAllAvailable()))

        parts = [rows_of(reader, reader.partitions(*pair)) for pair in itertools.pairwise(bounds)]

        ids = [row["qualification_session_id"] for part in parts for row in part]
        assert [len(part) for part in parts] == [24, 66]
        assert len(set(ids)) == 90
        assert reader.partitions(bounds[-1], bounds[-1]) == []

    def test_query_that_ends_by_itself_ends_with_the_present_of_its_start(self, emulator):
        reader = source(emulator, delay_seconds="0").streamReader(None)
        reader.prepareForTriggerAvailableNow()
        prepared = datetime.now(UTC).isoformat()

        first = reader.latestOffset(reader.initialOffset(), ReadAllAvailable())
        later = {"until": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}

        assert first["until"] <= prepared
        assert reader.latestOffset(first, ReadAllAvailable()) == first, "the query ends"
        assert reader.latestOffset(later, ReadAllAvailable()) == later, "never backward"

    def test_batches_are_small_however_long_the_listing(self, emulator, monkeypatch):
        monkeypatch.setattr("truemed_async.sources.spark.DEFAULT_BATCH_SIZE", 20)
        fill(emulator, 100)
        reader = source(emulator, page_size="20").reader(None)

        sizes = [batch.num_rows for batch in reader.read(reader.partitions()[0])]

        assert max(sizes) <= 40
        assert sum(sizes) == 100

    def test_missing_key_names_the_variable(self, emulator, monkeypatch):
        monkeypatch.delenv(CHANNELS[0])
        with pytest.raises(ConfigurationError, match=CHANNELS[0]):
            rows_of(source(emulator).reader(None))

    @pytest.mark.parametrize("options", [{}, {"api_key_from": "vault:read"}])
    def test_readers_pickle_without_the_key(self, emulator, options):
        fill(emulator, 1)
        reader = source(emulator, **options).reader(None)
        pickled = pickle.dumps([reader, reader.partitions(), source(emulator, **options).streamReader(None)])
        assert not any(key.encode() in pickled for key in KEYS)

    def test_function_returns_the_key_of_each_channel(self, emulator, monkeypatch):
        fill(emulator, 1)
        keys = dict(zip(CHANNELS, KEYS, strict=True))
        monkeypatch.setitem(sys.modules, "vault", types.SimpleNamespace(read=keys.__getitem__))
        for name in CHANNELS:
            monkeypatch.delenv(name)

        rows = rows_of(source(emulator, api_key_from="vault:read").reader(None))

        assert {row["channel"] for row in rows} == set(CHANNELS)

    @pytest.mark.parametrize("value", [None, "", b"secret-value", 7])
    def test_function_without_a_key_is_named(self, emulator, monkeypatch, value):
        monkeypatch.setitem(sys.modules, "vault", types.SimpleNamespace(read=lambda channel: value))
        with pytest.raises(ConfigurationError, match=f"vault:read returned no key for {CHANNELS[0]}") as caught:
            rows_of(source(emulator, api_key_from="vault:read").reader(None))
        assert "secret-value" not in str(caught.value)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"api_key": "secret-value"}, "unknown option api_key"),
            ({"key_variables": "a b"}, "names of environment variables"),
            ({"key_variables": "A,A"}, "names of environment variables"),
            ({"api_key_from": "secret-value"}, "api_key_from must name a function"),
            ({"api_key_from": "vault.read:"}, "api_key_from must name a function"),
            ({"resource": "refunds"}, "resource must be one of"),
            ({"pii": "hash"}, "pii must be"),
            ({"partitions": "many"}, "partitions must be a number"),
            ({"requests_per_second": "-1"}, "requests_per_second must be a number"),
            ({"start_date": "tomorrow"}, "start_date"),
        ],
    )
    def test_invalid_option_is_refused_without_its_value(self, emulator, options, message):
        with pytest.raises(InvalidArgumentError, match=message) as caught:
            source(emulator, **options)
        assert "secret-value" not in str(caught.value)

    def test_stream_of_transactions_is_refused(self, emulator):
        with pytest.raises(InvalidArgumentError, match="a stream requires"):
            source(emulator, resource="transactions").streamReader(None)


@pytest.fixture
def spark(emulator, tmp_path, monkeypatch):
    """Spark in local mode, with all of its files in the test's directory."""
    from pyspark.sql import SparkSession

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    (tmp_path / "events").mkdir()
    builder = SparkSession.builder.master("local[2, 4]").appName("truemed")
    for name, value in {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.eventLog.dir": (tmp_path / "events").as_uri(),
        "spark.eventLog.enabled": "true",
        "spark.local.dir": str(tmp_path / "local"),
        "spark.python.authenticate.socketTimeout": "120s",  # on a loaded machine a worker starts slowly
        "spark.sql.python.filterPushdown.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(tmp_path / "warehouse"),
        "spark.ui.enabled": "false",
    }.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.dataSource.register(TruemedDataSource)
    yield spark
    spark.stop()


VAULT = """
import pathlib

def read(channel):
    return pathlib.Path(DIRECTORY, channel).read_text()
"""


@pytest.fixture
def vault(spark, tmp_path, tmp_path_factory):
    """Return the name of a function that reads keys, as a user would write it for a secret manager."""
    directory = tmp_path_factory.mktemp("vault")
    for name, key in zip(CHANNELS, KEYS, strict=True):
        (directory / f"VAULT_{name}").write_text(key)
    (tmp_path / "vault.py").write_text(VAULT.replace("DIRECTORY", repr(str(directory))))
    spark.sparkContext.addPyFile(str(tmp_path / "vault.py"))
    return "vault:read"


@needs_java
@pytest.mark.timeout(1_800)
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # sockets of py4j
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_spark_reads_each_row_once_and_streams_over_restarts(spark, emulator, tmp_path, vault, scale):
    fill(emulator)
    emulator.faults.add("status", code=429, probability=0.05, retry_after=0)
    emulator.faults.add("reset_peer", probability=0.05)
    example = runpy.run_path(str(ROOT / "docs" / "spark" / "job.py"))

    frame = example["read_transactions"](spark)
    rows = frame.collect()
    sessions = example["read_approved"](spark)
    approved = sessions.collect()

    assert frame.rdd.getNumPartitions() == 8
    assert len(rows) == len({(row.channel, row.transaction_id) for row in rows}) == 90
    assert len(approved) == len({row.qualification_session_id for row in approved}) == 60

    names = ",".join(f"VAULT_{name}" for name in CHANNELS)  # no variables
    reader = spark.read.format("truemed").options(key_variables=names, api_key_from=vault)
    from_vault = reader.load()
    assert from_vault.count() == 90

    def stream():
        return example["stream_sessions"](spark, str(tmp_path / "out"), delay_seconds=0)

    expected = 90
    for _ in range(scale(1, 20)):
        query = stream().trigger(processingTime="100 milliseconds").start()
        time.sleep(random.uniform(0, 3))  # stopped anywhere, also before its first batch
        query.stop()
        emulator.state.qualification_sessions.add(user_id="late")
        expected += 1
    time.sleep(0.1)
    for _ in range(5):  # on a loaded machine, Spark gives up waiting for a worker to start, and the query ends
        query = stream().trigger(availableNow=True).start()
        with contextlib.suppress(StreamingQueryException):
            assert query.awaitTermination(120)
            break
    assert query.exception() is None
    ids = [row.qualification_session_id for row in spark.read.parquet(str(tmp_path / "out" / "sessions")).collect()]
    assert len(ids) == len(set(ids)) == expected

    plan = "".join(frame._jdf.queryExecution().toString() for frame in (sessions, from_vault))
    spark.stop()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.parent.name.startswith("eventlog") or "events" in path.parts for path in files)
    assert not [path for path in files if any(key.encode() in path.read_bytes() for key in KEYS)]
    assert not any(key in plan for key in KEYS)
