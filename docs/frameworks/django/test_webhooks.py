import os

import django
import pytest
from django.core.management import call_command
from django.test import Client

from truemed_async.testing import make_delivery

os.environ["TRUEMED_API_KEY"] = "not-a-real-key"
os.environ["TRUEMED_WEBHOOK_SECRET"] = "a-secret"
os.environ["SHOP_DATABASE"] = ":memory:"
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
django.setup()

from shop.models import Order  # noqa: E402 - after Django is set up


@pytest.fixture(scope="module", autouse=True)
def database():  # pytest-django creates the database for you
    call_command("migrate", verbosity=0)


@pytest.fixture
def order():
    order = Order.objects.create(number="order-7")
    yield order
    order.delete()


def send(secret, **data):
    delivery = make_delivery("payment_session_complete", secret=secret, metadata="order-7", **data)
    url, type = "/webhooks/truemed", "application/json"
    return Client().post(url, delivery.body, content_type=type, headers=delivery.headers).status_code


def test_captured_payment_marks_the_order_as_paid(order):
    assert [send("a-secret", status="captured") for _ in range(2)] == [204, 204]  # Truemed may deliver an event again
    order.refresh_from_db()
    assert order.paid


def test_delivery_with_another_secret_is_refused(order):
    assert send("another", status="captured") == 401
    order.refresh_from_db()
    assert not order.paid
