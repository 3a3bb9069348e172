"""Where the emulator sends customers: the addresses of the pages that Truemed would host."""

from typing import Final
from urllib.parse import quote

HOSTED: Final = "/_emulator/hosted"


def checkout(origin: str, payment_session_id: str) -> str:
    """Return where a customer pays."""
    return f"{origin}{HOSTED}/payment_sessions/{quote(payment_session_id, safe='')}"


def provisioning(origin: str, provision_token_request_id: str) -> str:
    """Return where a customer leaves a payment method, or answers the survey once more."""
    return f"{origin}{HOSTED}/provision_requests/{quote(provision_token_request_id, safe='')}"


def repair(origin: str, payment_token: str) -> str:
    """Return where a customer mends a payment method whose charge failed."""
    return f"{origin}{HOSTED}/payment_tokens/{quote(payment_token, safe='')}"
