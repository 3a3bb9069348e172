"""Exports and summaries of every listing, with both clients."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, timedelta

import pytest

from truemed_async import AsyncTruemed, Stream, Truemed, export, export_reconciliation, exports, summarize
from truemed_async.emulator import Emulator
from truemed_async.errors import InvalidArgumentError

DAYS = {"start_date": "2024-10-01", "end_date": "2024-10-31"}
LISTINGS = {
    "sessions": (lambda client: client.qualification_sessions.iter(page_size=20), 50),
    "payments": (lambda client: client.payment_sessions.iter(page_size=20), 40),
    "tokens": (lambda client: client.payment_tokens.iter(page_size=20), 30),
    "catalog": (lambda client: client.catalog_items.iter(page_size=20), 25),
    "payouts": (lambda client: client.reconciliations.iter_payouts(**DAYS), 1),
    "transactions": (lambda client: client.reconciliations.iter_transactions(**DAYS), 3),
    "reconciliation": (lambda client: client.reconciliations.reconcile(**DAYS), 3),
}
EVERY_LISTING = pytest.mark.parametrize("listing", LISTINGS)


@pytest.fixture(scope="module")
def emulator():
    with Emulator(sessions=50, payment_sessions=40, payment_tokens=30, catalog_items=25) as emulator:
        for day in (1, 2, 3):
            emulator.state.transactions.add(created_at=datetime(2024, 10, day, tzinfo=UTC), amount=1000, type="charge")
        emulator.state.payouts.pay_out(payout_id="po_1", arrival_date=date(2024, 10, 5))
        yield emulator


@pytest.fixture
def run(emulator):
    """Await a function of the asynchronous client."""

    def run(function):
        async def main():
            async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
                return await function(client)

        return asyncio.run(main())

    return run


@pytest.fixture
def sync_client(emulator):
    with Truemed(emulator.api_key, base_url=emulator.url) as client:
        yield client


@EVERY_LISTING
@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_both_clients_write_equal_files(run, sync_client, tmp_path, listing, format):
    iterate, rows = LISTINGS[listing]
    path, sync_path = tmp_path / f"x.{format}", tmp_path / f"y.{format}"

    result = run(lambda client: export(iterate(client), path))
    sync_result = export(iterate(sync_client), sync_path)

    assert result.rows == sync_result.rows == rows
    assert result.statuses == sync_result.statuses
    assert result.requests == sync_result.requests > 0
    assert path.read_bytes() == sync_path.read_bytes()


@EVERY_LISTING
def test_both_clients_return_equal_summaries(run, sync_client, listing):
    iterate, rows = LISTINGS[listing]

    summary = run(lambda client: summarize(iterate(client))).to_dict()
    sync_summary = summarize(iterate(sync_client)).to_dict()

    assert summary["rows"] == rows
    assert {**summary, "as_of": None} == {**sync_summary, "as_of": None}


@EVERY_LISTING
def test_stopped_export_of_sync_client_is_resumed(sync_client, tmp_path, listing):
    iterate, rows = LISTINGS[listing]
    export(iterate(sync_client), tmp_path / "whole.jsonl")

    def stop(progress):
        if progress.rows:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(iterate(sync_client), tmp_path / "x.jsonl", on_progress=stop)
    result = export(iterate(sync_client), tmp_path / "x.jsonl", resume=True)

    assert result.rows == rows
    assert result.resumed > 0
    assert (tmp_path / "x.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_resume_with_other_filters_is_rejected(sync_client, tmp_path):
    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(sync_client.payment_sessions.iter(search="a"), tmp_path / "x.csv", on_progress=stop)
    for stream in (sync_client.payment_sessions.iter(), sync_client.payment_sessions.iter(search="b")):
        with pytest.raises(InvalidArgumentError, match="begun with different filters"):
            export(stream, tmp_path / "x.csv", resume=True)
    with pytest.raises(InvalidArgumentError, match="begun with different rows, columns, filters"):
        export(sync_client.payment_tokens.iter(), tmp_path / "x.csv", resume=True)


def test_reconciliation_of_both_clients_is_equal(run, sync_client, tmp_path):
    done = run(lambda client: export_reconciliation(client.reconciliations.reconcile(**DAYS), tmp_path / "x.csv"))
    sync_done = export_reconciliation(sync_client.reconciliations.reconcile(month="2024-10"), tmp_path / "y.csv")

    assert done.report == sync_done.report
    assert (tmp_path / "x.csv").read_bytes() == (tmp_path / "y.csv").read_bytes()


def test_dropped_pii_of_each_listing():
    pii = {kind.name: kind.pii for kind in exports.columns.ROW_TYPES.values()}

    assert pii == {
        "QualificationSession": {"email", "user_name", "user_id", "user_business_id"},
        "PaymentSession": {"customer_email", "customer_name", "metadata", "payment_token", "business_id"},
        "PaymentToken": {"payment_token", "customer_email", "customer_name"},
        "CatalogItem": set(),
        "Payout": set(),
        "Transaction": set(),
        "ReconciliationRow": set(),
    }


def test_summary_of_tokens_counts_letters_and_days(sync_client):
    now = datetime.now(UTC)
    tokens = list(sync_client.payment_tokens.iter())
    expiring = [each.lmn_expires_at for each in tokens if each.lmn_expires_at is not None]

    summary = summarize(sync_client.payment_tokens.iter())

    assert summary.statuses == {}
    assert sum(summary.days[day]["all"] for day in summary.days) == len(tokens)
    assert summary.expiring[90] == sum(now <= each < now + timedelta(days=90) for each in expiring)


def test_progress_of_sync_client_is_called_on_callers_thread(sync_client, tmp_path):
    import threading

    threads = []

    export(
        sync_client.catalog_items.iter(),
        tmp_path / "x.csv",
        on_progress=lambda _: threads.append(threading.get_ident()),
    )

    assert set(threads) == {threading.get_ident()}


# --- streams that are not listings --------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [lambda stream: export(stream, "x.csv"), summarize])
def test_stream_without_row_type_is_rejected(sync_client, function):
    for stream in (sync_client.payment_sessions.get_many(["ps_1"]), Stream(None)):
        with pytest.raises(InvalidArgumentError, match="row_type is required"):
            function(stream)
    for other in (sync_client, [], None):
        with pytest.raises(InvalidArgumentError, match="stream must be a stream of rows"):
            function(other)


def test_reconciliation_of_other_stream_is_rejected(sync_client):
    for stream in (sync_client.payment_sessions.iter(), Stream(None)):
        with pytest.raises(InvalidArgumentError, match=r"must come from client\.reconciliations\.reconcile"):
            export_reconciliation(stream, "x.csv")


def test_summary_of_own_rows_uses_system_clock(sync_client):
    class OwnStream:
        source = None

        def batches(self):
            yield list(sync_client.catalog_items.iter())

        def close(self):
            pass

    row_type = exports.RowType(model=exports.columns.CatalogItem, id=lambda item: item.sku, status="eligibility")

    summary = summarize(OwnStream(), row_type=row_type)

    assert summary.rows == 25
    assert abs(summary.as_of - datetime.now(UTC)) < timedelta(minutes=1)


def test_sync_batches_hold_all_rows(sync_client):
    batches = list(sync_client.qualification_sessions.iter(page_size=20).batches())

    assert len(batches) > 1
    assert sum(map(len, batches)) == 50


def test_result_of_stream_to_memory_is_jsonl(sync_client):
    import io

    out = io.BytesIO()

    export(sync_client.catalog_items.iter(), out)

    assert len([json.loads(line) for line in out.getvalue().splitlines()]) == 25
