"""The moves of a qualification session, pure: the session and the time in, the session as it then is out."""

from datetime import datetime

import attrs

from truemed_async.emulator.clock import twelve_months_after
from truemed_async.emulator.qualification_sessions.model import QualificationSession
from truemed_async.emulator.transition import require


def start_review(session: QualificationSession, now: datetime) -> QualificationSession:
    """Move `pending` → `processing`."""
    del now
    require(session, "pending")
    return attrs.evolve(session, status="processing")


def approve(session: QualificationSession, now: datetime) -> QualificationSession:
    """Move `processing` → `approved`, with a letter that is valid for 12 months."""
    require(session, "processing")
    return attrs.evolve(session, status="approved", lmn_reviewed_at=now, expires_at=twelve_months_after(now))


def reject(session: QualificationSession, now: datetime) -> QualificationSession:
    """Move `processing` → `rejected`."""
    require(session, "processing")
    return attrs.evolve(session, status="rejected", lmn_reviewed_at=now)
