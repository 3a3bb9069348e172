"""`sessions export`, inside the test."""

from __future__ import annotations

import csv
import io
import json

import attrs
import pytest

from truemed_async import QualificationSession
from truemed_async.emulator import Fault

EMULATOR = ("--env", "emulator")
FIELDS = [field.name for field in attrs.fields(QualificationSession) if field.name != "extra"]


class FromPage2(Fault):
    """Answers the first listing and refuses those after it."""

    def __init__(self, status: int) -> None:
        self.status = status

    async def before(self, exchange):
        from aiohttp import web

        if int(exchange.request.query.get("page", "1")) < 2:
            return None
        return web.json_response({"error": "Forbidden", "message": "no"}, status=self.status)


def test_jsonl_holds_every_session(truemed, tmp_path):
    file = tmp_path / "all.jsonl"

    done = truemed(*EMULATOR, "sessions", "export", "--output", str(file))

    assert (done.code, done.out) == (0, "")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert len({row["qualification_session_id"] for row in rows}) == len(rows) == 1000
    assert list(tmp_path.iterdir()) == [file]


def test_csv_holds_every_session_in_the_documented_columns(truemed, tmp_path):
    file = tmp_path / "all.CSV"

    assert truemed(*EMULATOR, "sessions", "export", "--output", str(file)).code == 0

    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert list(rows[0]) == FIELDS
    assert len({row["qualification_session_id"] for row in rows}) == 1000
    assert {row["expires_at"] for row in rows if row["status"] == "pending"} == {""}


def test_the_same_data_in_both_formats(truemed):
    lines = truemed(*EMULATOR, "sessions", "export", "--output", "-").rows
    table = truemed(*EMULATOR, "sessions", "export", "--output", "-", "--format", "csv")

    written = [["" if value is None else str(value) for value in row.values()] for row in lines]
    assert list(csv.reader(io.StringIO(table.out, newline="")))[1:] == written


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "a\r\nb", 'say "hi", ok', "Zoë 見本", "", "\x00", " x "]
)
@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_cells_are_kept_as_they_are(truemed, emulator, tmp_path, name, format):
    emulator.state.add(user_name=name)
    file = tmp_path / f"one.{format}"

    assert truemed("sessions", "export", "--output", str(file)).code == 0

    with file.open(encoding="utf-8", newline="") as opened:
        (row,) = csv.DictReader(opened) if format == "csv" else map(json.loads, opened)
    assert row["user_name"] == name


def test_unknown_fields_are_kept_in_jsonl(truemed, emulator):
    class More(Fault):
        async def after(self, exchange, response):
            from aiohttp import web

            data = json.loads(response.body)
            for row in data["qualification_sessions"]:
                row["brand_new"] = [1]
            return web.json_response(data)

    emulator.state.add()
    emulator.faults.add(More())

    (row,) = truemed("sessions", "export", "--output", "-").rows
    assert row["brand_new"] == [1]
    assert "brand_new" not in truemed("sessions", "export", "--output", "-", "--format", "csv").out


def test_filters_reach_the_server(truemed, emulator):
    wanted = emulator.state.add(status="processing", user_id="a")
    emulator.state.add(status="processing", user_id="b")

    done = truemed("sessions", "export", "--output", "-", "--status", "processing", "--user-id", "a")

    assert [row["qualification_session_id"] for row in done.rows] == [wanted]


def test_the_format_wins_over_the_ending(truemed, tmp_path):
    file = tmp_path / "lines.csv"

    assert truemed(*EMULATOR, "sessions", "export", "--output", str(file), "--format", "jsonl").code == 0

    assert file.read_text(encoding="utf-8").startswith("{")


@pytest.mark.parametrize(
    ("options", "allowed"),
    [
        (("--output", "x.parquet"), ".csv or .jsonl"),
        (("--output", "x"), ".csv or .jsonl"),
        (("--output", "x.csv", "--format", "parquet"), "jsonl"),
        (("--output", "x.csv", "--resume"), "--resume"),
        ((), "--output"),
        (("--output", "x.csv", "--expires-at", "soon"), "YYYY-MM-DD"),
        (("--output", "x.csv", "--status", ""), "status must not be empty"),
    ],
)
def test_usage_errors_leave_no_file(truemed, tmp_path, monkeypatch, options, allowed):
    monkeypatch.chdir(tmp_path)

    done = truemed(*EMULATOR, "sessions", "export", *options)

    assert (done.code, done.out) == (2, "")
    assert allowed in done.err
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_a_usage_error(truemed, tmp_path):
    for place in (tmp_path, tmp_path / "missing" / "x.csv", "/dev/null"):
        done = truemed(*EMULATOR, "sessions", "export", "--format", "csv", "--output", str(place))

        assert done.code == 2
        assert f"--output {place} cannot be written: " in done.err
    assert not list(tmp_path.iterdir())


def test_the_file_changes_only_when_the_export_is_complete(truemed, emulator, tmp_path):
    for _ in range(120):
        emulator.state.add(status="processing")
    emulator.faults.add(FromPage2(403))
    file, partial = tmp_path / "x.jsonl", tmp_path / "x.jsonl.partial"
    file.write_text("before")

    done = truemed("sessions", "export", "--output", str(file))

    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[0] == f"unfinished: the rows so far are in {partial}"
    assert done.err.splitlines()[1].startswith("error: qualification_sessions.list: 403")
    assert file.read_text() == "before"
    assert len(partial.read_text().splitlines()) == 50

    emulator.faults.clear()
    assert truemed("sessions", "export", "--output", str(file)).code == 0
    assert len(file.read_text().splitlines()) == 120
    assert not partial.exists()


def test_the_summary_counts_by_status(truemed, emulator, tmp_path):
    for status in ("approved", "pending", "approved", "brand\x1bnew", "pending", "approved"):
        emulator.state.add(status=status)
    file = tmp_path / "x.csv"

    done = truemed("sessions", "export", "--output", str(file))

    head, _, tail = done.err.partition(" in ")
    assert head == r"6 sessions (approved 3, pending 2, brand\x1bnew 1)"
    assert tail.endswith(f" s to {file}\n")


def test_the_summary_of_nothing(truemed, emulator):
    assert truemed("sessions", "export", "--output", "-").err.startswith("0 sessions in ")


class TestProgress:
    def test_a_terminal_sees_a_bar_with_the_total(self, truemed, terminal, tmp_path):
        done = truemed(*EMULATOR, "sessions", "export", "--output", str(tmp_path / "x.csv"), err=terminal())

        assert "1,000/1,000" in done.err
        assert "/s" in done.err
        assert "left" in done.err
        assert done.err.splitlines()[-1].endswith("x.csv")

    def test_a_listing_that_does_not_tell_its_total(self, truemed, terminal, emulator):
        class Bare(Fault):
            async def after(self, exchange, response):
                from aiohttp import web

                return web.json_response(json.loads(response.body) | {"pagination": None})

        emulator.state.add()
        emulator.faults.add(Bare())

        done = truemed("sessions", "export", "--output", "-", err=terminal())

        assert done.code == 0
        assert "1/?" in done.err

    def test_none_where_nobody_watches(self, truemed, emulator, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        truemed("sessions", "export", "--output", "-")

        assert len(emulator.requests) == 1

    def test_none_on_a_terminal_that_cannot_go_back(self, truemed, terminal, monkeypatch):
        monkeypatch.setenv("TERM", "dumb")

        assert truemed(*EMULATOR, "sessions", "export", "--output", "-", err=terminal()).err.count("\n") == 1

    def test_none_between_rows_on_the_same_terminal(self, truemed, terminal):
        done = truemed(*EMULATOR, "sessions", "export", "--output", "-", out=terminal(), err=terminal())

        assert done.err.count("\n") == 1


def test_what_a_listing_warns_of_is_a_note_for_people(truemed, emulator, tmp_path):
    for _ in range(30):
        emulator.state.add()
    emulator.state.max_page_size = 5
    done = truemed("sessions", "export", "--output", str(tmp_path / "x.jsonl"))
    assert done.code == 0
    assert done.err.startswith("note: listing: ")
    assert "cannot overlap" in done.err.splitlines()[0]


def test_a_smaller_page_than_asked_for_is_nobodys_concern(truemed, emulator, tmp_path):
    for _ in range(30):
        emulator.state.add()
    emulator.state.max_page_size = 20
    assert "note" not in truemed("sessions", "export", "--output", str(tmp_path / "x.jsonl")).err
