"""The output of exports: formats, columns, personal data, streams and results; refused options."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import attrs
import pytest

from tests.support.undocumented_field import UndocumentedField
from truemed_async import Model, QualificationSession, Stream, export
from truemed_async._sensitive import mask
from truemed_async.errors import ConfigurationError, InvalidArgumentError, PermissionDeniedError
from truemed_async.exports import ExportProgress, RowType, formats
from truemed_async.exports.columns import ROW_TYPES
from truemed_async.exports.journal import Journal

FIELDS = [field.name for field in attrs.fields(QualificationSession) if field.name != "extra"]
PERSONAL = ["email", "user_business_id", "user_id", "user_name"]
SECRET = b"sixteen bytes or more"
EVERY_FORMAT = pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])


ITER_OPTIONS = ("status", "user_id", "expires_at", "search", "since", "page_size")


def export_sessions(client, to, **options):
    """Export qualification sessions; filters and ``page_size`` go to ``iter``."""
    of_iter = {name: options.pop(name) for name in ITER_OPTIONS if name in options}
    return export(client.qualification_sessions.iter(**of_iter, look_back=timedelta(0)), to, **options)


def hash_of(value):
    return hmac.new(SECRET, value.encode(), hashlib.sha256).hexdigest()


class TestFormats:
    async def test_formats_hold_equal_data(self, client, tmp_path, rows_of):
        paths = [tmp_path / f"x.{format}" for format in ("csv", "jsonl", "parquet")]
        for path in paths:
            await export_sessions(client, path)
        in_csv, in_jsonl, in_parquet = map(rows_of, paths)

        expected = [session.to_dict() async for session in client.qualification_sessions.iter()]
        assert in_jsonl == expected
        assert in_csv == [
            {name: "" if value is None else str(value) for name, value in row.items()} for row in expected
        ]
        models = [session async for session in client.qualification_sessions.iter()]
        assert in_parquet == [{name: getattr(model, name) for name in FIELDS} for model in models]

    async def test_parquet_columns_have_types(self, client, tmp_path):
        import pyarrow.parquet

        await export_sessions(client, tmp_path / "x.parquet")

        schema = pyarrow.parquet.read_schema(tmp_path / "x.parquet")
        assert schema.names == FIELDS
        assert {str(schema.field(name).type) for name in FIELDS if name.endswith("_at")} == {"timestamp[us, tz=UTC]"}
        assert str(schema.field("fee").type) == "double"
        assert {str(schema.field(name).type) for name in ("status", *PERSONAL)} == {"string"}

    async def test_parquet_row_groups_do_not_depend_on_page_size(self, client, tmp_path, monkeypatch):
        import pyarrow.parquet

        monkeypatch.setattr(formats, "ROW_GROUP_SIZE", 50)
        for size in (20, 100):
            await export_sessions(client, tmp_path / f"{size}.parquet", page_size=size)

        assert (tmp_path / "20.parquet").read_bytes() == (tmp_path / "100.parquet").read_bytes()
        read = pyarrow.parquet.ParquetFile(tmp_path / "20.parquet").metadata
        assert [read.row_group(number).num_rows for number in range(read.num_row_groups)] == [50, 50, 20]

    @EVERY_FORMAT
    async def test_empty_listing_writes_empty_file(self, client, tmp_path, format, rows_of):
        done = await export_sessions(client, tmp_path / f"x.{format}", search="nobody at all")

        assert rows_of(tmp_path / f"x.{format}") == []
        assert (done.rows, done.statuses, done.earliest, done.latest) == (0, {}, None, None)

    async def test_format_overrides_file_suffix(self, client, tmp_path):
        await export_sessions(client, tmp_path / "x.csv", format="jsonl")

        assert (tmp_path / "x.csv").read_text(encoding="utf-8").startswith("{")

    async def test_undocumented_fields_are_only_in_jsonl(self, emulator, client, tmp_path, rows_of):
        emulator.faults.add(UndocumentedField())
        for format in ("csv", "jsonl", "parquet"):
            await export_sessions(client, tmp_path / f"x.{format}")
            assert ("brand_new" in rows_of(tmp_path / f"x.{format}")[0]) is (format == "jsonl")

    async def test_undocumented_fields_are_skipped_with_pii_or_columns(self, emulator, client, tmp_path, rows_of):
        emulator.faults.add(UndocumentedField())
        for options in ({"pii": "drop"}, {"pii": "hash", "secret": SECRET}, {"columns": FIELDS}):
            await export_sessions(client, tmp_path / "x.jsonl", **options)
            assert "brand_new" not in rows_of(tmp_path / "x.jsonl")[0]

    async def test_parquet_without_pyarrow_raises_configuration_error(self, client, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)

        with pytest.raises(ConfigurationError, match=r"pip install 'truemed-async\[arrow\]'"):
            await export_sessions(client, tmp_path / "x.parquet")
        assert not list(tmp_path.iterdir())

    async def test_parquet_with_other_missing_module_raises_import_error(self, client, tmp_path, monkeypatch):
        def missing(name):
            raise ModuleNotFoundError("No module named 'numpy'", name="numpy")

        monkeypatch.setattr(formats, "import_module", missing)

        with pytest.raises(ModuleNotFoundError, match="numpy"):
            await export_sessions(client, tmp_path / "x.parquet")


class TestColumns:
    @EVERY_FORMAT
    async def test_columns_are_written_in_given_order(self, client, tmp_path, format, rows_of):
        await export_sessions(client, tmp_path / f"x.{format}", columns=("status", "qualification_session_id"))

        assert {tuple(row) for row in rows_of(tmp_path / f"x.{format}")} == {("status", "qualification_session_id")}

    @pytest.mark.parametrize(
        "columns", [[], ["nobody"], ["extra"], ["status", "status"], "status", 7, ["status", None], [["status"]]]
    )
    async def test_invalid_columns_are_rejected(self, client, tmp_path, columns):
        with pytest.raises((InvalidArgumentError, TypeError), match=r"columns must be|unhashable"):
            await export_sessions(client, tmp_path / "x.csv", columns=columns)
        assert not list(tmp_path.iterdir())


class TestPii:
    def test_session_pii_fields(self):
        assert sorted(ROW_TYPES[QualificationSession].pii) == PERSONAL

    @EVERY_FORMAT
    async def test_drop_omits_personal_columns(self, client, tmp_path, format, rows_of):
        await export_sessions(client, tmp_path / f"x.{format}", pii="drop")

        assert list(rows_of(tmp_path / f"x.{format}")[0]) == [name for name in FIELDS if name not in PERSONAL]

    async def test_drop_with_personal_column_is_rejected(self, client, tmp_path):
        with pytest.raises(InvalidArgumentError, match="columns must be names from"):
            await export_sessions(client, tmp_path / "x.csv", pii="drop", columns=["email"])

    @EVERY_FORMAT
    async def test_hash_writes_hmac(self, emulator, client, tmp_path, format, rows_of, yesterday):
        emulator.state.qualification_sessions.add(
            email="ada@example.com", user_name=None, user_id="u-1", created_at=yesterday(1)
        )
        path = tmp_path / f"x.{format}"

        await export_sessions(client, path, pii="hash", secret=SECRET)

        row = rows_of(path)[-1]
        assert list(row) == FIELDS
        assert (row["email"], row["user_id"]) == (hash_of("ada@example.com"), hash_of("u-1"))
        assert row["user_name"] in (None, "")
        assert row["status"] == "pending"
        assert b"ada@" not in path.read_bytes()

    async def test_hashes_depend_on_secret_only(self, client, tmp_path, rows_of):
        emails = []
        for secret in (SECRET, SECRET.decode(), b"another secret, as long"):
            await export_sessions(client, tmp_path / "x.jsonl", pii="hash", secret=secret, columns=["email"])
            emails.append([row["email"] for row in rows_of(tmp_path / "x.jsonl")])

        assert emails[0] == emails[1]
        assert not (set(emails[0]) & set(emails[2])) - {None}

    @pytest.mark.parametrize(
        ("options", "match"),
        [
            ({"pii": "hash"}, "needs a secret"),
            ({"pii": "hash", "secret": 7}, "needs a secret"),
            ({"pii": "hash", "secret": b"fifteen bytes.."}, "at least 16 bytes"),
            ({"pii": "keep", "secret": SECRET}, "requires pii='hash'"),
            ({"pii": "drop", "secret": SECRET}, "requires pii='hash'"),
            ({"pii": "mask"}, "pii must be"),
            ({"format": "xml"}, "format must be 'csv', 'jsonl' or 'parquet'"),
            ({"status": ""}, "status must not be empty"),
            ({"since": "2026-01-01"}, "since must be a datetime or a date"),
            ({"page_size": 0}, "page_size"),
        ],
    )
    async def test_refused_options_leave_no_file(self, emulator, client, tmp_path, options, match):
        with pytest.raises(InvalidArgumentError, match=match) as caught:
            await export_sessions(client, tmp_path / "x.csv", **options)

        assert not list(tmp_path.iterdir())
        assert not emulator.requests
        assert "fifteen" not in str(caught.value)

    async def test_unknown_suffix_without_format_is_rejected(self, client, tmp_path):
        with pytest.raises(InvalidArgumentError, match=r"ends in \.csv, \.jsonl or \.parquet"):
            await export_sessions(client, tmp_path / "x.txt")

    async def test_traceback_of_failed_write_holds_no_personal_data(self, emulator, client, tmp_path, monkeypatch):
        """Neither from the filters nor from the rows."""
        emulator.state.qualification_sessions.add(email="canary@example.com", user_id="canary", user_name="canary")

        def refuse(*_):
            raise OSError("full")

        monkeypatch.setattr(Journal, "add", refuse)
        with pytest.raises((OSError, InvalidArgumentError)) as first:
            await export_sessions(client, tmp_path / "x.csv", user_id="canary", search="canary")
        monkeypatch.undo()
        out = io.BytesIO()
        out.write = refuse_rows
        with pytest.raises(OSError, match="full") as second:
            await export_sessions(client, out, user_id="canary", search="canary", pii="keep", format="csv")

        for caught in (first, second):
            frames, texts = caught.value.__traceback__, []
            while frames:
                if "truemed_async" in frames.tb_frame.f_code.co_filename:
                    texts.append(repr(frames.tb_frame.f_locals))
                frames = frames.tb_next
            assert texts
            assert "canary" not in "".join(texts)


def refuse_rows(data):
    if b"canary" in data:
        del data
        raise OSError("full")


class TestStreams:
    @EVERY_FORMAT
    async def test_stream_receives_same_bytes_as_file(self, client, tmp_path, format):
        out = io.BytesIO()

        done = await export_sessions(client, out, format=format)
        await export_sessions(client, tmp_path / f"x.{format}")

        assert out.getvalue() == (tmp_path / f"x.{format}").read_bytes()
        assert (done.rows, done.resumed) == (120, 0)

    async def test_stream_without_format_receives_jsonl(self, client):
        out = io.BytesIO()

        await export_sessions(client, out)

        assert len([json.loads(line) for line in out.getvalue().splitlines()]) == 120

    async def test_stream_with_resume_is_rejected(self, client):
        with pytest.raises(InvalidArgumentError, match="a stream cannot be resumed"):
            await export_sessions(client, io.BytesIO(), resume=True)


class TestFilters:
    async def test_filters_reach_server(self, emulator, client):
        expected = emulator.state.qualification_sessions.add(
            status="approved", user_id="u", user_name="Ada", expires_at=datetime(2027, 5, 1, 12, tzinfo=UTC)
        )
        out = io.BytesIO()

        await export_sessions(client, out, status="approved", user_id="u", search="ada", expires_at=date(2027, 5, 1))

        assert [json.loads(line)["qualification_session_id"] for line in out.getvalue().splitlines()] == [expected]

    async def test_since_without_look_back_is_exact(self, emulator, client, yesterday):
        for session in emulator.state.qualification_sessions.rows:
            emulator.state.qualification_sessions.remove(session.qualification_session_id)
        for number in range(4):
            emulator.state.qualification_sessions.add(
                qualification_session_id=f"qs_{number}", created_at=yesterday(2, number)
            )
        out = io.BytesIO()

        await export_sessions(client, out, since=yesterday(2, 2))

        ids = [json.loads(line)["qualification_session_id"] for line in out.getvalue().splitlines()]
        assert ids == ["qs_3", "qs_2"]


class TestResult:
    async def test_result_counts_rows_statuses_and_requests(self, emulator, client, tmp_path):
        done = await export_sessions(client, tmp_path / "x.csv")

        sessions = emulator.state.qualification_sessions.rows
        assert sum(done.statuses.values()) == done.rows == 120
        assert list(done.statuses.values()) == sorted(done.statuses.values(), reverse=True)
        created = [session.created_at for session in sessions]
        assert (done.earliest, done.latest) == (min(created), max(created))
        assert (done.requests, done.retries) == (len(emulator.requests), 0)
        assert done.seconds > 0

    async def test_result_counts_retries_and_client_hooks_are_called(self, emulator, client, tmp_path):
        emulator.faults.add("status", code=503, retry_after=0, times=1)
        attempts = []

        done = await export_sessions(client.with_options(hooks=[attempts.append]), tmp_path / "x.csv")

        assert (done.requests, done.retries) == (len(attempts), 1)

    async def test_rows_without_creation_time_are_counted(self, emulator, client, tmp_path):
        emulator.state.qualification_sessions.add(created_at=None)

        assert (await export_sessions(client, tmp_path / "x.csv")).rows == 121

    async def test_progress_reports_each_page(self, client, tmp_path):
        seen = []

        await export_sessions(client, tmp_path / "x.csv", page_size=50, on_progress=seen.append)

        assert seen[0] == ExportProgress(read=0, rows=0)
        assert seen[-1] == ExportProgress(read=120, rows=120)
        assert [each.rows for each in seen] == sorted({each.rows for each in seen})

    async def test_error_of_call_is_raised(self, emulator, client, tmp_path):
        emulator.faults.add("status", code=403)

        with pytest.raises(PermissionDeniedError):
            await export_sessions(client, tmp_path / "x.csv")


# --- custom rows -----------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Address(Model):
    street: str | None = attrs.field(default=None, repr=mask)


@attrs.frozen(kw_only=True)
class Item(Model):
    sku: str = ""


@attrs.frozen(kw_only=True)
class Order(Model):
    id: str
    total: int
    paid: bool
    day: date | None = None
    items: tuple[Item, ...] = ()
    address: Address | None = None


ORDERS = RowType(model=Order, id="id", status=None, created_at=None)
SOME = [
    Order(id="a", total=1999, paid=True, day=date(2024, 2, 29), items=(Item(sku="=1"),), address=Address(street="S 1")),
    Order(id="b", total=-5, paid=False),
]


async def of_orders():
    yield SOME[:1]
    yield SOME


class TestCustomRowType:
    def test_field_with_nested_personal_field_is_personal(self):
        assert ORDERS.pii == {"address"}
        assert ORDERS.name == "Order"

    async def test_csv_writes_nested_values_as_json(self, client, tmp_path, rows_of):
        done = await export(Stream(of_orders()), tmp_path / "x.csv", row_type=ORDERS)

        assert rows_of(tmp_path / "x.csv")[0] == {
            "id": "a", "total": "1999", "paid": "true", "day": "2024-02-29", "items": '[{"sku":"=1"}]',
            "address": '{"street":"S 1"}',
        }  # fmt: skip
        assert (done.statuses, done.earliest, done.requests) == ({}, None, 0)

    async def test_parquet_columns_have_types(self, client, tmp_path, rows_of):
        import pyarrow.parquet

        await export(Stream(of_orders()), tmp_path / "x.parquet", pii="drop", row_type=ORDERS)

        schema = pyarrow.parquet.read_schema(tmp_path / "x.parquet")
        assert [str(kind) for kind in schema.types] == ["string", "int64", "bool", "date32[day]", "string"]
        assert rows_of(tmp_path / "x.parquet")[0] == {
            "id": "a", "total": 1999, "paid": True, "day": date(2024, 2, 29), "items": '[{"sku":"=1"}]'
        }  # fmt: skip

    async def test_hash_of_nested_value_is_of_its_json(self, client, tmp_path, rows_of):
        path = tmp_path / "x.jsonl"
        await export(Stream(of_orders()), path, pii="hash", secret=SECRET, row_type=ORDERS)

        first, *_, last = rows_of(path)
        assert first["address"] == hash_of('{"street":"S 1"}')
        assert last["address"] is None


def test_import_loads_neither_cli_libraries_nor_pyarrow():
    program = "import sys; from truemed_async import export, summarize; print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "truemed_async" in loaded
    assert not loaded & {"rich", "cyclopts", "pyarrow"}
