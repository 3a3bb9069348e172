"""`sessions export`, inside the test."""

from __future__ import annotations

import csv
import hmac
import io
import json
import sys
from datetime import UTC, datetime

import attrs
import pytest

from tests.support.undocumented_field import UndocumentedField
from truemed_async import QualificationSession
from truemed_async.cli.output import Streams
from truemed_async.cli.start import run
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


def test_jsonl_export_has_every_session(truemed, tmp_path):
    file = tmp_path / "all.jsonl"

    done = truemed(*EMULATOR, "sessions", "export", "--output", str(file))

    assert (done.code, done.out) == (0, "")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert len({row["qualification_session_id"] for row in rows}) == len(rows) == 1000
    assert list(tmp_path.iterdir()) == [file]


def test_csv_export_has_documented_columns(truemed, tmp_path):
    file = tmp_path / "all.CSV"

    assert truemed(*EMULATOR, "sessions", "export", "--output", str(file)).code == 0

    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == FIELDS
    assert len({row["qualification_session_id"] for row in rows}) == 1000
    assert {row["expires_at"] for row in rows if row["status"] == "pending"} == {""}


def test_csv_and_jsonl_exports_have_equal_data(truemed):
    lines = truemed(*EMULATOR, "sessions", "export", "--output", "-").rows
    table = truemed(*EMULATOR, "sessions", "export", "--output", "-", "--format", "csv")

    written = [["" if value is None else str(value) for value in row.values()] for row in lines]
    assert list(csv.reader(io.StringIO(table.out, newline="")))[1:] == written


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "a\r\nb", 'say "hi", ok', "Zoë 見本", "", "\x00", " x "]
)
@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_csv_cells_are_unchanged(truemed, emulator, tmp_path, name, format):
    emulator.state.qualification_sessions.add(user_name=name)
    file = tmp_path / f"one.{format}"

    assert truemed("sessions", "export", "--output", str(file)).code == 0

    with file.open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream) if format == "csv" else map(json.loads, stream)
    assert row["user_name"] == name


def test_jsonl_export_keeps_undocumented_fields(truemed, emulator):
    emulator.state.qualification_sessions.add()
    emulator.faults.add(UndocumentedField())

    (row,) = truemed("sessions", "export", "--output", "-").rows
    assert row["brand_new"] == [1]
    assert "brand_new" not in truemed("sessions", "export", "--output", "-", "--format", "csv").out


def test_filters_reach_server(truemed, emulator):
    expected = emulator.state.qualification_sessions.add(status="processing", user_id="a")
    emulator.state.qualification_sessions.add(status="processing", user_id="b")

    done = truemed("sessions", "export", "--output", "-", "--status", "processing", "--user-id", "a")

    assert [row["qualification_session_id"] for row in done.rows] == [expected]


def test_format_overrides_file_suffix(truemed, tmp_path):
    file = tmp_path / "lines.csv"

    assert truemed(*EMULATOR, "sessions", "export", "--output", str(file), "--format", "jsonl").code == 0

    assert file.read_text(encoding="utf-8").startswith("{")


@pytest.mark.parametrize(
    ("options", "allowed"),
    [
        (("--output", "x.xlsx"), ".csv, .jsonl or .parquet"),
        (("--output", "x"), ".csv, .jsonl or .parquet"),
        (("--output", "x.csv", "--format", "xml"), "jsonl"),
        (("--output", "-", "--resume"), "a stream cannot be resumed"),
        (("--output", "x.csv", "--columns", "status,nobody"), "columns must be names from"),
        (("--output", "x.csv", "--pii", "mask"), "hash"),
        (("--output", "x.csv", "--pii", "hash"), "TRUEMED_EXPORT_SECRET"),
        (("--output", "x.csv", "--pii", "hash", "--secret-file", "none"), "--secret-file cannot be read: No such"),
        (("--output", "x.csv", "--secret-file", "none"), "--secret-file requires --pii hash"),
        (("--output", "x.csv", "--since", "soon"), "--since must be YYYY-MM-DD"),
        (("--output", "x.csv", "--since", "2024-02-30"), "--since must be YYYY-MM-DD"),
        ((), "--output"),
        (("--output", "x.csv", "--expires-at", "soon"), "YYYY-MM-DD"),
        (("--output", "x.csv", "--user-id", ""), "--user-id must not be empty"),
    ],
)
def test_usage_error_leaves_no_file(truemed, tmp_path, monkeypatch, options, allowed):
    monkeypatch.chdir(tmp_path)

    done = truemed(*EMULATOR, "sessions", "export", *options)

    assert (done.code, done.out) == (2, "")
    assert allowed in done.err
    assert not list(tmp_path.iterdir())


def test_unwritable_output_exits_2(truemed, tmp_path):
    for place in (tmp_path, tmp_path / "missing" / "x.csv"):
        done = truemed(*EMULATOR, "sessions", "export", "--format", "csv", "--output", str(place))

        assert done.code == 2
        assert f"{place} cannot be written: " in done.err
    assert not list(tmp_path.iterdir())


def test_file_is_replaced_only_when_export_is_complete(truemed, emulator, tmp_path):
    for _ in range(120):
        emulator.state.qualification_sessions.add(status="processing")
    emulator.faults.add(FromPage2(403))
    file, partial = tmp_path / "x.jsonl", tmp_path / "x.jsonl.partial"
    file.write_text("before")

    done = truemed("sessions", "export", "--output", str(file), "--force")

    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[0] == unfinished(partial)
    assert done.err.splitlines()[1].startswith("error: qualification_sessions.list: 403")
    assert file.read_text() == "before"
    assert len(partial.read_text().splitlines()) == 50

    emulator.faults.clear()
    assert truemed("sessions", "export", "--output", str(file), "--force").code == 0
    assert len(file.read_text().splitlines()) == 120
    assert not partial.exists()


class TextFees(Fault):
    """The fee of each approved session is a text."""

    async def after(self, exchange, response):
        from aiohttp import web

        document = json.loads(response.body)
        for row in document["qualification_sessions"]:
            row["fee"] = "ada 30.00" if row["status"] == "approved" else None
        return web.json_response(document)


@pytest.mark.parametrize("output", ["x.csv", "-"])
def test_export_with_unreadable_rows_exits_1_and_says_where_they_are(truemed, emulator, tmp_path, output, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for status in ("pending", "approved", "approved"):
        emulator.state.qualification_sessions.add(status=status)
    emulator.faults.add(TextFees())

    done = truemed("sessions", "export", "--output", output)

    assert done.code == 1
    where = "" if output == "-" else ": they are in x.csv.rejected.jsonl"
    assert f"1 session (pending 1), 2 rows could not be read{where}, created" in done.err
    assert "a row cannot be read" in done.err
    assert "ada" not in done.err
    assert "ada" not in done.out
    assert (tmp_path / "x.csv.rejected.jsonl").exists() is (output != "-")


def unfinished(partial):
    return f"unfinished: the rows so far are in {partial}; run the same command with --resume to continue"


def test_interrupted_export_is_resumed(truemed, emulator, tmp_path):
    for number in range(120):
        emulator.state.qualification_sessions.add(
            status="processing", created_at=datetime(2024, 1, 1, 10, number % 60, tzinfo=UTC)
        )
    emulator.faults.add(FromPage2(403))
    file, other = tmp_path / "x.csv", tmp_path / "y.csv"
    assert truemed("sessions", "export", "--output", str(file)).code == 1
    emulator.faults.clear()

    done = truemed("sessions", "export", "--output", str(file), "--resume")

    assert done.code == 0
    assert (
        "120 sessions (processing 120), 50 of them from the previous run, created 2024-01-01 10:00 to 2024-" in done.err
    )
    assert truemed("sessions", "export", "--output", str(other)).code == 0
    assert file.read_bytes() == other.read_bytes()


def test_resume_with_other_filters_exits_2(truemed, emulator, tmp_path):
    for _ in range(60):
        emulator.state.qualification_sessions.add()
    emulator.faults.add(FromPage2(403))
    file = tmp_path / "x.csv"
    assert truemed("sessions", "export", "--output", str(file)).code == 1

    done = truemed("sessions", "export", "--output", str(file), "--resume", "--user-id", "hush")

    assert (done.code, done.err) == (
        2,
        f"error: {file}.partial was begun with different filters: resume with the same options, or export again without resuming\n",
    )


def test_columns_option_selects_columns(truemed):
    done = truemed(*EMULATOR, "sessions", "export", "--output", "-", "--columns", "status, created_at")

    assert {tuple(row) for row in done.rows} == {("status", "created_at")}


@pytest.mark.parametrize("place", ["file", "variable"])
def test_hash_reads_secret_from_variable_or_file(truemed, tmp_path, monkeypatch, place):
    options = ("--output", "-", "--pii", "hash", "--columns", "email")
    if place == "file":
        (tmp_path / "secret").write_text("a secret of tests\n")
        options = (*options, "--secret-file", str(tmp_path / "secret"))
    else:
        monkeypatch.setenv("TRUEMED_EXPORT_SECRET", "a secret of tests")

    rows = truemed(*EMULATOR, "sessions", "export", *options).rows
    plain = truemed(*EMULATOR, "sessions", "export", "--output", "-", "--columns", "email").rows

    expected = [
        row["email"] and hmac.new(b"a secret of tests", row["email"].encode(), "sha256").hexdigest() for row in plain
    ]
    assert [row["email"] for row in rows] == expected


def test_pii_drop_omits_columns(truemed):
    done = truemed(*EMULATOR, "sessions", "export", "--output", "-", "--pii", "drop")

    assert not {"email", "user_name", "user_id", "user_business_id"} & set(done.rows[0])


@pytest.mark.parametrize(
    ("since", "count"), [("2024-01-02", 2), ("2024-01-02T10:30", 1), ("2024-01-02T12:00+02:00", 2)]
)
def test_since_selects_newer_sessions(truemed, emulator, terminal, since, count):
    for day, minute in ((1, 0), (2, 0), (2, 30)):
        emulator.state.qualification_sessions.add(created_at=datetime(2024, 1, day, 10, minute, tzinfo=UTC))

    done = truemed("sessions", "export", "--output", "-", "--since", since, err=terminal())

    assert len(done.rows) == count
    assert f"{count}/?" in done.err  # the server does not say how many there are since then


def test_parquet_export_is_written(truemed, tmp_path):
    import pyarrow.parquet

    assert truemed(*EMULATOR, "sessions", "export", "--output", str(tmp_path / "x.parquet")).code == 0

    assert pyarrow.parquet.read_table(tmp_path / "x.parquet").num_rows == 1000


def test_parquet_is_written_to_standard_output(truemed):
    import pyarrow.parquet

    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="utf-8")
    streams = Streams(out, io.StringIO())

    assert run((*EMULATOR, "sessions", "export", "--output", "-", "--format", "parquet"), streams) == 0

    assert pyarrow.parquet.read_table(io.BytesIO(raw.getvalue())).num_rows == 1000


def test_parquet_on_terminal_is_rejected(truemed, terminal):
    done = truemed(*EMULATOR, "sessions", "export", "--output", "-", "--format", "parquet", out=terminal())

    assert (done.code, done.out) == (2, "")
    assert "cannot be shown on a terminal" in done.err


def test_missing_extra_names_install_command(truemed, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)

    done = truemed(*EMULATOR, "sessions", "export", "--output", str(tmp_path / "x.parquet"))

    assert done.code == 2
    assert done.err == "error: Parquet requires pyarrow: pip install 'truemed-async[arrow]'\n"
    assert not list(tmp_path.iterdir())


def test_message_counts_rows_by_status(truemed, emulator, tmp_path):
    for status in ("approved", "pending", "approved", "brand\x1bnew", "pending", "approved"):
        emulator.state.qualification_sessions.add(status=status)
    file = tmp_path / "x.csv"

    done = truemed("sessions", "export", "--output", str(file))

    head, _, tail = done.err.partition(", in ")
    assert head.startswith(r"6 sessions (approved 3, pending 2, brand\u001bnew 1), created 20")
    assert head.endswith(" UTC, 1 request, 0 retries")
    assert tail.endswith(f" s to {file}\n")


def test_message_of_empty_export(truemed, emulator):
    assert truemed("sessions", "export", "--output", "-").err.startswith("0 sessions, 1 request, 0 retries, in ")


class TestProgress:
    def test_terminal_shows_progress_with_total(self, truemed, terminal, tmp_path):
        done = truemed(*EMULATOR, "sessions", "export", "--output", str(tmp_path / "x.csv"), err=terminal())

        assert "1,000/1,000" in done.err
        assert "/s" in done.err
        assert "left" in done.err
        assert done.err.splitlines()[-1].endswith("x.csv")

    def test_progress_without_total_shows_question_mark(self, truemed, terminal, emulator):
        class Bare(Fault):
            async def after(self, exchange, response):
                from aiohttp import web

                return web.json_response(json.loads(response.body) | {"pagination": None})

        emulator.state.qualification_sessions.add()
        emulator.faults.add(Bare())

        done = truemed("sessions", "export", "--output", "-", err=terminal())

        assert done.code == 0
        assert "1/?" in done.err

    def test_pipe_shows_no_progress(self, truemed, emulator, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        truemed("sessions", "export", "--output", "-")

        assert len(emulator.requests) == 1

    def test_dumb_terminal_shows_no_progress(self, truemed, terminal, monkeypatch):
        monkeypatch.setenv("TERM", "dumb")

        assert truemed(*EMULATOR, "sessions", "export", "--output", "-", err=terminal()).err.count("\n") == 1

    def test_rows_on_terminal_show_no_progress(self, truemed, terminal):
        done = truemed(*EMULATOR, "sessions", "export", "--output", "-", out=terminal(), err=terminal())

        assert done.err.count("\n") == 1


def test_warning_of_listing_is_shown_as_note(truemed, emulator, tmp_path):
    for _ in range(30):
        emulator.state.qualification_sessions.add()
    emulator.state.max_page_size = 5
    done = truemed("sessions", "export", "--output", str(tmp_path / "x.jsonl"))
    assert done.code == 0
    assert done.err.startswith("note: listing: ")
    assert "cannot overlap" in done.err.splitlines()[0]


def test_smaller_page_size_shows_no_note(truemed, emulator, tmp_path):
    for _ in range(30):
        emulator.state.qualification_sessions.add()
    emulator.state.max_page_size = 20
    assert "note" not in truemed("sessions", "export", "--output", str(tmp_path / "x.jsonl")).err
