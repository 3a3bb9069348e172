"""The payment sessions that the emulated Truemed knows, and what happens to them."""

import uuid
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

from truemed_async.emulator.payment_sessions import moves
from truemed_async.emulator.payment_sessions.model import LineItem, PaymentSession, Refund
from truemed_async.emulator.payment_tokens.model import Failure
from truemed_async.emulator.payment_tokens.store import PaymentTokens
from truemed_async.emulator.reconciliations.store import Transactions
from truemed_async.emulator.store import Core, Store


class PaymentSessions(Store[PaymentSession]):
    """Payment sessions and their life.

        pending ─→ processing ─→ captured                 (one_time_payment)
           │            │    └─→ authorized ─→ captured   (authorization)
           │            └─→ rejected      ├──→ authorization_voided
           └─→ canceled                   └──→ authorization_expired

    A method that is not allowed in the session's status raises InvalidTransitionError, for an unknown id KeyError.
    """

    name: ClassVar[str] = "payment_sessions"
    kind = PaymentSession

    def __init__(self, core: Core, tokens: PaymentTokens, ledger: Transactions) -> None:
        """Begin without any; `tokens` are what customers provision, `ledger` is where money is accounted for."""
        super().__init__(core)
        self._tokens = tokens
        self._ledger = ledger

    def add(self, **fields: Any) -> str:
        """Add a session with these fields of `PaymentSession` and return its id.

        What is not given: a fresh id, `created_at` now, 100.00 dollars, status `pending`. `order_items` may be
        mappings, with the fields of `LineItem`. Errors: those of `Store.add`.
        """
        items: Iterable[LineItem | Mapping[str, Any]] = fields.pop("order_items", ())
        lines = tuple(item if isinstance(item, LineItem) else _line(item) for item in items)
        return super().add(**{"total_amount": 100_00, "order_items": lines, **fields})

    # What the customer, the clinicians and the bank do.

    def submit(self, id: str) -> None:
        """Let the customer complete the survey and enter a card: `pending` → `processing`."""
        self.move("submit", id, moves.submit)

    def approve(self, id: str) -> None:
        """Let a letter be issued: `processing` → `captured`, or `authorized` when its kind is that.

        A session that tokenizes has its token provisioned then.
        """
        with self._core.lock:
            before = self.get(id)
            provisions = before.tokenize and before.payment_token is None
            token = self._tokens.new_id() if provisions else before.payment_token
            after = self.move("approve", id, partial(moves.approve, payment_token=token))
            if provisions:
                self._tokens.provision(
                    {"payment_session_id": id},
                    payment_token=token,
                    customer_email=after.customer_email,
                    customer_name=after.customer_name,
                    metadata=after.metadata,
                    skus=tuple(item.sku for item in after.order_items if item.sku is not None),
                )
            if after.status == "captured":
                self._ledger.charged(after.id, after.total_amount)

    def reject(self, id: str) -> None:
        """Let the review refuse: `processing` → `rejected`."""
        self.move("reject", id, moves.reject)

    def expire_hold(self, id: str) -> None:
        """Let the hold of an `authorized` session end now, not after 6.95 days: the next capture finds it expired."""
        self.move("expire_hold", id, moves.expire_hold)

    def reauthorize(self, id: str) -> None:
        """Let a capture after the end of the hold succeed: the bank authorizes once more."""
        self.move("reauthorize", id, moves.reauthorize)

    def open_dispute(self, id: str) -> None:
        """Let the customer dispute a `captured` charge: refunds are refused, the summary is `Disputed`."""
        with self._core.lock:
            session = self.move("open_dispute", id, moves.open_dispute)
            self._ledger.disputed(id, session.refundable)

    def close_dispute(self, id: str) -> None:
        """Let the dispute end and the charge stand."""
        with self._core.lock:
            session = self.move("close_dispute", id, moves.close_dispute)
            self._ledger.disputed(id, -session.refundable)

    # What the merchant does, through the API or in the dashboard.

    def cancel(self, id: str) -> None:
        """Cancel: `pending` → `canceled`."""
        self.move("cancel", id, moves.cancel)

    def capture(self, id: str, amount: int | None = None) -> PaymentSession:
        """Capture cents of the hold, all of them unless told: `authorized` → `captured`.

        When the hold has ended it is `authorization_expired` instead.
        """
        taken = self.get(id).total_amount if amount is None else amount
        step = partial(moves.capture, amount=taken, capture_id=str(uuid.uuid4()))
        with self._core.lock:
            session = self.move("capture", id, step)
            if session.status == "captured":
                self._ledger.charged(id, taken)
            return session

    def void(self, id: str) -> PaymentSession:
        """Release the hold: `authorized` → `authorization_voided`."""
        return self.move("void", id, partial(moves.void, void_id=str(uuid.uuid4())))

    def refund(
        self, id: str, amount: int, reason: str = "customer_request", item_details: list[dict[str, Any]] | None = None
    ) -> Refund:
        """Give cents of a `captured` session back; more than is left is an InvalidTransitionError."""
        step = partial(
            moves.refund, refund_id=str(uuid.uuid4()), amount=amount, reason=reason, item_details=item_details
        )
        with self._core.lock:
            session = self.move("refund", id, step)
            self._ledger.refunded(id, amount)
            return session.refunds[-1]

    def charge_token(self, id: str) -> Failure | None:
        """Charge the stored token of a `pending` session, its customer absent; return why that failed, or None."""
        with self._core.lock:
            session = self.get(id)
            assert session.payment_token is not None
            failure = self._tokens.charge(session.payment_token, id)
            if failure is None:
                self.submit(id)
                self.approve(id)
            return failure


def _line(fields: Mapping[str, Any]) -> LineItem:
    given: dict[str, Any] = {"item_id": str(uuid.uuid4()), **fields}
    return LineItem(**given)
