"""Servers that do not respond, refuse, break or lie: there is always a report, and nobody's data in it."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
from datetime import UTC, datetime

import pytest
import trustme
from aiohttp import web
from hypothesis import HealthCheck, given, settings, strategies as st
from multidict import CIMultiDict

from tests.diagnostics.conftest import examine
from tests.integration.test_emulator_faults import EXPECTED, PARAMETERS
from tests.support.canary import EMAIL, NAME, USER_ID, found_in_error, leaks
from tests.support.recording_server import KEY
from tests.support.scale import scale
from truemed_async import AsyncTruemed, Timeouts, endpoints
from truemed_async._core.response import RawResponse
from truemed_async.diagnostics import examine_server
from truemed_async.diagnostics._analysis import analyze
from truemed_async.diagnostics._responses import Observations, Reply, find_id
from truemed_async.emulator import Dialect, Emulator, Fault
from truemed_async.errors import ClientClosedError, InvalidArgumentError

SHORT = Timeouts(connect=0.2, attempt=0.2)


@pytest.fixture
def emulator():
    with Emulator(sessions=40, payment_sessions=5, payment_tokens=2, catalog_items=2) as emulator:
        yield emulator


def checks_of(report):
    return {check.name: check for check in report.checks}


# --- reads only ---------------------------------------------------------------------------------------------------


def test_examination_only_reads(emulator):
    before = emulator.state.dump()
    report = examine(emulator)
    assert emulator.state.dump() == before
    writes = {request.path for request in emulator.requests if request.method != "GET"}
    assert writes == {endpoints.GET_CATALOG_ITEM.path}
    assert report.requests == emulator.requests.count()


def test_arguments_are_checked(emulator):
    async def run(client, **options):
        await examine_server(client, **options)

    with pytest.raises(InvalidArgumentError, match="client must be an AsyncTruemed, not str"):
        asyncio.run(run("x"))
    with pytest.raises(InvalidArgumentError, match="timeout must be"):
        asyncio.run(run(AsyncTruemed(KEY), timeout=0))


def test_progress_grows_up_to_its_total(emulator):
    seen = []

    async def run():
        async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
            await examine_server(client, progress=lambda done, total: seen.append((done, total)))

    asyncio.run(run())
    assert [done for done, _ in seen] == [*range(1, len(seen) + 1)]
    assert {total for _, total in seen} == {len(seen)}


def test_first_object_of_each_list_is_read_by_its_id(emulator):
    emulator.state.payment_sessions.add(payment_token="ptok_1", created_at=datetime(2030, 1, 1, tzinfo=UTC))
    found = checks_of(examine(emulator))
    names = ("qualification_sessions.get", "payment_sessions.get", "payment_tokens.get", "catalog_items.get")
    assert [found[name].detail for name in names] == ["1 read"] * 4


# --- connections --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 400])
def test_wrong_key_of_the_client_is_a_failed_check(emulator, status):
    emulator.dialect = Dialect(key_refusal_status=status, key_refusal_body="detail")

    async def run():
        async with AsyncTruemed(KEY, base_url=emulator.url) as client:
            return await examine_server(client)

    report = asyncio.run(run())
    key = checks_of(report)["key"]
    assert (report.passed, key.status, str(status) in key.detail) == (False, "failed", True)
    assert (report.dialect["key_refusal_status"], report.dialect["key_refusal_body"]) == (status, "detail")
    assert not leaks(json.dumps(report.to_dict()))


def test_server_that_does_not_listen_is_a_failed_check(free_port):
    async def run():
        async with AsyncTruemed(KEY, base_url=f"http://127.0.0.1:{free_port}") as client:
            return await examine_server(client)

    report = asyncio.run(run())
    assert (
        checks_of(report)["response"].detail
        == f"no connection to 127.0.0.1:{free_port} (Connection refused): is the emulator running?"
    )
    assert (report.passed, report.dialect, report.fields) == (False, {}, ())


@pytest.mark.parametrize(
    ("server", "name"),
    [({"base_url": "https://shop.example"}, "another server"), ({"environment": "sandbox"}, "sandbox")],
)
def test_unknown_host_is_a_failed_check(monkeypatch, server, name):
    def refuse(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    async def run():
        async with AsyncTruemed(KEY, **server, timeout=SHORT) as client:
            return await examine_server(client)

    report = asyncio.run(run())
    assert checks_of(report)["DNS"].detail == "the host name cannot be resolved"
    assert (report.server, report.passed) == (name, False)


def test_proxies_are_described_without_their_addresses(emulator, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"http://{USER_ID}@127.0.0.1:9")
    proxy = checks_of(examine(emulator))["proxy"]
    assert (proxy.status, proxy.detail) == ("differs", "none; the client ignores HTTPS_PROXY: pass proxy=…")
    report = examine(emulator, proxy=f"http://{USER_ID.replace('@', '%40')}@127.0.0.1:9", timeout=SHORT)
    assert checks_of(report)["proxy"].detail.startswith("the client uses one")
    assert not leaks(json.dumps(report.to_dict()))


def contexts():
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client


def test_tls_is_described():
    server, client = contexts()
    with Emulator(sessions=2, tls=server) as emulator:
        assert checks_of(examine(emulator, ssl_context=client))["TLS"].detail.startswith("TLSv1.")
        report = examine(emulator)
        assert checks_of(report)["TLS"].detail == "the certificate was not accepted"
        assert checks_of(report)["response"].detail == "the server's certificate was not accepted"
        with emulator.faults.add("tls_handshake_stall"):
            report = examine(emulator, ssl_context=client, timeout=SHORT)
        assert checks_of(report)["TLS"].detail == "no connection"


def test_server_without_tls_fails_the_handshake(emulator):
    async def run():
        url = emulator.url.replace("http://", "https://")
        async with AsyncTruemed(emulator.api_key, base_url=url) as client:
            return await examine_server(client)

    assert checks_of(asyncio.run(run()))["TLS"].detail == "the handshake failed"


def test_borrowed_session_is_used_and_stays_open(emulator):
    async def run():
        import aiohttp

        async with aiohttp.ClientSession() as session:
            client = AsyncTruemed(emulator.api_key, base_url=emulator.url, session=session)
            report = await examine_server(client)
            return report, session.closed

    report, closed = asyncio.run(run())
    assert (report.passed, closed, "DNS" in checks_of(report)) == (True, False, False)


class Header(Fault):
    """Sets a header of each response."""

    def __init__(self, **headers):
        self.headers = headers

    async def after(self, exchange, response):
        for name, value in self.headers.items():
            response.headers[name.replace("_", "-")] = value
        return response


@pytest.mark.parametrize(
    ("date", "status"),
    [
        ("Sun, 01 Nov 2026 00:00:00 GMT", "differs"),
        ("Wed, 01 Nov 2034 00:00:00 GMT", "differs"),
        ("yesterday", "unknown"),
    ],
)
def test_clock_is_compared_with_the_date_header(emulator, date, status):
    emulator.faults.add(Header(Date=date))
    assert checks_of(examine(emulator))["clock"].status == status


def test_headers_are_named(emulator):
    emulator.faults.add(Header(X_Request_Id=EMAIL, X_RateLimit_Limit="canary-key"))
    found = checks_of(examine(emulator))
    assert (found["request id"].detail, found["rate limit"].detail) == ("x-request-id", "x-ratelimit-limit")


def test_examination_stops_when_its_time_is_over(emulator):
    async def run():
        async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
            with emulator.faults.add("latency", seconds=0.1):
                return await examine_server(client, timeout=0.15)

    report = asyncio.run(run())
    assert checks_of(report)["requests"].status == "failed"
    assert report.requests < 5
    assert not report.passed


# --- broken servers -----------------------------------------------------------------------------------------------

SAMPLE = ["bomb", "deep_json", "hang", "html_error_page", "null_pagination", "redirect", "unexpected_204", "wrong_type"]


def logged(caplog):
    return " ".join(record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("name", scale(SAMPLE, sorted(EXPECTED)))
def test_any_fault_gives_a_report(emulator, caplog, name):
    caplog.set_level(logging.DEBUG)
    emulator.faults.add(name, **PARAMETERS.get(name, {}))
    report = examine(emulator, timeout=SHORT)
    assert report.checks[0].name == "proxy"
    assert json.loads(json.dumps(report.to_dict()))["sentence"]
    assert report.dialect.keys() | report.not_observed.keys() == Dialect.axes().keys()
    Dialect.from_dict(dict(report.dialect))


# --- nobody's data ------------------------------------------------------------------------------------------------

URL = "https://pictures.example/canary.person"
HIDDEN = {
    "customer": EMAIL,
    "nick_name": NAME,
    "photo": URL,
    EMAIL: 1,
    "Quimby Canaryson": {"a": NAME},
    "canaryson": True,
}


class Canaries(Fault):
    """Puts personal values and names into every place of a response that a report looks at."""

    async def after(self, exchange, response):
        if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
            return response
        document = json.loads(response.body)
        for index, part in enumerate(parts_of(document)):
            part.update(HIDDEN if index % 2 else {**HIDDEN, f"canaryson{index}": index})
            for name in ("email", "user_name", "customer_email", "source", "user_id"):
                part[name] = EMAIL if index else NAME.lower()
            if index % 3 == 1:
                part["status"] = part["kind"] = part["type"] = EMAIL
            if index % 3 == 2:
                part["created_at"] = part["expires_at"] = f"{EMAIL} T"
            part["error"], part["code"] = EMAIL, NAME
        response.body = json.dumps(document).encode()
        response.headers["X-Request-Id"] = response.headers["Server"] = EMAIL
        return response


def parts_of(document):
    """Yield every object of a document."""
    rest = [document]
    while rest:
        part = rest.pop(0)
        if isinstance(part, dict):
            rest.extend(part.values())
            yield part
        elif isinstance(part, list):
            rest.extend(part)


@pytest.mark.parametrize(
    "dialect", [Dialect(), Dialect(pagination_names="total", ids="integers", error_body="errors", list_key="data")], ids=["", "odd"]
)  # fmt: skip
def test_no_value_is_in_a_report(emulator, caplog, dialect):
    caplog.set_level(logging.DEBUG)
    emulator.dialect = dialect
    emulator.faults.add(Canaries())
    report = examine(emulator)
    output = f"{json.dumps(report.to_dict())} {report!r} {logged(caplog)}"
    ids = [row.qualification_session_id for row in emulator.state.qualification_sessions.rows]
    assert not leaks(output, ("canary", "quimby", *ids, emulator.api_key))
    assert "nick_name" in output, "unknown names are shown if they look like names of members"
    assert any(field.unnamed_words for field in report.fields)


def test_name_that_is_a_value_elsewhere_is_not_shown(emulator):
    rows = [
        {"qualification_session_id": f"qs_{n}", "status": "approved", "ottoline": 1, "user_name": "Ottoline"}
        for n in (1, 2)
    ]
    reply = reply_of({"qualification_sessions": [{**row, "status": "ottoline"} for row in rows]})
    report = analyze(Observations(server="sandbox", replies={"size 30": reply}))
    assert "ottoline" not in json.dumps(report.to_dict()).lower()
    (status,) = [field for field in report.fields if field.name == "status"]
    assert (status.words, status.unnamed_words) == ({}, 1)


def test_unknown_word_of_an_enumeration_is_shown():
    rows = [
        {"qualification_session_id": "qs_1", "status": status}
        for status in ("in_review", "Approved", "approved", "In Review")
    ]
    report = analyze(Observations(server="sandbox", replies={"size 30": reply_of({"qualification_sessions": rows})}))
    (status,) = [field for field in report.fields if field.name == "status"]
    assert status.words == {"approved": 1, "approved (in another case)": 1, "in_review": 1}
    assert status.unnamed_words == 1


# --- any content --------------------------------------------------------------------------------------------------

SESSIONS = "qualification_sessions.list"


def reply_of(document, status=200, **headers):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Reply(endpoint=SESSIONS, raw=RawResponse(status, CIMultiDict(headers), body), seconds=0.1, received_at=1.0)


NAMES = st.sampled_from(
    ["pagination", "qualification_sessions", "results", "data", "count", "total", "last_page", "page_size", "created_at",
     "status", "eligible_amount", "qualification_session_id", "expires_at", "object", "error", "errors", "code", "detail", "x"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["approved", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59-23:00", "1.50", "7", "", "x", EMAIL]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=15,
)  # fmt: skip
ROWS = st.lists(st.dictionaries(NAMES, VALUES, max_size=6), max_size=4)
DOCUMENTS = st.one_of(
    VALUES,
    st.fixed_dictionaries({"qualification_sessions": ROWS}, optional={"pagination": VALUES}),
    st.binary(max_size=20),
)
PURPOSES = [
    "size 30", "size 1", "size 50", "size 100", "size 500", "second page", "beyond", "repeat 0", "repeat 1", "wrong key",
    "invalid query", "unknown id", "unknown path", "wrong method", *(endpoint.name for endpoint in endpoints.ENDPOINTS),
]  # fmt: skip


@settings(max_examples=scale(60, 1000), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(PURPOSES),
        st.tuples(DOCUMENTS, st.sampled_from([200, 200, 200, 201, 204, 400, 404, 405, 429, 500])),
    ),
    DOCUMENTS,
)
def test_any_content_gives_a_report_that_an_emulator_loads(documents, first):
    replies = {purpose: reply_of(document, status) for purpose, (document, status) in documents.items()}
    for purpose, reply in replies.items():
        if "." in purpose:
            replies[purpose] = Reply(endpoint=purpose, raw=reply.raw)
    report = analyze(Observations(server="sandbox", replies={**replies, "size 30": reply_of(first)}))
    assert not leaks(json.dumps(report.to_dict()))
    Dialect.from_dict(dict(report.dialect))
    assert report.dialect.keys() | report.not_observed.keys() == Dialect.axes().keys()


# --- single findings ----------------------------------------------------------------------------------------------


def report_of(document=None, **replies):
    """Analyze replies; ``document`` is the first page."""
    named = {name.replace("_", " "): reply for name, reply in replies.items()}
    first = {"qualification_sessions": [], "pagination": None} if document is None else document
    return analyze(Observations(server="sandbox", replies={"size 30": reply_of(first), **named}))


@pytest.mark.parametrize(
    ("document", "name", "status", "detail"),
    [
        ([{"status": "approved"}], "list key", "differs", "the rows are at the top"),
        ({"rows": [{"status": "approved"}]}, "list key", "differs", "the rows are at another member"),
        ([], "pagination", "unknown", "no page was an object"),
        ({"qualification_sessions": [], "pagination": {}}, "pagination", "differs", "it has no known number"),
        ({"qualification_sessions": [], "pagination": {}}, "pagination names", "unknown", "it has no members"),
        (
            {"qualification_sessions": [], "pagination": {"count": 1, "hasMore": True, "jane": 1}},
            "pagination names",
            "ok",
            "count, hasMore and 1 more",
        ),
        ({}, "key", "failed", "the first list has status 200, and no rows"),
        (b"<html>", "key", "failed", "the first list has status 200, and no JSON, and no rows"),
        ({"qualification_sessions": [{"qualification_session_id": 1.5}]}, "ids", "unknown", "of several types"),
        (
            {"qualification_sessions": [{"created_at": f"2026-01-0{day}T00:00:00Z"} for day in (1, 2, 1)]},
            "order",
            "differs",
            "not sorted by created_at",
        ),
        (
            {"qualification_sessions": [{"created_at": f"2026-01-01T00:00:00{zone}"} for zone in ("Z", "+00:00")]},
            "times",
            "differs",
            "of several forms: utc_offset, z",
        ),
        (
            {"qualification_sessions": [{"eligible_amount": 1.5}]},
            "amounts",
            "unknown",
            "as documented, but no double is whole, which could be an integer",
        ),
    ],
)
def test_odd_list_is_described(document, name, status, detail):
    check = checks_of(report_of(document))[name]
    assert (check.status, check.detail) == (status, detail)


def page(rows, **members):
    document = {"qualification_sessions": [{"status": "approved"}] * rows}
    return reply_of({**document, "pagination": members} if members else document)


@pytest.mark.parametrize(
    ("replies", "detail", "dialect"),
    [
        ({"size_1": page(1), "size_500": page(200), "second_page": page(9)}, "200 rows; more are reduced to it", {"page_size_handling": "clamp"}),
        ({"size_1": page(1), "size_500": page(200), "second_page": page(0)}, "there are too few rows to see it", {}),
        ({"size_1": page(1), "size_500": page(50), "second_page": page(9)}, "50 rows; more are reduced to it", {"page_size_handling": "clamp", "page_size_limit": 50}),
        ({"size_1": page(1, per_page="1"), "size_500": page(9, per_page="100")}, "100 rows; more are reduced to it", {"page_size_handling": "clamp", "page_size_limit": 100}),
        ({"size_1": page(1), "size_500": reply_of({}, 422)}, "30 rows; 500 are refused", {"page_size_handling": "reject", "page_size_limit": 30}),
        ({"size_1": page(7)}, "page_size is ignored: 7 rows a page", {"page_size_handling": "ignore"}),
        ({"size_1": reply_of({}, 400)}, "there are too few rows to see it", {}),
    ],
)  # fmt: skip
def test_page_sizes_are_judged(replies, detail, dialect):
    report = report_of(**replies)
    assert checks_of(report)["largest page"].detail == detail
    assert {name: value for name, value in report.dialect.items() if name.startswith("page_size")} == dialect


@pytest.mark.parametrize(
    ("reply", "detail"),
    [(page(1), "it has rows"), (reply_of({}, 500), "status 500"), (Reply(endpoint=SESSIONS), "it was not sent")],
)
def test_odd_page_beyond_the_end_is_described(reply, detail):
    assert checks_of(report_of(beyond=reply))["page beyond the end"].detail == detail


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (reply_of({}), "not refused: status 200"),
        (reply_of({}, 500), "status 500"),
        (Reply(endpoint=SESSIONS, failure="no connection in time"), "no connection in time"),
    ],
)
def test_odd_refusal_of_a_key_is_described(reply, detail):
    report = report_of(wrong_key=reply)
    assert checks_of(report)["wrong key"].detail == detail
    assert "key_refusal_body" in report.not_observed


@pytest.mark.parametrize(
    ("body", "shape"),
    [({"x": 1}, "other"), ({"errors": []}, "errors"), ({"detail": EMAIL}, "detail"), (b" ", "empty"), (b"<p>", "html")],
)
def test_other_error_bodies_are_described(body, shape):
    report = report_of(unknown_id=reply_of(body, 404))
    assert checks_of(report)["unknown id"].detail.startswith(f"status 404; body: {shape}")
    assert ("error_body" in report.dialect) == (shape == "errors")


@pytest.mark.parametrize("kind", ["text/html", "application/vnd.truemed+json"])
def test_odd_content_type_is_described(kind):
    report = analyze(Observations(server="sandbox", replies={"size 30": reply_of([], **{"Content-Type": kind})}))
    assert checks_of(report)["content type"].detail == "not one of JSON's"
    report = report_of(b"")
    assert checks_of(report)["content type"].detail == "there is no JSON"


@pytest.mark.parametrize(("status", "result"), [(501, "unknown"), (500, "failed"), (200, "failed"), (None, "failed")])
def test_object_that_cannot_be_read_is_described(status, result):
    raw = None if status is None else RawResponse(status, CIMultiDict(), b"[]")
    reply = Reply(endpoint="payment_tokens.get", raw=raw)
    report = analyze(Observations(server="sandbox", replies={"size 30": reply_of([]), "payment_tokens.get": reply}))
    assert checks_of(report)["payment_tokens.get"].status == result


@pytest.mark.parametrize("row", [{}, {"id": True}, {"id": None}, {"id": 1.5}])
def test_row_without_an_id_has_none(row):
    assert find_id(Observations(server="sandbox", replies={"size 30": reply_of([row])}), "size 30", "id") is None


def test_id_that_cannot_be_sent_is_skipped(emulator):
    emulator.state.qualification_sessions.add(
        qualification_session_id="qs/../1", created_at=datetime(2030, 1, 1, tzinfo=UTC)
    )
    report = examine(emulator)
    assert report.passed
    assert not [field for field in report.fields if field.endpoint == "qualification_sessions.get"]


async def test_closed_client_raises(emulator):
    client = AsyncTruemed(emulator.api_key, base_url=emulator.url)
    await client.aclose()
    with pytest.raises(ClientClosedError):
        await examine_server(client)


@pytest.mark.parametrize("last", [8, 24])
def test_error_of_a_progress_hook_shows_nothing(emulator, last):
    """It passes through every frame of the examination, whose locals a crash reporter shows."""
    emulator.faults.add(Canaries())

    def fail(done, _):
        if done == last:
            raise RuntimeError

    async def run():
        async with AsyncTruemed(emulator.api_key, base_url=emulator.url) as client:
            await examine_server(client, progress=fail)

    with pytest.raises(RuntimeError) as caught:
        asyncio.run(run())
    assert found_in_error(caught.value) == []
