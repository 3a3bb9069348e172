"""``truemed payments link`` and ``sessions link``: the pages that customers open."""

import json
import urllib.request

import pytest
from aiohttp import web

from tests.support.factories import make_captured
from truemed_async.emulator import Fault


class Redirecting(Fault):
    """Adds a link to the response, as Truemed might."""

    name = "redirecting"

    async def after(self, exchange, response):
        fields = {**json.loads(response.body), "redirect_url": "https://pay.example/1"}
        return web.json_response(fields, status=response.status)


SURVEY = ("--qualification-id", "tm_qual_1")


def opens(url):
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.status


class TestPayments:
    def test_links_of_pending_payments_open_their_pages(self, truemed, emulator):
        ids = [emulator.state.payment_sessions.add() for _ in range(2)]
        done = truemed("payments", "link", *ids)
        links = done.out.splitlines()
        assert (done.code, done.err) == (0, "")
        assert links == [f"{emulator.url}/_emulator/hosted/payment_sessions/{id}" for id in ids]
        assert [opens(link) for link in links] == [200, 200]

    def test_ids_come_from_standard_input(self, truemed, emulator, terminal):
        id = emulator.state.payment_sessions.add()
        listing = truemed("payments", "list", "--json", "id")
        done = truemed("payments", "link", "-", source=terminal(f"{listing.out}{{}}\n"))
        assert (done.code, done.err) == (2, "error: line 2 is JSON without id or id\n")
        assert done.out.endswith(f"/{id}\n")

    def test_error_of_one_leaves_the_others(self, truemed, emulator):
        captured, pending = make_captured(emulator), emulator.state.payment_sessions.add()
        done = truemed("payments", "link", captured, "ps_unknown", pending)
        assert (done.code, done.out.count("\n")) == (1, 1)
        first, second = done.err.splitlines()
        assert first == f"error: {captured}: it is captured: no page waits for its customer"
        assert second.startswith("error: ps_unknown: ")

    def test_refused_id_is_named_by_its_position(self, truemed, emulator):
        done = truemed("payments", "link", "sam@example.com/..")
        assert done.code == 2
        assert done.err.startswith("error: argument 1: ")
        assert "sam" not in done.err

    def test_link_in_the_response_is_taken_from_there(self, truemed, emulator):
        id = emulator.state.payment_sessions.add()
        emulator.faults.add(Redirecting())
        assert truemed("payments", "link", id).out == "https://pay.example/1\n"

    def test_truemeds_response_without_a_link_says_where_it_is(self, truemed, emulator, monkeypatch):
        id = emulator.state.payment_sessions.add()
        monkeypatch.setattr("truemed_async.cli.link.dashboard_of", lambda _: "https://app.truemed.com")
        done = truemed("payments", "link", id)
        assert (done.code, done.out) == (1, "")
        assert "that of `truemed payments create` has it" in done.err

    def test_payment_that_is_decided_meanwhile_has_none(self, truemed, emulator):
        id = emulator.state.payment_sessions.add()
        # The response is older than what the emulator then knows.
        emulator.faults.add("wrong_type", path="status", value="pending")
        emulator.state.payment_sessions.cancel(id)
        done = truemed("payments", "link", id)
        assert (done.code, done.err) == (1, f"error: {id}: no page waits for its customer any more\n")

    def test_server_that_is_no_emulator_is_named(self, truemed, emulator):
        id = emulator.state.payment_sessions.add()
        with emulator.faults.add("wrong_type", path="id", value="other"):
            done = truemed("payments", "link", id)
        assert done.code == 2
        assert done.err.startswith("error: 127.0.0.1:")
        assert "is no emulator, or one of an older version" in done.err

    @pytest.mark.parametrize("group", ["payments", "sessions"])
    def test_embedded_emulator_whose_links_end_with_the_command_is_refused(self, truemed, group):
        done = truemed("--env", "emulator", group, "link", "qs_abc123")
        assert (done.code, done.out) == (2, "")
        assert "start `truemed emulator` in another terminal" in done.err


class TestSessions:
    def test_link_of_a_pending_session_opens_its_page(self, truemed, emulator):
        id = emulator.state.qualification_sessions.add()
        done = truemed("sessions", "link", id)
        assert (done.code, done.err) == (0, "")
        assert opens(done.out.strip()) == 200

    def test_survey_has_the_user_and_the_skus_of_the_session(self, truemed, emulator):
        add = emulator.state.qualification_sessions.add
        ids = [add(status="approved", user_id="u 1", skus_param="A, B"), add(status="approved", user_id=None)]
        done = truemed("sessions", "link", *ids, *SURVEY, "--source", "mail")
        assert done.out.splitlines() == [
            f"{emulator.url}/qualify/tm_qual_1?source=mail&user_id=u%201&skus=A,B",
            f"{emulator.url}/qualify/tm_qual_1?source=mail",
        ]

    def test_session_that_is_decided_has_no_page(self, truemed, emulator):
        id = emulator.state.qualification_sessions.add(status="approved")
        done = truemed("sessions", "link", id)
        hint = "--qualification-id links to a new survey"
        assert (done.code, done.err) == (1, f"error: {id}: it is approved: no page waits for its customer; {hint}\n")

    def test_truemeds_server_needs_the_survey(self, truemed):
        done = truemed("sessions", "link", "qs_1", "--env", "sandbox")
        assert (done.code, done.out) == (2, "")
        assert "pass --qualification-id tm_qual_…" in done.err

    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            ((), "pass ids, or - to read them from standard input"),
            (("qs_1", "--qualification-id", "a/b"), "--qualification-id"),
        ],
    )
    def test_wrong_argument_is_refused_before_a_request(self, truemed, emulator, argv, message):
        done = truemed("sessions", "link", *argv)
        assert (done.code, len(emulator.requests)) == (2, 0)
        assert message in done.err

    def test_survey_of_an_embedded_emulator_is_that_of_production(self, truemed):
        done = truemed("--env", "emulator", "sessions", "link", "qs_abc123", *SURVEY)
        assert (done.code, done.out) == (0, "https://app.truemed.com/qualify/tm_qual_1?source=link&skus=SB-1\n")
