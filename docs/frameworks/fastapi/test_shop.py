import pytest
from fastapi.testclient import TestClient
from shop import app


@pytest.fixture
def client(truemed_environment):
    with TestClient(app, base_url="https://shop.example") as client:  # `with` runs the lifespan
        yield client


def test_two_clicks_lead_to_the_same_page(truemed_emulator, client):
    first, second = (client.post("/orders/order-7/checkout", follow_redirects=False) for _ in range(2))
    assert (first.status_code, first.headers["location"]) == (303, second.headers["location"])
    (session,) = truemed_emulator.state.payment_sessions.rows
    assert (session.total_amount, session.metadata) == (119_98, "order-7")


def test_the_status_is_shown(truemed_emulator, client):
    session_id = truemed_emulator.state.qualification_sessions.add(status="approved")
    assert client.get(f"/status/{session_id}").json() == {"status": "approved"}


def test_unknown_session_is_not_found(client):
    assert client.get("/status/qs_nobody").status_code == 404
