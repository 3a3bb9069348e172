"""The ways of stored payment methods (docs/truemed-api.md 4.4): first payment, renewal, failure and repair, change, end."""

from datetime import timedelta

import pytest

from truemed_async import NextBillInfo, OrderItem, PaymentSessionStatus, errors
from truemed_async.models import PaymentTokenNextAction

BOX = OrderItem(name="Monthly box", price=2999, quantity=1, sku="BOX")
FAILURES = ["CardExpired", "CardDeclined", "CardRequired", "RequalificationRequired"]
THANKS = "https://shop.example/account"


async def renew(shop, token, key=None):
    """Charge the token, its customer absent."""
    return await shop.payments.create(
        total_amount=2999, order_items=[BOX], success_url=THANKS, payment_token=token, idempotency_key=key
    )


async def subscribed(shop, emulator, **options):
    """A token, stored by a request for it."""
    provision = await shop.tokens.create(order_items=[BOX], success_url=THANKS, **options)
    return emulator.state.provision_requests.submit(provision.provision_token_request_id)


@pytest.mark.parametrize(
    ("total", "options"),
    [(2999, {}), (0, {"display_next_bill_info": NextBillInfo(total_amount=2999, date="2026-12-01")})],
    ids=["paid", "free_trial"],
)
async def test_first_payment_stores_its_payment_method(shop, customer, total, options):
    provision = await shop.checkout(
        total, order_items=[BOX], tokenize=True, customer_email="sam@example.com", customer_name="Sam", **options
    )
    assert (await shop.payments.get(provision.id)).payment_token is None
    customer.submit(provision.id)
    customer.approve(provision.id)
    session = await shop.payments.get(provision.id)
    assert session.status is PaymentSessionStatus.CAPTURED
    assert session.capture_amount == total
    token = await shop.tokens.get(session.payment_token)
    assert (token.customer_email, token.customer_name) == ("sam@example.com", "Sam")
    assert token.lmn_expires_at - token.created_at >= timedelta(days=364)
    (card,) = token.payment_methods
    assert (len(card.last4), 1 <= card.exp_month <= 12) == (4, True)

    renewal = await renew(shop, token.payment_token)
    assert (await shop.payments.get(renewal.id)).may_fulfill


async def test_request_for_a_token_ends_in_one(shop, emulator):
    provision = await shop.tokens.create(order_items=[BOX], success_url=THANKS, metadata="subscription 17")
    assert provision.redirect_url
    waiting = await shop.tokens.get_provision_request(provision.provision_token_request_id)
    assert (waiting.is_provisioned, waiting.payment_token, waiting.metadata) == (False, None, "subscription 17")

    token = emulator.state.provision_requests.submit(provision.provision_token_request_id)
    done = await shop.tokens.get_provision_request(provision.provision_token_request_id)
    assert (done.is_provisioned, done.payment_token, done.metadata) == (True, token, "subscription 17")
    assert [each.payment_token for each in await shop.tokens.iter()] == [token]
    with pytest.raises(errors.NotFoundError):
        await shop.tokens.get_provision_request("nobody")


async def test_repeated_renewal_is_charged_once(shop, restarted, emulator):
    token = await subscribed(shop, emulator)
    first = await renew(shop, token, "2026-12-subscription-17")
    assert first == await renew(shop, token, "2026-12-subscription-17")
    assert first == await renew(restarted, token, "2026-12-subscription-17")
    session = await shop.payments.get(first.id)
    assert (session.status, session.may_fulfill, session.is_final) == (PaymentSessionStatus.CAPTURED, True, True)
    assert (session.capture_amount, session.payment_token) == (2999, token)
    assert sum(row.type == "charge" for row in emulator.state.transactions.rows) == 1


@pytest.mark.parametrize("failure", FAILURES)
async def test_customer_repairs_a_failed_renewal(shop, restarted, emulator, failure):
    token = await subscribed(shop, emulator)
    emulator.state.payment_tokens.fail_next_charge(token, failure)
    for each in (shop, shop, restarted):
        with pytest.raises(errors.PaymentMethodError) as declined:
            await renew(each, token, "2026-12")
        assert (declined.value.status, declined.value.code, declined.value.outcome) == (422, failure, "rejected")
        assert declined.value.idempotency_key == "2026-12"
        assert declined.value.redirect_url.startswith(emulator.url)
        assert declined.value.redirect_url not in str(declined.value)
    (failed,) = await shop.payments.iter()
    assert (failed.status, failed.may_fulfill) == (PaymentSessionStatus.PENDING, False)

    emulator.state.payment_tokens.resolve_failure(token)
    session = await shop.payments.get((await renew(shop, token, "2026-12-again")).id)
    assert (session.may_fulfill, session.capture_amount) == (True, 2999)


async def test_expired_letter_requires_the_survey_again(shop, emulator):
    token = await subscribed(shop, emulator)
    expires = (await shop.tokens.get(token)).lmn_expires_at
    assert [each.payment_token for each in await shop.tokens.list(lmn_expires_before=expires)] == [token]
    assert list(await shop.tokens.list(lmn_expires_before=expires - timedelta(days=1))) == []
    emulator.clock.advance(367 * 24 * 3600)
    with pytest.raises(errors.PaymentMethodError) as failed:
        await renew(shop, token)
    assert failed.value.code == "RequalificationRequired"
    emulator.state.payment_tokens.resolve_failure(token)
    assert (await shop.tokens.get(token)).lmn_expires_at > expires
    assert (await renew(shop, token)).id


async def test_update_without_customer_action_is_immediate(shop, emulator):
    token = await subscribed(shop, emulator)
    change = await shop.tokens.update(token, order_items=[BOX])
    assert (change.next_action, change.needs_customer, change.redirect_url) == (None, False, None)
    request = await shop.tokens.get_provision_request(change.provision_token_request_id)
    assert (request.is_provisioned, request.payment_token) == (True, token)
    assert (await renew(shop, token)).id


@pytest.mark.parametrize(
    ("change", "action", "failure"),
    [
        (
            {"order_items": [BOX, OrderItem(name="Mat", price=1000, quantity=1, sku="MAT")]},
            PaymentTokenNextAction.HEALTH_SURVEY,
            "RequalificationRequired",
        ),
        ({"update_card_info": True}, PaymentTokenNextAction("UpdateCard"), "CardRequired"),
    ],
    ids=["HealthSurvey", "UpdateCard"],
)
async def test_change_may_need_the_customer(shop, emulator, change, action, failure):
    token = await subscribed(shop, emulator)
    update = await shop.tokens.update(token, **change)
    assert (update.next_action, update.needs_customer) == (action, True)
    assert update.redirect_url.startswith(emulator.url)
    assert not (await shop.tokens.get_provision_request(update.provision_token_request_id)).is_provisioned
    with pytest.raises(errors.PaymentMethodError) as failed:
        await renew(shop, token, "2026-12")
    assert failed.value.code == failure

    emulator.state.provision_requests.submit(update.provision_token_request_id)
    request = await shop.tokens.get_provision_request(update.provision_token_request_id)
    assert request.payment_token == token
    assert (await renew(shop, token, "2026-12-again")).id


async def test_deleted_token_is_gone_for_good(shop, emulator):
    token = await subscribed(shop, emulator)
    assert await shop.tokens.delete(token) is None
    with pytest.raises(errors.NotFoundError):
        await renew(shop, token)
    with pytest.raises(errors.NotFoundError):
        await shop.tokens.get(token)
    with pytest.raises(errors.NotFoundError):
        await shop.tokens.update(token, update_card_info=True)
    with pytest.raises(errors.NotFoundError):
        await shop.tokens.delete(token)
    assert await shop.tokens.iter() == []
    assert emulator.state.payment_sessions.count == 0
