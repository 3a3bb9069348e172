"""The clock, the state and what happens in it over HTTP, for an emulator that runs on its own."""

from datetime import UTC, datetime

import pytest

from tests.support.factories import CREATE, assert_invalid, make_authorized, make_captured, order
from truemed_async.emulator import Emulator

ADMIN = "/_emulator"
CLOCK, STATE, TRANSITIONS = f"{ADMIN}/clock", f"{ADMIN}/state", f"{ADMIN}/transitions"
YEAR = 365 * 24 * 3600


class TestTheClock:
    def test_clock_is_read_and_advanced(self, emulator, api):
        assert api.read(CLOCK).json["ahead"] == 0
        advanced = api.post(CLOCK, {"advance": 3600.5})
        assert (advanced.status, advanced.json["ahead"]) == (200, 3600.5)
        now = datetime.fromisoformat(api.read(CLOCK).json["now"])
        assert 3500 < (now - datetime.now(UTC)).total_seconds() < 3700
        assert emulator.clock.ahead == 3600.5

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            ({}, "advance is required"),
            ({"advance": "1"}, "advance must be a number"),
            ({"advance": True}, "advance must be a number"),
            ({"advance": None}, "advance must be a number"),
            ({"advance": -1}, "cannot advance by a negative duration"),
            ({"advance": 1001 * YEAR}, "at most 1,000 years ahead"),
            ({"advance": 1, "unit": 60}, "the body has advance: not unit"),
            (b"", "the body must be JSON"),
        ],
    )
    def test_error_describes_the_problem(self, emulator, api, body, says):
        assert_invalid(api.post(CLOCK, body), says)
        assert emulator.clock.ahead == 0

    def test_clock_ends_1000_years_ahead_and_the_api_still_responds(self, emulator, api):
        api.post(CLOCK, {"advance": 999 * YEAR})
        assert_invalid(api.post(CLOCK, {"advance": 2 * YEAR}), "at most 1,000 years ahead")
        emulator.state.qualification_sessions.approve(emulator.state.qualification_sessions.add(status="processing"))
        assert api.post(CREATE, order(tokenize=True)).status == 200
        assert api.list().status == 200


class TestTheState:
    def test_dumped_state_can_be_loaded_by_another_emulator(self, emulator, api):
        make_captured(emulator)
        emulator.state.qualification_sessions.add()
        dumped = api.read(STATE)
        assert (dumped.status, dumped.json) == (200, emulator.state.dump())
        with Emulator(sessions=3) as other:
            type(api)(other).send("PUT", STATE, dumped.json)
            assert other.state.dump() == dumped.json

    def test_state_may_exceed_the_limit_of_other_bodies(self, emulator, api):
        with Emulator(sessions=2000) as other:
            dumped = type(api)(other).read(STATE).content
        assert len(dumped) > 1024**2
        assert api.send("PUT", STATE, dumped).status == 204
        assert emulator.state.qualification_sessions.count == 2000

    def test_large_state_without_key_responds_413(self, api):
        assert api.send("PUT", STATE, b" " * (1024**2 + 1), headers={}).status == 413

    def test_state_past_its_own_limit_responds_413(self, api, monkeypatch):
        monkeypatch.setattr("truemed_async.emulator.app._MAX_STATE_BYTES", 1000)
        assert api.send("PUT", STATE, b" " * 1001).status == 413

    def test_delete_resets_everything_but_the_webhooks(self, emulator, api, merchant):
        emulator.webhooks.register(merchant.url)
        emulator.faults.add("latency", seconds=0)
        make_captured(emulator)
        assert api.send("DELETE", STATE).status == 204
        assert repr(emulator.state) == "<State of nothing>"
        assert (len(emulator.faults), emulator.webhooks.deliveries, len(emulator.webhooks.endpoints)) == (0, (), 1)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"version": 2}, "version 1"),
            ({"payment_sessions": None}, "not a saved state"),
            ({"payment_sessions": [{}]}, "not a saved state"),
            ({"payment_sessions": [1]}, "not a saved state"),
            ({"payment_tokens": [{"payment_token": "t", "created_at": "x"}]}, "not a saved state"),
            ({"clock": []}, "not a saved state"),
            ({"clock": {"ahead": 1e300}}, "at most 1,000 years"),
        ],
        ids=str,
    )
    def test_unreadable_state_is_refused_and_changes_nothing(self, emulator, api, change, says):
        emulator.state.qualification_sessions.add()
        before = emulator.state.dump()
        assert_invalid(api.send("PUT", STATE, {**before, **change}), says)
        assert emulator.state.dump() == before

    def test_state_with_an_unknown_failure_is_refused(self, emulator, api):
        emulator.state.payment_tokens.fail_next_charge(emulator.state.payment_tokens.add())
        dumped = emulator.state.dump()
        dumped["payment_tokens"][0]["failure"] = "Nonsense"
        assert_invalid(api.send("PUT", STATE, dumped), "not a saved state")


class TestTransitions:
    def test_transitions_of_a_payment_take_parameters_and_return_the_status(self, emulator, api):
        id = emulator.state.payment_sessions.add()
        for name, status in (("submit", "processing"), ("approve", "captured")):
            moved = api.post(TRANSITIONS, {"resource": "payment_sessions", "id": id, "transition": name})
            assert (moved.status, moved.json) == (200, {"resource": "payment_sessions", "id": id, "status": status})
        api.post(TRANSITIONS, {"resource": "payment_sessions", "id": id, "transition": "refund", "amount": 60_00})
        assert emulator.state.payment_sessions.get(id).refund_amount == 60_00
        api.post(
            TRANSITIONS, {"resource": "payment_sessions", "id": id, "transition": "refund", "reason": "fraudulent"}
        )
        session = emulator.state.payment_sessions.get(id)
        assert (session.refund_amount, session.refunds[-1].reason) == (100_00, "fraudulent")

    def test_capture_of_a_hold_takes_an_amount(self, emulator, api):
        id = make_authorized(emulator)
        api.post(TRANSITIONS, {"resource": "payment_sessions", "id": id, "transition": "capture", "amount": 95_00})
        assert emulator.state.payment_sessions.get(id).capture_amount == 95_00

    def test_failure_of_the_next_charge_can_be_chosen(self, emulator, api):
        token = emulator.state.payment_tokens.add()
        body = {"resource": "payment_tokens", "id": token, "transition": "fail_next_charge"}
        api.post(TRANSITIONS, body)
        assert emulator.state.payment_tokens.get(token).failure == "CardDeclined"
        assert api.post(TRANSITIONS, {**body, "failure": "CardExpired"}).json["status"] == "active"
        assert emulator.state.payment_tokens.get(token).failure == "CardExpired"

    def test_transitions_of_other_resources_return_the_status(self, emulator, api):
        provision_id = emulator.state.provision_requests.create().id
        session = emulator.state.qualification_sessions.add()
        item = emulator.state.catalog_items.add()
        for resource, id, move, more, status in (
            ("provision_requests", provision_id, "submit", {}, "provisioned"),
            ("qualification_sessions", session, "start_review", {}, "processing"),
            ("qualification_sessions", session, "reject", {}, "rejected"),
            ("catalog_items", item, "review", {"eligibility": "eligible_with_lmn"}, "eligible_with_lmn"),
        ):
            moved = api.post(TRANSITIONS, {"resource": resource, "id": id, "transition": move, **more})
            assert (moved.status, moved.json) == (200, {"resource": resource, "id": id, "status": status})

    def test_pay_out_needs_no_id(self, emulator, api):
        body = {"resource": "payouts", "transition": "pay_out"}
        assert_invalid(api.post(TRANSITIONS, body), "nothing to pay out", 409, "InvalidTransition")
        make_captured(emulator)
        moved = api.post(TRANSITIONS, body).json
        assert emulator.state.payouts.get(moved["id"]).amount == 95_00
        assert {row.payout_id for row in emulator.state.transactions.rows} == {moved["id"]}

    @pytest.mark.parametrize(
        ("body", "says", "status", "error"),
        [
            ({}, "resource is required", 400, "ValidationError"),
            ({"resource": "x"}, "resource must be one of payment_sessions, ", 400, "ValidationError"),
            ({"resource": "payment_sessions", "transition": "cancel"}, "id is required", 400, "ValidationError"),
            (
                {"resource": "payment_sessions", "transition": "add", "id": "x"},
                "payment_sessions have ",
                400,
                "ValidationError",
            ),
            ({"resource": "payment_sessions", "transition": "cancel", "id": "x"}, "none with this id", 404, "NotFound"),
            ({"resource": "payment_sessions", "transition": "refund", "id": "x"}, "none with this id", 404, "NotFound"),
            (
                {"resource": "payment_sessions", "transition": "refund", "id": "x", "amount": 1.5},
                "amount must be an integer",
                400,
                "ValidationError",
            ),
            (
                {"resource": "payment_tokens", "transition": "fail_next_charge", "id": "x", "failure": "y"},
                "failure must be one of CardExpired, ",
                400,
                "ValidationError",
            ),
            (
                {"resource": "catalog_items", "transition": "review", "id": "x"},
                "eligibility is required",
                400,
                "ValidationError",
            ),
        ],
        ids=str,
    )
    def test_error_describes_the_problem(self, api, body, says, status, error):
        assert_invalid(api.post(TRANSITIONS, body), says, status, error)

    def test_transition_that_the_status_does_not_allow_is_refused(self, emulator, api):
        id = emulator.state.payment_sessions.add()
        body = {"resource": "payment_sessions", "id": id, "transition": "refund"}
        assert_invalid(api.post(TRANSITIONS, body), "is pending, not captured", 409, "InvalidTransition")

    def test_every_transition_is_a_method_and_states_its_statuses(self, emulator):
        """What the table offers for a status works in it."""
        statuses = ("pending", "processing", "authorized", "captured", "active")
        offered = {
            (resource, status, action.name)
            for resource, store in emulator.state.stores.items()
            for action in store.actions().values()
            for status in statuses
            if status in action.statuses and not action.params.required
        }
        assert len(offered) == 20
        makers = {
            "authorized": make_authorized,
            "captured": make_captured,
            "processing": _processing,
            "pending": lambda emulator: emulator.state.payment_sessions.add(),
        }
        for resource, status, move in sorted(offered):
            store = emulator.state.stores[resource]
            if resource == "payment_sessions":
                id = makers[status](emulator)
            else:
                id = store.add(**({} if resource == "payment_tokens" else {"status": status}))
            if move == "resolve_failure":
                emulator.state.payment_tokens.fail_next_charge(id)
            assert emulator.state.apply({"resource": resource, "id": id, "transition": move}).id == id


def _processing(emulator):
    id = emulator.state.payment_sessions.add()
    emulator.state.payment_sessions.submit(id)
    return id


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("clock", "GET, POST"),
        ("state", "DELETE, GET, PUT"),
        ("transitions", "POST"),
        ("openapi.json", "GET"),
        ("faults", "DELETE, GET, POST"),
        ("faults/x", "DELETE"),
        ("webhooks", "DELETE, GET, POST"),
        ("webhooks/x", "DELETE"),
        ("webhooks/x/rotate", "POST"),
        ("webhooks/x/unregister", "POST"),
        ("requests", "GET"),
        ("links/payment_sessions/x", "GET"),
        ("deliveries", "GET"),
        ("deliveries/x", "GET"),
        ("deliveries/x/resend", "POST"),
        ("webhook_faults", "DELETE, GET, POST"),
        ("webhook_faults/x", "DELETE"),
    ],
)
def test_admin_path_responds_405_to_other_methods_and_401_without_key(api, path, allow):
    path = f"{ADMIN}/{path}"
    assert_invalid(api.send("PATCH", path), "this path supports", 405, "MethodNotAllowed")
    assert api.send("PATCH", path).headers["Allow"] == allow
    for method in allow.split(", "):
        assert_invalid(api.send(method, path, headers={}), "x-truemed-api-key", 401, "Unauthorized")


class TestRequests:
    REQUESTS = f"{ADMIN}/requests"

    def test_finished_requests_are_listed_without_queries_bodies_and_names(self, api):
        api.list("?search=sam@example.com")
        api.update("sam@example.com", {"idempotency_key": "k", "user_id": "sam"})
        response = api.read(self.REQUESTS)
        first, second = response.json["requests"]
        assert (response.status, response.json["last"]) == (200, 2)
        assert {**first, "at": "", "seconds": 0} == {
            "number": 1,
            "at": "",
            "method": "GET",
            "path": "/api/v1/qualification_sessions",
            "route": "qualification_sessions.list",
            "status": 200,
            "seconds": 0,
            "authenticated": True,
            "sales_channel": 1,
        }
        assert second["path"] == "/api/v1/qualification_session/***/update"
        assert b"sam" not in response.content

    def test_wrong_key_belongs_to_no_sales_channel(self, api):
        api.send("GET", "/api/v1/qualification_sessions", headers={})
        (seen,) = api.read(self.REQUESTS).json["requests"]
        assert (seen["status"], seen["authenticated"], seen["sales_channel"]) == (401, False, None)

    def test_request_that_is_not_http_has_its_status(self, api, raw):
        line = raw.connect()
        line.sock.sendall(b"nonsense\r\n\r\n")
        line.receive()
        (seen,) = api.read(self.REQUESTS).json["requests"]
        assert (seen["method"], seen["path"], seen["status"]) == ("", "", 400)

    @pytest.mark.parametrize(
        ("query", "numbers", "last"),
        [
            ("", [1, 2, 3, 4, 5], 5),
            ("?limit=2", [4, 5], 5),
            ("?limit=0", [], 5),
            ("?after=3", [4, 5], 5),
            ("?after=0&limit=2", [1, 2], 2),
            ("?after=5", [], 5),
            ("?after=99", [], 5),
        ],
    )
    def test_position_leads_from_one_response_to_the_next(self, api, query, numbers, last):
        for _ in range(5):
            api.list()
        response = api.read(f"{self.REQUESTS}{query}").json
        assert ([each["number"] for each in response["requests"]], response["last"]) == (numbers, last)

    def test_positions_go_on_after_a_reset(self, api):
        api.list()
        api.send("DELETE", STATE)
        assert api.read(self.REQUESTS).json == {"requests": [], "last": 1}
        api.list()
        assert [each["number"] for each in api.read(f"{self.REQUESTS}?after=1").json["requests"]] == [2]

    @pytest.mark.parametrize("query", ["?after=-1", "?after=x", "?limit=1.5", "?limit="])
    def test_wrong_position_is_400(self, api, query):
        assert_invalid(api.read(f"{self.REQUESTS}{query}"), "must be a whole number")


class TestLinks:
    @pytest.mark.parametrize("resource", ["payment_sessions", "provision_requests", "qualification_sessions"])
    def test_pending_object_has_a_page(self, emulator, api, resource):
        id = emulator.state.stores[resource].add()
        response = api.read(f"{ADMIN}/links/{resource}/{id}")
        assert (response.status, response.json["url"]) == (200, f"{emulator.url}/_emulator/hosted/{resource}/{id}")
        assert api.send("GET", response.json["url"].removeprefix(emulator.url), headers={}).status == 200

    def test_decided_object_has_none(self, emulator, api):
        assert api.read(f"{ADMIN}/links/payment_sessions/{make_captured(emulator)}").json == {"url": None}

    @pytest.mark.parametrize("path", ["payment_sessions/unknown", "catalog_items/x", "nothing/x"])
    def test_unknown_object_is_404(self, emulator, api, path):
        emulator.state.catalog_items.add(sku="x")
        assert api.read(f"{ADMIN}/links/{path}").status == 404
