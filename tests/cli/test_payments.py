"""`payments`: what is read, and what moves money: seen first, asked about, sent once, and settled."""

from __future__ import annotations

import csv
import io
import json
import signal
from datetime import UTC, datetime, timedelta

import pytest

from truemed_async.cli.output import Streams
from truemed_async.cli.start import run

ITEM = '{"name": "Mat", "price": "19.99", "quantity": 1, "sku": "MAT"}'
CREATE = ("payments", "create", "--amount", "19.99", "--item", ITEM, "--success-url", "https://shop.example/thanks")
REFUND = ("--amount", "19.99", "--reason", "customer_request")


@pytest.fixture
def payments(emulator):
    return emulator.state.payment_sessions


@pytest.fixture
def captured(payments):
    """A payment of 100.00 dollars that is captured."""
    id = payments.add()
    payments.submit(id)
    payments.approve(id)
    return id


@pytest.fixture
def authorization(payments):
    """A payment of 100.00 dollars that is authorized."""
    id = payments.add(kind="authorization")
    payments.submit(id)
    payments.approve(id)
    return id


@pytest.fixture
def run_and_type(truemed, terminal):
    """Run a command on a terminal whose user types this."""
    return lambda typed, *argv: truemed(*argv, err=terminal(), source=terminal(typed))


def writes(emulator):
    return [request for request in emulator.requests if request.method == "POST"]


class TestCreate:
    def test_checkout_needs_no_confirmation_and_shows_link(self, truemed, emulator, payments):
        done = truemed(*CREATE, "--metadata", "order 17", "--idempotency-key", "cart-17")

        (row,) = done.rows
        assert (done.code, done.err, row["idempotency_key"]) == (0, "", "cart-17")
        assert row["redirect_url"].startswith(emulator.url)
        session = payments.get(row["id"])
        assert (session.total_amount, session.metadata, session.kind) == (1999, "order 17", "one_time_payment")
        assert [(item.name, item.price, item.quantity, item.sku) for item in session.order_items] == [
            ("Mat", 1999, 1, "MAT")
        ]
        assert truemed(*CREATE, "--metadata", "order 17", "--idempotency-key", "cart-17").out == done.out
        assert payments.count == 1

    def test_new_idempotency_key_is_shown(self, truemed, emulator):
        done = truemed(*CREATE)

        assert done.err == f"idempotency key: {done.rows[0]['idempotency_key']}\n"

    def test_create_sends_every_option(self, truemed, emulator, payments):
        done = truemed(
            *("payments", "create", "--amount", "24.99", "--item", ITEM, "--charges", "6.00", "--discounts", "1.00"),
            *("--success-url", "https://shop.example/thanks", "--failure-url", "https://shop.example/cart"),
            *("--customer-email", "none", "--customer-name", "Sam", "--customer-state", "CA"),
            *("--kind", "authorization", "--tokenize", "--use-iframe"),
            *("--next-bill-amount", "5.00", "--next-bill-date", "2027-01-01"),
        )

        session = payments.get(done.rows[0]["id"])
        assert session.amount_details == {"total_additional_charges": 600, "total_discounts": 100}
        assert session.display_next_bill_info == {"total_amount": 500, "date": "2027-01-01"}
        assert (session.failure_url, session.customer_email) == ("https://shop.example/cart", "none")
        assert (session.customer_name, session.customer_state) == ("Sam", "CA")
        assert (session.kind, session.tokenize, session.use_iframe) == ("authorization", True, True)

    def test_deep_links_require_their_option(self, truemed, emulator, payments):
        refused = truemed(*CREATE, "--failure-url", "shop-app://cart")
        assert (refused.code, "--deep-links" in refused.err, payments.count) == (2, True, 0)

        done = truemed(*CREATE, "--failure-url", "shop-app://cart", "--deep-links")
        assert payments.get(done.rows[0]["id"]).failure_url == "shop-app://cart"

    def test_create_with_charges_only_sends_no_discounts(self, truemed, emulator, payments):
        both = ("payments", "create", "--item", ITEM, "--success-url", "https://shop.example/thanks", "--dry-run")

        more = json.loads(truemed(*both, "--amount", "20.99", "--charges", "1.00").out)["body"]
        less = json.loads(truemed(*both, "--amount", "18.99", "--discounts", "1.00").out)["body"]
        assert more["amount_details"] == {"total_additional_charges": 100}
        assert less["amount_details"] == {"total_discounts": 100}

    def test_stored_payment_method_is_charged_after_confirmation(self, run_and_type, emulator, payments):
        token = emulator.state.payment_tokens.add()

        refused = run_and_type("\n", *CREATE, "--payment-token", token)
        assert (refused.code, refused.out) == (1, "")
        assert refused.err == "Charge $19.99 to the stored payment method? [y/N] nothing was sent\n"
        assert payments.count == 0

        done = run_and_type("y\n", *CREATE, "--payment-token", token)
        assert done.code == 0
        assert payments.get(done.rows[0]["id"]).status == "captured"

    def test_declined_charge_exits_1_without_link(self, truemed, emulator):
        token = emulator.state.payment_tokens.add()
        emulator.state.payment_tokens.fail_next_charge(token)

        done = truemed(*CREATE, "--payment-token", token, "--yes", "--idempotency-key", "2026-12")

        assert (done.code, done.out) == (1, "")
        assert "422" in done.err
        assert "CardDeclined" in done.err
        assert "the outcome is unknown" not in done.err

    @pytest.mark.parametrize(
        "amount", ["20", "1999", "19.9", "19.999", "-1.00", "$19.99", "1,999.00", "none", "1e2", ""]
    )
    def test_ambiguous_amount_is_rejected(self, truemed, emulator, amount):
        done = truemed(*CREATE[:2], f"--amount={amount}", *CREATE[4:])

        assert (done.code, done.out) == (2, "")
        assert "--amount must be dollars with both digits of the cents, such as 19.99 or 20.00" in done.err
        assert len(emulator.requests) == 0

    @pytest.mark.parametrize(
        ("item", "message"),
        [
            ("Mat", "--item must be a JSON object"),
            ("[]", "--item must be a JSON object"),
            ('{"name": "Mat"}', "--item must be a JSON object"),
            ('{"name": "Mat", "price": "19.99", "quantity": 1, "secret": 1}', "--item must be a JSON object"),
            ('{"name": "Mat", "price": 1999, "quantity": 1}', 'the "price" of an --item must be dollars'),
            ('{"name": "Mat", "price": "19.99", "quantity": 0}', "quantity must be a whole number"),
        ],
    )
    def test_invalid_item_is_rejected(self, truemed, emulator, item, message):
        done = truemed(*CREATE[:5], item, *CREATE[6:])

        assert done.code == 2
        assert message in done.err
        assert "secret" not in done.err

    @pytest.mark.parametrize("half", [("--next-bill-amount", "5.00"), ("--next-bill-date", "2027-01-01")])
    def test_incomplete_next_bill_is_rejected(self, truemed, emulator, half):
        done = truemed(*CREATE, *half)

        assert done.code == 2
        assert "--next-bill-amount and --next-bill-date require each other" in done.err


class TestConfirmation:
    def test_refund_requests_confirmation(self, run_and_type, payments, captured):
        done = run_and_type("Yes\n", "payments", "refund", captured, *REFUND)

        (row,) = done.rows
        assert done.code == 0
        assert done.err == (f"Refund $19.99 of payment {captured}? [y/N] idempotency key: {row['idempotency_key']}\n")
        assert payments.get(captured).refund_amount == 1999

    @pytest.mark.parametrize("typed", ["", "\n", "n\n", "yeah\n", "  \n"])
    def test_any_reply_but_yes_sends_nothing(self, run_and_type, emulator, payments, captured, typed):
        done = run_and_type(typed, "payments", "refund", captured, *REFUND)

        assert (done.code, done.out) == (1, "")
        assert done.err.endswith("nothing was sent\n")
        assert writes(emulator) == []

    def test_question_shows_whole_amount(self, run_and_type, captured):
        done = run_and_type("n\n", "payments", "refund", captured, "--amount", "1234567.05", *REFUND[2:])

        assert done.err.startswith(f"Refund $1,234,567.05 of payment {captured}? ")

    @pytest.mark.parametrize("who", ["nobody", "no_screen"])
    def test_without_terminal_nothing_is_sent(self, truemed, terminal, emulator, captured, who):
        streams = {"err": terminal()} if who == "nobody" else {"source": terminal("y\n")}

        done = truemed("payments", "refund", captured, *REFUND, **streams)

        assert (done.code, done.out) == (2, "")
        assert "pass --yes to confirm" in done.err
        assert writes(emulator) == []

    def test_closed_standard_input_sends_nothing(self, terminal, emulator, captured):
        streams = Streams(io.StringIO(), terminal(), None)

        assert run(("payments", "refund", captured, *REFUND), streams) == 2
        assert "pass --yes" in streams.err.getvalue()

    def test_yes_option_skips_question(self, truemed, payments, captured):
        arguments = ("payments", "refund", captured, *REFUND, "--yes", "--idempotency-key", "refund-1")

        first, again = truemed(*arguments), truemed(*arguments)

        assert (first.code, first.err) == (0, "")
        assert first.out == again.out
        assert payments.get(captured).refund_amount == 1999, "the same key is the same refund"

    def test_invalid_argument_is_reported_before_question(self, run_and_type, emulator):
        done = run_and_type("y\n", "payments", "refund", "../nobody", *REFUND)

        assert done.code == 2
        assert "[y/N]" not in done.err
        assert "payment_session_id must be" in done.err
        assert len(emulator.requests) == 0

    def test_authorization_is_captured_in_part(self, truemed, payments, authorization):
        done = truemed("payments", "capture", authorization, "--amount", "40.00", "--yes")

        assert done.code == 0
        session = payments.get(authorization)
        assert (session.status, session.capture_amount, session.capture_id) == ("captured", 4000, done.rows[0]["id"])

    def test_authorization_is_voided(self, run_and_type, payments, authorization):
        done = run_and_type("y\n", "payments", "void", authorization, "--idempotency-key", "void-1")

        assert done.err == f"Release the money held for payment {authorization}? [y/N] "
        assert payments.get(authorization).void_id == done.rows[0]["id"]

    def test_checkout_is_canceled(self, run_and_type, payments):
        id = payments.add()

        done = run_and_type("y\n", "payments", "cancel", id)

        assert (done.code, done.err) == (0, f"Cancel payment {id}? [y/N] ")
        assert payments.get(id).status == "canceled"
        assert done.rows[0]["status"] == "canceled"

    def test_rejected_refund_exits_1(self, truemed, captured):
        done = truemed("payments", "capture", captured, "--amount", "1.00", "--yes")

        assert done.code == 1
        assert "SessionCaptured" in done.err
        assert "the outcome is unknown" not in done.err

    def test_unknown_outcome_shows_recovery_hint(self, truemed, emulator, payments, captured):
        refund = ("payments", "refund", captured, *REFUND, "--yes")
        with emulator.faults.add("applied_then_reset", route="payment_sessions.refund"):
            done = truemed(*refund)

        assert done.code == 1
        first, *rest = done.err.splitlines()
        key = first.removeprefix("idempotency key: ")
        assert f"the outcome is unknown: re-run with --idempotency-key {key}; it is applied at most once" in rest[0]
        assert rest[1].startswith("error: ")
        assert truemed(*refund, "--idempotency-key", key).code == 0
        assert payments.get(captured).refund_amount == 1999

    def test_unknown_outcome_without_key_shows_hint(self, truemed, emulator, payments):
        id = payments.add()
        with emulator.faults.add("applied_then_reset", route="payment_sessions.cancel"):
            done = truemed("payments", "cancel", id, "--yes")

        assert done.code == 1
        assert f"the outcome is unknown: `truemed payments get {id}` shows whether it is canceled" in done.err

    def test_ctrl_c_at_question_sends_nothing(self, start, finish, emulator, captured):
        """At a real terminal: the first Ctrl-C ends the command."""
        import os
        import pty

        ours, theirs = pty.openpty()
        try:
            process = start("payments", "refund", captured, *REFUND, stdin=theirs, stderr=theirs)
            os.close(theirs)
            output = b""
            while b"[y/N]" not in output:
                output += os.read(ours, 1000)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=30)
        finally:
            os.close(ours)
        assert (process.returncode, out) == (130, "")
        assert writes(emulator) == []


class TestDryRun:
    def test_dry_run_shows_request_and_sends_nothing(self, truemed, emulator, captured):
        done = truemed("payments", "refund", captured, *REFUND, "--dry-run", "--idempotency-key", "refund-1")

        (row,) = done.rows
        assert (done.code, done.err) == (0, "")
        assert len(emulator.requests) == 0
        assert truemed("payments", "refund", captured, *REFUND, "--yes", "--idempotency-key", "refund-1").code == 0
        (sent,) = emulator.requests
        assert (row["method"], row["url"]) == (sent.method, emulator.url + sent.path)
        assert row["body"] == json.loads(sent.body)
        assert row["body"]["amount"] == 1999
        assert row["idempotency_key"] == "refund-1"
        assert emulator.api_key not in done.out

    @pytest.mark.parametrize(
        ("argv", "path", "body"),
        [
            (("capture", "s1", "--amount", "1.00"), "/payments/v1/payment_session/s1/capture", {"total_amount": 100}),
            (("void", "s1"), "/payments/v1/payment_session/s1/void", {}),
        ],
    )
    def test_dry_run_without_key_shows_new_key(self, truemed, emulator, argv, path, body):
        (row,) = truemed("payments", *argv, "--dry-run").rows

        assert row["url"] == emulator.url + path
        assert row["body"] == {"idempotency_key": row["idempotency_key"], **body}
        assert len(emulator.requests) == 0

    def test_dry_run_of_request_without_body_shows_null(self, truemed, emulator):
        (row,) = truemed("payments", "cancel", "s1", "--dry-run").rows

        assert (row["body"], row["idempotency_key"]) == (None, None)

    def test_dry_run_on_terminal_is_indented(self, truemed, terminal, emulator):
        done = truemed(*CREATE, "--payment-token", "tok", "--dry-run", out=terminal())

        assert len(done.out.splitlines()) > 10
        assert json.loads(done.out)["body"]["payment_token"] == "tok"

    def test_dry_run_starts_no_emulator(self, truemed):
        (row,) = truemed("--env", "emulator", "payments", "void", "s1", "--dry-run").rows

        assert row["url"] == "http://127.0.0.1/payments/v1/payment_session/s1/void"

    def test_dry_run_shows_server(self, truemed, monkeypatch):
        monkeypatch.setenv("TRUEMED_API_KEY", "some-api-key")

        (row,) = truemed("--env", "sandbox", "payments", "void", "s1", "--dry-run").rows

        assert row["url"].startswith("https://dev-api.truemed.com/payments/")

    @pytest.mark.parametrize(
        "target", [("--env", "sandbox"), ("--seed", "1"), ("--env", "emulator", "--base-url", "https://x.example")]
    )
    def test_dry_run_with_invalid_configuration_exits_2(self, truemed, target):
        assert truemed(*target, "payments", "void", "s1", "--dry-run").code == 2


class TestReading:
    def test_get_prints_one_document_per_id(self, truemed, captured):
        done = truemed("payments", "get", captured, "nobody", "no id")

        assert done.code == 1
        assert [(row["id"], row["status"], row["capture_amount"]) for row in done.rows] == [
            (captured, "captured", 10000)
        ]
        assert "error: nobody: " in done.err
        assert "error: argument 3: " in done.err
        assert "no id" not in done.err

    def test_get_on_terminal_shows_all_fields(self, truemed, terminal, captured):
        assert "status_summary" in truemed("payments", "get", captured, out=terminal()).out

    def test_list_supports_every_format(self, truemed, terminal, emulator, payments):
        payments.add(customer_email="sam@example.com", total_amount=1999, created_at=datetime(2026, 1, 2, tzinfo=UTC))
        payments.add(created_at=datetime(2026, 1, 1, tzinfo=UTC))

        arguments = ("payments", "list", "--search", "sam", "--page-size", "1")
        assert [row["total_amount"] for row in truemed(*arguments).rows] == [1999]
        assert [row["total_amount"] for row in json.loads(truemed(*arguments, "--format", "json").out)] == [1999]
        (row,) = csv.DictReader(io.StringIO(truemed(*arguments, "--format", "csv").out, newline=""))
        assert (row["total_amount"], row["customer_email"], row["order_items"]) == ("1999", "sam@example.com", "")
        table = truemed(*arguments, out=terminal(), err=terminal())
        assert "$19.99" in table.out
        assert table.err == "1 payment\n"

    def test_list_flags_include_items_and_refunds(self, truemed, captured):
        (row,) = truemed("payments", "list", "--include-order-items", "--summarize-refunds").rows

        assert (row["refund_amount"], row["order_items"]) == (0, [])

    def test_export_writes_every_payment(self, truemed, terminal, payments, tmp_path):
        for day in range(1, 29):
            payments.add(total_amount=day, created_at=datetime(2026, 1, day, tzinfo=UTC))
        path = tmp_path / "payments.csv"

        done = truemed("payments", "export", "--output", str(path), "--include-order-items", err=terminal())

        assert done.code == 0
        assert "28 payments (pending 28)" in done.err
        with path.open(newline="", encoding="utf-8") as file:
            assert [row["total_amount"] for row in csv.DictReader(file)] == [str(day) for day in range(28, 0, -1)]

    def test_export_with_since_and_pii_drop(self, truemed, terminal, payments):
        payments.add(customer_email="sam@example.com", created_at=datetime(2026, 1, 2, tzinfo=UTC))
        payments.add(created_at=datetime(2026, 1, 1, tzinfo=UTC))

        arguments = ("--since", "2026-01-02", "--pii", "drop", "--output")
        (row,) = truemed("payments", "export", *arguments, "-").rows
        assert row["created_at"].startswith("2026-01-02")
        assert not {"customer_email", "customer_name", "metadata", "payment_token"} & row.keys()

    def test_export_with_since_shows_progress_without_total(self, truemed, terminal, payments, tmp_path):
        payments.add()

        path = str(tmp_path / "new.jsonl")
        done = truemed("payments", "export", "--since", "2026-01-02", "--output", path, err=terminal())
        assert done.code == 0
        assert "/?" in done.err


def test_help_describes_amounts(truemed):
    done = truemed("payments", "refund", "--help")

    text = " ".join(done.out.split())
    assert "in dollars with both digits of the cents: 19.99 or 20.00" in text
    assert "--dry-run" in text
    assert "--no-dry-run" not in text


class TestStatusFilter:
    @pytest.fixture
    def mixed(self, emulator, payments):
        """Five captured and five pending payments in turn, the oldest first, one a day from October 28."""
        ids = [payments.add(created_at=datetime(2024, 10, 28, 12, tzinfo=UTC) + timedelta(days=n)) for n in range(10)]
        for id in ids[::2]:
            payments.submit(id)
            payments.approve(id)
        return ids

    def test_list_selects_a_page_of_the_status(self, truemed, mixed):
        pages = [
            truemed("payments", "list", "--status", "captured", "--page", str(page), "--page-size", "2").rows
            for page in (1, 2, 3, 4)
        ]
        assert [[row["id"] for row in page] for page in pages] == [
            [mixed[8], mixed[6]],
            [mixed[4], mixed[2]],
            [mixed[0]],
            [],
        ]

    def test_limit_of_a_status_costs_no_request_for_each_row(self, truemed, emulator, mixed):
        done = truemed("payments", "list", "--status", "captured", "--limit", "2")
        assert [row["id"] for row in done.rows] == [mixed[8], mixed[6]]
        assert done.err == ""  # no note about pages that are too small to overlap
        assert len(emulator.requests) == 1

    def test_export_selects_the_status_and_the_month(self, truemed, mixed):
        months = {
            month: truemed("payments", "export", "--status", "captured", "--month", month, "--output", "-").rows
            for month in ("2024-10", "2024-11", "2024-12")
        }
        assert [[row["id"] for row in rows] for rows in months.values()] == [
            [mixed[2], mixed[0]],
            [mixed[8], mixed[6], mixed[4]],
            [],
        ]

    def test_until_includes_its_day_and_excludes_its_moment(self, truemed, mixed):
        def exported(*options):
            return [row["id"] for row in truemed("payments", "export", "--output", "-", *options).rows]

        assert exported("--since", "2024-11-01", "--until", "2024-11-02") == [mixed[5], mixed[4]]
        assert exported("--until", "2024-10-28T12:00") == []
        assert exported("--until", "2024-10-28T12:00:00.001") == [mixed[0]]

    def test_progress_of_a_selection_has_no_total(self, truemed, mixed, terminal, tmp_path):
        path = tmp_path / "captured.csv"
        done = truemed("payments", "export", "--status", "captured", "--output", str(path), err=terminal())
        assert done.code == 0
        assert "/?" in done.err
        assert "5 payments (captured 5)" in done.err

    def test_help_says_that_the_client_selects(self, truemed):
        for command in ("list", "export"):
            help = " ".join(truemed("payments", command, "--help").out.replace("│", " ").split())
            assert "this command reads every payment and selects" in help


class TestHolds:
    def test_holds_are_listed_soonest_first(self, truemed, emulator, payments, terminal):
        now = datetime.now(UTC)
        ids = [payments.add(kind="authorization", created_at=now - timedelta(days=days)) for days in (1, 5, 3)]
        for id in ids:
            payments.submit(id)
        for id in ids[:2]:
            payments.approve(id)

        done = truemed("payments", "holds", "--within", "5d")
        assert [(row["id"], row["status"], row["can_capture"]) for row in done.rows] == [
            (ids[1], "authorized", True),
            (ids[2], "processing", False),
        ]
        assert all(row["is_inferred"] for row in done.rows)
        assert truemed("payments", "holds", "--within", "5d", "--look-back", "36h").rows == []
        person = truemed("payments", "holds", "--within", "5d", out=terminal(), err=terminal())
        assert ids[1] in person.out
        assert person.err.endswith("2 holds that may end within 5d\n")
        lines = list(csv.reader(io.StringIO(truemed("payments", "holds", "--within", "5d", "--format", "csv").out)))
        assert lines[0][:4] == ["id", "status", "total_amount", "ends_at"]
        assert datetime.fromisoformat(lines[1][3]) - now < timedelta(days=2)

    @pytest.mark.parametrize("within", ["5", "d", "0h", "1y"])
    def test_bad_duration_exits_2(self, truemed, emulator, within):
        done = truemed("payments", "holds", "--within", "5d", "--look-back", within)
        assert (done.code, done.err.split(" must be ")[0]) == (2, "error: --look-back")
        assert len(emulator.requests) == 0


class TestCancelStale:
    @pytest.fixture
    def stale(self, payments):
        """Two pending payments of last month, and one of now."""
        old = datetime.now(UTC) - timedelta(days=30)
        ids = [payments.add(created_at=old), payments.add(created_at=old)]
        payments.add()
        return sorted(ids)

    def test_dry_run_shows_and_cancels_none(self, truemed, emulator, stale):
        done = truemed("payments", "cancel-stale", "--older-than", "7d", "--dry-run")
        assert (done.code, sorted(row["id"] for row in done.rows)) == (0, stale)
        assert {row["result"] for row in done.rows} == {"planned"}
        assert done.err == "2 stale payments (planned 2)\n"
        assert writes(emulator) == []

    def test_confirmed_run_cancels_and_repeats_nothing(self, run_and_type, truemed, emulator, payments, stale):
        refused = run_and_type("n\n", "payments", "cancel-stale", "--older-than", "7d")
        assert (refused.code, refused.err) == (
            1,
            "Cancel every payment that is pending for 7d or longer? [y/N] nothing was sent\n",
        )
        assert len(emulator.requests) == 0
        done = run_and_type("y\n", "payments", "cancel-stale", "--older-than", "7d", "--format", "json")
        assert done.code == 0
        assert {row["result"] for row in json.loads(done.out)} == {"canceled"}
        assert [payments.get(id).status for id in stale] == ["canceled", "canceled"]
        again = truemed("payments", "cancel-stale", "--older-than", "7d", "--look-back", "60d", "--yes")
        assert (again.code, again.out, again.err) == (0, "", "0 stale payments\n")
        assert payments.count == 3
        assert (
            truemed("payments", "cancel-stale", "--older-than", "7d", "--yes", "--format", "csv").out.count("\n") == 1
        )

    def test_failure_exits_1_and_is_shown_in_its_row(self, truemed, emulator, stale, terminal):
        emulator.faults.add("status", code=500, route="payment_sessions.cancel")
        done = truemed("payments", "cancel-stale", "--older-than", "7d", "--yes")
        assert (done.code, {row["result"] for row in done.rows}) == (1, {"failed"})
        assert all("payment_sessions.cancel" in row["error"] for row in done.rows)
        assert {row["status"] for row in done.rows} == {"pending"}

    def test_session_that_cannot_be_read_again_is_shown_without_details(self, truemed, emulator, stale):
        emulator.faults.add("status", code=501, route="payment_sessions.get")
        done = truemed("payments", "cancel-stale", "--older-than", "7d", "--yes")
        assert (done.code, {(row["result"], row["status"]) for row in done.rows}) == (1, {("failed", None)})

    def test_without_terminal_it_needs_yes(self, truemed, emulator):
        done = truemed("payments", "cancel-stale", "--older-than", "7d")
        assert (done.code, "--yes" in done.err) == (2, True)


class TestRefundable:
    def test_refundable_shows_lines_and_total(self, truemed, emulator, payments, captured, terminal):
        payments.refund(captured, 1000)
        (row,) = truemed("payments", "refundable", captured).rows
        assert (row["captured_cents"], row["refunded_cents"], row["cents"], row["obstacle"]) == (
            10000,
            1000,
            9000,
            None,
        )
        output = truemed("payments", "refundable", captured, out=terminal()).out
        assert "captured_cents" in output
        assert "$90.00" in output


class TestWait:
    @pytest.mark.parametrize(("fixture", "status"), [("captured", "captured"), ("authorization", "authorized")])
    def test_decided_payment_exits_0(self, truemed, request, fixture, status):
        done = truemed("payments", "wait", request.getfixturevalue(fixture))
        assert (done.code, done.rows[0]["status"]) == (0, status)

    def test_rejected_payment_exits_1(self, truemed, payments):
        id = payments.add()
        payments.submit(id)
        payments.reject(id)
        done = truemed("payments", "wait", id)
        assert (done.code, done.rows[0]["status"]) == (1, "rejected")

    def test_undecided_payment_ends_in_time(self, truemed, payments):
        done = truemed("payments", "wait", payments.add(), "--wait", "1s")
        assert done.code == 1
        assert "neither final nor authorized after 1.0 seconds" in done.err

    @pytest.mark.parametrize("wait", ["0s", "5", "1d", "-1s"])
    def test_other_time_is_rejected_before_a_request(self, truemed, emulator, captured, wait):
        done = truemed("payments", "wait", captured, f"--wait={wait}")
        assert (done.code, len(emulator.requests)) == (2, 0)
        assert "--wait must be a number of hours, minutes or seconds" in done.err
