"""A merchant's business to start with: catalog, subscribers, payments, payouts; made up, the same for the same numbers."""

import random
import uuid
from datetime import datetime, timedelta
from typing import Final

import attrs

from truemed_async.emulator.catalog_items.model import CatalogItem
from truemed_async.emulator.clock import twelve_months_after
from truemed_async.emulator.payment_sessions.model import LineItem, PaymentSession, Refund
from truemed_async.emulator.payment_sessions.moves import HOLD_LIFE
from truemed_async.emulator.payment_tokens.model import PaymentMethod, PaymentToken
from truemed_async.emulator.reconciliations.model import Payout, Transaction
from truemed_async.emulator.reconciliations.store import fee_of
from truemed_async.emulator.seed import ANCHOR

_DAY: Final = timedelta(days=1)
_PRODUCTS: Final = ("Infrared sauna", "Cold plunge", "Resistance band", "Massage gun", "Air purifier", "Sleep mask")
_PEOPLE: Final = ("Alex Demo", "Blair Example", "Casey Fixture", "Devon Mockley", "Emery Sample", "Finley Specimen")
# Status and kind, with the share of each in per cent.
_LIVES: Final = (
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


@attrs.frozen
class Merchant:
    """Everything of one merchant, in no particular order."""

    catalog_items: tuple[CatalogItem, ...]
    payment_tokens: tuple[PaymentToken, ...]
    payment_sessions: tuple[PaymentSession, ...]
    transactions: tuple[Transaction, ...]
    payouts: tuple[Payout, ...]


def seed_merchant(*, payment_sessions: int, payment_tokens: int, catalog_items: int, seed: int) -> Merchant:
    """Return a merchant with so many rows; every capture, refund and fee has its transaction.

    Everything happened in the 90 days before `ANCHOR`. What was entered up to a Sunday is paid out on the Wednesday
    after it, and a payout is the sum of its transactions.
    """
    draw = random.Random(f"{seed} merchant")  # noqa: S311 - repeatable on purpose
    items = tuple(_item(draw, index) for index in range(catalog_items))
    tokens = tuple(_token(draw, index) for index in range(payment_tokens))
    sessions = tuple(_session(draw, index, tokens) for index in range(payment_sessions))
    entries = [entry for session in sessions for entry in _entries(draw, session)]
    payouts, transactions = _paid_out(draw, entries)
    return Merchant(items, tokens, sessions, transactions, payouts)


def _id(draw: random.Random) -> str:
    return str(uuid.UUID(int=draw.getrandbits(128), version=4))


def _moment(draw: random.Random, *, days: int = 90) -> datetime:
    return ANCHOR - timedelta(milliseconds=1 + draw.randrange(days * 24 * 3600 * 1000))


def _later(draw: random.Random, moment: datetime, within: timedelta) -> datetime:
    """Return a moment after this one, never past the anchor: nothing has happened after it."""
    room = min(within, ANCHOR - moment) // timedelta(milliseconds=1)
    return moment + timedelta(milliseconds=draw.randrange(1 + room))


def _item(draw: random.Random, index: int) -> CatalogItem:
    created_at = _moment(draw)
    name = f"{_PRODUCTS[index % len(_PRODUCTS)]} {index + 1}"
    roll = draw.random()
    eligibility = "eligible_with_lmn" if roll < 0.5 else "eligible" if roll < 0.7 else "ineligible"
    reviewed_at = _later(draw, created_at, 3 * _DAY)
    pending = draw.random() < 0.15
    return CatalogItem(
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


def _token(draw: random.Random, index: int) -> PaymentToken:
    created_at = _moment(draw)
    name = draw.choice(_PEOPLE)
    expires = draw.randrange(36)  # months from the anchor's year on
    card = PaymentMethod(
        id=f"pm_example{index:08}",
        brand=draw.choice(("visa", "mastercard")),
        last4=f"{draw.randrange(10_000):04}",
        exp_month=1 + expires % 12,
        exp_year=ANCHOR.year + 1 + expires // 12,
    )
    return PaymentToken(
        payment_token=_id(draw),
        created_at=created_at,
        customer_email=f"{name.replace(' ', '.').lower()}.{index}@example.com",
        customer_name=name,
        lmn_expires_at=twelve_months_after(created_at) if draw.random() < 0.8 else None,
        payment_methods=(card,),
        skus=(f"SKU-{1000 + draw.randrange(20)}",),
    )


def _session(draw: random.Random, index: int, tokens: tuple[PaymentToken, ...]) -> PaymentSession:
    created_at = _moment(draw)
    status, kind, _ = draw.choices(_LIVES, weights=[share for _, _, share in _LIVES])[0]
    # A hold that lives is one of the last days.
    if status == "authorized":
        created_at = _moment(draw, days=5)
    lines = tuple(_line(draw) for _ in range(1 + draw.randrange(3)))
    shipping = draw.choice((0, 5_00, 12_50))
    total = sum(line.total for line in lines) + shipping
    reviewed_at = _later(draw, created_at, 2 * _DAY)
    held = kind == "authorization"
    settled = status.startswith(("captured", "authoriz"))
    captured_on = _later(draw, reviewed_at, 2 * _DAY) if held else reviewed_at
    name = draw.choice(_PEOPLE)
    token = draw.choice(tokens).id if tokens and status == "captured" and draw.random() < 0.2 else None
    session = PaymentSession(
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


def _entries(draw: random.Random, session: PaymentSession) -> list[Transaction]:
    def entry(type: str, amount: int, created_at: datetime) -> Transaction:
        return Transaction(
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
        entry("truemed_fee", -fee_of(session.total_amount), session.captured_on),
        *(entry("refund", -refund.amount, refund.created_at) for refund in session.refunds),
    ]


def _paid_out(draw: random.Random, entries: list[Transaction]) -> tuple[tuple[Payout, ...], tuple[Transaction, ...]]:
    def arrival(entry: Transaction) -> datetime:
        day = entry.created_at.replace(hour=12, minute=0, second=0, microsecond=0)
        return day + (6 - day.weekday() + 3) * _DAY

    ids: dict[datetime, str] = {}
    settled: list[Transaction] = []
    for row in sorted(entries, key=lambda row: row.created_at):
        due = arrival(row)
        if due < ANCHOR:
            id = ids.setdefault(due, f"po_example{draw.getrandbits(64):016x}")
            settled.append(attrs.evolve(row, payout_id=id))
        else:
            settled.append(row)
    payouts = tuple(
        Payout(
            payout_id=id,
            created_at=due,
            arrival_date=due.date(),
            amount=sum(row.amount for row in settled if row.payout_id == id),
        )
        for due, id in ids.items()
    )
    return payouts, tuple(settled)
