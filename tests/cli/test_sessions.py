"""`sessions list`, `get` and `update`, inside the test."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import attrs
import pytest

from truemed_async import QualificationSession
from truemed_async.cli.tables import format_local

EMULATOR = ("--env", "emulator")
FIELDS = [field.name for field in attrs.fields(QualificationSession) if field.name != "extra"]


class TestList:
    def test_list_in_pipe_is_jsonl(self, truemed):
        done = truemed(*EMULATOR, "sessions", "list", "--page-size", "3")

        assert (done.code, done.err) == (0, "")
        assert [list(row) for row in done.rows] == [FIELDS] * 3

    def test_embedded_emulator_has_equal_sessions_each_time(self, truemed):
        first, second = (truemed(*EMULATOR, "sessions", "list", "--page-size", "500") for _ in range(2))

        assert first.out == second.out
        assert len(first.rows) == 500
        assert len(truemed(*EMULATOR, "sessions", "list", "--page-size", "500", "--page", "2").rows) == 500
        assert not truemed(*EMULATOR, "sessions", "list", "--page-size", "500", "--page", "3").rows

    def test_sessions_and_seed_options_change_data(self, truemed):
        seven = truemed(*EMULATOR, "--sessions", "7", "sessions", "list").rows
        others = truemed(*EMULATOR, "--sessions", "7", "--seed", "1", "sessions", "list").rows

        assert len(seven) == len(others) == 7
        assert seven != others
        assert not truemed(*EMULATOR, "--sessions", "0", "sessions", "list").rows

    def test_json_format_is_one_array(self, truemed):
        done = truemed(*EMULATOR, "sessions", "list", "--format", "json", "--page-size", "2")

        assert [list(row) for row in json.loads(done.out)] == [FIELDS] * 2

    def test_csv_format_has_documented_columns(self, truemed):
        done = truemed(*EMULATOR, "sessions", "list", "--format", "csv", "--page-size", "2")

        rows = list(csv.reader(io.StringIO(done.out, newline="")))
        assert rows[0] == FIELDS
        assert len(rows) == 3

    def test_filters_reach_server(self, truemed, emulator):
        expected = emulator.state.qualification_sessions.add(
            status="approved", user_id="none", user_name="Ada", expires_at=datetime(2027, 5, 1, 12, tzinfo=UTC)
        )
        emulator.state.qualification_sessions.add(status="approved", user_id="other", user_name="Ada")
        filters = ("--status", "approved", "--user-id", "none", "--search", "ada", "--expires-at", "2027-05-01")

        done = truemed("sessions", "list", *filters)

        assert [row["qualification_session_id"] for row in done.rows] == [expected]

    @pytest.mark.parametrize("word", ["none", "null", "None"])
    def test_word_none_is_a_value(self, truemed, emulator, word):
        emulator.state.qualification_sessions.add(user_id="somebody")

        assert not truemed("sessions", "list", "--user-id", word).rows

    def test_list_on_terminal_is_table_with_position(self, truemed, terminal, emulator):
        emulator.state.qualification_sessions.add(
            qualification_session_id="qs_1",
            user_id="u",
            email="a@example.com",
            created_at=datetime(2026, 1, 2, tzinfo=UTC),
        )
        emulator.state.qualification_sessions.add(
            qualification_session_id="qs_2", created_at=datetime(2026, 1, 1, tzinfo=UTC)
        )

        done = truemed("sessions", "list", "--page-size", "1", out=terminal(), err=terminal())

        head, _, row = done.out.splitlines()
        assert [word.strip() for word in plain(head).split("  ") if word.strip()] == [
            "id",
            "status",
            "created_at",
            "expires_at",
            "user_id",
            "email",
        ]
        local = format_local(datetime(2026, 1, 2, tzinfo=UTC)).split()
        assert plain(row).split() == ["qs_1", "pending", *local, "u", "a@example.com"]
        assert done.err == "1 of 2 sessions, page 1 of 2; --limit N, --all or --page 2 shows more\n"

    def test_page_without_pagination_shows_no_position(self, truemed, terminal, emulator):
        from truemed_async.emulator import Fault

        class Bare(Fault):
            async def after(self, exchange, response):
                from aiohttp import web

                return web.json_response({"qualification_sessions": [], "pagination": None})

        emulator.faults.add(Bare())

        assert truemed("sessions", "list", err=terminal()).err == "there are no sessions\n"

    def test_narrow_terminal_shows_fitting_columns(self, truemed, terminal, monkeypatch):
        monkeypatch.setenv("COLUMNS", "80")

        done = truemed(*EMULATOR, "sessions", "list", "--page-size", "5", out=terminal())

        lines = [plain(line) for line in done.out.splitlines()]
        assert all(len(line) <= 80 for line in lines)
        assert len(lines) == 2 + 5 + 1
        assert lines[-1].strip() == "No room for email."

    def test_very_narrow_terminal_shows_ids(self, truemed, terminal, monkeypatch):
        monkeypatch.setenv("COLUMNS", "20")

        done = truemed(*EMULATOR, "sessions", "list", "--page-size", "1", out=terminal())

        assert "qs_" in done.out

    def test_table_in_pipe_is_as_wide_as_content(self, truemed, monkeypatch):
        monkeypatch.setenv("COLUMNS", "40")

        done = truemed(*EMULATOR, "sessions", "list", "--page-size", "4", "--format", "table")

        assert len(done.out.splitlines()) == 2 + 4
        assert "\x1b" not in done.out

    def test_table_escapes_control_characters(self, truemed, terminal, emulator):
        emulator.state.qualification_sessions.add(qualification_session_id="qs_1", user_id="\x1b[2J[red]\u202e\n")

        done = truemed("sessions", "list", out=terminal())

        assert r"\u001b[2J[red]\u202e\u000a" in done.out

    def test_no_color_disables_color(self, truemed, terminal, monkeypatch):
        monkeypatch.setenv("NO_COLOR", "1")

        done = truemed(*EMULATOR, "sessions", "list", out=terminal())

        assert "\x1b[3" not in done.out


class TestGet:
    def test_get_in_pipe_prints_documents_in_order(self, truemed, emulator):
        ids = [emulator.state.qualification_sessions.add(user_id=str(number)) for number in range(20)]

        done = truemed("sessions", "get", *ids)

        assert (done.code, done.err) == (0, "")
        assert [row["qualification_session_id"] for row in done.rows] == ids

    def test_get_with_unknown_id_shows_others(self, truemed, emulator):
        known = emulator.state.qualification_sessions.add()

        done = truemed("sessions", "get", "qs_unknown", known)

        assert done.code == 1
        assert [row["qualification_session_id"] for row in done.rows] == [known]
        assert done.err.startswith("error: qs_unknown: qualification_sessions.get: 404")
        assert done.err.count("\n") == 1

    def test_get_with_invalid_id_does_not_show_it(self, truemed, emulator):
        done = truemed("sessions", "get", emulator.state.qualification_sessions.add(), "ada@example.com")

        assert done.code == 2
        assert len(done.rows) == 1
        assert done.err.startswith("error: argument 2: qualification_session_id must be")
        assert "ada" not in done.err

    def test_failed_call_exit_code_precedes_usage(self, truemed, emulator):
        assert truemed("sessions", "get", "not/one", "qs_unknown").code == 1

    def test_get_on_terminal_shows_every_field(self, truemed, terminal, emulator):
        id = emulator.state.qualification_sessions.add(user_name="Ada Example", fee=1.5)

        done = truemed("sessions", "get", id, out=terminal())

        lines = [line.split() for line in map(plain, done.out.splitlines()) if line.strip()]
        assert {word.rstrip(",") for line in lines for word in line} >= {*FIELDS}
        assert ["user_name", "Ada", "Example"] in lines
        assert ["fee", "1.5"] in lines

    def test_get_without_id_exits_2(self, truemed):
        done = truemed(*EMULATOR, "sessions", "get")

        assert done.code == 2
        assert done.err.startswith("error: ")


class TestUpdate:
    def test_update_changes_given_fields(self, truemed, emulator):
        id = emulator.state.qualification_sessions.add()

        done = truemed(
            "sessions", "update", id,
            "--user-id", "none",
            "--metadata", '{"order": 7}',
            "--success-url", "https://example.com/yes",
            "--failure-url", "https://example.com/no",
            "--idempotency-key", "key-1",
        )  # fmt: skip

        assert done.code == 0
        assert done.rows == [{"qualification_session_id": id, "status": "pending", "idempotency_key": "key-1"}]
        stored = emulator.state.qualification_sessions.get(id)
        assert (stored.user_id, json.loads(stored.metadata)) == ("none", {"order": 7})
        assert (stored.success_url, stored.failure_url) == ("https://example.com/yes", "https://example.com/no")

    def test_deep_links_require_their_option(self, truemed, emulator):
        id = emulator.state.qualification_sessions.add()
        command = (
            "sessions",
            "update",
            id,
            "--success-url",
            "https://example.com/yes",
            "--failure-url",
            "shop-app://no",
        )

        refused = truemed(*command)
        assert (refused.code, refused.out) == (2, "")
        assert refused.err == "error: --failure-url must be an https URL; if it leads into an app, add --deep-links\n"

        assert truemed(*command, "--deep-links").code == 0
        stored = emulator.state.qualification_sessions.get(id)
        assert (stored.success_url, stored.failure_url) == ("https://example.com/yes", "shop-app://no")

    def test_unset_options_are_not_sent(self, truemed, emulator):
        id = emulator.state.qualification_sessions.add(user_id="kept")

        assert truemed("sessions", "update", id, "--metadata", "{}").code == 0
        assert emulator.state.qualification_sessions.get(id).user_id == "kept"

    def test_update_on_terminal_is_table(self, truemed, terminal, emulator):
        done = truemed(
            "sessions", "update", emulator.state.qualification_sessions.add(), "--user-id", "u", out=terminal()
        )

        assert "idempotency_key" in done.out
        assert "{" not in done.out

    def test_update_without_options_exits_2(self, truemed, emulator):
        done = truemed("sessions", "update", emulator.state.qualification_sessions.add())

        assert (done.code, done.out) == (2, "")
        assert "nothing to change" in done.err

    def test_update_with_conflict_exits_1(self, truemed, emulator):
        done = truemed(
            "sessions", "update", emulator.state.qualification_sessions.add(user_id="a"), "--user-id", "secret-b"
        )

        assert (done.code, done.out) == (1, "")
        assert "409" in done.err
        assert "secret-b" not in done.err


def plain(line: str) -> str:
    """Take out what colors and weights a line."""
    from rich.text import Text

    return Text.from_ansi(line).plain
