"""Activating, scoping, counting and removing faults."""

import ast
import re
import threading
from contextlib import ExitStack
from pathlib import Path

import attrs
import pytest
from aiohttp import web
from aiohttp.payload import StringPayload

from tests.support.raw_http import Raw
from tests.support.waiting import wait_until
from truemed_async.emulator import FAULTS, Emulator, Fault, RequestScope
from truemed_async.emulator.faults.responses import body_of, require_response
from truemed_async.emulator.webhooks.faults import WebhookFaults

LIST = "qualification_sessions.list"
TESTS = {
    node.name
    for file in Path(__file__).parent.glob("test_*.py")
    for node in ast.parse(file.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and "raw" in {argument.arg for argument in node.args.args}
}
# Those without which there is no fault to speak of.
REQUIRED = {
    "tls_bad_certificate": {"certificate": str(Path(__file__).with_name("certificate_wrong.pem"))},
    "missing_field": {"path": "status"},
    "null_field": {"path": "status"},
    "wrong_type": {"path": "status"},
    "status": {"code": 500},
    "should_retry": {"value": True},
    "redirect": {"target": "/"},
    "rate_limit": {"n": 1},
}


class Tags(Fault):
    async def before(self, exchange):
        return await super().before(exchange)

    async def after(self, exchange, response):
        response.headers["X-Tag"] = "1"
        return await super().after(exchange, response)


def statuses(raw, count):
    return [raw.list().status for _ in range(count)]


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_is_tested_at_the_socket(name):
    """So that the SDK and the emulator cannot share one mistake."""
    assert f"test_{name}" in TESTS


@pytest.mark.parametrize("fault", [*FAULTS.values(), *WebhookFaults.catalog.values()], ids=lambda fault: fault.name)
def test_description_says_what_the_client_sees_and_when_it_happens(fault):
    seen, blank, *reasons = fault.description.split("\n")
    assert seen.endswith(".")
    assert blank == ""
    assert re.search(r"(^|\. )(Happens|Truemed documents) ", " ".join(reasons))
    for parameter in fault.parameters:
        assert f"``{parameter}``" in fault.description or parameter in DESCRIBED_ELSEWHERE.get(fault.name, ())


DESCRIBED_ELSEWHERE = {
    "latency": ("distribution",),
    "status": ("error", "message", "headers"),
    "bomb": ("encoding",),
    "oversize_error_body": ("code",),
    "rate_limit": ("retry_after",),
}


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_declares_its_required_parameters(emulator, name):
    handle = emulator.faults.add(name, **REQUIRED.get(name, {}))
    assert handle.name == name
    assert {each.name for each in FAULTS[name].parameters.values() if each.default is each.empty} == set(
        REQUIRED.get(name, ())
    )
    handle.remove()


def test_names_lists_at_least_fifty_faults(emulator):
    assert len(emulator.faults.names) >= 50
    assert emulator.faults.names == tuple(sorted(FAULTS))


def test_removed_fault_keeps_its_hits(emulator, raw):
    fault = emulator.faults.add("status", code=500)
    assert (fault.hits, fault.active, emulator.faults.hits, len(emulator.faults)) == (0, True, 0, 1)
    assert repr(fault) == "<status 1: 0 hits>"
    assert statuses(raw, 2) == [500, 500]
    fault.remove()
    fault.remove()
    assert statuses(raw, 2) == [200, 200]
    assert (fault.hits, fault.active, emulator.faults.hits, len(emulator.faults)) == (2, False, 2, 0)
    assert repr(fault) == "<status 1: 2 hits, removed>"
    assert emulator.faults.ended == (fault,)
    emulator.faults.clear()
    assert (emulator.faults.hits, emulator.faults.ended) == (0, ())


def test_with_block_removes_fault(emulator, raw):
    with emulator.faults.add("status", code=500) as fault:
        assert raw.list().status == 500
    assert (raw.list().status, fault.hits) == (200, 1)


def test_nth_restricts_to_one_request(emulator, raw):
    fault = emulator.faults.add("status", code=500, nth=3)
    assert statuses(raw, 5) == [200, 200, 500, 200, 200]
    assert (fault.hits, fault.active) == (1, False)


def test_times_limits_number_of_hits(emulator, raw):
    fault = emulator.faults.add("status", code=500, times=2)
    assert statuses(raw, 4) == [500, 500, 200, 200]
    assert (fault.hits, fault.active) == (2, False)


def test_nth_and_times_restrict_to_a_range(emulator, raw):
    emulator.faults.add("status", code=500, nth=2, times=2)
    assert statuses(raw, 5) == [200, 500, 500, 200, 200]


def test_method_and_route_restrict_requests(emulator, raw):
    id = emulator.state.qualification_sessions.add()
    posts = emulator.faults.add("status", code=500, method="post")
    lists = emulator.faults.add("status", code=502, route=LIST)
    assert (raw.list().status, raw.get(id).status, raw.update(id).status) == (502, 200, 500)
    assert raw.send("GET", "/nowhere").status == 404
    assert (posts.hits, lists.hits) == (1, 1)


def test_when_restricts_exchanges(emulator, raw):
    fault = emulator.faults.add("status", code=500, when=lambda exchange: "page=2" in exchange.record.query, nth=2)
    assert [raw.list(query).status for query in ("", "?page=2", "", "?page=2", "?page=2")] == [200, 200, 200, 500, 200]
    assert fault.hits == 1


def test_probability_depends_on_the_seed():
    def drawn(seed, **scope):
        with Emulator(sessions=0, seed=seed) as emulator, ExitStack() as stack:
            emulator.faults.add("status", code=500, probability=0.4, **scope)
            return statuses(Raw(emulator, stack), 40)

    one = drawn(1)
    assert one == drawn(1) != drawn(2)
    assert 5 < one.count(500) < 30
    assert drawn(1, times=3).count(500) == 3


def test_random_numbers_are_independent_of_other_faults():
    def drawn(others):
        emulator = Emulator(sessions=0)
        fault = emulator.faults.add("flaky").fault
        for _ in range(others):
            emulator.faults.add("flaky", probability=0.5)
        return [fault._random.random() for _ in range(5)]

    assert drawn(0) == drawn(3)


def test_connection_faults_count_connections_only(emulator, raw):
    """What narrows a fault of the connection counts connections, not requests."""
    fault = emulator.faults.add("accept_then_close", nth=2)
    line = raw.connect()
    for _ in range(3):
        line.send("GET", "/nowhere", keep=True)
        assert line.sock.recv(10_000)
    assert fault.hits == 0
    assert raw.connect().receive().content == b""
    assert fault.hits == 1


def test_several_faults_apply_in_order(emulator, raw):
    emulator.faults.add("wrong_type", path="pagination", value={"count": 1})
    emulator.faults.add("missing_field", path="pagination.count")
    cut = emulator.faults.add("truncate_body", fraction=0.5)
    never = emulator.faults.add("unknown_fields")
    received = raw.list()
    assert b'{"qualification_sessions":[],"pagination":{}}'.startswith(received.body)
    assert (cut.hits, never.hits, emulator.faults.hits) == (1, 0, 3)


def test_first_response_replaces_later_ones(emulator, raw):
    emulator.faults.add("status", code=500, times=1)
    second = emulator.faults.add("status", code=502)
    assert statuses(raw, 2) == [500, 502]
    assert second.hits == 1


def test_when_is_called_once_per_request(emulator, raw):
    request = []
    emulator.faults.add("applied_then_500", when=request.append)
    assert raw.list().status == 200
    assert len(request) == 1


def test_fault_removed_during_request_does_not_act(emulator, raw):
    """A removed fault does not apply to requests that it has not reached."""
    slow = emulator.faults.add("latency", seconds=0.5)
    late = emulator.faults.add("status", code=500)
    line = raw.connect()
    line.send("GET", "/nowhere")
    wait_until(lambda: slow.hits)
    late.remove()
    assert line.receive().status == 404


def test_custom_fault_acts_on_every_request(emulator, raw):
    fault = emulator.faults.add(Tags())
    assert raw.list().header("X-Tag") == ["1"]
    assert emulator.faults.hits == 1
    assert list(emulator.faults) == [fault]


def test_add_and_remove_are_thread_safe(emulator, raw):
    def change():
        for _ in range(50):
            with emulator.faults.add("status", code=500, when=lambda _: False):
                pass

    threads = [threading.Thread(target=change) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert raw.list().status == 200
    for thread in threads:
        thread.join()
    assert len(emulator.faults) == 0
    assert len({handle.id for handle in emulator.faults.ended}) == len(emulator.faults.ended) == 100


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("nonsense", {}, r"there is no fault 'nonsense'; there are accept_then_close, .*, wrong_type"),
        ("hang", {"seconds": 1}, r"hang takes no parameters: not seconds"),
        ("latency", {"sec": 1, "by": 2}, r"latency takes distribution, seconds, spread: not by, sec"),
        ("latency", {"seconds": "1"}, r"latency: seconds must be a number, not '1'"),
        ("latency", {"seconds": True}, r"latency: seconds must be a number, not True"),
        ("latency", {"seconds": float("nan")}, r"latency: seconds must be a number, not nan"),
        ("latency", {"seconds": -1}, r"latency: seconds must be >= 0: -1"),
        ("latency", {"distribution": "odd"}, r"must be 'fixed' or 'uniform' or 'lognormal', not 'odd'"),
        ("status", {}, r"status takes code, error, .*: code is missing"),
        ("status", {"code": 5}, r"status: code must be >= 200: 5"),
        ("status", {"code": 500.0}, r"status: code must be a whole number, not 500.0"),
        ("status", {"code": 500, "http_date": 1}, r"http_date must be true or false, not 1"),
        ("status", {"code": 500, "retry_after": []}, r"retry_after must be a number or text or null, not \[\]"),
        ("status", {"code": 500, "headers": {"a": 1}}, r"headers must be an object of texts or null"),
        ("status", {"code": 500, "headers": []}, r"headers must be an object of texts"),
        ("tls_bad_certificate", {"certificate": 1}, r"certificate must be SSLContext or text, not 1"),
        ("hang", {"nth": 0}, r"hang: nth must be >= 1: 0"),
        ("hang", {"nth": "2"}, r"hang: nth must be a whole number or null, not '2'"),
        ("hang", {"times": 0}, r"hang: times must be >= 1: 0"),
        ("hang", {"probability": 2}, r"hang: probability must be <= 1: 2"),
        ("hang", {"method": 1}, r"hang: method must be text or null, not 1"),
        ("hang", {"route": "nowhere"}, r"hang: route must name a route: catalog_items.checkout_method, "),
        ("hang", {"when": 1}, r"hang: when must be a function of an Exchange"),
        ("refuse_connection", {"nth": 1}, r"refuse_connection can be restricted by nothing: not by nth"),
        (
            "accept_then_close",
            {"route": LIST},
            r"accept_then_close can be restricted by nth, times, probability: not by route",
        ),
        (Fault(), {"nth": 1}, r"only a fault by name can be restricted: not by nth"),
    ],
)
def test_error_describes_the_problem(emulator, name, value, says):
    with pytest.raises(ValueError, match=says):
        emulator.faults.add(name, **value)
    assert len(emulator.faults) == 0


def test_none_does_not_restrict_the_scope(emulator, raw):
    emulator.faults.add("status", code=500, **dict.fromkeys(field.name for field in attrs.fields(RequestScope)))
    assert raw.list().status == 500


def test_response_without_bytes_raises_type_error():
    with pytest.raises(TypeError, match="a web.Response, not StreamResponse"):
        require_response(web.StreamResponse())
    with pytest.raises(TypeError, match="a body of bytes, not StringPayload"):
        body_of(web.Response(body=StringPayload("text")))
    assert body_of(web.Response()) == b""
