import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from webhooks import truemed_webhooks

from truemed_async.testing import make_delivery


@pytest.fixture
def client(tmp_path):
    app = FastAPI()
    endpoint = truemed_webhooks("a-secret", tmp_path / "webhooks.db")
    app.add_route("/webhooks/truemed", endpoint, methods=["GET", "POST"])
    return TestClient(app)


@pytest.fixture
def shipped(monkeypatch):
    shipped = []

    async def fulfill(order):
        shipped.append(order)

    monkeypatch.setattr("webhooks.fulfill", fulfill)
    return shipped


def test_paid_order_is_shipped_once(client, shipped):
    delivery = make_delivery("payment_session_complete", secret="a-secret", status="captured", metadata="order-7")
    for _ in range(2):  # Truemed may deliver an event again
        response = client.post("/webhooks/truemed", content=delivery.body, headers=delivery.headers)
        assert response.status_code == 204
    assert shipped == ["order-7"]


def test_delivery_with_another_secret_is_refused(client, shipped):
    delivery = make_delivery("payment_session_complete", secret="another", status="captured")
    response = client.post("/webhooks/truemed", content=delivery.body, headers=delivery.headers)
    assert (response.status_code, shipped) == (401, [])
