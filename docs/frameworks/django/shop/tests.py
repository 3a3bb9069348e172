from unittest import mock

from django.conf import settings
from django.test import TestCase

from shop.models import Order
from truemed_async import Truemed
from truemed_async.emulator import Emulator
from truemed_async.testing import make_delivery


class ShopTests(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.emulator = cls.enterClassContext(Emulator(sessions=0))
        client = cls.enterClassContext(Truemed(cls.emulator.api_key, base_url=cls.emulator.url))
        cls.enterClassContext(mock.patch("shop.views.truemed", client))

    def test_checkout_leads_to_truemed(self):
        response = self.client.post("/orders/order-7/checkout", secure=True)
        (session,) = self.emulator.state.payment_sessions.rows
        self.assertEqual(session.metadata, "order-7")
        self.assertIn(session.id, response["Location"])

    def test_captured_payment_marks_the_order_as_paid(self):
        order = Order.objects.create(number="order-7")
        delivery = make_delivery(
            "payment_session_complete",
            secret=settings.TRUEMED_WEBHOOK_SECRET,
            status="captured",
            metadata="order-7",
        )
        response = self.client.post(
            "/webhooks/truemed", delivery.body, content_type="application/json", headers=delivery.headers
        )
        order.refresh_from_db()
        self.assertEqual((response.status_code, order.paid), (204, True))
