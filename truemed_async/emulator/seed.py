"""The sessions that an emulator starts with: made up, the same for the same numbers on every machine."""

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from truemed_async.emulator.clock import twelve_months_after
from truemed_async.emulator.qualification_sessions.model import QualificationSession

# All times hang on this one, never on the clock: the data of today is the data of tomorrow.
ANCHOR = datetime(2026, 11, 1, tzinfo=UTC)
_SPAN = 90 * 24 * 3600 * 1000  # milliseconds before the anchor over which sessions were created
_LONGEST_REVIEW = 48 * 3600 * 1000  # milliseconds

# Nobody is called that; addresses are under the domains that are reserved for examples.
_FIRST = ("Alex", "Blair", "Casey", "Devon", "Emery", "Finley", "Harper", "Jordan", "Morgan", "Quinn", "Robin", "Sage")
_LAST = ("Demo", "Example", "Fixture", "Mockley", "Placeholder", "Sample", "Specimen", "Testerson")
_UNICODE = ("Zoë Exämple", "Ñandú D'Prueba", "見本 太郎", "Łucja Próbka", "مثال تجريبي", "Sam 🧪 O\u2019Test")
_SOURCES = ("email_receipt", "email_payment_reminder", "order_confirm", "reactivate_campaign")
_UTM = ("newsletter", "podcast", "partner-page")


def seed_sessions(count: int, seed: int) -> Iterator[QualificationSession]:
    """Yield `count` sessions, always the same for the same `count` and `seed`, in no particular order.

    About 62 % approved, 13 % rejected, 17 % pending, 8 % processing, created in the 90 days before `ANCHOR`; every
    fortieth has the very `created_at` of the one before it. Values of fields for which Truemed publishes none
    (`customer_status`, `session_type`, the Stripe and business ids) are invented.
    """
    # Python keeps the sequences of random(), getrandbits() and what rests on them equal between versions.
    draw = random.Random(seed)  # noqa: S311 - repeatable on purpose
    created_at = ANCHOR
    for index in range(count):
        if index % 40 != 1:
            created_at = ANCHOR - _milliseconds(1 + draw.randrange(_SPAN))
        yield _session(draw, index, created_at)


def _session(draw: random.Random, index: int, created_at: datetime) -> QualificationSession:
    status = _status(draw.random())
    surveyed = status != "pending"
    reviewed = status in {"approved", "rejected"}
    approved = status == "approved"

    first, last = draw.choice(_FIRST), draw.choice(_LAST)
    name = draw.choice(_UNICODE) if index % 50 == 3 else f"{first} {last}"
    reviewed_at = created_at + _within(draw, created_at)
    charged = approved and draw.random() < 0.8
    invoiced = charged and draw.random() < 0.9
    paid_at = reviewed_at + timedelta(days=1 + draw.randrange(30))
    amount = draw.randrange(20_00, 900_00)
    return QualificationSession(
        qualification_session_id=f"qs_{uuid.UUID(int=draw.getrandbits(128), version=4)}",
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


def _within(draw: random.Random, created_at: datetime) -> timedelta:
    """Return how long the review takes: never past the anchor, for nothing has happened after it."""
    room = (ANCHOR - created_at) // timedelta(milliseconds=1)
    return _milliseconds(draw.randrange(1 + min(room, _LONGEST_REVIEW)))


def _milliseconds(number: int) -> timedelta:
    return timedelta(milliseconds=number)
