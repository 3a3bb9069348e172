"""``truemed reconciliations export``."""

import csv
import json
from datetime import UTC, date, datetime, timedelta

import pytest


@pytest.fixture
def books(emulator):
    """A payout of three transactions, one of them of the month before, and a transaction that waits for the next."""
    transactions = emulator.state.transactions
    for month, day, amount in ((9, 30, 1000), (10, 1, 2000), (10, 2, -300)):
        transactions.add(created_at=datetime(2024, month, day, tzinfo=UTC), amount=amount, type="charge")
    emulator.state.payouts.pay_out(payout_id="po_1", arrival_date=date(2024, 10, 4))
    transactions.add(created_at=datetime(2024, 10, 31, tzinfo=UTC), amount=55, type="re\x1bfund")
    return emulator


EXPORT = ("reconciliations", "export")


def test_month_is_exported_and_adds_up(truemed, books, tmp_path):
    path = tmp_path / "october.csv"
    done = truemed(*EXPORT, "--month", "2024-10", "--output", str(path))
    assert (done.code, done.out) == (0, "")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["listed_on"], row["amount_cents"], row["payout_id"]) for row in rows] == [
        ("2024-09-30", "1000", "po_1"),
        ("2024-10-01", "2000", "po_1"),
        ("2024-10-02", "-300", "po_1"),
        ("2024-10-31", "55", ""),
    ]
    first, *report = done.err.splitlines()
    assert first.startswith("4 rows, 93 requests, 0 retries, in ")
    assert report == [
        "payouts: 1, $27.00; 0 do not add up",
        "charge: $17.00",
        "re\\u001bfund: $0.55",
        "not paid out yet: 1, $0.55",
        "paid out on other days: 0, $0.00",
    ]


def test_from_and_to_select_days(truemed, books):
    done = truemed(*EXPORT, "--from", "2024-10-31", "--to", "2024-10-31", "--output", "-")
    assert done.code == 0
    assert [row["amount_cents"] for row in done.rows] == [55]


def test_mismatch_is_reported_and_exits_1(truemed, books, tmp_path):
    path = tmp_path / "october.jsonl"
    done = truemed(*EXPORT, "--month", "2024-10", "--look-back", "0", "--output", str(path))
    assert done.code == 1
    assert len(path.read_text().splitlines()) == 3, "the file is there even so"
    message = "  payout po_1 of 2024-10-04: $27.00, its transactions (2) $17.00, difference $10.00"
    assert message in done.err.splitlines()


def test_terminal_shows_progress_without_total(truemed, books, terminal, tmp_path):
    done = truemed(*EXPORT, "--month", "2024-10", "--output", str(tmp_path / "october.csv"), err=terminal())
    assert done.code == 0
    assert "/?" in done.err


def test_columns_and_format_options_apply(truemed, books):
    done = truemed(*EXPORT, "--month", "2024-10", "--output", "-", "--format", "csv", "--columns", "amount_cents,type")
    assert done.out.splitlines()[:2] == ["amount_cents,type", "1000,charge"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "error: pass either --month, or --from and --to\n"),
        (("--from", "2024-10-01"), "error: pass either --month, or --from and --to\n"),
        (("--month", "2024-10", "--to", "2024-10-01"), "error: pass either --month, or --from and --to\n"),
        (("--month", "October"), "error: --month must be a valid 'YYYY-MM'\n"),
        (("--month", "none"), "error: --month must be a valid 'YYYY-MM'\n"),
        (("--month", "2024-13"), "error: --month must be a valid 'YYYY-MM'\n"),
        (("--from", "2024-10-02", "--to", "2024-10-01"), "error: --to must not be before --from\n"),
        (("--from", "2024-10-02", "--to", "2024-10-99"), "error: --to must be a valid YYYY-MM-DD\n"),
        (("--from", "1", "--to", "2024-10-01"), "error: --from must be a valid YYYY-MM-DD\n"),
        (("--month", "2024-10", "--look-back", "-1"), "look-back"),
        (("--month", "2024-10", "--look-back", "99999999999"), "look-back"),
    ],
)
def test_usage_error_exits_2_and_leaves_no_file(truemed, books, tmp_path, options, message):
    done = truemed(*EXPORT, *options, "--output", str(tmp_path / "october.csv"))
    assert done.code == 2
    assert message in done.err
    assert list(tmp_path.iterdir()) == []
    assert len(books.requests) == 0


def test_current_day_is_noted(truemed, books):
    today = datetime.now(UTC).date()
    tomorrow = today + timedelta(days=1)
    done = truemed(*EXPORT, "--from", str(today), "--to", str(tomorrow), "--look-back", "0", "--output", "-")
    assert done.err.startswith("note: reconciliation: the last day is not over in UTC: its rows may still change\n")


def test_failed_call_leaves_resumable_file(truemed, books, tmp_path):
    path = tmp_path / "october.jsonl"
    arguments = (*EXPORT, "--month", "2024-10", "--output", str(path))
    with books.faults.add("status", code=501, route="reconciliations.list_transactions", nth=40):
        failed = truemed(*arguments)
    assert failed.code == 1
    assert "--resume to continue" in failed.err
    assert not path.exists()
    assert truemed(*arguments, "--resume").code == 0
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 4


def test_help_describes_exit_code(truemed):
    done = truemed(*EXPORT, "--help")
    assert done.code == 0
    assert "--month" in done.out
    assert "--from" in done.out
    assert "The exit code is 1 if a payout is not the sum of its transactions" in " ".join(done.out.split())


class TestList:
    def test_list_shows_payouts_of_a_month(self, truemed, books, terminal):
        done = truemed("reconciliations", "list", "--month", "2024-10")
        assert (done.code, [row["payout_id"] for row in done.rows]) == (0, ["po_1"])
        assert truemed("reconciliations", "list", "--month", "2024-11").rows == []

        table = truemed("reconciliations", "list", "--month", "2024-10", out=terminal()).out
        assert all(name in table for name in ("payout_id", "amount", "arrival_date"))
        assert table.split()[-3:] == ["po_1", "$27.00", "2024-10-04"]

    def test_list_shows_transactions_page_by_page(self, truemed, books):
        days = ("--from", "2024-09-30", "--to", "2024-10-02", "--transactions", "--page-size", "2")
        pages = [truemed("reconciliations", "list", *days, "--page", page).rows for page in ("1", "2")]
        assert [[row["type"] for row in page] for page in pages] == [["charge", "charge"], ["charge"]]

    def test_list_without_days_exits_2(self, truemed, books):
        done = truemed("reconciliations", "list")
        assert (done.code, done.err) == (2, "error: pass either --month, or --from and --to\n")
