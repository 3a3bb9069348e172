"""`sessions expiring` and `sessions attach`, inside the test."""

import csv
import io
import json
import os
import re
import stat
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.canary import EMAIL, USER_ID, leaks

NOW = datetime.now(UTC)
LINK = "/qualify/tm_qual_1?source=renewal"


class TestExpiring:
    @pytest.fixture
    def letters(self, emulator):
        add = emulator.state.qualification_sessions.add
        soon = NOW + timedelta(days=3)
        return [
            add(status="approved", expires_at=soon, user_id="u 1", skus_param="A, B", email="ann@example.com"),
            add(status="approved", expires_at=soon + timedelta(hours=1), user_id=None),
            add(status="rejected", expires_at=soon),
            add(status="approved", expires_at=NOW + timedelta(days=40)),
        ]

    def test_rows_have_renewal_links_to_their_server_in_order_of_expiry(self, truemed, emulator, letters):
        done = truemed("sessions", "expiring", "--within", "30d", "--qualification-id", "tm_qual_1")
        assert (done.code, done.err) == (0, "")
        assert [row["qualification_session_id"] for row in done.rows] == letters[:2]
        assert [row["renewal_link"] for row in done.rows] == [
            f"{emulator.url}{LINK}&user_id=u%201&skus=A,B",
            f"{emulator.url}{LINK}",
        ]

    def test_csv_and_json_have_the_same_rows(self, truemed, letters):
        text = truemed("sessions", "expiring", "--within", "8w", "--format", "csv").out
        data = json.loads(truemed("sessions", "expiring", "--within", "8w", "--format", "json").out)
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert [row["qualification_session_id"] for row in rows] == [row["qualification_session_id"] for row in data]
        assert [row["qualification_session_id"] for row in rows] == [*letters[:2], letters[3]]
        assert rows[0]["renewal_link"] == ""
        assert datetime.fromisoformat(rows[0]["expires_at"]) - NOW < timedelta(days=3, seconds=1)

    def test_table_on_terminal_says_how_to_get_links(self, truemed, terminal, letters):
        done = truemed("sessions", "expiring", out=terminal(), err=terminal())
        assert letters[0] in done.out
        assert "3 Letters that expire within 60d" in done.err
        assert "--qualification-id" in done.err

    def test_table_with_links_needs_no_hint(self, truemed, terminal, letters):
        done = truemed("sessions", "expiring", "--qualification-id", "tm_qual_1", out=terminal(), err=terminal())
        assert "renewal_link" in done.out
        assert "--qualification-id" not in done.err

    def test_chart_has_a_bar_for_each_day(self, truemed, letters):
        done = truemed("sessions", "expiring", "--within", "20d", "--format", "chart")
        assert "Letters that expire within 20d, by day" in done.out
        assert f"{NOW + timedelta(days=3):%Y-%m-%d}" in done.out

    def test_chart_of_many_days_has_a_bar_for_each_week(self, truemed, emulator):
        for day in range(1, 40):
            emulator.state.qualification_sessions.add(status="approved", expires_at=NOW + timedelta(days=day))
        done = truemed("sessions", "expiring", "--format", "chart")
        assert "39 Letters that expire within 60d, by week" in done.out
        assert 6 <= len(re.findall(r"█(?=\s)", done.out)) <= 8

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--within", "soon"), "--within must be a number of weeks, days or hours, such as 2w, 7d or 36h"),
            (("--within", "2000d"), "--within must be at most 1100d"),
            (("--qualification-id", "../x"), "--qualification-id must be"),
        ],
    )
    def test_invalid_options_send_nothing(self, truemed, emulator, options, message):
        done = truemed("sessions", "expiring", *options)
        assert done.code == 2
        assert message in done.err
        assert not emulator.requests


class TestFindValid:
    def test_valid_session_is_shown(self, truemed, emulator):
        add = emulator.state.qualification_sessions.add
        session = add(status="approved", expires_at=NOW + timedelta(days=3), user_id="u-1", email=EMAIL)
        for options in (("--user-id", "u-1"), ("--email", EMAIL.upper())):
            done = truemed("sessions", "find-valid", *options)
            assert (done.code, done.rows[0]["qualification_session_id"]) == (0, session)

    def test_shopper_without_letter_exits_with_1(self, truemed, emulator):
        done = truemed("sessions", "find-valid", "--email", EMAIL)
        assert (done.code, done.out, done.err) == (1, "", "no valid Letter\n")

    @pytest.mark.parametrize("options", [(), ("--user-id", "u", "--email", EMAIL)])
    def test_neither_or_both_options_are_refused(self, truemed, emulator, options):
        done = truemed("sessions", "find-valid", *options)
        assert (done.code, done.err) == (2, "error: pass either --user-id or --email\n")


class TestUpdateIfUnset:
    def test_same_user_again_succeeds_and_another_fails(self, truemed, emulator):
        session = emulator.state.qualification_sessions.add(user_id=None)
        line = ("sessions", "update", session, "--if-unset", "--user-id")
        assert [truemed(*line, user).code for user in ("u-1", "u-1", "u-2")] == [0, 0, 1]
        assert truemed("sessions", "update", session, "--user-id", "u-1").code == 1


class TestAttach:
    @pytest.fixture
    def matches(self, tmp_path):
        def write(text, name="matches.csv"):
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
            return str(tmp_path / name)

        return write

    def test_counts_go_to_output_and_people_to_the_report(self, truemed, emulator, matches, tmp_path):
        add = emulator.state.qualification_sessions.add
        session, assigned = add(email=EMAIL.upper(), user_id=None), add(email="taken@example.com", user_id="other")
        path = matches(
            f"\ufeffname,user_id,email\nx,{USER_ID}, {EMAIL} \ny,u-2,taken@example.com\nz,u-3,no@example.com\n"
        )
        report = tmp_path / "report.csv"
        done = truemed("sessions", "attach", path, "--report", str(report), "--run-id", "r")
        counts = {row["outcome"]: row["count"] for row in done.rows}
        assert done.code == 0
        assert {name: number for name, number in counts.items() if number} == {
            "attached": 1,
            "other_user": 1,
            "unmatched": 1,
        }
        assert leaks(done.out + done.err) == []
        assert emulator.state.qualification_sessions.get(session).user_id == USER_ID
        rows = list(csv.DictReader(io.StringIO(report.read_text(encoding="utf-8"), newline="")))
        assert {(row["status"], row["qualification_session_id"], row["email"]) for row in rows} == {
            ("attached", session, EMAIL),
            ("other_user", assigned, "taken@example.com"),
            ("unmatched", "", "no@example.com"),
        }
        if os.name != "nt":
            assert stat.S_IMODE(report.stat().st_mode) == 0o600

    def test_dry_run_writes_nothing_and_jsonl_report_names_sessions(self, truemed, emulator, matches, tmp_path):
        session = emulator.state.qualification_sessions.add(email=EMAIL, user_id=None)
        report = tmp_path / "report.jsonl"
        path = matches(f"email,user_id\n{EMAIL},u-1\n")
        done = truemed("sessions", "attach", path, "--dry-run", "--report", str(report), "--format", "csv")
        assert "planned,1" in done.out
        assert json.loads(report.read_text(encoding="utf-8"))["qualification_session_id"] == session
        assert emulator.state.qualification_sessions.get(session).user_id is None

    def test_failed_update_exits_with_1_and_the_next_run_succeeds(self, truemed, emulator, matches):
        emulator.state.qualification_sessions.add(email=EMAIL, user_id=None)
        path = matches(f"email,user_id\n{EMAIL},u-1\n")
        with emulator.faults.add("status", code=403, method="POST"):
            failed = truemed("sessions", "attach", path)
        again = truemed("sessions", "attach", path)
        assert (failed.code, again.code) == (1, 0)
        assert '"outcome":"failed","count":1' in failed.out
        assert '"outcome":"attached","count":1' in again.out

    @pytest.mark.parametrize("option", ["--report", "--output"])
    def test_file_is_not_overwritten_unasked(self, truemed, emulator, matches, terminal, tmp_path, option):
        file = tmp_path / "mine.csv"
        file.write_text("mine")
        line = ("sessions", "attach", matches(f"email,user_id\n{EMAIL},u-1\n"), option, str(file))
        refused = truemed(*line)
        assert (refused.code, len(emulator.requests), file.read_text()) == (2, 0, "mine")
        assert refused.err == f"error: {file} exists: pass --force to overwrite it, or choose another {option}\n"
        assert truemed(*line, source=terminal("y\n"), err=terminal()).code == 0
        assert "unmatched" in file.read_text()
        file.write_text("mine")
        assert truemed(*line, "--force").code == 0
        assert "unmatched" in file.read_text()

    def test_failed_listing_still_writes_the_report(self, truemed, emulator, matches, tmp_path):
        report = tmp_path / "report.csv"
        path = matches("email,user_id\na@example.com,u-1\na@example.com,u-2\nb@example.com,u-3\n")
        with emulator.faults.add("status", code=403):
            done = truemed("sessions", "attach", path, "--report", str(report))
        assert done.code == 1
        assert "ambiguous,,a@example.com" in report.read_text(encoding="utf-8")

    def test_counts_are_a_table_on_a_terminal(self, truemed, emulator, matches, terminal):
        done = truemed("sessions", "attach", matches("email,user_id\n"), out=terminal(), err=terminal())
        assert "outcome" in done.out.splitlines()[0]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("email;user_id\n", "must have the columns email and user_id"),
            ("", "must have the columns email and user_id"),
            (f"email,user_id\n{EMAIL},u\n{EMAIL},\n", "line 3: user_id is empty"),
            (f"email,user_id\n{USER_ID.partition('@')[0]},u\n", "line 2: email is no e-mail address"),
            (f"email,user_id\n{EMAIL}\n", "line 2: user_id is empty"),
            (b"email,user_id\n\xff@x,u\n", "is not UTF-8"),
        ],
    )
    def test_invalid_file_is_refused_by_line_without_its_content(self, truemed, emulator, matches, text, message):
        done = truemed("sessions", "attach", matches(text))
        assert (done.code, leaks(done.err)) == (2, [])
        assert message in done.err
        assert not emulator.requests

    def test_missing_file_and_unknown_report_format_are_refused(self, truemed, emulator, matches, tmp_path):
        missing = truemed("sessions", "attach", str(tmp_path / "none.csv"))
        wrong = truemed("sessions", "attach", matches("email,user_id\n"), "--report", "report.xlsx")
        assert (missing.code, wrong.code) == (2, 2)
        assert "cannot be read" in missing.err
        assert "--report must be" in wrong.err
