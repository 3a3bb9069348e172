"""``truemed doctor``."""

import json

import pytest

from tests.support.canary import leaks
from truemed_async.emulator import Dialect, Emulator

MERCHANT = {"sessions": 40, "payment_sessions": 5, "payment_tokens": 2, "catalog_items": 2}


@pytest.fixture
def merchant(monkeypatch):
    with Emulator(**MERCHANT) as emulator:
        monkeypatch.setenv("TRUEMED_BASE_URL", emulator.url)
        monkeypatch.setenv("TRUEMED_API_KEY", emulator.api_key)
        yield emulator


class TestDoctor:
    def test_table_ends_with_dialect_and_sentence(self, truemed, merchant):
        merchant.dialect = Dialect(pagination_names="total_count", amounts="decimal_string")
        done = truemed("doctor")
        assert (done.code, done.err) == (0, "")
        assert "differs" in done.out
        assert "total_count" in done.out
        *_, dialect, _, title, sentence = done.out.splitlines()
        assert json.loads(dialect)["amounts"] == "decimal_string"
        assert title == "for a bug report"
        assert "pagination names (total_count, " in sentence

    def test_only_verbose_shows_fields_that_are_as_expected(self, truemed, merchant):
        assert " lmn_reviewed_at " not in truemed("doctor").out
        output = truemed("doctor", "--all-fields").out
        assert " lmn_reviewed_at " in output
        assert ": approved " in output

    def test_json_is_the_whole_report(self, truemed, merchant):
        report = json.loads(truemed("doctor", "--json").out)
        assert report["passed"] is True
        assert {"checks", "fields", "dialect", "not_observed", "sentence", "server", "software"} <= report.keys()

    def test_terminal_shows_progress_and_colors(self, truemed, merchant, terminal):
        done = truemed("doctor", out=terminal(), err=terminal())
        assert "\x1b[" in done.out
        assert done.err

    def test_saved_dialect_is_loaded_by_an_emulator(self, truemed, merchant, tmp_path):
        merchant.dialect = Dialect(ids="integers", times="no_zone")
        file = tmp_path / "dialect.json"
        assert truemed("doctor", "--save-dialect", str(file)).code == 0
        dialect = Dialect.from_json(file.read_bytes())
        assert (dialect.ids, dialect.times) == ("integers", "no_zone")

    def test_unwritable_dialect_exits_2(self, truemed, merchant, tmp_path):
        done = truemed("doctor", "--save-dialect", str(tmp_path / "missing" / "dialect.json"))
        assert (done.code, done.err) == (2, "error: --save-dialect cannot be written: No such file or directory\n")

    def test_dialect_in_place_of_a_directory_is_refused_before_a_request(self, truemed, merchant, tmp_path):
        done = truemed("doctor", "--save-dialect", str(tmp_path))
        assert (done.code, len(merchant.requests)) == (2, 0)
        assert done.err == f"error: {tmp_path} cannot be written: it is not a regular file\n"

    def test_dialect_does_not_overwrite_a_file_unasked(self, truemed, merchant, terminal, tmp_path):
        file = tmp_path / "dialect.json"
        file.write_text("mine")
        line = ("doctor", "--json", "--save-dialect", str(file))
        refused = truemed(*line)
        assert (refused.code, len(merchant.requests)) == (2, 0)
        assert refused.err == (
            f"error: {file} exists: pass --force to overwrite it, or choose another --save-dialect\n"
        )
        assert truemed(*line, source=terminal("n\n"), err=terminal()).code == 2
        assert file.read_text() == "mine"
        assert truemed(*line, source=terminal("y\n"), err=terminal()).code == 0
        assert file.read_text() != "mine"
        file.write_text("mine")
        assert truemed(*line, "--force").code == 0
        assert file.read_text() != "mine"
        assert truemed("doctor", "--json", "--force").code == 0

    def test_emulator_needs_no_key(self, truemed):
        done = truemed("--env", "emulator", "--sessions", "3", "doctor", "--json")
        assert (done.code, json.loads(done.out)["passed"]) == (0, True)

    def test_refused_key_exits_1(self, truemed, merchant, monkeypatch):
        monkeypatch.setenv("TRUEMED_API_KEY", "canary-key-that-is-wrong")
        done = truemed("doctor")
        assert done.code == 1
        assert "refused with status 401" in done.out
        assert not leaks(done.out + done.err)

    def test_missing_key_exits_2(self, truemed, monkeypatch):
        monkeypatch.delenv("TRUEMED_API_KEY", raising=False)
        assert truemed("doctor").code == 2

    @pytest.mark.parametrize("options", [(), ("--all-fields",), ("--json",)])
    def test_no_value_is_shown(self, truemed, merchant, options):
        values = {
            merchant.api_key,
            *(
                str(value)
                for store in (merchant.state.qualification_sessions, merchant.state.payment_sessions)
                for row in store.rows
                for name in ("email", "user_name", "user_id", "customer_email", "customer_name", "id", "success_url")
                if (value := getattr(row, name, None))
            ),
        }
        merchant.faults.add("status", code=500, nth=9)
        done = truemed("doctor", *options)
        assert done.code == 0
        assert not [value for value in values if value in done.out + done.err]
