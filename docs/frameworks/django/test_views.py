import os

import django
import pytest
from django.test import AsyncClient, Client

os.environ["TRUEMED_API_KEY"] = "not-a-real-key"  # for the clients made at import
os.environ["TRUEMED_WEBHOOK_SECRET"] = "a-secret"
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"  # pytest-django does these two lines for you
django.setup()


@pytest.fixture(autouse=True)
def emulated(truemed_client, async_truemed_client, monkeypatch):
    monkeypatch.setattr("shop.views.truemed", truemed_client)
    monkeypatch.setattr("shop.async_views.truemed", async_truemed_client)


def test_two_clicks_lead_to_the_same_page(truemed_emulator):
    first, second = (Client().post("/orders/order-7/checkout", secure=True) for _ in range(2))
    assert (first.status_code, first["Location"]) == (302, second["Location"])
    (session,) = truemed_emulator.state.payment_sessions.rows
    assert (session.total_amount, session.metadata) == (119_98, "order-7")


def test_the_status_is_shown(truemed_emulator):
    session_id = truemed_emulator.state.qualification_sessions.add(status="approved")
    assert Client().get(f"/status/{session_id}").json() == {"status": "approved"}


def test_unknown_session_is_not_found():
    assert Client().get("/status/qs_nobody").status_code == 404


async def test_the_async_view(truemed_emulator):
    session_id = truemed_emulator.state.qualification_sessions.add(status="approved")
    response = await AsyncClient().get(f"/async/status/{session_id}")
    assert response.json() == {"status": "approved"}
