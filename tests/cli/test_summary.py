"""`sessions summary`, inside the test."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from rich.text import Text

EMULATOR = ("--env", "emulator")


@pytest.fixture
def some(emulator):
    for status, day in (("approved", 1), ("approved", 2), ("pending", 2), ("brand\x1bnew", 2)):
        emulator.state.qualification_sessions.add(status=status, created_at=datetime(2024, 1, day, tzinfo=UTC))
    soon = datetime.now(UTC) + timedelta(days=45)
    emulator.state.qualification_sessions.add(
        status="approved", created_at=datetime(2024, 1, 3, tzinfo=UTC), expires_at=soon
    )
    return emulator


def test_summary_in_pipe_is_json(truemed, some):
    done = truemed("sessions", "summary")

    assert (done.code, done.err) == (0, "")
    summary = json.loads(done.out)
    assert summary["statuses"] == {"approved": 3, "pending": 1, "brand\x1bnew": 1}
    assert summary["days"]["2024-01-02"] == {"approved": 1, "pending": 1, "brand\x1bnew": 1}
    assert summary["expiring_within_days"] == {"30": 0, "60": 1, "90": 1}


def test_csv_summary_is_one_table(truemed, some):
    done = truemed("sessions", "summary", "--format", "csv")

    rows = list(csv.DictReader(io.StringIO(done.out, newline="")))
    assert {"count": "status", "of": "", "status": "approved", "rows": "3"} in rows
    assert {"count": "created_on", "of": "2024-01-01", "status": "approved", "rows": "1"} in rows
    assert {"count": "expiring_within_days", "of": "60", "status": "approved", "rows": "1"} in rows
    assert len(rows) == 3 + 5 + 3


def test_summary_on_terminal_is_chart(truemed, terminal, some, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    done = truemed("sessions", "summary", out=terminal())

    lines = [Text.from_ansi(line).plain.rstrip() for line in done.out.splitlines()]
    assert "5 sessions by status" in lines
    assert "Created, by day" in lines
    assert "Approved Letters that expire" in lines
    bars = {
        match[1]: len(match[2]) for line in lines if (match := re.fullmatch(r"(\S+(?: \S+)*) +\d+  ([█▓▒░]*)", line))
    }
    assert round(bars["2024-01-02"] / bars["2024-01-01"]) == 3
    assert bars["approved"] >= 3 * bars["pending"] - 1
    assert r"brand\u001bnew" in bars
    assert max(map(len, lines)) <= 80


def test_chart_without_sessions(truemed, emulator):
    done = truemed("sessions", "summary", "--format", "chart", "-o", "-")

    assert done.code == 0
    assert "0 sessions by status" in done.out
    assert "█" not in done.out


def test_chart_of_a_long_time_has_a_bar_for_each_month(truemed):
    done = truemed(*EMULATOR, "sessions", "summary", "--format", "chart")

    assert "Created, by month" in done.out  # the objects of the examples are relative to today
    months = re.findall(r"^(20\d\d-\d\d) +(\d+)", done.out, re.MULTILINE)
    assert sum(int(number) for _, number in months) == 1000
    numbers = [int(month[:4]) * 12 + int(month[5:]) for month, _ in months]
    assert numbers == [*range(numbers[0], numbers[-1] + 1)], "months without sessions are there, too"


def test_chart_on_narrow_terminal(truemed, terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")

    assert truemed(*EMULATOR, "sessions", "summary", out=terminal()).code == 0


def test_suffix_decides_the_format(truemed, some, tmp_path):
    for name in ("x.json", "x.csv", "x.txt", "x.svg"):
        assert truemed("sessions", "summary", "-o", str(tmp_path / name)).out == ""

    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["rows"] == 5
    assert (tmp_path / "x.csv").read_text(encoding="utf-8").startswith("count,of,")
    assert "█" in (tmp_path / "x.txt").read_text(encoding="utf-8")
    assert (tmp_path / "x.svg").read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-o", "x.xlsx"), "--output must end in .txt, .json, .csv, .svg, .png"),
        (("-o", "/missing/x.svg"), "/missing/x.svg cannot be written"),
        (("--since", "x"), "--since must be"),
        (("--theme", "dark"), "--theme applies to svg and png"),
        (("--theme", "dark", "--format", "chart"), "--theme applies to svg and png"),
    ],
)
def test_usage_error_exits_2(truemed, some, options, message):
    done = truemed("sessions", "summary", *options)

    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_summary_shows_progress_on_a_terminal(truemed, some, terminal):
    assert "5/?" in truemed("sessions", "summary", err=terminal()).err


def test_filters_and_since_select_sessions(truemed, some):
    done = truemed("sessions", "summary", "--status", "approved", "--since", "2024-01-02")

    assert json.loads(done.out)["statuses"] == {"approved": 2}
