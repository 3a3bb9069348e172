"""`sessions summary`, inside the test."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

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
    told = json.loads(done.out)
    assert told["statuses"] == {"approved": 3, "pending": 1, "brand\x1bnew": 1}
    assert told["days"]["2024-01-02"] == {"approved": 1, "pending": 1, "brand\x1bnew": 1}
    assert told["expiring_within_days"] == {"30": 0, "60": 1, "90": 1}


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
    assert lines[0] == "5 sessions"
    bars = {match[1]: len(match[2]) for line in lines if (match := re.fullmatch(r"(\S+(?: \S+)*) +\d+  +(█*)", line))}
    assert bars["approved"] == bars["2024-01-02"] == 44
    assert bars["pending"] == bars["2024-01-01"] == 15
    assert r"brand\u001bnew" in bars
    assert max(map(len, lines)) <= 80
    assert "approved Letters that expire" in lines


def test_chart_without_sessions(truemed, emulator):
    done = truemed("sessions", "summary", "--format", "chart")

    assert done.code == 0
    assert done.out.startswith("0 sessions")
    assert "█" not in done.out


def test_chart_shows_last_days(truemed):
    done = truemed(*EMULATOR, "sessions", "summary", "--format", "chart")

    assert len(re.findall(r"^20\d\d-\d\d-\d\d ", done.out, re.MULTILINE)) == 31
    assert re.search(r"the last 31 of [0-9]+ days", done.out)  # the objects of the examples are relative to today


def test_chart_on_narrow_terminal(truemed, terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")

    assert truemed(*EMULATOR, "sessions", "summary", out=terminal()).code == 0


def test_svg_option_draws_chart(truemed, some, tmp_path):
    file = tmp_path / "x.svg"

    done = truemed("sessions", "summary", "--svg", str(file))

    assert json.loads(done.out)["rows"] == 5
    picture = file.read_text(encoding="utf-8")
    shown = "".join(ET.fromstring(picture).itertext()).replace("\xa0", " ")
    assert "5 sessions" in shown
    assert "2024-01-02" in shown
    assert "█" in shown
    assert "in 60 days" in shown
    assert set(re.findall(r"https?://[^\"]*", picture)) == {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize(("name", "options"), [("--svg", ("--svg", "/missing/x.svg")), ("--since", ("--since", "x"))])
def test_usage_error_exits_2(truemed, some, name, options):
    done = truemed("sessions", "summary", *options)

    assert done.code == 2
    assert f"{name} " in done.err


def test_filters_and_since_select_sessions(truemed, some):
    done = truemed("sessions", "summary", "--status", "approved", "--since", "2024-01-02")

    assert json.loads(done.out)["statuses"] == {"approved": 2}
