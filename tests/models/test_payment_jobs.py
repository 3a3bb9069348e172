"""What is derived from a payment session: when its hold ends, and what can be refunded."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from truemed_async import PaymentHold, PaymentSession, PaymentSessionItem

CREATED = datetime(2026, 11, 1, tzinfo=UTC)
HOLD = timedelta(days=6.95)
NOW = CREATED + timedelta(days=5)


def payment(status="captured", **fields):
    return PaymentSession(id="p1", status=status, created_at=CREATED, **fields)


class TestHold:
    def test_known_card_entry_gives_the_exact_end(self):
        """docs/truemed-api.md, section 7, row N1: 6.95 days from card entry."""
        entered = CREATED + timedelta(hours=3)
        hold = PaymentHold.of(payment("authorized", authorized_on=CREATED + timedelta(days=2)), entered, NOW)
        assert (hold.ends_at, hold.latest_end) == (entered + HOLD, entered + HOLD)
        assert (hold.is_inferred, hold.can_capture) == (False, True)

    def test_unknown_card_entry_gives_both_bounds(self):
        authorized = CREATED + timedelta(days=2)
        hold = PaymentHold.of(payment("authorized", authorized_on=authorized), None, NOW)
        assert (hold.ends_at, hold.latest_end) == (CREATED + HOLD, authorized + HOLD)
        assert hold.is_inferred

    def test_hold_under_review_may_have_begun_until_now(self):
        hold = PaymentHold.of(payment("processing"), None, NOW)
        assert (hold.ends_at, hold.latest_end, hold.can_capture) == (CREATED + HOLD, NOW + HOLD, False)

    def test_latest_end_is_never_before_the_earliest(self):
        hold = PaymentHold.of(payment("authorized", authorized_on=CREATED - timedelta(days=1)), None, NOW)
        assert hold.ends_at == hold.latest_end == CREATED + HOLD


ITEMS = (
    PaymentSessionItem(item_id="i1", sku="A", name="Mat", quantity_refundable=2, total_refundable=4000),
    PaymentSessionItem(item_id="i2", sku="B", name="Blanket", quantity_refundable=1, total_refundable=5000),
)


class TestRefundable:
    def test_lines_and_total_of_a_capture_without_refunds(self):
        """docs/truemed-api.md, section 7, row N2 and section 6: 29.38 charged, 14.69 returned."""
        found = payment(
            capture_amount=10_000, order_items=ITEMS, extra={"refunds": [], "truemed_fee": 29.38}
        ).refundable()
        assert [(line.sku, line.quantity, line.cents) for line in found.lines] == [("A", 2, 4000), ("B", 1, 5000)]
        assert (found.captured_cents, found.refunded_cents, found.cents, found.obstacle) == (10_000, 0, 10_000, None)
        assert (found.fee, found.fee_returned) == (Decimal("29.38"), Decimal("14.69"))

    def test_refunds_of_a_listing_count(self):
        found = payment(capture_amount=10_000, refund_amount=2500, extra={"truemed_fee": "29.38"}).refundable()
        assert (found.refunded_cents, found.cents) == (2500, 7500)
        assert (found.fee, found.fee_returned) == (Decimal("29.38"), None), "what a part returns is undocumented"

    def test_refunds_of_a_retrieval_count(self):
        refunds = {"refunds": [{"amount": 2500}, {"amount": 500}]}
        assert payment(capture_amount=10_000, extra=refunds).refundable().cents == 7000

    @pytest.mark.parametrize(
        ("summary", "left"),
        [
            ("Captured", 10_000),
            ("Partially Captured", 10_000),
            ("Refunded", 0),
            ("Partially Refunded", None),
            (None, None),
        ],
    )
    @pytest.mark.parametrize("refunds", [None, "some", [7], [{"amount": "7"}], [{}]])
    def test_summary_decides_where_refunds_are_unreadable(self, summary, left, refunds):
        found = payment(capture_amount=10_000, status_summary=summary, extra={"refunds": refunds}).refundable()
        assert found.cents == left

    @pytest.mark.parametrize(
        ("items", "left"),
        [(ITEMS, 9000), ((ITEMS[0], PaymentSessionItem(item_id="i3")), None), ((), None), (None, None)],
    )
    def test_lines_stand_in_for_unknown_amounts(self, items, left):
        found = payment(order_items=items, status_summary="Partially Refunded").refundable()
        assert (found.captured_cents, found.cents) == (None, left)

    @pytest.mark.parametrize("status", ["pending", "processing", "authorized", "canceled", "brand_new"])
    def test_refundable_is_zero_before_the_capture(self, status):
        found = payment(status, capture_amount=10_000, extra={"truemed_fee": 3}).refundable()
        assert (found.cents, found.obstacle, found.fee_returned) == (0, "not captured", None)

    def test_disputed_payment_has_an_obstacle(self):
        assert payment(capture_amount=1, status_summary="Disputed").refundable().obstacle == "disputed"

    @pytest.mark.parametrize("fee", [None, True, "much", "NaN", [], "Infinity"])
    def test_unreadable_fee_is_none(self, fee):
        found = payment(capture_amount=1, refund_amount=0, extra={"truemed_fee": fee}).refundable()
        assert (found.fee, found.fee_returned) == (None, None)
