"""Seed data: qualification sessions, and the business of one merchant. Made up, and the same for the same numbers."""

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from truemed_async.emulator.clock import twelve_months_after
from truemed_async.emulator.resources.catalog_items import EmulatedCatalogItem
from truemed_async.emulator.resources.payment_sessions import HOLD_LIFE, EmulatedPaymentSession, LineItem, Refund
from truemed_async.emulator.resources.payment_tokens import EmulatedPaymentToken, PaymentMethod
from truemed_async.emulator.resources.qualification_sessions import EmulatedQualificationSession
from truemed_async.emulator.resources.reconciliations import EmulatedPayout, EmulatedTransaction, fee

# All times are relative to this one, never to the clock: the data is the same every day.
ANCHOR = datetime(2026, 11, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)

_PRODUCTS: Final = ("Infrared sauna", "Cold plunge", "Resistance band", "Massage gun", "Air purifier", "Sleep mask")
_CUSTOMERS: Final = ("Alex Demo", "Blair Example", "Casey Fixture", "Devon Mockley", "Emery Sample", "Finley Specimen")
# Status and kind, with the share of each in per cent.
_SCENARIOS: Final = (
    ("captured", "one_time_payment", 50),
    ("captured", "authorization", 12),
    ("pending", "one_time_payment", 12),
    ("processing", "one_time_payment", 6),
    ("authorized", "authorization", 8),
    ("rejected", "one_time_payment", 5),
    ("canceled", "one_time_payment", 4),
    ("authorization_voided", "authorization", 2),
    ("authorization_expired", "authorization", 1),
)

# Made-up names; addresses are under the domains that are reserved for examples.
_FIRST = ("Alex", "Blair", "Casey", "Devon", "Emery", "Finley", "Harper", "Jordan", "Morgan", "Quinn", "Robin", "Sage")
_LAST = ("Demo", "Example", "Fixture", "Mockley", "Placeholder", "Sample", "Specimen", "Testerson")
_UNICODE = ("Zoë Exämple", "Ñandú D'Prueba", "見本 太郎", "Łucja Próbka", "مثال تجريبي", "Sam 🧪 O\u2019Test")
_SOURCES = ("email_receipt", "email_payment_reminder", "order_confirm", "reactivate_campaign")
_UTM = ("newsletter", "podcast", "partner-page")


def seed_sessions(count: int, seed: int) -> Iterator[EmulatedQualificationSession]:
    """Yield ``count`` sessions, always the same for the same ``count`` and ``seed``, in no particular order.

    About 62 % approved, 13 % rejected, 17 % pending, 8 % processing, created in the 90 days before ``ANCHOR``; every
    fortieth has the very ``created_at`` of the one before it. Values of fields for which Truemed publishes none
    (``customer_status``, ``session_type``, the Stripe and business ids) are invented.
    """
    # Python keeps the sequences of random(), getrandbits() and what rests on them equal between versions.
    draw = random.Random(seed)  # noqa: S311 - repeatable on purpose
    created_at = ANCHOR
    for index in range(count):
        if index % 40 != 1:
            created_at = _time_before_anchor(draw)
        yield _qualification_session(draw, index, created_at)


def _qualification_session(draw: random.Random, index: int, created_at: datetime) -> EmulatedQualificationSession:
    status = _status(draw.random())
    surveyed = status != "pending"
    reviewed = status in {"approved", "rejected"}
    approved = status == "approved"

    first, last = draw.choice(_FIRST), draw.choice(_LAST)
    name = draw.choice(_UNICODE) if index % 50 == 3 else f"{first} {last}"
    reviewed_at = _later(draw, created_at, 2 * _DAY)
    charged = approved and draw.random() < 0.8
    invoiced = charged and draw.random() < 0.9
    paid_at = reviewed_at + timedelta(days=1 + draw.randrange(30))
    amount = draw.randrange(20_00, 900_00)
    return EmulatedQualificationSession(
        qualification_session_id=f"qs_{_id(draw)}",
        status=status,
        charge_group_created_at=reviewed_at if charged else None,
        created_at=created_at,
        customer_status=draw.choice(("new", "returning")) if surveyed else None,
        eligible_amount=amount / 100 if approved else None,
        email=f"{first}.{last}.{index}@example.{draw.choice(('com', 'org'))}".lower() if surveyed else None,
        expires_at=twelve_months_after(reviewed_at) if approved else None,
        fee=amount // 20 / 100 if charged else None,
        lmn_reviewed_at=reviewed_at if reviewed else None,
        session_type=draw.choice(("link", "checkout")),
        skus_param=f"SKU-{draw.randrange(1000, 1100)},SKU-{draw.randrange(1000, 1100)}"
        if draw.random() < 0.3
        else None,
        source=draw.choice(_SOURCES) if draw.random() < 0.7 else None,
        stripe_invoice_id=f"in_example{index:08}" if invoiced else None,
        stripe_invoice_number=f"EXAMPLE-{index:08}" if invoiced else None,
        stripe_invoice_paid_at=paid_at if invoiced and paid_at <= ANCHOR else None,
        user_business_id=f"business-{draw.randrange(40):04}" if draw.random() < 0.5 else None,
        user_id=f"user-{index:06}" if draw.random() < 0.6 else None,
        user_name=name if surveyed and draw.random() < 0.94 else None,  # the rest has its PII hidden
        utm=draw.choice(_UTM) if draw.random() < 0.2 else None,
        external_user_id=f"external-{index:06}" if draw.random() < 0.2 else None,
    )


def _status(roll: float) -> str:
    if roll < 0.62:
        return "approved"
    if roll < 0.75:
        return "rejected"
    return "pending" if roll < 0.92 else "processing"


@attrs.frozen
class Merchant:
    """Everything of one merchant, in no particular order."""

    catalog_items: tuple[EmulatedCatalogItem, ...]
    payment_tokens: tuple[EmulatedPaymentToken, ...]
    payment_sessions: tuple[EmulatedPaymentSession, ...]
    transactions: tuple[EmulatedTransaction, ...]
    payouts: tuple[EmulatedPayout, ...]


def seed_merchant(*, payment_sessions: int, payment_tokens: int, catalog_items: int, seed: int) -> Merchant:
    """Return a merchant with so many rows; every capture, refund and fee has its transaction.

    Everything happened in the 90 days before ``ANCHOR``. What was entered up to a Sunday is paid out on the Wednesday
    after it, and a payout is the sum of its transactions.
    """
    draw = random.Random(f"{seed} merchant")  # noqa: S311 - repeatable on purpose
    items = tuple(_item(draw, index) for index in range(catalog_items))
    tokens = tuple(_token(draw, index) for index in range(payment_tokens))
    sessions = tuple(_payment_session(draw, index, tokens) for index in range(payment_sessions))
    entries = [entry for session in sessions for entry in _transactions(draw, session)]
    payouts, transactions = _paid_out(draw, entries)
    return Merchant(items, tokens, sessions, transactions, payouts)


def _id(draw: random.Random) -> str:
    return str(uuid.UUID(int=draw.getrandbits(128), version=4))


def _time_before_anchor(draw: random.Random, *, days: int = 90) -> datetime:
    return ANCHOR - timedelta(milliseconds=1 + draw.randrange(days * 24 * 3600 * 1000))


def _later(draw: random.Random, moment: datetime, within: timedelta) -> datetime:
    """Return a moment after this one, never past the anchor: nothing has happened after it."""
    room = min(within, ANCHOR - moment) // timedelta(milliseconds=1)
    return moment + timedelta(milliseconds=draw.randrange(1 + room))


def _item(draw: random.Random, index: int) -> EmulatedCatalogItem:
    created_at = _time_before_anchor(draw)
    name = f"{_PRODUCTS[index % len(_PRODUCTS)]} {index + 1}"
    roll = draw.random()
    eligibility = "eligible_with_lmn" if roll < 0.5 else "eligible" if roll < 0.7 else "ineligible"
    reviewed_at = _later(draw, created_at, 3 * _DAY)
    pending = draw.random() < 0.15
    return EmulatedCatalogItem(
        sku=f"SKU-{1000 + index}",
        created_at=created_at,
        name=name,
        description=f"{name}, made up",
        eligibility=None if pending else eligibility,
        reviewed_at=None if pending else reviewed_at,
        image_urls=(f"https://shop.example/{1000 + index}.png",),
        product_id=f"product-{index // 2}",
        url=f"https://shop.example/products/{1000 + index}",
    )


def _token(draw: random.Random, index: int) -> EmulatedPaymentToken:
    created_at = _time_before_anchor(draw)
    name = draw.choice(_CUSTOMERS)
    expires = draw.randrange(36)  # months from the anchor's year on
    card = PaymentMethod(
        id=f"pm_example{index:08}",
        brand=draw.choice(("visa", "mastercard")),
        last4=f"{draw.randrange(10_000):04}",
        exp_month=1 + expires % 12,
        exp_year=ANCHOR.year + 1 + expires // 12,
    )
    return EmulatedPaymentToken(
        payment_token=_id(draw),
        created_at=created_at,
        customer_email=f"{name.replace(' ', '.').lower()}.{index}@example.com",
        customer_name=name,
        lmn_expires_at=twelve_months_after(created_at) if draw.random() < 0.8 else None,
        payment_methods=(card,),
        skus=(f"SKU-{1000 + draw.randrange(20)}",),
    )


def _payment_session(
    draw: random.Random, index: int, tokens: tuple[EmulatedPaymentToken, ...]
) -> EmulatedPaymentSession:
    created_at = _time_before_anchor(draw)
    status, kind, _ = draw.choices(_SCENARIOS, weights=[share for _, _, share in _SCENARIOS])[0]
    # A hold that lives is one of the last days.
    if status == "authorized":
        created_at = _time_before_anchor(draw, days=5)
    lines = tuple(_line(draw) for _ in range(1 + draw.randrange(3)))
    shipping = draw.choice((0, 5_00, 12_50))
    total = sum(line.total for line in lines) + shipping
    reviewed_at = _later(draw, created_at, 2 * _DAY)
    held = kind == "authorization"
    settled = status.startswith(("captured", "authoriz"))
    captured_on = _later(draw, reviewed_at, 2 * _DAY) if held else reviewed_at
    name = draw.choice(_CUSTOMERS)
    token = draw.choice(tokens).id if tokens and status == "captured" and draw.random() < 0.2 else None
    session = EmulatedPaymentSession(
        id=_id(draw),
        created_at=created_at,
        total_amount=total,
        status=status,
        kind=kind,
        order_items=lines,
        amount_details={"total_additional_charges": shipping} if shipping else None,
        success_url="https://shop.example/thanks?session={{payment_session_id}}",
        failure_url="https://shop.example/cart",
        customer_email=f"{name.replace(' ', '.').lower()}.{index}@example.com",
        customer_name=name,
        metadata=f'{{"order": "{10_000 + index}"}}',
        payment_token=token,
        authorized_on=reviewed_at if settled else None,
        hold_expires_at=reviewed_at + HOLD_LIFE if settled and held else None,
        captured_on=captured_on if status == "captured" else None,
        capture_amount=total if status == "captured" else None,
        capture_id=_id(draw) if status == "captured" and held else None,
        void_id=_id(draw) if status == "authorization_voided" else None,
    )
    if status == "captured" and draw.random() < 0.15:
        refund = Refund(
            refund_id=_id(draw),
            amount=total if draw.random() < 0.5 else max(1, total // 3),
            reason="customer_request",
            created_at=_later(draw, captured_on, 20 * _DAY),
        )
        return attrs.evolve(session, refunds=(refund,))
    return session


def _line(draw: random.Random) -> LineItem:
    number = draw.randrange(20)
    return LineItem(
        item_id=_id(draw),
        name=f"{_PRODUCTS[number % len(_PRODUCTS)]} {number + 1}",
        price=draw.randrange(10_00, 400_00),
        quantity=1 + draw.randrange(3),
        sku=f"SKU-{1000 + number}",
    )


def _transactions(draw: random.Random, session: EmulatedPaymentSession) -> list[EmulatedTransaction]:
    def entry(type: str, amount: int, created_at: datetime) -> EmulatedTransaction:
        return EmulatedTransaction(
            transaction_id=f"txn_{_id(draw)}",
            created_at=created_at,
            type=type,
            amount=amount,
            payment_session_id=session.id,
        )

    if session.captured_on is None:
        return []
    return [
        entry("charge", session.total_amount, session.captured_on),
        entry("truemed_fee", -fee(session.total_amount), session.captured_on),
        *(entry("refund", -refund.amount, refund.created_at) for refund in session.refunds),
    ]


def _paid_out(
    draw: random.Random, entries: list[EmulatedTransaction]
) -> tuple[tuple[EmulatedPayout, ...], tuple[EmulatedTransaction, ...]]:
    def arrival(entry: EmulatedTransaction) -> datetime:
        day = entry.created_at.replace(hour=12, minute=0, second=0, microsecond=0)
        return day + (6 - day.weekday() + 3) * _DAY

    ids: dict[datetime, str] = {}
    settled: list[EmulatedTransaction] = []
    for row in sorted(entries, key=lambda row: row.created_at):
        due = arrival(row)
        if due < ANCHOR:
            id = ids.setdefault(due, f"po_example{draw.getrandbits(64):016x}")
            settled.append(attrs.evolve(row, payout_id=id))
        else:
            settled.append(row)
    payouts = tuple(
        EmulatedPayout(
            payout_id=id,
            created_at=due,
            arrival_date=due.date(),
            amount=sum(row.amount for row in settled if row.payout_id == id),
        )
        for due, id in ids.items()
    )
    return payouts, tuple(settled)
