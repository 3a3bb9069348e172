"""The payment tokens that the emulated Truemed knows, the requests for them, and what happens to both."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

from truemed_async.emulator.clock import twelve_months_after
from truemed_async.emulator.payment_tokens import moves
from truemed_async.emulator.payment_tokens.model import (
    FAILURES,
    Failure,
    PaymentMethod,
    PaymentToken,
    ProvisionRequest,
)
from truemed_async.emulator.store import Core, Store


class PaymentTokens(Store[PaymentToken]):
    """Payment tokens and their life: `active` → `deleted`, and between the two whether they can be charged.

    The transitions of which Truemed tells merchants, and only those, have an `origin`. A method that is not allowed in
    the token's status raises InvalidTransitionError, for an unknown token KeyError.
    """

    name: ClassVar[str] = "payment_tokens"
    kind = PaymentToken
    id_field: ClassVar[str] = "payment_token"

    def add(self, **fields: Any) -> str:
        """Add a token with these fields of `PaymentToken` and return it.

        What is not given: a fresh token, `created_at` now, a made-up customer with a card that is good until 2099 and
        no letter. `payment_methods` may be mappings, with the fields of `PaymentMethod`. Errors: those of `Store.add`.
        """
        cards: Iterable[PaymentMethod | Mapping[str, Any]] | None = fields.pop("payment_methods", None)
        if cards is not None:
            made = (card if isinstance(card, PaymentMethod) else PaymentMethod(**card) for card in cards)
            fields["payment_methods"] = tuple(made)
        return super().add(**fields)

    def provision(self, origin: Mapping[str, str], **fields: Any) -> str:
        """Add a token that a customer has just provisioned, with a letter of today, and tell of it with its origin."""
        given: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
        now = self._core.clock.now()
        given.setdefault("payment_token", self.new_id())
        given.setdefault("payment_methods", (moves.new_card(now),))
        given.setdefault("lmn_expires_at", twelve_months_after(now))
        return self.insert(PaymentToken(created_at=self._core.clock.stamp(), **given), "provisioned", origin)

    def fail_next_charge(self, payment_token: str, failure: Failure = "CardDeclined") -> None:
        """Let the next charge fail with 422, and those after it, until `resolve_failure`."""
        if failure not in FAILURES:
            raise ValueError(f"failure must be one of {', '.join(FAILURES)}")
        self.move("fail_next_charge", payment_token, partial(moves.fail_next_charge, failure=failure))

    def expire_lmn(self, payment_token: str) -> None:
        """Let the Letter of Medical Necessity end now, not after 12 months: charges fail until `resolve_failure`."""
        self.move("expire_lmn", payment_token, moves.expire_lmn)

    def resolve_failure(self, payment_token: str) -> None:
        """Let the customer mend what keeps the token from being charged: give another card, or requalify."""
        failed = self.get(payment_token).failed_payment_session_id
        origin = {"failed_payment_session_id": failed} if failed else {}
        self.move("resolve_failure", payment_token, moves.resolve_failure, origin)

    def delete(self, payment_token: str) -> None:
        """Delete for ever: `active` → `deleted`."""
        self.move("delete", payment_token, moves.delete)

    def charge(self, payment_token: str, payment_session_id: str) -> Failure | None:
        """Charge the token for a payment session; return why that failed, or None."""
        failure = moves.failure_of(self.get(payment_token), self._core.clock.now())
        if failure is not None:
            step = partial(moves.charge_fails, payment_session_id=payment_session_id)
            self.move("charge_fails", payment_token, step)
        return failure


class ProvisionRequests(Store[ProvisionRequest]):
    """Requests for tokens, and for changes of tokens: `pending` → `provisioned`, when the customer has done it."""

    name: ClassVar[str] = "provision_requests"
    kind = ProvisionRequest
    id_field: ClassVar[str] = "provision_token_request_id"

    def __init__(self, core: Core, tokens: PaymentTokens) -> None:
        """Begin without any; `tokens` are where what is provisioned goes."""
        super().__init__(core)
        self._tokens = tokens

    def ask(self, **fields: Any) -> ProvisionRequest:
        """Add a request with these fields; one that asks nothing of the customer is provisioned at once."""
        with self._core.lock:
            request = self.get(self.add(**fields))
            if request.updates is not None:
                if request.next_action is None:
                    self.submit(request.id)
                else:
                    self._tokens.move("ask", request.updates, partial(moves.ask, request=request))
            return self.get(request.id)

    def submit(self, provision_token_request_id: str) -> str:
        """Let the customer do what is asked: `pending` → `provisioned`. Return the token, new or changed.

        KeyError for an unknown id, InvalidTransitionError when it is provisioned or the token to change is deleted.
        """
        with self._core.lock:
            before = self.get(provision_token_request_id)
            payment_token = before.updates or self._tokens.new_id()
            origin = {"provision_token_request_id": before.id}
            if before.updates is not None and before.status == "pending":
                self._tokens.move("update", payment_token, partial(moves.update, request=before), origin)
            self.move("submit", before.id, partial(moves.provision, payment_token=payment_token))
            if before.updates is None:
                self._tokens.provision(
                    origin,
                    payment_token=payment_token,
                    customer_email=before.customer_email,
                    customer_name=before.customer_name,
                    metadata=before.metadata,
                    skus=before.skus,
                )
            return payment_token
