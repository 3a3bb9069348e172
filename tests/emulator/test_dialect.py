"""Each value of each axis of a dialect, as a client sees it on the wire."""

import base64
import hashlib
import hmac
import inspect
import json
import re
import threading
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import attrs
import pytest
from aiohttp import web

from tests.support.factories import CREATE, make_authorized, make_captured, order, session_path
from tests.support.waiting import TIMEOUT
from truemed_async.emulator import Dialect, Emulator, Fault

QUALIFICATIONS = "/api/v1/qualification_sessions"
DIALECT = "/_emulator/dialect"


@pytest.fixture
def speak(emulator):
    """Set fields of the dialect."""

    def speak(**fields):
        emulator.dialect = Dialect(**fields)

    return speak


@pytest.fixture
def rows(emulator):
    """Three sessions, the newest first."""
    return [emulator.state.qualification_sessions.add(status="pending") for _ in range(3)][::-1]


class TestDialect:
    def test_default_is_first_value_of_each_axis(self):
        assert Dialect().to_dict() == {name: values[0] for name, values in Dialect.axes().items()}

    def test_every_axis_has_several_values_and_a_description(self):
        for name, values in Dialect.axes().items():
            assert len(set(map(repr, values))) == len(values) > 1
            assert f"    {name}: " in inspect.getdoc(Dialect)

    @pytest.mark.parametrize("name", list(Dialect.axes()))
    def test_values_survive_json(self, name):
        for value in Dialect.axes()[name]:
            dialect = Dialect(**{name: value})
            assert Dialect.from_json(json.dumps(dialect.to_dict()).encode()) == dialect

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"{", "a dialect must be JSON"),
            (b"[]", "a dialect must be a JSON object"),
            (b'{"x": 1}', "a dialect has no x; it has pagination, pagination_names, "),
            (b'{"ties": "odd"}', "ties must be 'stable' or 'random', not 'odd'"),
            (b'{"ties": []}', "ties must be"),
            (b'{"page_size_limit": 31}', "page_size_limit must be 30 or 50 or 100 or null, not 31"),
            (b'{"byte_order_mark": 1}', "byte_order_mark must be true or false, not 1"),
        ],
    )
    def test_invalid_content_is_rejected(self, content, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            Dialect.from_json(content)


class TestSelection:
    def test_emulator_option_sets_dialect(self):
        assert Emulator(sessions=0, dialect=Dialect(times="no_zone")).dialect.times == "no_zone"

    def test_http_replaces_dialect(self, emulator, api):
        assert api.read(DIALECT).json["dialect"] == Dialect().to_dict()
        assert api.read(DIALECT).json["values"]["ties"] == ["stable", "random"]
        changed = api.send("PUT", DIALECT, {"ties": "random"})
        assert (changed.status, changed.json["dialect"]["ties"]) == (200, "random")
        assert emulator.dialect == Dialect(ties="random")
        assert api.send("PUT", DIALECT, {}).status == 200
        assert emulator.dialect == Dialect()

    def test_http_rejects_unknown_value(self, emulator, api):
        refused = api.send("PUT", DIALECT, {"ties": "odd"})
        assert (refused.status, refused.json["error"]) == (400, "ValidationError")
        assert "ties must be" in refused.json["message"]
        assert emulator.dialect == Dialect()


class TestPagination:
    @pytest.mark.parametrize(
        ("form", "expected"),
        [
            ("object", {"count": 3, "current_page": 2, "last_page": 3, "page_size": 1}),
            ("strings", {"count": "3", "current_page": "2", "last_page": "3", "page_size": "1"}),
            ("partial", {"current_page": 2, "page_size": 1}),
            ("null", None),
        ],
    )
    def test_pagination_has_form(self, speak, rows, api, form, expected):
        speak(pagination=form)
        assert api.list("?page=2&page_size=1").json["pagination"] == expected

    @pytest.mark.parametrize("fields", [{"pagination": "absent"}, {"pagination": "null", "null_members": "absent"}])
    def test_pagination_is_absent(self, speak, rows, api, fields):
        speak(**fields)
        assert list(api.list().json) == ["qualification_sessions"]

    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            ("count", ["count", "current_page", "last_page", "page_size"]),
            ("total_count", ["total_count", "current_page", "total_pages", "page_size"]),
            ("total", ["total", "page", "pages", "per_page"]),
            ("camel_case", ["totalCount", "currentPage", "lastPage", "pageSize"]),
        ],
    )
    def test_pagination_has_names(self, speak, rows, api, names, expected):
        speak(pagination_names=names)
        assert list(api.list().json["pagination"]) == expected

    @pytest.mark.parametrize(("key", "expected"), [("results", "results"), ("data", "data")])
    def test_list_key_replaces_documented_one(self, speak, rows, api, key, expected):
        speak(list_key=key)
        assert [row["qualification_session_id"] for row in api.list().json[expected]] == rows

    @pytest.mark.parametrize("limit", [30, 50, 100])
    def test_page_size_is_clamped(self, emulator, speak, api, limit):
        for _ in range(limit + 1):
            emulator.state.qualification_sessions.add()
        speak(page_size_limit=limit)
        page = api.list(f"?page_size={limit + 1}").json
        assert (len(page["qualification_sessions"]), page["pagination"]["page_size"]) == (limit, limit)
        assert api.list(f"?page_size={limit}").json["pagination"]["page_size"] == limit
        assert api.list("?page_size=x").status == api.list(f"?page_size={'9' * 5000}").status == 400

    def test_page_size_above_limit_is_rejected(self, speak, rows, api):
        speak(page_size_limit=30, page_size_handling="reject")
        refused = api.list("?page_size=31")
        assert (refused.status, refused.json["message"]) == (400, "page_size must be at most 30")
        assert api.list("?page_size=30").status == api.list().status == 200

    def test_page_size_is_ignored(self, speak, rows, api):
        speak(page_size_handling="ignore")
        assert api.list("?page_size=1").json["pagination"]["page_size"] == 30

    def test_sort_order_is_reversed(self, speak, rows, api):
        assert api.ids() == rows
        speak(sort_order="oldest_first")
        assert api.ids() == rows[::-1]
        assert api.ids("?page_size=1&page=2") == rows[1:2]

    @pytest.mark.parametrize("sort_order", ["newest_first", "oldest_first"])
    def test_ties_are_shuffled(self, emulator, speak, api, sort_order):
        same = emulator.clock.now()
        older = emulator.state.qualification_sessions.add(created_at=None)
        tied = {emulator.state.qualification_sessions.add(created_at=same) for _ in range(8)}
        speak(ties="random", sort_order=sort_order)
        pages = [api.ids() for _ in range(5)]
        assert len(set(map(tuple, pages))) > 1
        for page in pages:
            edge = page[-1] if sort_order == "newest_first" else page[0]
            assert (edge, set(page)) == (older, {older, *tied})

    @pytest.mark.parametrize(("form", "status"), [("empty", 200), ("not_found", 404), ("bad_request", 400)])
    def test_page_beyond_end_has_status(self, speak, rows, api, form, status):
        speak(page_beyond_end=form)
        assert api.list("?page=2").status == status
        assert api.list("?page=1").status == 200

    def test_faults_between_pages_work_in_every_dialect(self, emulator, speak, rows, api):
        speak(list_key="results", ids="integers")
        emulator.faults.add("delete_between_pages", times=1)
        api.list()
        assert emulator.state.qualification_sessions.count == 2


class TestErrors:
    @pytest.mark.parametrize("status", [401, 403, 400])
    @pytest.mark.parametrize(
        ("form", "content"),
        [
            ("error", {"error": "Unauthorized", "message": "x-truemed-api-key is missing or wrong"}),
            ("detail", {"detail": "x-truemed-api-key is missing or wrong"}),
            ("html", None),
            ("empty", b""),
        ],
    )
    def test_wrong_key_is_rejected(self, speak, api, status, form, content):
        speak(key_refusal_status=status, key_refusal_body=form)
        refused = api.send("GET", QUALIFICATIONS, headers={"x-truemed-api-key": "wrong"})
        assert refused.status == status
        if form == "html":
            assert refused.headers["Content-Type"] == "text/html"
            assert refused.content.startswith(b"<!DOCTYPE html>")
        else:
            assert (refused.content if form == "empty" else refused.json) == content

    @pytest.mark.parametrize(
        ("form", "expected"),
        [
            ("documented", {"error": "NotFound", "message": "M"}),
            ("errors", {"errors": [{"code": "NotFound", "message": "M"}]}),
            ("code_detail", {"code": "NotFound", "detail": "M"}),
            ("list", ["M"]),
        ],
    )
    def test_errors_have_shape(self, speak, api, form, expected):
        message = api.get("qs_none").json["message"]
        speak(error_body=form)
        refused = api.get("qs_none")
        assert refused.status == 404
        assert json.loads(refused.content.decode().replace(message, "M")) == expected

    def test_errors_are_text(self, speak, api):
        message = api.get("qs_none").json["message"]
        speak(error_body="text")
        refused = api.get("qs_none")
        assert (refused.status, refused.headers["Content-Type"]) == (404, "text/plain")
        assert refused.content.decode() == message

    def test_further_members_of_errors_stay(self, emulator, speak, api):
        speak(error_body="errors")
        emulator.faults.add("declined_422", redirect_url="https://x.example/")
        (error,) = api.post(CREATE, order()).json["errors"]
        assert error["redirect_url"] == "https://x.example/"

    @pytest.mark.parametrize(
        ("case", "expected"),
        [
            ("documented", "NotFound"),
            ("snake", "not_found"),
            ("screaming_snake", "NOT_FOUND"),
            ("lower", "notfound"),
        ],
    )
    def test_error_codes_have_case(self, speak, api, case, expected):
        speak(error_case=case)
        assert api.get("qs_none").json["error"] == expected

    def test_requests_refused_before_routing_speak_the_dialect(self, speak, api):
        speak(error_body="code_detail")
        assert api.post(CREATE, b"x" * (1024**2 + 1)).json["code"] == "PayloadTooLarge"

    @pytest.mark.parametrize("status", [400, 409, 422])
    def test_key_reuse_has_status(self, speak, api, status):
        speak(key_reuse_status=status)
        assert api.post(CREATE, order()).status == 200
        assert api.post(CREATE, order()).status == 200
        assert api.post(CREATE, order(customer_name="Other Example")).status == status
        assert api.post(CREATE, {}).status == 400

    @pytest.mark.parametrize(
        ("form", "headers"),
        [
            ("unchanged", {"Retry-After": "2.5"}),
            ("seconds", {"Retry-After": "3"}),
            ("none", {}),
            ("ratelimit", {"RateLimit-Limit": "100", "RateLimit-Remaining": "0", "RateLimit-Reset": "3"}),
        ],
    )
    def test_429_has_headers(self, emulator, speak, api, form, headers):
        speak(retry_after=form, byte_order_mark=True)
        emulator.faults.add("status", code=429, retry_after=2.5)
        sent = {name: value for name, value in api.list().headers.items() if name.startswith(("Rate", "Retry"))}
        assert sent == headers

    @pytest.mark.parametrize("value", ["soon", "9" * 400, None])
    def test_429_has_date(self, emulator, speak, api, value):
        speak(retry_after="date")
        emulator.faults.add("status", code=429, retry_after=value)
        response = api.list()
        at = parsedate_to_datetime(response.headers["Retry-After"]) - parsedate_to_datetime(response.headers["Date"])
        assert 0 <= at.total_seconds() <= 2

    def test_responses_of_faults_without_error_are_unchanged(self, emulator, speak, api):
        class Odd(Fault):
            def __init__(self, body):
                self.body = body

            async def before(self, exchange):
                return web.Response(status=400, body=self.body, content_type="application/json")

        speak(error_body="errors")
        for body in (b"{", b'{"odd": 1}', b"[]"):
            emulator.faults.add(Odd(body))
            assert api.list().content == body
            emulator.faults.clear()
        emulator.faults.add("empty_200")
        assert api.list().content == b""

    def test_pages_without_rows_are_unchanged(self, emulator, speak, api):
        speak(pagination="absent")
        emulator.faults.add("status", code=200, error="x", message="y")
        assert api.list().json == {"error": "x", "message": "y"}


class TestSuccess:
    @pytest.mark.parametrize("status", [200, 201, 202])
    def test_writes_have_status(self, emulator, speak, api, status):
        speak(success_status=status)
        assert api.post(CREATE, order()).status == status
        assert api.list().status == 200
        token = emulator.state.payment_tokens.add()
        assert api.post(f"/api/v1/payment_tokens/{token}/delete").status == 204

    @pytest.mark.parametrize(
        ("content_type", "success", "error"),
        [
            ("application/json", "application/json", "application/json"),
            ("application/json; charset=utf-8",) * 3,
            ("text/json",) * 3,
            ("application/problem+json", "application/json", "application/problem+json"),
        ],
    )
    def test_json_has_content_type(self, speak, rows, api, content_type, success, error):
        speak(content_type=content_type)
        assert api.list().headers["Content-Type"] == success
        assert api.get("qs_none").headers["Content-Type"] == error

    def test_json_has_byte_order_mark(self, speak, rows, api):
        speak(byte_order_mark=True)
        content = api.list().content
        assert content.startswith(b"\xef\xbb\xbf{")
        assert len(json.loads(content.decode("utf-8-sig"))["qualification_sessions"]) == 3


class TestValues:
    @pytest.mark.parametrize(
        ("form", "cents", "dollars", "fraction"),
        [
            ("documented", "60000", "30.0", "12.5"),
            ("double", "60000.0", "30.0", "12.5"),
            ("integer", "60000", "30", "12.5"),
            ("decimal_string", '"60000"', '"30.00"', '"12.50"'),
        ],
    )
    def test_amounts_have_form(self, emulator, speak, api, form, cents, dollars, fraction):
        session = api.post(CREATE, order()).json["id"]
        id = emulator.state.qualification_sessions.add(fee=30.0, eligible_amount=12.5)
        speak(amounts=form)
        assert f'"total_amount":{cents},' in api.read(session_path(session)).content.decode()
        content = api.get(id).content.decode()
        assert f'"fee":{dollars},' in content
        assert f'"eligible_amount":{fraction},' in content

    @pytest.mark.parametrize(
        ("form", "pattern"),
        [
            ("z", r"T\d\d:\d\d:\d\d\.\d{3}Z"),
            ("lower_z", r"T\d\d:\d\d:\d\d\.\d{3}z"),
            ("utc_offset", r"T\d\d:\d\d:\d\d\.\d{3}\+00:00"),
            ("local_offset", r"T\d\d:\d\d:\d\d\.\d{3}-05:00"),
            ("microseconds", r"T\d\d:\d\d:\d\d\.\d{6}Z"),
            ("nanoseconds", r"T\d\d:\d\d:\d\d\.\d{9}Z"),
            ("no_zone", r"T\d\d:\d\d:\d\d\.\d{3}"),
        ],
    )
    def test_times_have_format(self, emulator, speak, rows, api, form, pattern):
        speak(times=form)
        sent = api.get(rows[0]).json["created_at"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\d" + pattern, sent)
        if form == "local_offset":
            created = emulator.state.qualification_sessions.get(rows[0]).created_at
            assert datetime.fromisoformat(sent) == created

    def test_metadata_is_never_changed(self, speak, api):
        speak(times="no_zone", ids="integers", null_members="absent")
        metadata = "2026-01-01T00:00:00.000Z"
        session = api.post(CREATE, order(metadata=metadata)).json["id"]
        assert api.read(session_path(session)).json["metadata"] == metadata

    def test_ids_are_integers(self, emulator, speak, rows, api):
        speak(ids="integers")
        ids = api.ids()
        assert all(isinstance(id, int) and 0 < id < 2**53 for id in ids)
        assert api.get(ids[0]).json["qualification_session_id"] == ids[0]
        assert api.ids() == ids
        assert api.get("123").status == api.get("9" * 5000).status == 404

    @pytest.mark.parametrize("kind", [int, str])
    def test_integer_ids_are_accepted_in_bodies(self, emulator, speak, api, kind):
        speak(ids="integers")
        session = api.read("/payments/v1/payment_session/" + make_captured(emulator)).json["id"]
        refund = {"payment_id": kind(session), "amount": 1, "reason": "fraudulent", "idempotency_key": "k"}
        assert api.post("/payments/v1/refund", refund).status == 200
        assert api.post("/payments/v1/refund", b"{").status == 400
        assert api.post("/payments/v1/refund", b"[]").status == 400

    def test_null_members_are_absent(self, speak, rows, api):
        assert api.get(rows[0]).json["email"] is None
        speak(null_members="absent")
        session = api.get(rows[0]).json
        assert "email" not in session
        assert None not in session.values()

    @pytest.mark.parametrize(
        ("form", "pending", "approved"),
        [
            ("documented", "pending", "approved"),
            ("unknown", "created", "approved"),
            ("upper", "PENDING", "APPROVED"),
            ("capitalized", "Pending", "Approved"),
        ],
    )
    def test_statuses_have_spelling(self, emulator, speak, rows, api, form, pending, approved):
        other = emulator.state.qualification_sessions.add(status="approved")
        speak(statuses=form)
        assert (api.get(rows[0]).json["status"], api.get(other).json["status"]) == (pending, approved)
        assert api.ids(f"?status={pending}") == rows
        assert api.ids(f"?status={approved}") == [other]


@pytest.fixture
def deliver(emulator, merchant):
    """Deliver one event, and return its request and the endpoint."""

    def deliver(mode="signed", event="approve"):
        endpoint = emulator.webhooks.register(merchant.url, mode=mode)
        sent = len(merchant.requests)
        if event == "approve":
            sessions = emulator.state.qualification_sessions
            sessions.approve(sessions.add(status="processing"))
        elif event == "review":
            emulator.state.catalog_items.review(emulator.state.catalog_items.add(), "eligible")
        elif event == "token":
            token = emulator.state.payment_tokens.add()
            emulator.state.payment_tokens.fail_next_charge(token)
            emulator.state.payment_tokens.resolve_failure(token)
        else:
            make_authorized(emulator)
        return merchant.wait(sent + 1)[-1], endpoint

    return deliver


class TestWebhooks:
    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            ("dashboard", "qualification_status.updated"),
            ("guide", "qualification_session.completed"),
            ("reference", "qualification_session_complete"),
            ("unknown", "qualification_session.status_updated"),
        ],
    )
    def test_event_type_has_spelling(self, speak, deliver, names, expected):
        speak(event_names=names)
        request, _ = deliver()
        assert request.json["event_type"] == expected

    def test_flat_event_type_has_spelling(self, speak, deliver):
        speak(event_names="unknown", times="lower_z")
        request, _ = deliver("unsigned", "review")
        assert set(request.json) == {"event_type", "timestamp", "data"}
        assert request.json["event_type"] == "product_catalog.item.reviewed"
        assert request.json["timestamp"].endswith("z")

    def test_flat_payload_has_no_event_type(self, speak, deliver):
        speak(event_names="unknown")
        request, _ = deliver("unsigned")
        assert "event_type" not in request.json

    @pytest.mark.parametrize(
        ("form", "members"),
        [
            ("documented", {"webhook_delivery_id", "event_type", "data"}),
            ("extended", {"webhook_delivery_id", "event_type", "data", "created_at", "api_version", "livemode"}),
            ("renamed", {"id", "type", "data"}),
            ("nested", {"webhook_delivery_id", "event_type", "data"}),
        ],
    )
    def test_envelope_has_members(self, emulator, speak, deliver, form, members):
        speak(envelope=form)
        request, _ = deliver()
        assert set(request.json) == members
        assert emulator.webhooks.deliveries[0].id in request.json.values()
        payload = request.data["object"] if form == "nested" else request.data
        assert payload["status"] == "approved"

    def test_nested_catalog_payload_is_nested_once(self, speak, deliver):
        speak(envelope="nested")
        request, _ = deliver(event="review")
        assert request.data["object"]["eligibility"] == "eligible"

    @pytest.mark.parametrize("name", ["payment_session_id", "payment_id", "id"])
    @pytest.mark.parametrize("mode", ["signed", "unsigned"])
    def test_session_id_has_name(self, emulator, speak, deliver, merchant, name, mode):
        speak(session_id_name=name, statuses="upper")
        deliver(mode, "payment")
        payload = merchant.wait(1)[0]
        data = payload.data if mode == "signed" else payload.json
        ids = {"payment_session_id", "payment_id", "id"} & set(data)
        assert ids == {name}
        assert data["status"] in {"PROCESSING", "AUTHORIZED"}

    def test_payload_speaks_the_dialect(self, speak, deliver):
        speak(ids="integers", times="no_zone", null_members="absent")
        request, _ = deliver()
        assert isinstance(request.data["qualification_session_id"], int)
        assert "user_id" not in request.data
        assert not request.data["expires_at"].endswith("Z")


def fields_of(header, separator, blanks):
    assert (" = " in header) == (blanks == "around_equals")
    parts = header.replace(" = ", "=").split(separator + (" " if blanks == "after_separator" else ""))
    return [part.split("=", 1) for part in parts]


DECODERS = {
    "hex": lambda text: bytes.fromhex(text) if text == text.lower() else b"",
    "upper_hex": lambda text: bytes.fromhex(text) if text == text.upper() else b"",
    "base64": base64.b64decode,
    "base64url": base64.urlsafe_b64decode,
}
SIGNATURE_AXES = [name for name in Dialect.axes() if name.startswith("signature_")]


class TestSignature:
    @pytest.mark.parametrize(
        ("axis", "value"), [(axis, value) for axis in SIGNATURE_AXES for value in Dialect.axes()[axis]]
    )
    def test_header_has_grammar(self, speak, deliver, axis, value):
        dialect = Dialect(**{axis: value})
        speak(**{axis: value})
        request, endpoint = deliver()
        (header,) = request.all("x-truemed-signature")
        fields = fields_of(header, dialect.signature_separator, dialect.signature_blanks)
        names = [name for name, _ in fields]
        other = ["v0"] if dialect.signature_values == "with_other_label" else []
        labels = [*other, dialect.signature_label]
        assert names == (["t", *labels] if dialect.signature_order == "timestamp_first" else [*labels, "t"])
        timestamp, signature = dict(fields)["t"], dict(fields)[dialect.signature_label]
        assert re.fullmatch(
            {"seconds": r"\d{10}", "milliseconds": r"\d{13}", "iso8601": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"}[
                dialect.signature_time
            ],
            timestamp,
        )
        expected = hmac.new(
            endpoint.secrets[0].encode(), timestamp.encode() + b"." + request.body, hashlib.sha256
        ).digest()
        decode = DECODERS[dialect.signature_encoding]
        assert decode(signature) == expected
        for name in other:
            assert decode(dict(fields)[name]) != expected

    def test_other_label_differs_from_signature_label(self, speak, deliver):
        speak(signature_label="v0", signature_values="with_other_label")
        request, _ = deliver()
        (header,) = request.all("x-truemed-signature")
        assert [name for name, _ in fields_of(header, ",", "none")] == ["t", "v1", "v0"]


class Verified(BaseHTTPRequestHandler):
    """Records requests of any method, and responds 204."""

    def respond(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.received.append((self.command, self.headers, body))
        self.send_response(204)
        self.end_headers()

    do_GET = do_HEAD = do_POST = respond  # noqa: N815 - the names that http.server calls

    def log_message(self, *_):
        pass


@pytest.fixture
def verified():
    with HTTPServer(("127.0.0.1", 0), Verified) as server:
        server.received = []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class TestEndpointVerification:
    @pytest.mark.parametrize("method", ["get", "head", "post"])
    def test_new_endpoint_gets_request(self, emulator, speak, verified, method):
        speak(endpoint_verification=method)
        endpoint = emulator.webhooks.register(f"http://127.0.0.1:{verified.server_port}/hook")
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        ((command, headers, body),) = verified.received
        assert command == method.upper()
        assert emulator.webhooks.verifications == {endpoint.id: 204}
        assert emulator.webhooks.deliveries == ()
        if method == "post":
            assert json.loads(body)["event_type"] == "webhook.test"
            assert headers["x-truemed-signature"].startswith("t=")
        else:
            assert (body, headers["x-truemed-signature"]) == (b"", None)

    def test_failure_has_no_consequence(self, emulator, speak, merchant):
        speak(endpoint_verification="post")
        merchant.plan = ["close"]
        endpoint = emulator.webhooks.register(merchant.url)
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        assert emulator.webhooks.verifications == {endpoint.id: "ServerDisconnectedError"}
        assert emulator.webhooks.endpoints == (endpoint,)

    def test_end_of_emulator_aborts_it(self, merchant):
        merchant.plan = ["hang"]
        with Emulator(sessions=0, dialect=Dialect(endpoint_verification="post")) as emulator:
            endpoint = emulator.webhooks.register(merchant.url)
            merchant.wait(1)
            assert emulator.webhooks.waiting == 1
        assert emulator.webhooks.verifications == {endpoint.id: "aborted"}
        assert emulator.webhooks.waiting == 0

    def test_none_by_default(self, emulator, merchant):
        emulator.webhooks.register(merchant.url)
        assert emulator.webhooks.wait_until_idle(TIMEOUT)
        assert (merchant.requests, emulator.webhooks.verifications) == ([], {})


def test_every_axis_is_tested():
    """A new axis needs a test above that names it."""
    source = Path(__file__).read_text(encoding="utf-8")
    missing = [field.name for field in attrs.fields(Dialect) if f"{field.name}=" not in source]
    assert [name for name in missing if name not in SIGNATURE_AXES] == []
