import pytest
from flask import Flask
from webhooks import add_webhooks

from truemed_async.testing import make_delivery


@pytest.fixture
def client(tmp_path):
    app = Flask(__name__)
    add_webhooks(app, "a-secret", tmp_path / "webhooks.db")
    return app.test_client()


@pytest.fixture
def shipped(monkeypatch):
    shipped = []
    monkeypatch.setattr("webhooks.fulfill", shipped.append)
    return shipped


def test_paid_order_is_shipped_once(client, shipped):
    delivery = make_delivery("payment_session_complete", secret="a-secret", status="captured", metadata="order-7")
    for _ in range(2):  # Truemed may deliver an event again
        assert client.post("/webhooks/truemed", data=delivery.body, headers=delivery.headers).status_code == 204
    assert shipped == ["order-7"]


def test_delivery_with_another_secret_is_refused(client, shipped):
    delivery = make_delivery("payment_session_complete", secret="another", status="captured")
    response = client.post("/webhooks/truemed", data=delivery.body, headers=delivery.headers)
    assert (response.status_code, shipped) == (401, [])
