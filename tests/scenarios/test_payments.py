"""The ways of a payment session (docs/truemed-api.md 4.1), from its creation to where the money is at the end."""

from collections import Counter

import pytest

from truemed_async import PaymentSessionKind, PaymentSessionStatus, PaymentStatusSummary, errors

HOLD_DAYS = 6.95


async def paid(shop, customer, total=11998, **options):
    """A payment that the customer finished and the review approved."""
    payment = await shop.checkout(total, **options)
    customer.submit(payment.id)
    customer.approve(payment.id)
    return payment.id


async def make_held(shop, customer, total=11998):
    return await paid(shop, customer, total, kind="authorization")


def place(session):
    """Where a session stands: its status, whether to ship, and whether that is the end."""
    assert session.may_fulfill == session.status.may_fulfill
    assert session.is_final == session.status.is_final
    return session.status, session.may_fulfill, session.is_final


class TestOneTimePayment:
    async def test_one_time_payment_is_captured_when_it_is_approved(self, shop, customer):
        payment = await shop.checkout(metadata="order 17", idempotency_key="cart-17")
        assert payment.redirect_url
        assert place(await shop.payments.get(payment.id)) == (PaymentSessionStatus.PENDING, False, False)

        customer.submit(payment.id)
        assert place(await shop.payments.get(payment.id)) == (PaymentSessionStatus.PROCESSING, False, False)

        customer.approve(payment.id)
        session = await shop.payments.get(payment.id)
        assert place(session) == (PaymentSessionStatus.CAPTURED, True, True)
        assert (session.total_amount, session.authorize_amount, session.capture_amount) == (11998, 11998, 11998)
        assert session.kind is PaymentSessionKind.ONE_TIME_PAYMENT
        assert session.status_summary is PaymentStatusSummary.CAPTURED
        assert session.authorized_on == session.captured_on is not None
        assert session.metadata == "order 17"
        assert session.payment_token is None
        (line,) = session.order_items
        assert (line.price, line.quantity, line.sku, line.total_refundable) == (11998, 1, "SB-1", 11998)

    async def test_rejected_session_takes_no_money(self, shop, customer, emulator):
        payment = await shop.checkout()
        customer.submit(payment.id)
        customer.reject(payment.id)
        session = await shop.payments.get(payment.id)
        assert place(session) == (PaymentSessionStatus.REJECTED, False, True)
        assert session.capture_amount is None
        with pytest.raises(errors.NoSessionCapturesError):
            await shop.payments.refund(payment.id, amount=1, reason="customer_request")
        assert emulator.state.transactions.count == 0

    async def test_pending_session_can_be_canceled(self, shop):
        payment = await shop.checkout()
        canceled = await shop.payments.cancel(payment.id)
        assert canceled.status is PaymentSessionStatus.CANCELED
        session = await shop.payments.get(payment.id)
        assert place(session) == (PaymentSessionStatus.CANCELED, False, True)
        assert session.status_summary is PaymentStatusSummary.CANCELED
        with pytest.raises(errors.BadRequestError) as again:
            await shop.payments.cancel(payment.id)
        assert again.value.outcome == "rejected"

    async def test_cannot_be_canceled_once_the_card_is_entered(self, shop, customer):
        payment = await shop.checkout()
        customer.submit(payment.id)
        with pytest.raises(errors.BadRequestError):
            await shop.payments.cancel(payment.id)
        assert (await shop.payments.get(payment.id)).status is PaymentSessionStatus.PROCESSING

    async def test_one_time_payment_can_be_neither_voided_nor_captured(self, shop, customer):
        id = await paid(shop, customer)
        with pytest.raises(errors.ImmediateCaptureError):
            await shop.payments.void(id)
        with pytest.raises(errors.SessionCapturedError):
            await shop.payments.capture(id, total_amount=11998)

    async def test_same_key_gives_the_same_session(self, shop, restarted, customer):
        first = await shop.checkout(idempotency_key="cart-18")
        customer.submit(first.id)
        again = await shop.checkout(idempotency_key="cart-18")
        later = await restarted.checkout(idempotency_key="cart-18")
        assert first == again == later
        assert first.idempotency_key == "cart-18"
        assert customer.count == 1
        assert (await shop.payments.get(first.id)).status is PaymentSessionStatus.PROCESSING, "and changes nothing"

    async def test_key_of_another_cart_is_rejected_before_and_after_a_restart(self, shop, restarted, customer):
        await shop.checkout(idempotency_key="cart-19")
        with pytest.raises(errors.InvalidArgumentError):
            await shop.checkout(2000, idempotency_key="cart-19")
        with pytest.raises(errors.IdempotencyMismatchError):
            await restarted.checkout(2000, idempotency_key="cart-19")
        assert customer.count == 1


class TestAuthorization:
    async def test_authorization_is_held_until_it_is_captured(self, shop, restarted, customer):
        id = await make_held(shop, customer)
        session = await shop.payments.get(id)
        assert place(session) == (PaymentSessionStatus.AUTHORIZED, False, False)
        assert (session.authorize_amount, session.capture_amount) == (11998, None)
        assert session.status_summary is PaymentStatusSummary.AUTHORIZED
        assert session.order_items[0].total_capturable == 11998

        capture = await shop.payments.capture(id, total_amount=11998, idempotency_key="capture-1")
        again = await shop.payments.capture(id, total_amount=11998, idempotency_key="capture-1")
        later = await restarted.payments.capture(id, total_amount=11998, idempotency_key="capture-1")
        assert capture == again == later
        assert capture.id != id
        session = await shop.payments.get(id)
        assert place(session) == (PaymentSessionStatus.CAPTURED, True, True)
        assert (session.capture_amount, session.kind) == (11998, PaymentSessionKind.AUTHORIZATION)

        with pytest.raises(errors.SessionCapturedError):
            await shop.payments.capture(id, total_amount=11998, idempotency_key="capture-2")
        with pytest.raises(errors.SessionCapturedError):
            await shop.payments.void(id)

    async def test_authorization_cannot_be_captured_before_the_review(self, shop, customer):
        payment = await shop.checkout(kind="authorization")
        for move in (None, customer.submit):
            if move:
                move(payment.id)
            with pytest.raises(errors.SessionPendingError):
                await shop.payments.capture(payment.id, total_amount=11998, idempotency_key="early")
            with pytest.raises(errors.SessionPendingError):
                await shop.payments.void(payment.id)
        customer.approve(payment.id)
        # A refusal does not use the key up.
        assert (await shop.payments.capture(payment.id, total_amount=11998, idempotency_key="early")).id

    async def test_partial_capture_is_applied(self, shop, customer):
        """Shipping is in the total and in no line: what the items cost is the least that can be captured."""
        id = await paid(shop, customer, 10000, kind="authorization", order_items=[])
        with pytest.raises(errors.TotalAmountInvalidError):
            await shop.payments.capture(id, total_amount=10001)
        await shop.payments.capture(id, total_amount=4000)
        session = await shop.payments.get(id)
        assert place(session) == (PaymentSessionStatus.CAPTURED, True, True)
        assert (session.total_amount, session.authorize_amount, session.capture_amount) == (10000, 10000, 4000)
        assert session.status_summary is PaymentStatusSummary.PARTIALLY_CAPTURED
        with pytest.raises(errors.AmountInvalidError):
            await shop.payments.refund(id, amount=4001, reason="customer_request")

    async def test_less_than_the_items_cost_is_rejected(self, shop, customer):
        id = await make_held(shop, customer)
        with pytest.raises(errors.TotalAmountInvalidError):
            await shop.payments.capture(id, total_amount=11997)
        assert (await shop.payments.get(id)).status is PaymentSessionStatus.AUTHORIZED

    async def test_void_releases_the_hold(self, shop, restarted, customer, emulator):
        id = await make_held(shop, customer)
        void = await shop.payments.void(id, idempotency_key="void-1")
        assert void == await shop.payments.void(id, idempotency_key="void-1")
        assert void == await restarted.payments.void(id, idempotency_key="void-1")
        assert void.id != id
        session = await shop.payments.get(id)
        assert place(session) == (PaymentSessionStatus.AUTHORIZATION_VOIDED, False, True)
        assert session.status_summary is PaymentStatusSummary.VOIDED
        with pytest.raises(errors.SessionVoidedError):
            await shop.payments.capture(id, total_amount=11998)
        assert emulator.state.transactions.count == 0

    async def test_expired_hold_is_found_out_by_the_capture(self, shop, customer, emulator):
        id = await make_held(shop, customer)
        emulator.clock.advance(HOLD_DAYS * 24 * 3600 + 1)
        assert (await shop.payments.get(id)).status is PaymentSessionStatus.AUTHORIZED
        with pytest.raises(errors.SessionExpiredError) as expired:
            await shop.payments.capture(id, total_amount=11998, idempotency_key="late")
        assert (expired.value.outcome, expired.value.idempotency_key) == ("rejected", "late")
        session = await shop.payments.get(id)
        assert place(session) == (PaymentSessionStatus.AUTHORIZATION_EXPIRED, False, True)
        assert session.capture_amount is None
        with pytest.raises(errors.SessionExpiredError):
            await shop.payments.capture(id, total_amount=11998, idempotency_key="late")

    async def test_expired_hold_may_be_renewed_by_the_bank_error(self, shop, customer):
        id = await make_held(shop, customer)
        customer.expire_hold(id)
        customer.reauthorize(id)
        await shop.payments.capture(id, total_amount=11998)
        session = await shop.payments.get(id)
        assert place(session) == (PaymentSessionStatus.CAPTURED, True, True)
        assert session.capture_amount == 11998


class TestRefund:
    async def test_parts_and_then_the_rest(self, shop, restarted, customer):
        id = await paid(shop, customer)
        part = await shop.payments.refund(id, amount=1999, reason="customer_request", idempotency_key="refund-1")
        again = await shop.payments.refund(id, amount=1999, reason="customer_request", idempotency_key="refund-1")
        later = await restarted.payments.refund(id, amount=1999, reason="customer_request", idempotency_key="refund-1")
        assert part == again == later
        session = await shop.payments.get(id)
        assert place(session) == (PaymentSessionStatus.CAPTURED, True, True)
        assert session.status_summary is PaymentStatusSummary.PARTIALLY_REFUNDED
        assert session.order_items[0].total_refundable == 9999

        with pytest.raises(errors.AmountInvalidError):
            await shop.payments.refund(id, amount=10000, reason="customer_request")
        rest = await shop.payments.refund(id, amount=9999, reason="fraudulent")
        assert rest.refund_id != part.refund_id
        session = await shop.payments.get(id)
        assert place(session) == (PaymentSessionStatus.CAPTURED, True, True)
        assert session.status_summary is PaymentStatusSummary.REFUNDED
        with pytest.raises(errors.AmountInvalidError):
            await shop.payments.refund(id, amount=1, reason="customer_request")
        (row,) = await shop.payments.list(summarize_refunds=True)
        assert row.refund_amount == 11998

    async def test_disputed_charge_is_not_refunded(self, shop, customer):
        id = await paid(shop, customer)
        customer.open_dispute(id)
        session = await shop.payments.get(id)
        assert place(session) == (PaymentSessionStatus.CAPTURED, True, True)
        assert session.status_summary is PaymentStatusSummary.DISPUTED
        with pytest.raises(errors.ChargeDisputedError):
            await shop.payments.refund(id, amount=1, reason="customer_request", idempotency_key="refund-3")
        customer.close_dispute(id)
        refund = await shop.payments.refund(id, amount=1, reason="customer_request", idempotency_key="refund-3")
        assert refund.refund_id

    async def test_unknown_session_raises_the_error_of_each_endpoint(self, shop):
        with pytest.raises(errors.NotFoundError):
            await shop.payments.get("nobody")
        for call in (shop.payments.void("nobody"), shop.payments.capture("nobody", total_amount=1)):
            with pytest.raises(errors.PaymentSessionDoesNotExistError):
                await call
        with pytest.raises(errors.InvalidPaymentIdError):
            await shop.payments.refund("nobody", amount=1, reason="customer_request")


async def test_list_holds_every_status_newest_first(shop, customer):
    pending = await shop.checkout(1000)
    captured = await paid(shop, customer, 2000)
    voided = await make_held(shop, customer, 3000)
    await shop.payments.void(voided)
    rows = await shop.payments.iter(include_order_items=True)
    assert [(row.id, row.status, row.total_amount, row.order_items[0].price) for row in rows] == [
        (voided, PaymentSessionStatus.AUTHORIZATION_VOIDED, 3000, 3000),
        (captured, PaymentSessionStatus.CAPTURED, 2000, 2000),
        (pending.id, PaymentSessionStatus.PENDING, 1000, 1000),
    ]
    assert [outcome.unwrap().id for outcome in await shop.payments.get_many([pending.id])] == [pending.id]


async def test_transactions_show_captures_and_refunds(shop, customer, emulator):
    id = await paid(shop, customer, 10000)
    await shop.payments.refund(id, amount=2500, reason="customer_request")
    await shop.checkout(700)  # pending: no money
    customer.lose_dispute(await paid(shop, customer, 2000))
    emulator.state.payouts.pay_out(payout_id="po_1")
    late = await paid(shop, customer, 400)

    today = emulator.clock.now().date()
    rows = await shop.reconciliations.iter_transactions(start_date=today, end_date=today)
    by_payment = Counter()
    for row in rows:
        if row.payout_id:
            by_payment[row.type.value, row.extra["payment_session_id"] == id] += row.amount
    assert by_payment == {
        ("charge", True): 10000,
        ("truemed_fee", True): -500 + 62,  # a refund returns half of its fee
        ("refund", True): -2500,
        ("charge", False): 2000,
        ("truemed_fee", False): -100,
        ("dispute", False): -2000,
    }
    waiting = [row for row in rows if row.payout_id is None]
    assert sorted(row.amount for row in waiting) == [-20, 400]
    assert {row.extra["payment_session_id"] for row in waiting} == {late}
    (payout,) = await shop.reconciliations.list_payouts(start_date=today, end_date=today)
    assert (payout.payout_id, payout.amount, payout.arrival_date) == ("po_1", sum(by_payment.values()), today)
