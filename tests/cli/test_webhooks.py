"""``truemed webhooks``."""

import json
import sys

import pytest

from tests.support.webhook_payloads import SECRET, captured, carrying, signed, written
from truemed_async.webhooks.postgres import SCHEMA

BODY = captured()


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
        done = explain(BODY, write(signed(BODY)).encode())
        assert (done.code, done.err) == (0, "")
        lines = [line.split(maxsplit=2) for line in done.out.splitlines()]
        assert [line[:2] for line in lines] == [
            ["ok", name] for name in ("size", "header", "signature", "age", "body", "event")
        ]
        assert lines[-1][2] == "PaymentSessionUpdated, by its name"

    def test_refused_delivery_exits_1(self, explain):
        done = explain(BODY + b"\n", json.dumps(signed(BODY)).encode())
        assert done.code == 1
        assert done.out.splitlines()[-1].startswith("failed  signature  the signature does not match")
        assert "final line break" in done.out

    def test_unsigned_delivery_needs_mode(self, explain):
        headers = as_lines(carrying()).encode()
        assert "created with mode='unsigned'?" in explain(written({"a": 1}), headers).out
        assert explain(written({"a": 1}), headers, "--mode", "unsigned").code == 0

    def test_repeated_header_line_is_seen(self, explain):
        headers = as_lines(signed(BODY)).rstrip("\r\n") + "\r\nX-Truemed-Signature: t=1\r\n"
        assert "sent 2 times" in explain(BODY, headers.encode()).out

    def test_values_are_not_shown(self, explain):
        for headers in (signed(BODY), signed(BODY, "another"), carrying()):
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
