"""How much of a list is shown, which fields, and ids from standard input."""

from __future__ import annotations

import csv
import io
import json

import pytest
from rich.text import Text

EMULATOR = ("--env", "emulator", "--sessions", "250")


@pytest.fixture
def many(emulator):
    for number in range(120):
        status = "approved" if number % 2 else "pending"
        emulator.state.qualification_sessions.add(qualification_session_id=f"qs_{number}", status=status)
    return emulator


def ids_of(done):
    return [row["qualification_session_id"] for row in done.rows]


class TestHowMuch:
    def test_default_is_the_first_page(self, truemed, many):
        assert len(truemed("sessions", "list").rows) == 30
        assert len(many.requests) == 1

    @pytest.mark.parametrize("number", [1, 30, 70, 120, 500])
    def test_limit_reads_as_many_pages_as_necessary(self, truemed, many, number):
        rows = ids_of(truemed("sessions", "list", "--limit", str(number)))

        assert rows == ids_of(truemed("sessions", "list", "--all"))[:number]
        assert len(rows) == min(number, 120)

    def test_limit_within_a_page_costs_one_request(self, truemed, many):
        truemed("sessions", "list", "--limit", "5")

        assert len(many.requests) == 1

    @pytest.mark.parametrize("format", ["table", "csv", "json", "jsonl"])
    def test_all_rows_are_written_in_every_format(self, truemed, many, format):
        out = truemed("sessions", "list", "--all", "--page-size", "50", "--format", format).out

        assert all(f"qs_{number}" in out for number in range(120))

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ((), "30 of 120 sessions, page 1 of 4; --limit N, --all or --page 2 shows more\n"),
            (("--page", "4"), "30 of 120 sessions, page 4 of 4\n"),
            (("--limit", "5"), "5 of 120 sessions\n"),
            (("--limit", "120"), "120 sessions\n"),
            (("--all",), "120 sessions\n"),
        ],
    )
    def test_terminal_shows_how_many_rows_of_how_many(self, truemed, many, terminal, options, expected):
        done = truemed("sessions", "list", *options, out=terminal(), err=terminal())

        assert done.err.endswith(expected)

    def test_pipe_shows_no_count(self, truemed, many):
        assert truemed("sessions", "list").err == ""
        assert truemed("sessions", "list", "--all").err == ""

    def test_selection_on_the_client_does_not_know_the_total(self, truemed, emulator, terminal):
        for _ in range(3):
            emulator.state.payment_sessions.add()
        pending = ("payments", "list", "--status", "pending")

        assert truemed(*pending, "--page-size", "2", err=terminal()).err == (
            "2 payments; there may be more: --limit N or --all\n"
        )
        assert truemed(*pending, err=terminal()).err == "3 payments\n"
        assert truemed(*pending, "--limit", "2", err=terminal()).err.endswith("2 payments; there may be more\n")
        assert truemed(*pending, "--all", err=terminal()).err.endswith("3 payments\n")

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ((), "there are no sessions\n"),
            (("--all",), "there are no sessions\n"),
            (("--status", "approved", "--user-id", "u"), "no session matches: try without --status or --user-id\n"),
            (("--page", "3"), "page 3 has no sessions: try --page 1\n"),
        ],
    )
    def test_empty_list_says_so_and_what_to_try(self, truemed, emulator, terminal, options, expected):
        done = truemed("sessions", "list", *options, out=terminal(), err=terminal())

        assert done.err.endswith(expected)
        assert done.out == ""

    def test_empty_list_in_a_pipe_is_valid_data(self, truemed, emulator):
        outputs = {
            format: truemed("sessions", "list", "--format", format) for format in ("json", "jsonl", "csv", "table")
        }

        assert json.loads(outputs["json"].out) == []
        assert outputs["jsonl"].out == ""
        assert outputs["csv"].out.startswith("qualification_session_id,status,")
        assert outputs["table"].err == "there are no sessions\n"
        assert outputs["jsonl"].err == ""

    def test_flags_are_no_filters(self, truemed, emulator, terminal):
        done = truemed("payments", "list", "--include-order-items", err=terminal())

        assert done.err == "there are no payments\n"

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--limit", "0"), "--limit must be"),
            (("--page-size", "-1"), "--page-size must be"),
            (("--limit", "5", "--all"), "pass only one of --limit, --all and --page"),
            (("--all", "--page", "2"), "pass only one of --limit, --all and --page"),
        ],
    )
    def test_wrong_numbers_are_refused_before_any_request(self, truemed, emulator, options, message):
        done = truemed("sessions", "list", *options)

        assert done.code == 2
        assert message in done.err
        assert not emulator.requests

    @pytest.mark.parametrize("options", [("--limit", "2"), ("--all",)])
    def test_transactions_and_payouts_have_the_same_options(self, truemed, options):
        month = ("--env", "emulator", "reconciliations", "list", "--from", "2020-01-01", "--to", "2026-12-31", *options)

        for rows in (truemed(*month).rows, truemed(*month, "--transactions").rows):
            assert len(rows) >= 2
        table = truemed(*month, "--format", "csv").out
        assert table.startswith("payout_id,amount,arrival_date")

    def test_rows_on_a_terminal_show_no_progress_but_a_table_does_first(self, truemed, many, terminal):
        rows = truemed("sessions", "list", "--all", "--format", "jsonl", out=terminal(), err=terminal())
        both = terminal()
        truemed("sessions", "list", "--all", out=both, err=both)

        assert rows.err == "120 sessions\n"
        output = both.getvalue()
        assert 0 < output.index("120/120") < output.index("qs_0")
        assert "qs_" not in output[: output.rindex("120/120")]


class TestFields:
    def test_json_selects_fields_and_id_is_a_name_for_the_id(self, truemed, many):
        done = truemed("sessions", "list", "--limit", "2", "--json", "id, status")

        assert [list(row) for row in done.rows] == [["id", "status"]] * 2

    def test_json_format_makes_one_array(self, truemed, many):
        rows = json.loads(truemed("sessions", "list", "--limit", "2", "--json", "status", "--format", "json").out)

        assert [list(row) for row in rows] == [["status"]] * 2

    def test_dots_lead_into_objects_and_lists(self, truemed):
        payment = "5b0d2a3e-7a52-4f43-9f0e-0d2f1d0f6c11"
        get = ("--env", "emulator", "payments", "get", payment)
        (row,) = truemed(*get, "--json", "id,order_items.sku,order_items.price,amount_details.total_discounts").rows
        (cells,) = csv.DictReader(io.StringIO(truemed(*get, "--columns", "id,order_items.sku,amount_details.discounts_details.code", "--format", "csv").out))  # fmt: skip
        table = truemed(*get, "--columns", "id,total_amount,order_items.price,amount_details.total_discounts", "--format", "table").out  # fmt: skip

        assert row == {"id": payment, "order_items": [{"sku": "SB-1", "price": 5999}], "amount_details": None}
        assert cells == {"id": payment, "order_items.sku": '["SB-1"]', "amount_details.discounts_details.code": ""}
        assert "$119.98" in table
        assert "[5999]" in table

    def test_columns_order_a_table_and_csv(self, truemed, many, terminal):
        columns = ("sessions", "list", "--limit", "1", "--columns", "status,id")

        assert truemed(*columns).out.splitlines()[0] == "status,id"
        words = Text.from_ansi(truemed(*columns, out=terminal()).out).plain.split()
        assert (words[:2], words[-2]) == (["status", "id"], "approved")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                ("--json", "statuss"),
                '--json has an unknown field; did you mean "status"? Fields: id, qualification_session_id',
            ),
            (("--json", "hunter2_secret"), "--json has an unknown field Fields"),
            (("--columns", "id,id"), "--columns names a field twice"),
            (("--json", "status.x"), "--json: status has no fields of its own"),
            (("--json", "id", "--columns", "id"), "--columns does not apply to jsonl: choose fields with --json"),
            (("--json", "id", "--format", "csv"), "--json does not apply to csv: choose fields with --columns"),
            (("--columns", "id", "--format", "json"), "--columns does not apply to json: choose fields with --json"),
        ],
    )
    def test_wrong_fields_are_refused_before_any_request(self, truemed, emulator, options, message):
        done = truemed("sessions", "list", *options)

        assert done.code == 2
        assert message.replace("field Fields", "field. Fields") in done.err
        assert "hunter2" not in done.err
        assert not emulator.requests

    def test_unknown_nested_field_lists_the_nested_ones(self, truemed, emulator):
        done = truemed("payments", "list", "--json", "order_items.skus")

        assert 'did you mean "sku"? Fields of order_items: item_id, name,' in done.err

    @pytest.mark.parametrize(
        "argv",
        [
            ("sessions", "update", "qs_abc123", "--metadata", "{}"),
            ("sessions", "find-valid", "--email", "sam@example.com"),
            ("payments", "create", "--amount", "1.00", "--item", '{"name":"a","price":"1.00","quantity":1}', "--success-url", "https://shop.example/"),
            ("payments", "refundable", "5b0d2a3e-7a52-4f43-9f0e-0d2f1d0f6c11"),
            ("tokens", "create", "--success-url", "https://shop.example/"),
            ("catalog", "create", "NEW", "--name", "new"),
            ("catalog", "checkout-method", "NEW"),
            ("invoices", "list"),
        ],
        ids=lambda argv: " ".join(argv[:2]),
    )  # fmt: skip
    @pytest.mark.parametrize("format", ["table", "csv", "json", "jsonl"])
    def test_every_object_has_every_format(self, truemed, argv, format):
        done = truemed("--env", "emulator", *argv, "--format", format)

        if done.code == 1:  # nobody holds a valid Letter
            return
        assert (done.code, bool(done.out)) == (0, True), done.err
        if format == "json":
            json.loads(done.out)


class TestIds:
    def test_list_is_piped_into_get(self, truemed, many):
        listing = truemed("sessions", "list", "--limit", "40", "--json", "id")
        result = truemed("sessions", "get", "-", source=io.StringIO(listing.out))

        assert result.code == 0
        assert ids_of(result) == [row["id"] for row in listing.rows]

    @pytest.mark.parametrize(
        "line", ["qs_3", ' "qs_3" ', '{"id": "qs_3"}', '{"qualification_session_id": "qs_3", "x": 1}']
    )
    def test_line_is_an_id_or_json(self, truemed, many, line):
        done = truemed("sessions", "get", "-", "--json", "id", source=io.StringIO(f"\ufeff\n{line}\n\n"))

        assert (done.code, done.rows) == (0, [{"id": "qs_3"}])

    def test_bad_lines_are_reported_by_number_without_their_value(self, truemed, many):
        lines = 'qs_1\n{"email": "ada@example.com"}\nada@example.com\n{"id": 5}\n{torn\nqs_2\n'

        done = truemed("sessions", "get", "-", source=io.StringIO(lines))

        assert (done.code, ids_of(done)) == (2, ["qs_1", "qs_2"])
        assert "ada" not in done.err
        assert "torn" not in done.err
        assert [line.partition(":")[2][:8] for line in done.err.splitlines()] == [
            " line 2 ",
            " line 4 ",
            " line 5 ",
            " line 3:",
        ]

    def test_failed_call_exits_with_1(self, truemed, many):
        assert truemed("sessions", "get", "-", source=io.StringIO("qs_1\nqs_none\n")).code == 1

    def test_skus_may_have_spaces(self, truemed, emulator):
        emulator.state.catalog_items.add(sku="a/b c")

        done = truemed("catalog", "get", "-", source=io.StringIO("a/b c\n"))

        assert [row["sku"] for row in done.rows] == ["a/b c"]

    @pytest.mark.parametrize("argv", [(), ("qs_1", "-")])
    def test_either_arguments_or_standard_input(self, truemed, emulator, argv):
        done = truemed("sessions", "get", *argv)

        assert (done.code, done.err) == (2, "error: pass ids, or - to read them from standard input, one a line\n")

    def test_no_lines_are_no_objects(self, truemed, emulator):
        assert truemed("sessions", "get", "-", source=io.StringIO("")).out == ""

    def test_progress_is_above_no_data_and_errors_are_above_progress(self, truemed, many, terminal):
        done = truemed("sessions", "get", "qs_1", "qs_none", "qs_2", err=terminal())

        assert ids_of(done) == ["qs_1", "qs_2"]
        assert "3/3" in done.err
        assert "error: qs_none: " in done.err
