"""What Truemed's support pages say, as the emulator does it: each test names its row of docs/truemed-api.md, section 7."""

from collections import Counter
from datetime import date, timedelta

import pytest

from tests.support.browser import Shopper
from tests.support.factories import CREATE, make_authorized, make_captured, order, session_path
from truemed_async.emulator import Emulator, InvalidTransitionError
from truemed_async.emulator.resources.qualification_sessions import LETTER_FEE

HOUR = 3600
DAY = 24 * HOUR
HOLD = 6.95 * DAY


def advance_to(emulator, weekday):
    """Advance to 11:00 UTC of the next day with this number, Monday is 0."""
    now = emulator.clock.now()
    there = now.replace(hour=11, minute=0) + timedelta(days=(weekday - now.weekday()) % 7 or 7)
    emulator.clock.advance((there - now).total_seconds())


class TestHolds:
    """N1: the card is held at card entry, before the review, for 6.95 days from then."""

    @pytest.fixture
    def entered(self, emulator):
        """A session of the kind authorization whose card has been entered."""
        sessions = emulator.state.payment_sessions
        id = sessions.add(kind="authorization")
        sessions.submit(id)
        return id

    def test_n1_hold_begins_with_card_entry(self, emulator, entered):
        sessions = emulator.state.payment_sessions
        emulator.clock.advance(5 * DAY)
        sessions.approve(entered)
        session = sessions.get(entered)
        assert emulator.clock.now() - session.authorized_on >= timedelta(days=5)
        assert session.hold_expires_at - session.authorized_on == timedelta(days=6.95)
        emulator.clock.advance(1.9 * DAY)
        assert sessions.capture(entered).status == "captured"

    def test_n1_hold_is_not_renewed_by_the_approval(self, emulator, entered):
        sessions = emulator.state.payment_sessions
        emulator.clock.advance(5 * DAY)
        sessions.approve(entered)
        emulator.clock.advance(2 * DAY)
        assert sessions.capture(entered).status == "authorization_expired"

    def test_n1_review_that_outlasts_the_hold_cancels_the_order(self, emulator, api, entered):
        transitions = []
        emulator.state.on_transition.append(transitions.append)
        emulator.clock.advance(HOLD - HOUR)
        assert api.read(session_path(entered)).json["status"] == "processing"
        emulator.clock.advance(2 * HOUR)
        assert api.read(session_path(entered)).json["status"] == "canceled"
        (canceled,) = transitions
        assert (canceled.name, canceled.before, canceled.after) == ("cancel_outlasted", "processing", "canceled")

    def test_n1_late_letter_does_not_revive_the_order(self, emulator, api):
        """Also if only this machine's clock has moved on, as after a restart of the emulator."""
        sessions = emulator.state.payment_sessions
        entered_at = emulator.clock.now() - timedelta(days=7)
        id = sessions.add(
            kind="authorization",
            status="processing",
            card_entered_on=entered_at,
            hold_expires_at=entered_at + timedelta(days=6.95),
        )
        assert sessions.approve(id).status == "canceled"

    def test_n1_rejected_order_is_not_canceled(self, emulator, entered):
        sessions = emulator.state.payment_sessions
        sessions.reject(entered)
        emulator.clock.advance(HOLD)
        assert sessions.get(entered).status == "rejected"

    def test_n1_payment_without_delayed_capture_waits_for_its_review(self, emulator):
        sessions = emulator.state.payment_sessions
        id = sessions.add()
        sessions.submit(id)
        emulator.clock.advance(HOLD)
        assert sessions.approve(id).status == "captured"


class TestRefundedFees:
    """N2: a refund gives back 50 % of Truemed's fee."""

    def fees(self, emulator):
        return [row.amount for row in reversed(emulator.state.transactions.rows) if row.type == "truemed_fee"]

    def test_n2_whole_refund_returns_half_of_the_fee(self, emulator):
        emulator.state.payment_sessions.refund(make_captured(emulator, total_amount=587_60))
        assert self.fees(emulator) == [-29_38, 14_69]  # the amounts that a merchant has seen

    @pytest.mark.parametrize("parts", [(1,) * 99, (33, 33, 33), (98, 1), (40, 59)])
    def test_n2_partial_refunds_return_as_much_as_their_sum(self, emulator, parts):
        id = make_captured(emulator, total_amount=99)
        for part in parts:
            emulator.state.payment_sessions.refund(id, part)
        cost, *returned = self.fees(emulator)
        assert (cost, sum(returned)) == (-4, 2)
        assert all(amount > 0 for amount in returned)


class TestPreApprovedCarts:
    """N8: a cart of pre-approved products needs no survey and no Letter, and captures at once."""

    @pytest.fixture(autouse=True)
    def catalog(self, emulator):
        for sku, eligibility in (("OK", "eligible"), ("LMN", "eligible_with_lmn"), ("NO", "ineligible"), ("NEW", None)):
            emulator.state.catalog_items.add(sku=sku, eligibility=eligibility)

    def cart(self, api, *skus, **changes):
        items = [{"sku": sku, "name": "x", "price": 10_00, "quantity": 1} for sku in skus]
        fields = {"total_amount": 10_00 * len(skus), "order_items": items, "idempotency_key": repr((skus, changes))}
        return api.post(CREATE, order(**fields, **changes)).json

    @pytest.mark.parametrize(("kind", "becomes"), [("one_time_payment", "captured"), ("authorization", "authorized")])
    def test_n8_pre_approved_cart_skips_survey_and_review(self, emulator, api, kind, becomes):
        created = self.cart(api, "OK", "OK", kind=kind)
        shopper = Shopper(emulator)
        card = shopper.get(created["redirect_url"]).onward
        assert card.endswith("/card")
        assert shopper.get(card).page.choices("review") == []
        assert shopper.submit(card, card="declined").status == 422
        assert shopper.submit(card).onward.startswith("https://shop.example/thanks")
        assert api.read(session_path(created["id"])).json["status"] == becomes

    @pytest.mark.parametrize("skus", [("OK", "LMN"), ("NO",), ("NEW",), ("UNKNOWN",), ("OK", "NEW")])
    def test_n8_any_other_cart_goes_through_the_review(self, emulator, api, skus):
        created = self.cart(api, *skus)
        shopper = Shopper(emulator)
        assert shopper.get(created["redirect_url"]).page.heading == "Health survey"
        emulator.state.payment_sessions.submit(created["id"])
        assert api.read(session_path(created["id"])).json["status"] == "processing"

    def test_n8_cart_without_products_goes_through_the_review(self, emulator):
        sessions = emulator.state.payment_sessions
        assert sessions.submit(sessions.add()).status == "processing"

    def test_n8_token_of_a_pre_approved_cart_has_no_letter_and_can_be_charged(self, emulator, api):
        first = self.cart(api, "OK", tokenize=True)["id"]
        emulator.state.payment_sessions.submit(first)
        (token,) = emulator.state.payment_tokens.rows
        assert token.lmn_expires_at is None
        second = self.cart(api, "OK", payment_token=token.id)["id"]
        assert api.read(session_path(second)).json["status"] == "captured"


class TestLetters:
    """N10: a flat fee for each Letter, billed in batches every Thursday; many sessions share one invoice."""

    def approve(self, emulator, **fields):
        sessions = emulator.state.qualification_sessions
        return sessions.approve(sessions.add(status="processing", **fields)).id

    def invoices(self, api):
        return [row["stripe_invoice_number"] for row in api.list().json["qualification_sessions"]]

    def test_n10_letters_of_a_week_share_one_invoice(self, emulator, api):
        advance_to(emulator, 0)
        ids = [self.approve(emulator) for _ in range(2)]
        advance_to(emulator, 2)
        ids.append(self.approve(emulator))
        assert self.invoices(api) == [None, None, None]
        advance_to(emulator, 4)
        late = self.approve(emulator)
        rows = {row["qualification_session_id"]: row for row in api.list().json["qualification_sessions"]}
        (number,) = {rows[id]["stripe_invoice_number"] for id in ids}
        assert number is not None
        assert len({rows[id]["stripe_invoice_id"] for id in ids}) == 1
        assert {row["fee"] for row in rows.values()} == {LETTER_FEE}
        assert date.fromisoformat(rows[ids[0]]["charge_group_created_at"][:10]).weekday() == 3
        assert rows[late]["stripe_invoice_number"] is None
        advance_to(emulator, 4)
        assert self.invoices(api)[0] not in (None, number)

    def test_n10_invoice_is_open_and_later_paid(self, emulator, api):
        advance_to(emulator, 2)
        id = self.approve(emulator)
        advance_to(emulator, 4)
        assert api.get(id).json["stripe_invoice_paid_at"] is None
        emulator.clock.advance(3 * DAY)
        paid_at = api.get(id).json["stripe_invoice_paid_at"]
        assert paid_at is not None
        emulator.clock.advance(30 * DAY)
        assert api.get(id).json["stripe_invoice_paid_at"] == paid_at

    def test_n10_letter_approved_on_a_thursday_after_the_batch_is_on_the_next_one(self, emulator, api):
        advance_to(emulator, 3)
        before = self.approve(emulator)
        emulator.clock.advance(2 * HOUR)
        after = self.approve(emulator)
        emulator.clock.advance(DAY)
        assert api.get(before).json["stripe_invoice_number"] is not None
        assert api.get(after).json["stripe_invoice_number"] is None

    @pytest.mark.parametrize("fields", [{"session_type": "checkout"}, {"status": "rejected"}])
    def test_n10_letters_of_checkouts_and_rejections_cost_nothing(self, emulator, api, fields):
        sessions = emulator.state.qualification_sessions
        id = sessions.add(**{"status": "processing", **fields})
        if sessions.get(id).status == "processing":
            sessions.approve(id)
        emulator.clock.advance(30 * DAY)
        row = api.get(id).json
        assert (row["fee"], row["charge_group_created_at"], row["stripe_invoice_number"]) == (None, None, None)

    def test_n10_seeded_sessions_share_invoices(self):
        rows = Emulator(sessions=1000).state.qualification_sessions.rows
        billed = Counter(row.stripe_invoice_number for row in rows if row.stripe_invoice_number)
        assert {row.fee for row in rows} == {None, LETTER_FEE}
        assert len(billed) <= 14
        assert min(billed.values()) > 1


class TestPayouts:
    """N12: payouts are rolling and settle within about 48 hours; a lost dispute is deducted from the next one."""

    @pytest.fixture(autouse=True)
    def morning(self, emulator):
        advance_to(emulator, 0)

    def test_n12_payments_are_paid_out_after_about_48_hours(self, emulator):
        make_captured(emulator)
        emulator.clock.advance(48 * HOUR)
        assert emulator.state.payouts.count == 0
        emulator.clock.advance(2 * HOUR)
        (payout,) = emulator.state.payouts.rows
        assert payout.amount == 95_00

    def test_n12_each_day_has_its_payout(self, emulator):
        for _ in range(3):
            make_captured(emulator)
            emulator.clock.advance(DAY)
        emulator.clock.advance(DAY + 2 * HOUR)
        payouts = emulator.state.payouts.rows
        assert [payout.amount for payout in payouts] == [95_00] * 3
        assert len({payout.arrival_date for payout in payouts}) == 3
        emulator.clock.advance(DAY)
        assert emulator.state.payouts.count == 3

    def test_n12_payouts_missed_meanwhile_are_made_by_day(self, emulator):
        entered_at = emulator.clock.now() - timedelta(days=10)
        for days in (0, 0, 3):
            emulator.state.transactions.add(type="charge", amount=1_00, created_at=entered_at + timedelta(days=days))
        emulator.clock.advance(1)
        payouts = emulator.state.payouts.rows
        assert sorted((payout.arrival_date, payout.amount) for payout in payouts) == [
            ((entered_at + timedelta(days=2)).date(), 2_00),
            ((entered_at + timedelta(days=5)).date(), 1_00),
        ]

    def test_n12_open_dispute_moves_no_money(self, emulator):
        sessions = emulator.state.payment_sessions
        id = make_captured(emulator)
        sessions.open_dispute(id)
        sessions.close_dispute(id)
        assert {row.type for row in emulator.state.transactions.rows} == {"charge", "truemed_fee"}

    def test_n12_lost_dispute_is_deducted_from_the_next_payout(self, emulator):
        sessions = emulator.state.payment_sessions
        id = make_captured(emulator)
        emulator.clock.advance(2 * DAY + 2 * HOUR)
        sessions.open_dispute(id)
        sessions.lose_dispute(id)
        make_captured(emulator, total_amount=300_00)
        emulator.clock.advance(2 * DAY)
        newest, first = emulator.state.payouts.rows
        assert (first.amount, newest.amount) == (95_00, 285_00 - 100_00)
        assert sessions.get(id).status_summary == "Disputed"

    @pytest.mark.parametrize("again", ["lose_dispute", "close_dispute"])
    def test_n12_dispute_is_lost_once(self, emulator, again):
        sessions = emulator.state.payment_sessions
        id = make_captured(emulator)
        sessions.lose_dispute(id)
        with pytest.raises(InvalidTransitionError, match="lost dispute"):
            getattr(sessions, again)(id)

    def test_n12_dispute_of_a_refunded_payment_deducts_nothing(self, emulator):
        sessions = emulator.state.payment_sessions
        id = make_captured(emulator)
        sessions.refund(id)
        sessions.lose_dispute(id)
        assert "dispute" not in {row.type for row in emulator.state.transactions.rows}

    def test_n12_captured_hold_is_paid_out_from_its_capture(self, emulator):
        id = make_authorized(emulator)
        emulator.clock.advance(3 * DAY)
        emulator.state.payment_sessions.capture(id)
        emulator.clock.advance(2 * DAY)
        assert emulator.state.payouts.count == 0
        emulator.clock.advance(2 * HOUR)
        assert emulator.state.payouts.count == 1
