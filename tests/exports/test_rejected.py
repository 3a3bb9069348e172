"""Rows that cannot be read: skipped and counted by an iteration, and kept whole by an export."""

from __future__ import annotations

import hashlib
import json
import stat
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from truemed_async import AsyncTruemed, Truemed, TruemedWarning, export, export_reconciliation, summarize
from truemed_async.emulator import Emulator, Fault
from truemed_async.errors import DecodeError, InvalidArgumentError

pytestmark = pytest.mark.filterwarnings("ignore:export. a row cannot be read:truemed_async.TruemedWarning")


class SpoiledRows(Fault):
    """Some rows of each list have other values, always the same ones."""

    def __init__(self, *ids, **values):
        self.ids, self.values = ids, values

    async def after(self, exchange, response):
        document = json.loads(response.body)
        for rows in document.values():
            for row in rows if isinstance(rows, list) else ():
                if next(iter(row.values())) in self.ids:
                    row.update(self.values)
        return web.json_response(document, status=response.status)


@pytest.fixture
def ids(emulator):
    return [row.id for row in emulator.state.qualification_sessions.rows]


@pytest.fixture
def spoiled(emulator, ids):
    """Two of the 120 sessions have a fee that is a text."""
    emulator.faults.add(SpoiledRows(ids[7], ids[70], fee="30.00"))
    return {ids[7], ids[70]}


def rejected_of(path):
    return path.with_name(f"{path.name}.rejected.jsonl")


def read_lines(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


# --- iterations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page_size", [20, 50, 100])
async def test_iter_with_skip_yields_all_other_rows_and_counts(client, ids, spoiled, page_size):
    stream = client.qualification_sessions.iter(on_invalid="skip", page_size=page_size)
    found = [session.qualification_session_id async for session in stream]
    assert sorted(found) == sorted(set(ids) - spoiled)
    assert stream.skipped == 2


async def test_iter_raises_by_default(client, spoiled):
    with pytest.raises(DecodeError, match="fee"):
        [session async for session in client.qualification_sessions.iter()]


async def test_iter_of_a_lenient_client_skips_only_rows_without_required_members(client, emulator, ids, spoiled):
    emulator.faults.add(SpoiledRows(ids[9], status=None))
    lenient = client.with_options(validation="lenient")
    stream = lenient.qualification_sessions.iter(on_invalid="skip")
    with pytest.warns(TruemedWarning, match=r"items\[\].fee") as warned:
        rows = {session.qualification_session_id: session async for session in stream}
    assert len(warned) == 1
    assert "30.00" not in str(warned[0].message)
    assert (len(rows), stream.skipped) == (119, 1)
    assert {id for id, row in rows.items() if row.mismatches} == spoiled
    assert all(rows[id].fee is None and rows[id].extra["fee"] == "30.00" for id in spoiled)


def test_sync_iter_counts_skipped_rows():
    with Emulator(sessions=30) as emulator, Truemed(emulator.api_key, base_url=emulator.url) as client:
        ids = [row.id for row in emulator.state.qualification_sessions.rows]
        emulator.faults.add(SpoiledRows(*ids[:3], created_at=5))
        stream = client.qualification_sessions.iter(on_invalid="skip", page_size=10)
        assert len(list(stream)) == 27
        assert stream.skipped == 3


@pytest.mark.parametrize("on_invalid", ["ignore", None, True])
def test_other_on_invalid_is_refused(on_invalid):
    with pytest.raises(InvalidArgumentError, match="on_invalid must be 'raise' or 'skip'"):
        AsyncTruemed("k" * 40, base_url="http://127.0.0.1:9").qualification_sessions.iter(on_invalid=on_invalid)


@pytest.mark.parametrize("validation", ["loose", None, True])
def test_other_validation_is_refused(validation):
    with pytest.raises(InvalidArgumentError, match="validation must be 'strict' or 'lenient'"):
        AsyncTruemed("k" * 40, base_url="http://127.0.0.1:9", validation=validation)


async def test_every_listing_skips(emulator):
    day = datetime(2026, 10, 5, tzinfo=UTC)
    state = emulator.state
    bad = []
    for number in range(3):
        bad.append(state.payment_sessions.add())
        bad.append(state.payment_tokens.add())
        bad.append(state.catalog_items.add(sku=f"S{number}", name="x"))
        state.transactions.add(
            transaction_id=f"t{number}", type="charge", amount=1, payment_session_id="p", created_at=day
        )
        bad.append(f"t{number}")
        bad.append(state.payouts.pay_out(payout_id=f"po_{number}", arrival_date=day.date()))
    emulator.faults.add(SpoiledRows(*bad[:5], status=7, payment_token=[], sku=[], type=[], payout_id=[]))
    days = {"start_date": "2026-10-05", "end_date": "2026-10-05"}
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
        for stream in (
            client.payment_sessions.iter(on_invalid="skip"),
            client.payment_tokens.iter(on_invalid="skip"),
            client.catalog_items.iter(on_invalid="skip"),
            client.reconciliations.iter_payouts(**days, on_invalid="skip"),
            client.reconciliations.iter_transactions(**days, on_invalid="skip"),
        ):
            assert len([row async for row in stream]) == 2
            assert stream.skipped == 1


async def test_skipped_rows_pass_filters_that_cannot_be_applied(client, emulator, ids):
    """Rows whose time cannot be read may be in the period: they are counted. Others are not."""
    emulator.faults.add(SpoiledRows(ids[0], created_at=5))
    emulator.faults.add(SpoiledRows(ids[1], fee=[]))
    long_ago, soon = datetime(2000, 1, 1, tzinfo=UTC), datetime(2000, 1, 2, tzinfo=UTC)
    stream = client.qualification_sessions.iter(since=long_ago, until=soon, on_invalid="skip")
    with pytest.warns(TruemedWarning, match="without a sort key"):
        assert [row async for row in stream] == []
    assert stream.skipped == 1


async def test_summary_counts_the_rows_that_are_not_skipped(client, spoiled):
    summary = await summarize(client.qualification_sessions.iter(on_invalid="skip"))
    assert summary.rows == 118


# --- exports ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
async def test_export_keeps_unreadable_rows_whole_in_another_file(client, ids, spoiled, tmp_path, rows_of, format):
    path = tmp_path / f"x.{format}"
    with pytest.warns(TruemedWarning, match=f"a row cannot be read: it goes to x.{format}.rejected.jsonl") as warned:
        result = await export(client.qualification_sessions.iter(page_size=20), path)
    assert len(warned) == 1
    assert (result.rows, result.rejected) == (118, 2)
    assert {row["qualification_session_id"] for row in rows_of(path)} == set(ids) - spoiled
    lines = read_lines(rejected_of(path))
    assert {line["row"]["qualification_session_id"] for line in lines} == spoiled
    assert all(line["mismatches"] == ["fee"] and line["row"]["fee"] == "30.00" for line in lines)
    assert all(line["row"].keys() == lines[0]["row"].keys() >= {"email", "user_name", "created_at"} for line in lines)
    assert stat.S_IMODE(rejected_of(path).stat().st_mode) == 0o600
    assert {each.name for each in tmp_path.iterdir()} == {path.name, rejected_of(path).name}


async def test_export_without_unreadable_rows_has_no_other_file(client, emulator, ids, tmp_path):
    path = tmp_path / "x.csv"
    emulator.faults.add(SpoiledRows(ids[7], fee="30.00"))
    assert (await export(client.qualification_sessions.iter(), path)).rejected == 1
    assert rejected_of(path).exists()
    emulator.faults.clear()
    assert (await export(client.qualification_sessions.iter(), path)).rejected == 0
    assert not rejected_of(path).exists(), "the file of the earlier export would belong to no export"


async def test_export_of_rows_of_which_none_can_be_read(client, emulator, ids, tmp_path):
    emulator.faults.add(SpoiledRows(*ids, status=None, qualification_session_id=None))
    result = await export(client.qualification_sessions.iter(page_size=20), tmp_path / "x.csv")
    assert (result.rows, result.rejected) == (0, 120)
    assert len(read_lines(rejected_of(tmp_path / "x.csv"))) == 120


async def test_export_drops_personal_data_of_unreadable_rows(client, emulator, ids, tmp_path):
    """Also where it stands in the place of another value: what cannot be read may be anything."""
    emulator.faults.add(SpoiledRows(ids[7], status=["ada@example.com"], email="ada@example.com", fee={"of": "ada"}))
    result = await export(client.qualification_sessions.iter(), tmp_path / "x.csv", pii="drop")
    assert result.rejected == 1
    (line,) = read_lines(rejected_of(tmp_path / "x.csv"))
    assert line["row"]["qualification_session_id"] == ids[7]
    assert (line["mismatches"], line["row"]["status"], line["row"]["fee"]) == (["status", "fee"], None, None)
    assert "ada" not in rejected_of(tmp_path / "x.csv").read_text()
    assert line["row"].keys().isdisjoint({"email", "user_name", "user_id", "user_business_id"})


async def test_export_hashes_personal_data_of_unreadable_rows(client, emulator, ids, tmp_path):
    emulator.faults.add(SpoiledRows(ids[7], fee="ada", email="ada@example.com", user_name=["ada"]))
    options = {"pii": "hash", "secret": "a secret of tests"}
    result = await export(client.qualification_sessions.iter(), tmp_path / "x.csv", **options)
    assert result.rejected == 1
    (line,) = read_lines(rejected_of(tmp_path / "x.csv"))
    assert len(line["row"]["email"]) == hashlib.sha256().digest_size * 2
    assert line["row"]["user_name"] is None
    assert "ada" not in rejected_of(tmp_path / "x.csv").read_text()


async def test_export_of_rows_that_are_no_objects(client, emulator, ids, tmp_path):
    class Texts(Fault):
        async def after(self, exchange, response):
            document = json.loads(response.body)
            rows = document["qualification_sessions"]
            document["qualification_sessions"] = [
                row["qualification_session_id"] if row["qualification_session_id"] == ids[5] else row for row in rows
            ]
            return web.json_response(document)

    emulator.faults.add(Texts())
    for pii, row in (("keep", ids[5]), ("drop", None)):
        result = await export(client.qualification_sessions.iter(page_size=20), tmp_path / "x.csv", pii=pii)
        assert (result.rows, result.rejected) == (119, 1)
        assert read_lines(rejected_of(tmp_path / "x.csv")) == [{"mismatches": [], "row": row}]


async def test_export_to_a_stream_counts_unreadable_rows(client, spoiled, tmp_path):
    with (tmp_path / "x").open("wb") as file, pytest.warns(TruemedWarning, match="it is counted in the result"):
        result = await export(client.qualification_sessions.iter(), file)
    assert (result.rows, result.rejected) == (118, 2)
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


def test_sync_export_keeps_unreadable_rows(tmp_path):
    with Emulator(sessions=60) as emulator, Truemed(emulator.api_key, base_url=emulator.url) as client:
        ids = [row.id for row in emulator.state.qualification_sessions.rows]
        emulator.faults.add(SpoiledRows(*ids[::2], fee="30.00"))
        result = export(client.qualification_sessions.iter(page_size=20), tmp_path / "x.csv")
    assert (result.rows, result.rejected) == (30, 30)
    assert len(read_lines(rejected_of(tmp_path / "x.csv"))) == 30


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("pii", ["keep", "drop"])
async def test_resumed_export_counts_each_unreadable_row_once(client, emulator, ids, tmp_path, pii):
    """Stopped after each page in turn; with ``drop`` the lines of different rows may be equal."""
    emulator.faults.add(SpoiledRows(*ids[::5], status=7, qualification_session_id=None, created_at=None, fee=None))
    path = tmp_path / "x.jsonl"
    partial = rejected_of(path).with_name(f"{rejected_of(path).name}.partial")
    for pages in range(1, 6):
        seen = []

        def stop(progress, pages=pages, seen=seen):
            seen.append(progress)
            if len(seen) > pages:
                raise StoppedError

        with pytest.raises(StoppedError):
            await export(client.qualification_sessions.iter(page_size=20), path, pii=pii, resume=True, on_progress=stop)
        if partial.exists():
            with partial.open("ab") as file:
                file.write(b'{"torn')
    assert partial.exists()
    assert not rejected_of(path).exists()
    result = await export(client.qualification_sessions.iter(page_size=20), path, pii=pii, resume=True)
    assert (result.rows, result.rejected) == (96, 24)
    assert len(read_lines(rejected_of(path))) == 24
    assert {each.name for each in tmp_path.iterdir()} == {path.name, rejected_of(path).name}


async def test_new_export_forgets_the_unreadable_rows_of_an_unfinished_one(client, spoiled, emulator, ids, tmp_path):
    def stop(progress):
        if progress.read:
            raise StoppedError

    with pytest.raises(StoppedError):
        await export(client.qualification_sessions.iter(page_size=20), tmp_path / "x.csv", on_progress=stop)
    assert (tmp_path / "x.csv.rejected.jsonl.partial").exists()
    emulator.faults.clear()
    assert (await export(client.qualification_sessions.iter(), tmp_path / "x.csv")).rejected == 0
    assert [each.name for each in tmp_path.iterdir()] == ["x.csv"]


async def test_reconciliation_with_an_unreadable_row_ends_with_an_error(client, emulator, tmp_path):
    """A sum without some of its rows would be wrong."""
    day = datetime.now(UTC) - timedelta(days=3)
    emulator.state.transactions.add(transaction_id="t", type="charge", amount=1, payment_session_id="p", created_at=day)
    emulator.faults.add(SpoiledRows("t", type=[]))
    stream = client.reconciliations.reconcile(start_date=day.date(), end_date=day.date())
    with pytest.raises(DecodeError):
        await export_reconciliation(stream, tmp_path / "x.csv")
