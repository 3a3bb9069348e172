"""``truemed webhooks``."""

import importlib
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from yarl import URL

from tests.support.webhook_endpoint import Merchant
from tests.support.webhook_payloads import (
    SECRET,
    encode_json,
    make_capture_body,
    make_secret_headers,
    make_signed_headers,
)
from truemed_async.cli.webhooks import WebhookEvent
from truemed_async.webhooks import EventType
from truemed_async.webhooks.postgres import SCHEMA

BODY = make_capture_body()


@pytest.fixture
def explain(truemed, tmp_path, monkeypatch):
    """Return a function that saves a delivery and explains it."""
    monkeypatch.setenv("TRUEMED_WEBHOOK_SECRET", SECRET)

    def explain(body, headers, *options):
        (tmp_path / "body").write_bytes(body)
        (tmp_path / "headers").write_bytes(headers)
        return truemed(
            "webhooks", "explain", "--body", str(tmp_path / "body"), "--headers", str(tmp_path / "headers"), *options
        )

    return explain


def as_lines(headers):
    return "POST /webhooks HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"


class TestExplain:
    @pytest.mark.parametrize("write", [json.dumps, as_lines, lambda h: json.dumps({k: [v] for k, v in h.items()})])
    def test_accepted_delivery_exits_0(self, explain, write):
        done = explain(BODY, write(make_signed_headers(BODY)).encode())
        assert (done.code, done.err) == (0, "")
        lines = [line.split(maxsplit=2) for line in done.out.splitlines()]
        assert [line[:2] for line in lines] == [
            ["ok", name] for name in ("size", "header", "signature", "age", "body", "event")
        ]
        assert lines[-1][2] == "PaymentSessionUpdated, by its name"

    def test_refused_delivery_exits_1(self, explain):
        done = explain(BODY + b"\n", json.dumps(make_signed_headers(BODY)).encode())
        assert done.code == 1
        assert done.out.splitlines()[-1].startswith("failed  signature  the signature does not match")
        assert "final line break" in done.out

    def test_unsigned_delivery_needs_mode(self, explain):
        headers = as_lines(make_secret_headers()).encode()
        assert "created with mode='unsigned'?" in explain(encode_json({"a": 1}), headers).out
        assert explain(encode_json({"a": 1}), headers, "--mode", "unsigned").code == 0

    def test_repeated_header_line_is_seen(self, explain):
        headers = as_lines(make_signed_headers(BODY)).rstrip("\r\n") + "\r\nX-Truemed-Signature: t=1\r\n"
        assert "sent 2 times" in explain(BODY, headers.encode()).out

    def test_values_are_not_shown(self, explain):
        for headers in (make_signed_headers(BODY), make_signed_headers(BODY, "another"), make_secret_headers()):
            done = explain(BODY, json.dumps(headers).encode())
            for value in (SECRET, "2607001444", "pt_1", "ps_1", "whd_1", *headers.values()):
                assert value not in done.out + done.err

    @pytest.mark.parametrize("headers", [b"{", b'{"a": 1]'])
    def test_unreadable_headers_exit_2(self, explain, headers):
        done = explain(BODY, headers)
        assert (done.code, done.out) == (2, "")
        assert "--headers must be" in done.err

    def test_missing_secret_exits_2(self, explain, monkeypatch):
        monkeypatch.delenv("TRUEMED_WEBHOOK_SECRET")
        done = explain(BODY, b"{}")
        assert (done.code, done.err) == (2, "error: set TRUEMED_WEBHOOK_SECRET to the secret of the webhook\n")

    def test_missing_file_exits_1(self, truemed, monkeypatch, tmp_path):
        monkeypatch.setenv("TRUEMED_WEBHOOK_SECRET", SECRET)
        done = truemed("webhooks", "explain", "--body", str(tmp_path / "a"), "--headers", str(tmp_path / "b"))
        assert (done.code, done.err) == (1, "error: No such file or directory\n")


class TestSchema:
    def test_prints_the_sql(self, truemed):
        done = truemed("webhooks", "schema", "postgres")
        assert (done.code, done.out) == (0, SCHEMA)

    def test_without_the_driver_names_the_extra(self, truemed, monkeypatch):
        monkeypatch.setitem(sys.modules, "truemed_async.webhooks.postgres", None)
        done = truemed("webhooks", "schema", "postgres")
        assert done.code != 0
        assert "pip install 'truemed-async[postgres]'" in done.err


class TestCatchUp:
    PROGRAM = """
from truemed_async.webhooks import {kind}, MemoryDedupStore

class shop:
    events = []
    failures = []
    def handle(event):
        if shop.failures:
            raise shop.failures.pop()
        shop.events.append(event)
    receiver = {kind}(handle, secrets="the-secret", store=MemoryDedupStore())
"""

    @pytest.fixture(params=["Receiver", "AsyncReceiver"])
    def program(self, request, tmp_path, monkeypatch):
        """A program in the working directory."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
        (tmp_path / "my_shop.py").write_text(self.PROGRAM.format(kind=request.param), encoding="utf-8")
        monkeypatch.delitem(sys.modules, "my_shop", raising=False)
        importlib.invalidate_caches()
        yield lambda: sys.modules["my_shop"].shop
        sys.modules.pop("my_shop", None)

    @pytest.fixture
    def catch_up(self, truemed):
        since = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M}"
        return lambda *options: truemed("webhooks", "catch-up", "my_shop:shop.receiver", "--since", since, *options)

    def test_missed_changes_reach_the_programs_handler_once(self, emulator, program, catch_up):
        sessions = emulator.state.qualification_sessions
        sessions.approve(sessions.add(status="processing"))
        first, second = catch_up(), catch_up("--look-back", "2w")
        assert (first.code, second.code, first.err) == (0, 0, "")
        assert first.rows == [{"handled": 1, "duplicate": 0, "in_progress": 0, "failed": 0}]
        assert second.rows == [{"handled": 0, "duplicate": 1, "in_progress": 0, "failed": 0}]
        assert [event.data.status for event in program().events] == ["approved"]

    def test_failed_handler_exits_with_1(self, emulator, program, catch_up):
        sessions = emulator.state.qualification_sessions
        assert catch_up().code == 0
        sessions.approve(sessions.add(status="processing"))
        program().failures.append(RuntimeError("closed"))
        assert [catch_up().code, catch_up().code] == [1, 0]

    def test_unknown_provision_request_is_reported(self, emulator, program, catch_up):
        done = catch_up("--provision-token-request", "ptr_unknown")
        assert (done.code, done.err.startswith("error: ")) == (1, True)

    @pytest.mark.parametrize(
        ("place", "message"),
        [
            ("my_shop", "RECEIVER must be MODULE:NAME"),
            ("my_shop:a b", "RECEIVER must be MODULE:NAME"),
            ("no_such_module:receiver", "there is no module no_such_module here"),
            ("my_shop.inner:receiver", "there is no module my_shop.inner here"),
            ("my_shop:shop", "my_shop:shop is no Receiver or AsyncReceiver"),
            ("my_shop:nothing", "my_shop:nothing is no Receiver or AsyncReceiver"),
        ],
    )
    def test_place_without_receiver_is_refused(self, emulator, program, truemed, place, message):
        done = truemed("webhooks", "catch-up", place, "--since", "2026-11-01")
        assert done.code == 2
        assert message in done.err
        assert not emulator.requests

    def test_module_that_the_program_lacks_is_not_blamed_on_its_name(self, emulator, program, truemed, tmp_path):
        (tmp_path / "my_shop.py").write_text("import no_such_module", encoding="utf-8")
        with pytest.raises(ModuleNotFoundError, match="no_such_module"):
            truemed("webhooks", "catch-up", "my_shop:receiver", "--since", "2026-11-01")

    def test_invalid_periods_are_refused(self, emulator, program, truemed):
        for options, name in ((("--since", "soon"), "--since"), (("--since", "2026-11-01", "--look-back", "x"), "--look-back")):  # fmt: skip
            done = truemed("webhooks", "catch-up", "my_shop:shop.receiver", *options)
            assert (done.code, name in done.err) == (2, True)


@pytest.fixture
def merchant():
    merchant = Merchant()
    yield merchant
    merchant.close()


class TestTrigger:
    @pytest.fixture(autouse=True)
    def secret(self, monkeypatch):
        monkeypatch.setenv("TRUEMED_WEBHOOK_SECRET", SECRET)

    def test_delivery_is_signed_and_its_status_shown(self, truemed, merchant):
        done = truemed("webhooks", "trigger", "payment_session_complete", "--to", merchant.url, "status=rejected", "capture_amount=5", "metadata=a=b")  # fmt: skip
        (request,) = merchant.requests
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("204 in 0.")
        assert request.is_signed(SECRET)
        assert request.json["event_type"] == "payment_session_complete"
        assert {name: request.data[name] for name in ("status", "capture_amount", "metadata")} == {
            "status": "rejected", "capture_amount": 5, "metadata": "a=b",
        }  # fmt: skip

    @pytest.mark.parametrize("status", [302, 500])
    def test_other_status_exits_1(self, truemed, merchant, status):
        merchant.plan = [status]
        done = truemed("webhooks", "trigger", "payment_token_updated", "--to", merchant.url)
        assert (done.code, done.out.split()[0]) == (1, str(status))

    def test_repeated_command_sends_the_same_delivery_id(self, truemed, merchant):
        for _ in range(2):
            truemed("webhooks", "trigger", "qualification_session_complete", "--to", merchant.url)
        truemed("webhooks", "trigger", "qualification_session_complete", "--to", merchant.url, "--delivery-id", "whd_7")
        ids = [request.json["webhook_delivery_id"] for request in merchant.requests]
        assert ids[0] == ids[1] != ids[2] == "whd_7"

    def test_dry_run_needs_no_secret_and_sends_nothing(self, truemed, merchant, monkeypatch):
        monkeypatch.delenv("TRUEMED_WEBHOOK_SECRET")
        done = truemed("webhooks", "trigger", "payment_session_complete", "--to", merchant.url, "--dry-run")
        assert (done.code, json.loads(done.out)["event_type"], merchant.requests) == (0, "payment_session_complete", [])

    def test_missing_secret_is_named_before_anything_is_sent(self, truemed, merchant, monkeypatch):
        monkeypatch.delenv("TRUEMED_WEBHOOK_SECRET")
        done = truemed("webhooks", "trigger", "payment_session_complete", "--to", merchant.url)
        assert (done.code, merchant.requests) == (2, [])
        assert "set TRUEMED_WEBHOOK_SECRET" in done.err

    @pytest.mark.parametrize("url", ["ftp://shop.example/", "shop.example/webhooks", "https://", "http://[::1"])
    def test_url_of_another_form_is_rejected(self, truemed, url):
        done = truemed("webhooks", "trigger", "payment_session_complete", "--to", url)
        assert done.code == 2
        assert "--to must be a URL that begins with http:// or https://" in done.err

    @pytest.mark.parametrize("member", ["status", "=1", "secret=sam", "order.id=1"])
    def test_member_of_another_form_is_rejected_without_its_value(self, truemed, merchant, member):
        done = truemed("webhooks", "trigger", "payment_session_complete", "--to", merchant.url, member)
        assert (done.code, merchant.requests) == (2, [])
        assert "members must be NAME=VALUE" in done.err
        assert "sam" not in done.err

    def test_unknown_event_is_corrected(self, truemed):
        done = truemed("webhooks", "trigger", "payment_session_completed", "--to", "http://127.0.0.1:1/")
        assert done.code == 2
        assert 'did you mean "payment_session_complete"?' in done.err

    def test_events_are_those_of_the_library(self):
        assert set(get_args(WebhookEvent)) == {each.value for each in EventType} - {"unknown"}

    def test_endpoint_that_breaks_the_connection_is_named(self, truemed, merchant):
        merchant.plan = ["reset"]
        done = truemed("webhooks", "trigger", "payment_session_complete", "--to", merchant.url)
        assert done.code == 1
        assert f"the endpoint at 127.0.0.1:{URL(merchant.url).port} cannot be reached" in done.err

    def test_endpoint_that_hangs_is_given_up(self, truemed, merchant, monkeypatch):
        monkeypatch.setattr("truemed_async.cli.endpoint.SEND_TIMEOUT", 0.2)
        merchant.plan = ["hang"]
        done = truemed("webhooks", "trigger", "payment_session_complete", "--to", merchant.url)
        assert done.code == 1
        assert "did not respond within 0.2 seconds" in done.err
