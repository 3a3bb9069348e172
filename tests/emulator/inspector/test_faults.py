"""Faults: the catalog, a form for each with typed fields, and the active ones; and the settings."""

import ssl
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pytest

from tests.emulator.inspector.conftest import INSPECTOR, words
from truemed_async.emulator import FAULTS, Dialect
from truemed_async.emulator.faults.registry import Bound
from truemed_async.emulator.inspector.fields import parse_value
from truemed_async.emulator.inspector.views import format_ahead
from truemed_async.emulator.webhooks.faults import WebhookFaults

ALL = [("api", name) for name in FAULTS] + [("webhooks", name) for name in WebhookFaults.catalog]
# Values of the parameters that are required.
REQUIRED = {
    "certificate": "/nowhere.pem",
    "code": "418",
    "n": "5",
    "path": "**.status",
    "target": "https://shop.example/",
    "value": "true",
}


def fields(page):
    return {
        attributes["name"]: (tag, attributes)
        for tag, attributes in page.tags
        if tag in {"input", "select", "textarea"} and attributes.get("type") != "hidden"
    }


class TestCatalog:
    def test_every_fault_is_listed_with_its_description(self, look):
        page = look("faults")
        assert [link for link in page.links if link.startswith(f"{INSPECTOR}/faults/")] == [
            f"{INSPECTOR}/faults/{side}/{name}" for side, name in ALL
        ]
        assert "Past n requests per seconds" in words(page)
        assert "Faults of the connection" in page.words["h3"]

    @pytest.mark.parametrize(("side", "name"), ALL)
    def test_form_has_a_field_for_each_parameter_and_adds_the_fault(self, emulator, shopper, look, side, name):
        registry = emulator.faults if side == "api" else emulator.webhooks.faults
        definition = registry.catalog[name]
        path = f"{INSPECTOR}/faults/{side}/{name}"
        page = look(path)
        names = fields(page)
        assert page.heading == name
        assert f"{name} {definition.description.replace('``', '').split()[0]}" in words(page)
        assert definition.parameters.keys() <= names.keys()
        assert names.keys() - definition.parameters.keys() == set(registry.restrictions(definition)) - {"when"}
        required = {each for each, parameter in definition.parameters.items() if parameter.default is parameter.empty}
        assert required <= {
            each for each, (_, attributes) in names.items() if "required" in attributes or each == "value"
        }
        form = {each: REQUIRED[each] for each in required}
        if definition.phase == "connect":
            form |= {"times": "1"} if "times" in names else {"duration": "1"}
        done = shopper.submit(path, **form)
        if name == "tls_bad_certificate":
            assert (done.status, "certificate must name a PEM file" in done.page.text) == (409, True)
            return
        assert (done.status, done.onward) == (303, f"{INSPECTOR}/faults"), done.page.text
        (fault,) = registry.active
        assert fault.name == name
        assert fault.parameters.keys() == set(form) & definition.parameters.keys()

    @pytest.mark.parametrize("path", ["api/nothing", "webhooks/hang", "x/hang"])
    def test_unknown_fault_is_404(self, look, path):
        look(f"faults/{path}", status=404)


class TestForm:
    def test_fields_have_the_types_of_the_parameters(self, look):
        found = fields(look("faults/api/rate_limit"))
        tag, number = found["n"]
        assert (tag, number["type"], number["min"], number["step"], "required" in number) == (
            "input",
            "number",
            "0",
            "any",
            True,
        )
        assert found["burst"][1]["step"] == "1"
        assert found["retry_after"][0] == "select"
        assert found["route"][0] == "select"
        found = fields(look("faults/api/truncate_body"))
        assert (found["fraction"][1]["max"], found["fraction"][1]["value"]) == ("1", "0.5")
        found = fields(look("faults/api/status"))
        assert (found["headers"][0], found["http_date"][0]) == ("textarea", "select")
        assert fields(look("faults/webhooks/delay"))["event"][0] == "select"

    def test_parameters_and_scope_are_passed_with_their_types(self, emulator, shopper):
        form = {
            "code": "429",
            "retry_after": "7",
            "http_date": "true",
            "headers": "X-One: 1\r\n\r\nX-Two: a:b",
            "nth": "2",
            "probability": "0.5",
            "method": "POST",
            "route": "payment_sessions.create",
        }
        assert shopper.submit(f"{INSPECTOR}/faults/api/status", **form).status == 303
        (fault,) = emulator.faults.active
        assert fault.parameters == {
            "code": 429,
            "retry_after": 7,
            "http_date": True,
            "headers": {"X-One": "1", "X-Two": "a:b"},
        }
        scope = fault.scope
        assert (scope.nth, scope.probability, scope.method, scope.route) == (2, 0.5, "POST", "payment_sessions.create")

    def test_default_values_are_left_out(self, emulator, shopper):
        shopper.submit(f"{INSPECTOR}/faults/api/latency", seconds="0.1", spread="0")
        assert emulator.faults.active[0].parameters == {}

    def test_invalid_value_shows_the_form_again(self, emulator, shopper):
        failed = shopper.submit(f"{INSPECTOR}/faults/api/rate_limit", n="0", route="payment_sessions.list")
        assert (failed.status, failed.page.alert) == (409, True)
        assert "n must be > 0" in failed.page.text
        assert failed.page.chosen["n"] == "0"
        assert len(emulator.faults) == 0

    @pytest.mark.parametrize(
        ("text", "annotation", "value"),
        [
            ("5", int, 5),
            ("1.5", int, "1.5"),
            ("5", float, 5),
            ("1.5", float | None, 1.5),
            ("x", float, "x"),
            ("x", float | str | None, "x"),
            ("7", float | str | None, 7),
            ("5", str, "5"),
            ("true", bool, True),
            ("true", bool | str, True),
            ("soon", bool | str, "soon"),
            ("5", Any, 5),
            ('{"a": 1}', Any, {"a": 1}),
            ("a b", Any, "a b"),
            ("gzip", Annotated[Literal["gzip", "br"], len], "gzip"),
            ("3", Annotated[int, Bound(">=", 1)] | None, 3),
            ("/a.pem", ssl.SSLContext | str, "/a.pem"),
            ("A: 1", Mapping[str, str] | None, {"A": "1"}),
        ],
    )
    def test_text_becomes_the_type_of_the_parameter(self, text, annotation, value):
        parsed = parse_value(text, annotation)
        assert (parsed, type(parsed)) == (value, type(value))


class TestActive:
    def test_active_faults_are_shown_with_their_options(self, emulator, look):
        assert "No active faults." in look("faults").text
        emulator.faults.add("latency", seconds=0.3, times=5)
        emulator.webhooks.faults.add("delay", seconds=9)
        page = look("faults")
        text = words(page)
        assert "Active: 2" in text
        assert "latency 0 hits · times: 5 · seconds: 0.3" in text
        assert "delay webhooks 0 hits · seconds: 9" in text
        assert text.count("active") > 0
        assert "2 active" in page.words["nav"]

    def test_ended_faults_are_shown_with_their_hits(self, emulator, api, look):
        emulator.faults.add("maintenance_page", times=1)
        api.list()
        text = words(look("faults"))
        assert "Active: 0" in text
        assert "maintenance_page 1 hit · times: 1" in text

    def test_many_faults_are_counted(self, emulator, look):
        for _ in range(100):
            emulator.faults.add("latency", seconds=0)
            emulator.webhooks.faults.add("delay")
        text = words(look("faults"))
        assert "Active: 200" in text
        assert "and 170 more" in text


class TestSettings:
    def test_clock_is_shown_and_advanced(self, emulator, look, shopper):
        assert "as this machine" in look("settings").text
        emulator.clock.advance(90_061)
        page = look("settings")
        assert "1 day 1 hour 1 minute 1 second ahead" in words(page)
        assert "clock 1 day 1 hour" in page.words["header"]

    @pytest.mark.parametrize(("seconds", "text"), [(0, ""), (120, "2 minutes"), (86400 * 2000, "2,000 days")])
    def test_lead_is_in_words(self, seconds, text):
        assert format_ahead(seconds) == text

    def test_dialect_is_shown(self, emulator, look):
        page = look("settings")
        selects = [attributes["name"] for attributes in page.all("select")]
        assert selects[1:] == list(Dialect.axes())
        assert "Changed" not in page.text
        emulator.dialect = Dialect(times="no_zone")
        assert "Changed: times." in words(look("settings"))

    def test_reset_asks_first(self, emulator, look, shopper):
        emulator.state.payment_sessions.add()
        page = look("reset")
        assert "Payment sessions 1" in words(page)
        assert emulator.state.payment_sessions.count == 1
        assert shopper.submit(f"{INSPECTOR}/reset").onward == f"{INSPECTOR}/settings"
        assert emulator.state.payment_sessions.count == 0
