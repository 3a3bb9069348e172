"""Seed data: qualification sessions, the business of one merchant, and the objects of the documentation's examples.

All of it is made up. What is generated is the same for the same numbers; the examples have fixed ids.
"""

import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import attrs

from truemed_async.emulator.clock import twelve_months_after
from truemed_async.emulator.resources.catalog_items import EmulatedCatalogItem
from truemed_async.emulator.resources.payment_sessions import HOLD_LIFE, EmulatedPaymentSession, LineItem, Refund
from truemed_async.emulator.resources.payment_tokens import EmulatedPaymentToken, PaymentMethod, ProvisionRequest
from truemed_async.emulator.resources.qualification_sessions import (
    CHECKOUT,
    LETTER_FEE,
    LINK,
    EmulatedQualificationSession,
    invoice_of,
)
from truemed_async.emulator.resources.reconciliations import (
    EmulatedPayout,
    EmulatedTransaction,
    fee,
    returned_fee,
    settles_at,
)

# All times are relative to this one, never to the clock: the data is the same every day.
ANCHOR = datetime(2026, 11, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)

_PRODUCTS: Final = ("Infrared sauna", "Cold plunge", "Resistance band", "Massage gun", "Air purifier", "Sleep mask")
_CUSTOMERS: Final = ("Alex Demo", "Blair Example", "Casey Fixture", "Devon Mockley", "Emery Sample", "Finley Specimen")
# Example rows that exist only beside those to which they belong.
_OWNERS: Final = MappingProxyType(
    {"transactions": "payment_sessions", "payouts": "payment_sessions", "provision_requests": "payment_tokens"}
)
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


def seed_rows(counts: Mapping[str, int], seed: int, now: datetime | None) -> dict[str, list[Any]]:
    """Return the rows of an emulator by the name of their store, so many of each.

    With ``now``, the objects of ``seed_examples`` are the first of them.
    """
    examples: Mapping[str, Sequence[Any]] = {} if now is None else seed_examples(now)
    rows = {name: list(examples.get(name, ()))[:count] for name, count in counts.items()}
    left = {name: count - len(rows[name]) for name, count in counts.items()}
    rows["qualification_sessions"] += seed_sessions(left.pop("qualification_sessions"), seed)
    for name, generated in attrs.asdict(seed_merchant(**left, seed=seed), recurse=False).items():
        rows.setdefault(name, []).extend(generated)
    for name, owner in _OWNERS.items():
        if counts[owner]:
            rows.setdefault(name, []).extend(examples.get(name, ()))
    return rows


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
    session_type = draw.choice((LINK, CHECKOUT))
    amount = draw.randrange(20_00, 900_00)
    charged = approved and session_type == LINK
    return EmulatedQualificationSession(
        qualification_session_id=f"qs_{_id(draw)}",
        status=status,
        created_at=created_at,
        customer_status=draw.choice(("new", "returning")) if surveyed else None,
        eligible_amount=amount / 100 if approved else None,
        email=f"{first}.{last}.{index}@example.{draw.choice(('com', 'org'))}".lower() if surveyed else None,
        expires_at=twelve_months_after(reviewed_at) if approved else None,
        fee=LETTER_FEE if charged else None,
        lmn_reviewed_at=reviewed_at if reviewed else None,
        session_type=session_type,
        skus_param=f"SKU-{draw.randrange(1000, 1100)},SKU-{draw.randrange(1000, 1100)}"
        if draw.random() < 0.3
        else None,
        source=draw.choice(_SOURCES) if draw.random() < 0.7 else None,
        user_business_id=f"business-{draw.randrange(40):04}" if draw.random() < 0.5 else None,
        user_id=f"user-{index:06}" if draw.random() < 0.6 else None,
        user_name=name if surveyed and draw.random() < 0.94 else None,  # the rest has its PII hidden
        utm=draw.choice(_UTM) if draw.random() < 0.2 else None,
        external_user_id=f"external-{index:06}" if draw.random() < 0.2 else None,
        **(invoice_of(reviewed_at, ANCHOR) if charged else {}),
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

    Everything happened in the 90 days before ``ANCHOR``. What was entered on a day is paid out two days later, and a
    payout is the sum of its transactions.
    """
    draw = random.Random(f"{seed} merchant")  # noqa: S311 - repeatable on purpose
    items = tuple(_item(draw, index) for index in range(catalog_items))
    tokens = tuple(_token(draw, index) for index in range(payment_tokens))
    sessions = tuple(_payment_session(draw, index, tokens) for index in range(payment_sessions))
    entries = [entry for session in sessions for entry in _transactions(draw, session)]
    payouts, transactions = _pay_out(draw, entries)
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
    entered_at = created_at + (reviewed_at - created_at) / 4
    card_entered_at = entered_at.replace(microsecond=entered_at.microsecond // 1000 * 1000)
    submitted = settled or status in {"processing", "rejected"}
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
        authorized_on=(card_entered_at if held else reviewed_at) if settled else None,
        card_entered_on=card_entered_at if submitted else None,
        hold_expires_at=card_entered_at + HOLD_LIFE if settled and held else None,
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
        *(
            row
            for refund in session.refunds
            for row in (
                entry("refund", -refund.amount, refund.created_at),
                entry("truemed_fee", returned_fee(refund.amount), refund.created_at),
            )
        ),
    ]


def _pay_out(
    draw: random.Random, entries: list[EmulatedTransaction]
) -> tuple[tuple[EmulatedPayout, ...], tuple[EmulatedTransaction, ...]]:
    def arrival(entry: EmulatedTransaction) -> datetime:
        return settles_at(entry.created_at)

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


# --- examples -----------------------------------------------------------------------------------------------------


def seed_examples(now: datetime) -> Mapping[str, Sequence[Any]]:
    """Return the objects with fixed ids that the documentation's examples use, by the name of their store.

    Their times are relative to the day of ``now``, so that on every day the Letter of ``qs_abc123`` is valid, that of
    ``qs_ghi789`` ends within 60 days, and the hold of the second payment can be captured.
    """
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    reviewed_at = today - 30 * _DAY
    renewed_at = today - 335 * _DAY
    paid_at = today - 10 * _DAY
    line = LineItem(item_id="item_abc123", name="Sauna blanket", price=59_99, quantity=2, sku="SB-1")
    captured = EmulatedPaymentSession(
        id="5b0d2a3e-7a52-4f43-9f0e-0d2f1d0f6c11",
        created_at=paid_at - _DAY,
        total_amount=line.total,
        status="captured",
        order_items=(line,),
        success_url="https://shop.example/thanks?session={{payment_session_id}}",
        failure_url="https://shop.example/cart",
        customer_email="ann@example.com",
        customer_name="Ann Example",
        metadata="order 16",
        payment_token="pt_abc123",  # noqa: S106 - made up
        authorized_on=paid_at,
        card_entered_on=paid_at,
        captured_on=paid_at,
        capture_amount=line.total,
    )
    held_at = today - _DAY
    held = attrs.evolve(
        captured,
        id="7c1e4b60-2d95-4a3b-8b1c-5e6f70819203",
        created_at=held_at,
        status="authorized",
        kind="authorization",
        metadata="order 17",
        payment_token=None,
        authorized_on=held_at,
        card_entered_on=held_at,
        hold_expires_at=held_at + HOLD_LIFE,
        captured_on=None,
        capture_amount=None,
    )
    session = EmulatedQualificationSession(
        qualification_session_id="qs_abc123",
        status="approved",
        created_at=reviewed_at - 2 * _DAY,
        customer_status="new",
        eligible_amount=119.98,
        email="ann@example.com",
        expires_at=twelve_months_after(reviewed_at),
        lmn_reviewed_at=reviewed_at,
        session_type="link",
        skus_param="SB-1",
        source="email_receipt",
        user_name="Ann Example",
        utm="newsletter",
    )
    waiting = attrs.evolve(
        session,
        qualification_session_id="qs_def456",
        status="processing",
        created_at=today - _DAY,
        eligible_amount=None,
        email="robin@example.com",
        expires_at=None,
        lmn_reviewed_at=None,
        user_name="Robin Example",
    )
    ending = attrs.evolve(
        session,
        qualification_session_id="qs_ghi789",
        created_at=renewed_at - 2 * _DAY,
        email="bob@example.com",
        expires_at=twelve_months_after(renewed_at),
        lmn_reviewed_at=renewed_at,
        user_id="customer-2",
        user_name="Bob Example",
    )
    token = EmulatedPaymentToken(
        payment_token="pt_abc123",  # noqa: S106 - made up
        created_at=paid_at,
        customer_email="ann@example.com",
        customer_name="Ann Example",
        lmn_expires_at=twelve_months_after(paid_at),
        skus=("SB-1",),
    )
    provision = ProvisionRequest(
        provision_token_request_id="ptr_abc123",  # noqa: S106 - made up
        created_at=paid_at - _DAY,
        status="provisioned",
        payment_token=token.id,
        skus=("SB-1",),
        success_url="https://shop.example/account",
    )
    item = EmulatedCatalogItem(
        sku="SB-1",
        created_at=reviewed_at - 2 * _DAY,
        name="Sauna blanket",
        description="Sauna blanket, made up",
        eligibility="eligible_with_lmn",
        reviewed_at=reviewed_at,
        url="https://shop.example/sauna-blanket",
    )
    charge, cost = (
        EmulatedTransaction(
            transaction_id=f"txn_{name}",
            created_at=paid_at,
            type=name,
            amount=amount,
            payment_session_id=captured.id,
            payout_id="po_abc123",
        )
        for name, amount in (("charge", line.total), ("truemed_fee", -fee(line.total)))
    )
    arrived = paid_at + 2 * _DAY
    payout = EmulatedPayout(
        payout_id="po_abc123", created_at=arrived, arrival_date=arrived.date(), amount=charge.amount + cost.amount
    )
    return MappingProxyType(
        {
            "qualification_sessions": (session, waiting, ending),
            "payment_sessions": (captured, held),
            "payment_tokens": (token,),
            "provision_requests": (provision,),
            "catalog_items": (item,),
            "transactions": (charge, cost),
            "payouts": (payout,),
        }
    )
