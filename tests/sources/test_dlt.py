"""The source for dlt: tables equal to the emulator, runs that read what changed, and its speed."""

from __future__ import annotations

import hashlib
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.scale import LONG
from truemed_async import Truemed
from truemed_async.emulator import Emulator
from truemed_async.errors import ConfigurationError, InvalidArgumentError

dlt = pytest.importorskip("dlt", reason="dlt is installed on the oldest Python only")
duckdb = pytest.importorskip("duckdb")

from truemed_async.exports.columns import ROW_TYPES  # noqa: E402
from truemed_async.models import PaymentSession, QualificationSession  # noqa: E402
from truemed_async.sources.dlt import _add_refund_amount, truemed_source  # noqa: E402

# duckdb and dlt, not this library.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:dlt"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
SECRET = "sixteen bytes or more"
START = datetime(2024, 1, 1, tzinfo=UTC)
ITEM = {"name": "Mat", "price": 1999, "quantity": 1}


@pytest.fixture
def pipeline(tmp_path, monkeypatch):
    """A pipeline of its own, with all of its files in the test's directory."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    pipeline = dlt.pipeline(
        "truemed",
        destination=dlt.destinations.duckdb(str(tmp_path / "x.duckdb")),
        dataset_name="truemed",
        pipelines_dir=str(tmp_path / "pipelines"),
    )
    yield pipeline
    pipeline.activate()  # the test may have activated another one
    pipeline.deactivate()  # otherwise its state is that of the next test


@pytest.fixture
def emulator(monkeypatch):
    with Emulator(sessions=0) as emulator:
        configure(monkeypatch, emulator)
        yield emulator


def configure(monkeypatch, emulator):
    monkeypatch.setenv("SOURCES__TRUEMED__API_KEY", emulator.api_key)
    monkeypatch.setenv("SOURCES__TRUEMED__BASE_URL", emulator.url)


def fill(emulator, number):
    """Add sessions and payments of past days; of every hundred, one of each is not final."""
    state = emulator.state
    for at in range(number):
        created = START + timedelta(minutes=at)
        state.qualification_sessions.add(
            created_at=created, status="pending" if at % 100 == 0 else "approved", email=f"{at}@example.com"
        )
        state.payment_sessions.add(
            created_at=created,
            status="pending" if at % 100 == 0 else "rejected",
            order_items=[ITEM] * (at % 3),
            customer_email=f"{at}@example.com",
        )


def read(pipeline, query):
    """Run a query, with times in UTC."""
    path = pipeline.destination.config_params["credentials"]
    with closing(duckdb.connect(path)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        cursor = connection.execute(query)
        return [dict(zip([column[0] for column in cursor.description], row, strict=True)) for row in cursor.fetchall()]


def table(pipeline, name):
    rows = read(pipeline, f"SELECT * FROM truemed.{name}")
    assert not any(row.pop("_deleted") for row in rows)
    return rows


def by_id(rows, id):
    found = {row[id]: row for row in rows}
    assert len(found) == len(rows)
    return found


def expected(rows, model, *, without=()):
    """Return models as rows of the table, without personal data."""
    row_type = ROW_TYPES[model]
    names = [name for name in row_type.types if name not in row_type.pii and name not in without]
    values = [{name: getattr(row, name) for name in names} for row in rows]
    return dict(zip(row_type.ids_of(rows), values, strict=True))


def assert_equal(pipeline, emulator):
    """Compare every session, payment and line with what the server lists."""
    with Truemed(emulator.api_key, base_url=emulator.url) as client:
        sessions = [*client.qualification_sessions.iter(page_size=500)]
        payments = [*client.payment_sessions.iter(include_order_items=True, summarize_refunds=True, page_size=500)]
    loaded = by_id(table(pipeline, "qualification_sessions"), "qualification_session_id")
    assert loaded == expected(sessions, QualificationSession)
    loaded = by_id(table(pipeline, "payment_sessions"), "id")
    assert loaded == expected(payments, PaymentSession, without=("order_items",))
    lines = {
        (row["payment_session_id"], row["position"]): row["item_id"] for row in table(pipeline, "payment_session_items")
    }
    assert lines == {(row.id, at): item.item_id for row in payments for at, item in enumerate(row.order_items)}


def transactions_of(pipeline):
    rows = by_id(table(pipeline, "transactions"), "transaction_id").values()
    return sorted((row["amount_cents"], row["payout_id"]) for row in rows)


def test_tables_equal_the_server_and_follow_its_changes(pipeline, emulator, tmp_path):
    fill(emulator, 300)
    state = emulator.state
    old = state.payment_sessions.add(created_at=START - timedelta(days=90), order_items=[ITEM])
    stuck = state.qualification_sessions.add(created_at=START - timedelta(days=90))
    token = state.payment_tokens.add(customer_email="ada@example.com")
    item = state.catalog_items.add(sku="OLD", name="Old")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    for days in range(2):
        state.transactions.add(created_at=yesterday - timedelta(days=days), amount=1000 + days, type="charge")

    pipeline.run(truemed_source())

    assert_equal(pipeline, emulator)
    assert transactions_of(pipeline) == [(1000, None), (1001, None)]
    personal = {name for model in (QualificationSession, PaymentSession) for name in ROW_TYPES[model].pii}
    for name in ("qualification_sessions", "payment_sessions"):
        assert not personal & table(pipeline, name)[0].keys()
    assert [row["payment_token"] for row in table(pipeline, "payment_tokens")] == [
        hashlib.sha256(token.encode()).hexdigest()
    ]
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not [data for data in files if emulator.api_key.encode() in data or b"@example.com" in data]

    for session in state.qualification_sessions.rows:
        if session.status == "pending":
            state.qualification_sessions.start_review(session.id)
    for session in state.payment_sessions.rows:
        if session.status == "pending" and session.id != old:
            state.payment_sessions.cancel(session.id)
    state.payment_sessions.remove(old)
    state.catalog_items.remove(item)
    state.catalog_items.add(sku="NEW", name="New")
    state.payouts.pay_out(payout_id="po_1", arrival_date=yesterday.date())
    fault = emulator.faults.add("status", code=403, route="qualification_sessions.get")
    emulator.requests.clear()
    pipeline.run(truemed_source(payment_look_back_days=0))
    fault.remove()

    loaded = by_id(table(pipeline, "qualification_sessions"), "qualification_session_id")
    assert (loaded[stuck]["status"], len(loaded)) == ("pending", 301)
    assert [row["sku"] for row in table(pipeline, "catalog_items")] == ["NEW"]
    assert transactions_of(pipeline) == [(1000, "po_1"), (1001, "po_1")]
    assert [(row["payout_id"], row["payout_amount_cents"]) for row in table(pipeline, "payouts")] == [("po_1", 2001)]
    assert len([request for request in emulator.requests if "reconciliation" not in request.path]) < 20

    state.qualification_sessions.add(created_at=START + timedelta(days=100))
    pipeline.run(truemed_source(payment_look_back_days=0).with_resources("qualification_sessions", "payment_sessions"))
    assert_equal(pipeline, emulator)

    state.qualification_sessions.remove(state.qualification_sessions.rows[200].id)
    pipeline.run(truemed_source(sweep=True).with_resources("qualification_sessions", "reconciliations"))
    assert_equal(pipeline, emulator)
    assert transactions_of(pipeline) == [(1000, "po_1"), (1001, "po_1")]


@pytest.mark.parametrize(("pii", "hidden"), [("keep", False), ("hash", True)])
def test_personal_data_is_kept_or_hashed(emulator, pii, hidden):
    fill(emulator, 1)
    source = truemed_source(pii=pii, pii_secret=SECRET if hidden else None)

    (row,) = [row for rows in source.resources["qualification_sessions"] for row in rows.to_pylist()]

    assert (row["email"] == "0@example.com") is not hidden
    assert len(row["email"]) == (64 if hidden else 13)


def test_start_date_in_the_future_reads_no_day(emulator):
    rows = [*truemed_source(start_date="2999-01-01").resources["reconciliations"]]
    assert sum(table.num_rows for table in rows) == 0
    assert not emulator.requests


def test_empty_listing_has_no_rows(emulator):
    assert sum(rows.num_rows for rows in truemed_source().resources["qualification_sessions"]) == 0


def test_tables_are_small_however_long_the_listing(emulator, monkeypatch):
    monkeypatch.setattr("truemed_async.sources.dlt.DEFAULT_BATCH_SIZE", 200)
    fill(emulator, 1_000)

    sizes = [rows.num_rows for rows in truemed_source().resources["qualification_sessions"]]

    assert max(sizes) <= 300
    assert sum(sizes) == 1_000


@pytest.mark.parametrize(
    ("refunds", "amount"), [([{"amount": 5}, {"amount": 7}], 12), ([], 0), ([{"amount": "5"}], None), ("unknown", None)]
)
def test_refund_amount_of_a_single_session_is_the_sum_if_it_can_be_read(refunds, amount):
    session = PaymentSession(id="1", status="captured", extra={"refunds": refunds})
    assert _add_refund_amount(session).refund_amount == amount


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pii": "mask"}, "pii must be"),
        ({"pii": "hash", "pii_secret": "short"}, "at least 16 bytes"),
        ({"payment_look_back_days": -1}, "payment_look_back_days must be an integer >= 0"),
        ({"start_date": "tomorrow"}, "start_date"),
        ({"prefetch": 0}, "prefetch"),
    ],
)
def test_invalid_option_is_refused(emulator, options, message):
    with pytest.raises(InvalidArgumentError, match=message):
        truemed_source(**options)
    assert not emulator.requests


def test_missing_key_is_an_error_without_requests(monkeypatch):
    monkeypatch.delenv("SOURCES__TRUEMED__API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="TRUEMED_API_KEY"):
        truemed_source()


# --- beside the generic source --------------------------------------------------------------------------------------


def generic_source(emulator, page_size):
    """The same lists through dlt's own source for REST, as its documentation shows it."""
    from dlt.sources.rest_api import rest_api_source

    def listing(path, name, id, **params):
        return {
            "name": name,
            "primary_key": id,
            "write_disposition": "merge",
            "endpoint": {
                "path": path,
                "params": {"page_size": page_size, **params},
                "data_selector": name,
                "paginator": {
                    "type": "page_number",
                    "base_page": 1,
                    "page_param": "page",
                    "total_path": "pagination.last_page",
                },
            },
        }

    return rest_api_source(
        {
            "client": {
                "base_url": emulator.url,
                "auth": {
                    "type": "api_key",
                    "name": "x-truemed-api-key",
                    "api_key": emulator.api_key,
                    "location": "header",
                },
            },
            "resources": [
                listing("api/v1/qualification_sessions", "qualification_sessions", "qualification_session_id"),
                listing("payments/v1/payment_sessions", "payment_sessions", "id", include_order_items="true"),
            ],
        }
    )


@pytest.mark.skipif(not LONG, reason="takes minutes: nox -s long")
def test_source_is_faster_than_the_generic_one(pipeline, monkeypatch, tmp_path):
    """With 50 ms of latency, both run to the end; then a run that adds nothing, and one after 1,000 changes."""
    rows, page_size = 50_000, 100
    generic = dlt.pipeline(
        "generic",
        destination=dlt.destinations.duckdb(str(tmp_path / "generic.duckdb")),
        dataset_name="rest",
        pipelines_dir=str(tmp_path / "pipelines"),
    )
    with Emulator(sessions=0, latency=0.05) as emulator:
        configure(monkeypatch, emulator)
        fill(emulator, rows)
        source = truemed_source(page_size=page_size).with_resources("qualification_sessions", "payment_sessions")
        started = time.monotonic()
        generic.run(generic_source(emulator, page_size))
        slow = time.monotonic() - started
        started = time.monotonic()
        pipeline.run(source)
        fast = time.monotonic() - started
        print(f"\n{2 * rows:,} rows: the generic source {slow:.1f} s, this one {fast:.1f} s")
        assert_equal(pipeline, emulator)
        pipeline.run(truemed_source().with_resources("qualification_sessions", "payment_sessions"))
        assert_equal(pipeline, emulator)
        for store, action in (
            (emulator.state.qualification_sessions, "start_review"),
            (emulator.state.payment_sessions, "cancel"),
        ):
            for session in [row for row in store.rows if row.status == "pending"]:
                getattr(store, action)(session.id)
        pipeline.run(truemed_source().with_resources("qualification_sessions", "payment_sessions"))
        assert_equal(pipeline, emulator)
        assert fast * 5 <= slow, f"{fast} s beside {slow} s"
