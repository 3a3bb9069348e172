"""The payment sessions that the emulated Truemed knows, and what happens to them."""

import uuid
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

from truemed_async.emulator.payment_sessions import moves
from truemed_async.emulator.payment_sessions.model import LineItem, PaymentSession, Refund
from truemed_async.emulator.store import Store


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

    def add(self, **fields: Any) -> str:
        """Add a session with these fields of `PaymentSession` and return its id.

        What is not given: a fresh id, `created_at` now, 100.00 dollars, status `pending`. `order_items` may be
        mappings, with the fields of `LineItem`. Errors: those of `Store.add`.
        """
        items: Iterable[LineItem | Mapping[str, Any]] = fields.pop("order_items", ())
        lines = tuple(item if isinstance(item, LineItem) else _line(item) for item in items)
        return super().add(**{"total_amount": 100_00, "order_items": lines, **fields})

    # What the customer, the clinicians and the bank do.

    def customer_completes(self, id: str) -> None:
        """Let the customer complete the survey and enter a card: `pending` → `processing`."""
        self.move("customer_completes", id, moves.customer_completes)

    def review_approves(self, id: str) -> None:
        """Let a letter be issued: `processing` → `captured`, or `authorized` when its kind is that."""
        self.move("review_approves", id, moves.review_approves)

    def review_rejects(self, id: str) -> None:
        """Let the review refuse: `processing` → `rejected`."""
        self.move("review_rejects", id, moves.review_rejects)

    def hold_expires(self, id: str) -> None:
        """Let the hold of an `authorized` session end now, not after 6.95 days: the next capture finds it expired."""
        self.move("hold_expires", id, moves.hold_expires)

    def bank_renews(self, id: str) -> None:
        """Let a capture after the end of the hold succeed: the bank authorizes once more."""
        self.move("bank_renews", id, moves.bank_renews)

    def dispute_opens(self, id: str) -> None:
        """Let the customer dispute a `captured` charge: refunds are refused, the summary is `Disputed`."""
        self.move("dispute_opens", id, moves.dispute_opens)

    def dispute_closes(self, id: str) -> None:
        """Let the dispute end and the charge stand."""
        self.move("dispute_closes", id, moves.dispute_closes)

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
        return self.move("capture", id, step)

    def void(self, id: str) -> PaymentSession:
        """Release the hold: `authorized` → `authorization_voided`."""
        return self.move("void", id, partial(moves.void, void_id=str(uuid.uuid4())))

    def refund(
        self, id: str, amount: int, reason: str = "customer_request", item_details: list[dict[str, Any]] | None = None
    ) -> Refund:
        """Give cents of a `captured` session back; more than is left is an InvalidTransitionError."""
        made = Refund(
            refund_id=str(uuid.uuid4()),
            amount=amount,
            reason=reason,
            created_at=self._core.clock.now(),
            item_details=item_details,
        )
        self.move("refund", id, partial(moves.refund, refund=made))
        return made


def _line(fields: Mapping[str, Any]) -> LineItem:
    given: dict[str, Any] = {"item_id": str(uuid.uuid4()), **fields}
    return LineItem(**given)
