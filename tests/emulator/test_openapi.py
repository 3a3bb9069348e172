"""The OpenAPI document, and what schemathesis finds between it and the answers: nothing."""

import re
import subprocess
import sys

import pytest

from tests.support.factories import assert_refused
from tests.support.processes import environment_without_coverage
from tests.support.scale import LONG
from truemed_async.emulator import ROUTES, Emulator

DOCUMENT = "/_emulator/openapi.json"


@pytest.fixture
def document(api):
    response = api.read(DOCUMENT)
    assert response.status == 200
    return response.json


def test_document_describes_every_route(emulator, document):
    """docs/truemed-api.md 1.1: OpenAPI 3.1.0; dev and production are not its servers, the emulator is."""
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": emulator.url}]
    found = {
        (method.upper(), path): operation["operationId"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert found == {(route.method, route.path): route.name for route in ROUTES}


def test_document_has_the_schema_that_validates_a_request(document):
    """docs/truemed-api.md 2.1 P7: one declaration for both."""
    operation = document["paths"]["/payments/v1/refund"]["post"]
    body = operation["requestBody"]
    assert body["required"] is True
    schema = body["content"]["application/json"]["schema"]
    assert schema["required"] == ["amount", "idempotency_key", "payment_id", "reason"]
    assert schema["properties"]["reason"]["enum"] == ["customer_request", "fraudulent", "duplicate_payment"]
    refusal = operation["responses"]["400"]["content"]["application/json"]["schema"]
    assert {"AmountInvalid", "InvalidPaymentId", "ChargeDisputed"} <= set(refusal["properties"]["error"]["enum"])


def test_document_describes_parameters(document):
    """docs/truemed-api.md 2.5 R2: required days, a list with commas, defaults."""
    operation = document["paths"]["/api/v1/reconciliation/transactions"]["get"]
    parameters = {parameter["name"]: parameter for parameter in operation["parameters"]}
    assert parameters["start_date"]["required"] is True
    assert parameters["start_date"]["schema"] == {"type": "string", "format": "date"}
    assert parameters["payout_ids"]["explode"] is False
    assert parameters["include_pending_payouts"]["schema"]["default"] is True
    assert parameters["page_size"]["schema"]["default"] == 30


def test_document_describes_requests_and_responses_without_a_body(document):
    """docs/truemed-api.md 2.2 T5: 204 and an empty body."""
    operation = document["paths"]["/api/v1/payment_tokens/{payment_token}/delete"]["post"]
    assert "requestBody" not in operation
    assert "content" not in operation["responses"]["204"]
    assert document["paths"]["/payments/v1/payment_session/{payment_session_id}/cancel"]["post"]["requestBody"][
        "required"
    ] is False  # fmt: skip


def test_document_describes_a_failed_charge(document):
    """docs/truemed-api.md 2.1 P1: 422 with redirect_url."""
    responses = document["paths"]["/payments/v1/create_payment_session"]["post"]["responses"]
    schema = responses["422"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["error", "message", "redirect_url"]


def test_document_requires_the_key(api):
    """Admin routes need the run token."""
    assert_refused(api.send("GET", DOCUMENT, headers={}), "Unauthorized", 401)
    assert api.post(DOCUMENT).headers["Allow"] == "GET"


# Truemed refuses much of what has the right shape with a 400: unknown sessions, sums that do not add up, reused keys.
# So a refused request says nothing about its shape.
EXCLUDED = "positive_data_acceptance"


@pytest.mark.timeout(2000 if LONG else 300)
def test_schemathesis_finds_no_difference(api, tmp_path):
    """Examples, coverage, fuzzing, stateful; all checks but one."""
    with Emulator(sessions=20, payment_sessions=20, payment_tokens=5, catalog_items=5) as seeded:
        path = tmp_path / "openapi.json"
        path.write_bytes(type(api)(seeded).read(DOCUMENT).content)
        draws = ["--max-examples=200"] if LONG else ["--max-examples=4", "--seed=1", "--generation-database=none"]
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", str(path), "--url", seeded.url, "--no-color"),
            *("--header", f"x-truemed-api-key: {seeded.api_key}", "--exclude-checks", EXCLUDED, *draws),
        ]
        done = subprocess.run(
            command,
            env=environment_without_coverage(),
            capture_output=True,
            text=True,
            timeout=1800 if LONG else 240,
            cwd=tmp_path,
            check=False,
        )
        routes = {seen.route for seen in seeded.requests}
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    assert re.search(rf"Tested: {len(ROUTES)}\b", done.stdout)
    assert routes >= {route.name for route in ROUTES}
    assert not {seen.status for seen in seeded.requests} & {500, 501, None}
