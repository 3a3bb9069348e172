"""How long the wire tests wait: long, for machines are busy, except where running out of time is what is tried."""

from truemed_async import Timeouts

PATIENT = Timeouts(connect=30, attempt=30, total=90)
HURRIED = Timeouts(connect=0.5, attempt=0.5, total=20)


def time_for(error: str | None) -> Timeouts:
    """Time-outs for a fault that ends in this error."""
    return HURRIED if error in ("AttemptTimeoutError", "DeadlineExceededError") else PATIENT
