"""A month's payouts and transactions in a file, from an emulator that keeps books."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.books import add_books_of_october
from truemed_async import AsyncTruemed, exports
from truemed_async.emulator import Emulator
from truemed_async.errors import InvalidArgumentError, ServerError

COLUMNS = [
    "listed_on",
    "in_period",
    "type",
    "transaction_id",
    "amount_cents",
    "payout_id",
    "payout_listed_on",
    "payout_arrival_date",
    "payout_amount_cents",
]


@pytest.fixture(scope="module")
def books():
    """Two payouts of October, the first for September too, and what November will pay for."""
    with Emulator(sessions=0) as emulator:
        add_books_of_october(emulator)
        yield emulator


@pytest.fixture
async def client(books):
    async with AsyncTruemed(books.api_key, base_url=books.url) as truemed:
        yield truemed


def export_reconciliation(client, to, **options):
    """Export; days go to ``reconcile``."""
    names = ("month", "start_date", "end_date", "look_back", "concurrency")
    days = {name: options.pop(name) for name in names if name in options}
    return exports.export_reconciliation(client.reconciliations.reconcile(**days), to, **options)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


async def test_month_adds_up_to_its_payouts(client, tmp_path):
    done = await export_reconciliation(client, tmp_path / "october.csv", month="2024-10")
    rows = rows_of(tmp_path / "october.csv")
    assert list(rows[0]) == COLUMNS
    assert len(rows) == done.result.rows == 2 + 1 + 21 + 2
    assert done.report.agrees
    for payout, amount in (("po_1", 11_500), ("po_2", 19 * 1999)):
        paid = [row for row in rows if row["payout_id"] == payout]
        assert {row["payout_amount_cents"] for row in paid} == {str(amount)}
        assert sum(int(row["amount_cents"]) for row in paid) == amount
    assert [row["listed_on"] for row in rows if row["in_period"] == "false"] == ["2024-09-29", "2024-09-30"]
    assert (done.report.pending, done.report.pending_cents) == (1, 50)
    assert (done.report.paid_elsewhere, done.report.paid_elsewhere_cents) == (1, 700)


async def test_days_are_utc_dates_without_shift(client, tmp_path):
    """The last minute of a day in UTC is the next day further east, and stays what it is."""
    await export_reconciliation(client, tmp_path / "days.jsonl", start_date="2024-10-31", end_date="2024-10-31")
    (row,) = map(json.loads, (tmp_path / "days.jsonl").read_text().splitlines())
    assert row["listed_on"] == "2024-10-31"
    assert row["created_at"] == "2024-10-31T23:59:00.000Z"


async def test_undocumented_fields_are_only_in_jsonl_with_pii_keep(client, tmp_path):
    for pii, more in (("keep", {"created_at", "payment_session_id"}), ("drop", set())):
        path = tmp_path / f"{pii}.jsonl"
        await export_reconciliation(client, path, month="2024-10", pii=pii)
        assert more == json.loads(path.read_text().splitlines()[0]).keys() & {"created_at", "payment_session_id"}


async def test_columns_are_written_in_given_order(client):
    to = io.BytesIO()
    await export_reconciliation(client, to, month="2024-10", format="csv", columns=["amount_cents", "payout_id"])
    assert to.getvalue().splitlines()[:2] == [b"amount_cents,payout_id", b"10000,po_1"]


async def test_parquet_has_cents_as_integers_and_days_as_dates(client, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra arrow")
    await export_reconciliation(client, tmp_path / "october.parquet", month="2024-10")
    table = parquet.read_table(tmp_path / "october.parquet")
    assert table.column_names == COLUMNS
    assert {str(table.schema.field(name).type) for name in COLUMNS if name.endswith("_cents")} == {"int64"}
    assert {str(table.schema.field(name).type) for name in ("listed_on", "payout_arrival_date")} == {"date32[day]"}


async def test_report_with_short_look_back_has_mismatch(client):
    done = await export_reconciliation(client, io.BytesIO(), month="2024-10", look_back=timedelta(1))
    assert [(each.payout_id, each.difference_cents) for each in done.report.mismatches] == [("po_1", 10_000)]
    assert not done.report.agrees


async def test_resumed_export_equals_uninterrupted_run(client, books, tmp_path):
    whole, path = tmp_path / "whole.csv", tmp_path / "october.csv"
    await export_reconciliation(client, whole, month="2024-10")

    def stop(progress: Any) -> None:
        if progress.rows >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await export_reconciliation(client, path, month="2024-10", on_progress=stop)
    assert not path.exists()
    with pytest.raises(InvalidArgumentError, match="different filters"):
        await export_reconciliation(client, path, month="2024-09", resume=True)
    done = await export_reconciliation(client, path, month="2024-10", resume=True)
    assert done.result.resumed >= 10
    assert done.report.agrees, "the check sees the rows of the run before, too"
    assert path.read_bytes() == whole.read_bytes()


async def test_failed_call_leaves_no_file(client, books, tmp_path):
    with (
        books.faults.add("status", code=501, route="reconciliations.list_transactions", nth=5),
        pytest.raises(ServerError),
    ):
        await export_reconciliation(client, tmp_path / "october.csv", month="2024-10")
    assert not (tmp_path / "october.csv").exists()


DAY = date(2024, 10, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "pass either month, or start_date and end_date"),
        ({"start_date": DAY}, "pass either month"),
        ({"end_date": DAY}, "pass either month"),
        ({"month": "2024-10", "start_date": DAY}, "pass either month"),
        ({"month": "2024-10", "end_date": DAY}, "pass either month"),
        ({"month": "2024-13"}, "month must be a valid 'YYYY-MM'"),
        ({"month": "2024-00"}, "month must be"),
        ({"month": "0000-10"}, "month must be"),
        ({"month": "2024-1"}, "month must be"),
        ({"month": "2024-10\n"}, "month must be"),
        ({"month": 202410}, "month must be"),
        ({"start_date": DAY, "end_date": "2024-09-30"}, "end_date must not be before"),
        ({"month": "2024-10", "look_back": timedelta(-1)}, "look_back must be"),
        ({"month": "2024-10", "concurrency": 0}, "concurrency must be"),
        ({"month": "2024-10", "columns": ["amount"]}, "columns must be names from"),
        ({"month": "2024-10", "secret": "canary"}, "secret requires pii='hash'"),
    ],
)
async def test_invalid_argument_is_rejected_before_any_request(client, books, tmp_path, arguments, message):
    before = len(books.requests)
    with pytest.raises(InvalidArgumentError, match=message):
        await export_reconciliation(client, tmp_path / "october.csv", **arguments)
    assert len(books.requests) == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("month", "days"), [("2024-02", 29), ("2023-02", 28), ("2024-12", 31), ("2024-04", 30)])
async def test_month_reads_each_of_its_days(client, books, month, days):
    before = len(books.requests)
    await export_reconciliation(client, io.BytesIO(), month=month, look_back=timedelta(0))
    assert len(books.requests) - before == 2 * days
