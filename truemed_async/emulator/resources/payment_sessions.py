"""Payment sessions: entities, transitions, and the seven endpoints about them. All money is in integer cents.

Truemed's page of the response of a retrieval is incomplete: besides ``status``, ``status_summary`` and
``amount_details`` its members are those of the listing and the webhooks. This is an assumption; see docs/emulator.md.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

import attrs

from truemed_async.emulator.entity import Entity, EventSpec, Member, field, optional, required
from truemed_async.emulator.request import ApiError, hosted_url
from truemed_async.emulator.resources.catalog_items import PRE_APPROVED, CatalogItemStore
from truemed_async.emulator.resources.payment_tokens import FAILURES, Failure, PaymentTokenStore, get_existing_token
from truemed_async.emulator.resources.reconciliations import TransactionStore
from truemed_async.emulator.routing import PAGE_PARAMS, QueryParameter, Routes, RowSource, page_schema
from truemed_async.emulator.schema import Array, Boolean, DateTime, Enum, Integer, Nullable, Object, String
from truemed_async.emulator.store import Core, InvalidTransitionError, Store, Transition, transition

if TYPE_CHECKING:
    from truemed_async.emulator.request import ReceivedRequest
    from truemed_async.emulator.resources.state import State

STATUSES: Final = (
    "pending",
    "processing",
    "captured",
    "rejected",
    "canceled",
    "authorized",
    "authorization_voided",
    "authorization_expired",
)
KINDS: Final = ("one_time_payment", "authorization")
REASONS: Final = ("customer_request", "fraudulent", "duplicate_payment")

# Truemed documents ``Incomplete``, ``Authorized``, ``Captured``, ``Partially Captured`` and ``Refunded``. ``Partially
# Refunded``, ``Disputed``, ``Voided``, ``Expired``, ``Canceled`` and ``Processing`` were observed. ``Rejected``, and
# which status has which summary, are assumptions.
_SUMMARIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pending": "Incomplete",
        "processing": "Processing",
        "rejected": "Rejected",
        "canceled": "Canceled",
        "authorized": "Authorized",
        "authorization_voided": "Voided",
        "authorization_expired": "Expired",
    }
)
SUMMARIES: Final = (
    *_SUMMARIES.values(),
    "Captured",
    "Partially Captured",
    "Refunded",
    "Partially Refunded",
    "Disputed",
)

# How long an authorization is held, by Truemed's support pages.
HOLD_LIFE: Final = timedelta(days=6.95)

# What Truemed replaces in the URLs of a session: exactly this, without blanks.
_ID_IN_URL: Final = "{{payment_session_id}}"

_AMOUNT_DETAILS: Final = Object(
    optional={
        "total_additional_charges": Integer(),
        "total_discounts": Integer(),
        "discounts_details": Array(Object()),
        # The name of this list is an assumption, by symmetry.
        "additional_charges_details": Array(Object()),
    }
)
_TEXT: Final = Nullable(String())
_TIME: Final = Nullable(DateTime())
_KEY: Final = String(min_length=1)


def adjustment(amount_details: Mapping[str, Any] | None) -> int:
    """Return what the charges and discounts of an order or an item add to its total.

    Discounts reduce it whichever sign they have: Truemed's worked example subtracts them, its formula adds them.
    """
    details = amount_details or {}
    charges: int = details.get("total_additional_charges", 0)
    discounts: int = details.get("total_discounts", 0)
    return charges - abs(discounts)


@attrs.frozen(kw_only=True)
class LineItem(Entity):
    """One line of the cart; ``price`` is that of one unit, ``amount_details`` is as it was sent."""

    item_id: str = field(String(), factory=lambda: str(uuid.uuid4()))
    name: str = field(String(), create=required())
    price: int = field(Integer(), create=required(Integer(0)))
    quantity: int = field(Integer(), create=required(Integer(1)))
    sku: str | None = field(Nullable(String()), create=optional(String()), default=None)
    amount_details: dict[str, Any] | None = field(create=optional(_AMOUNT_DETAILS), default=None)

    @property
    def total(self) -> int:
        """What the line costs, with its own charges and discounts."""
        return self.quantity * self.price + adjustment(self.amount_details)


def _line_items(values: Iterable[LineItem | Mapping[str, Any]]) -> tuple[LineItem, ...]:
    return tuple(value if isinstance(value, LineItem) else LineItem(**value) for value in values)


@attrs.frozen(kw_only=True)
class Refund(Entity):
    """Money that was returned; Truemed does not document the items of ``item_details``: they are stored as sent."""

    refund_id: str = field(String())
    amount: int = field(Integer())
    reason: str = field(Enum(REASONS))
    created_at: datetime = field(_TIME)
    item_details: list[dict[str, Any]] | None = field(default=None)


@attrs.frozen(kw_only=True)
class EmulatedPaymentSession(Entity):
    """One payment session: what it was created with, then what has become of it.

    Datetimes are aware, in UTC, with whole milliseconds. ``card_entered_on`` is when the customer entered the card;
    ``hold_expires_at`` is when an authorization ends unless it is captured; ``renewable`` is whether the bank would then
    authorize it again. ``dispute_lost`` is whether the bank took the money back.
    """

    event: ClassVar[EventSpec | None] = EventSpec("payment_session_complete", "payment_session.updated")
    computed: ClassVar[Mapping[str, Member]] = MappingProxyType(
        {
            "status_summary": Member(response=Enum(SUMMARIES), column=True),
            "authorize_amount": Member(response=Nullable(Integer())),
        }
    )

    id: str = field(String())
    status: str = field(Enum(STATUSES), webhook="always", default="pending")
    created_at: datetime = field(_TIME, webhook="always", column=True)
    total_amount: int = field(Integer(), create=required(), column=True, default=100_00)
    # In responses they depend on the session, and on what a listing asks for.
    order_items: tuple[LineItem, ...] = field(
        create=required(Array(LineItem.request_schema("create"))), default=(), converter=_line_items
    )
    success_url: str | None = field(create=required(_KEY), default=None)
    amount_details: dict[str, Any] | None = field(
        Nullable(_AMOUNT_DETAILS), create=optional(_AMOUNT_DETAILS), default=None
    )
    failure_url: str | None = field(create=optional(_KEY), default=None)
    customer_email: str | None = field(_TEXT, create=optional(String()), default=None)
    customer_name: str | None = field(_TEXT, create=optional(String()), default=None)
    customer_state: str | None = field(create=optional(String()), default=None)
    metadata: str | None = field(_TEXT, create=optional(String()), webhook="unless_null", default=None)
    kind: str = field(Enum(KINDS), create=optional(), column=True, default="one_time_payment")
    tokenize: bool = field(create=optional(Boolean()), default=False)
    payment_token: str | None = field(_TEXT, create=optional(_KEY), webhook="unless_null", default=None)
    display_next_bill_info: dict[str, Any] | None = field(create=optional(Object()), default=None)
    use_iframe: bool = field(create=optional(Boolean()), default=False)
    order_id: str | None = field(create=optional(String()), default=None)

    authorized_on: datetime | None = field(_TIME, default=None)
    captured_on: datetime | None = field(_TIME, default=None)
    capture_amount: int | None = field(Nullable(Integer()), default=None)
    capture_id: str | None = field(default=None)
    void_id: str | None = field(default=None)
    card_entered_on: datetime | None = field(default=None)
    hold_expires_at: datetime | None = field(default=None)
    renewable: bool = field(default=False)
    refunds: tuple[Refund, ...] = field(default=())
    disputed: bool = field(default=False)
    dispute_lost: bool = field(default=False)

    @property
    def items_total(self) -> int:
        """What the lines cost together."""
        return sum(item.total for item in self.order_items)

    @property
    def refund_amount(self) -> int:
        """The sum of the refunds."""
        return sum(refund.amount for refund in self.refunds)

    @property
    def refundable(self) -> int:
        """What can still be refunded: nothing before the capture."""
        return (self.capture_amount or 0) - self.refund_amount

    @property
    def authorize_amount(self) -> int | None:
        """What was authorized."""
        return self.total_amount if self.authorized_on else None

    @property
    def status_summary(self) -> str:
        """The state in Truemed's words, refunds and disputes included."""
        if self.status != "captured":
            return _SUMMARIES.get(self.status, "Incomplete")
        if self.disputed:
            return "Disputed"
        if self.refunds:
            return "Partially Refunded" if self.refundable else "Refunded"
        return "Captured" if self.capture_amount == self.total_amount else "Partially Captured"

    def url(self, *, success: bool) -> str | None:
        """Return where the customer goes back to, with the id where Truemed inserts it."""
        url = self.success_url if success else self.failure_url
        return url and url.replace(_ID_IN_URL, self.id)

    def is_lapsed(self, now: datetime) -> bool:
        """Return whether the hold has ended and the bank does not authorize again."""
        return self.hold_expires_at is not None and self.hold_expires_at <= now and not self.renewable

    def serialize_items(self) -> list[dict[str, Any]]:
        """Return the lines as they are now."""
        return [self._serialize_item(item) for item in self.order_items]

    def _serialize_item(self, item: LineItem) -> dict[str, Any]:
        row = item.serialize()
        if item.amount_details is not None:
            row["amount_details"] = item.amount_details
        # Truemed does not document which refund concerns which line: a line is refundable as far as the payment is.
        if self.status == "captured":
            left = max(0, min(item.total, self.refundable))
            row |= {"total_refundable": left, "quantity_refundable": item.quantity if left else 0}
        if self.status == "authorized":
            left = max(0, min(item.total, self.total_amount))
            row |= {"total_capturable": left, "quantity_capturable": item.quantity}
        return row

    def event_payload(self, transition: Transition) -> Mapping[str, Any] | None:
        """Return the payload after each change of the status."""
        if transition.before is None or not transition.changed:
            return None
        payload = {"payment_session_id": self.id, **self.webhook_payload(), "order_items": self.serialize_items()}
        # A session without an authorization states from the beginning what will be captured.
        planned = self.total_amount if self.kind == "one_time_payment" else None
        amount = planned if self.capture_amount is None else self.capture_amount
        return payload if amount is None else {**payload, "capture_amount": amount}


def _has_open_dispute(session: EmulatedPaymentSession) -> bool:
    return session.disputed and not session.dispute_lost


class PaymentSessionStore(Store[EmulatedPaymentSession]):
    """Payment sessions and their life.

        pending ─→ processing ─→ captured                 (one_time_payment)
           │            │   ├─→ authorized ─→ captured    (authorization)
           │            │   │              ├─→ authorization_voided
           │            │   │              └─→ authorization_expired
           │            │   └─→ canceled                  (the review outlasted the hold)
           │            └─→ rejected
           └─→ canceled

    A cart of products that are all pre-approved in the catalog needs no review and skips ``processing``.

    A method that is not allowed in the session's status raises InvalidTransitionError, for an unknown id KeyError.
    """

    name: ClassVar[str] = "payment_sessions"
    entity = EmulatedPaymentSession

    def __init__(
        self, core: Core, tokens: PaymentTokenStore, ledger: TransactionStore, catalog: CatalogItemStore
    ) -> None:
        """Begin empty.

        Args:
            core: What all stores share.
            tokens: Receives what customers provision.
            ledger: Accounts for the money.
            catalog: Knows which products are pre-approved.
        """
        super().__init__(core)
        self._tokens = tokens
        self._ledger = ledger
        self._catalog = catalog

    def is_pre_approved(self, session: EmulatedPaymentSession) -> bool:
        """Return whether the cart has pre-approved products only: it needs no survey and no Letter.

        A product that is not in the catalog, or not reviewed, counts as ineligible: Truemed's support pages.
        """
        skus = [item.sku for item in session.order_items]
        return bool(skus) and all(
            sku is not None and sku in self._catalog and self._catalog.get(sku).eligibility == PRE_APPROVED
            for sku in skus
        )

    def cancel_outlasted(self, now: datetime) -> None:
        """Cancel the sessions whose review has outlasted their hold, even if a Letter is issued later."""
        for session in self.rows:
            if session.status == "processing" and session.is_lapsed(now):
                self.run_transition("cancel_outlasted", session.id, lambda row, _: attrs.evolve(row, status="canceled"))

    def due_moments(self) -> Iterator[datetime]:
        """Yield when the sessions in review are canceled."""
        for session in self.rows:
            if session.status == "processing" and session.hold_expires_at is not None and not session.renewable:
                yield session.hold_expires_at

    # Effects of transitions on other resources.

    def _after_approval(self, before: EmulatedPaymentSession, after: EmulatedPaymentSession) -> None:
        if before.payment_token is None and after.payment_token is not None:
            self._tokens.provision(
                {"payment_session_id": after.id},
                payment_token=after.payment_token,
                customer_email=after.customer_email,
                customer_name=after.customer_name,
                metadata=after.metadata,
                skus=tuple(item.sku for item in after.order_items if item.sku is not None),
                has_letter=not self.is_pre_approved(after),
            )
        self._record_charge(before, after)

    def _record_charge(self, before: EmulatedPaymentSession, after: EmulatedPaymentSession) -> None:
        del before
        if after.status == "captured":
            self._ledger.record_charge(after.id, after.capture_amount or 0)

    def _record_refund(self, before: EmulatedPaymentSession, after: EmulatedPaymentSession) -> None:
        self._ledger.record_refund(after.id, after.refunds[-1].amount, refunded_before=before.refund_amount)

    def _record_loss(self, before: EmulatedPaymentSession, after: EmulatedPaymentSession) -> None:
        del before
        self._ledger.record_dispute(after.id, after.refundable)

    # Transitions, in the order of a session's life.

    @transition("pending", then=_after_approval)
    def submit(self, session: EmulatedPaymentSession, now: datetime) -> EmulatedPaymentSession:
        """Let the customer complete the survey and enter a card: ``pending`` → ``processing``.

        An authorization holds the money from now on, before the review. A pre-approved cart has no review: it goes on
        as by ``approve``.
        """
        ends = now + HOLD_LIFE if session.kind == "authorization" else None
        session = attrs.evolve(session, status="processing", card_entered_on=now, hold_expires_at=ends)
        return self._approve(session, now) if self.is_pre_approved(session) else session

    @transition("pending")
    def cancel(self, session: EmulatedPaymentSession, now: datetime) -> EmulatedPaymentSession:
        """Cancel: ``pending`` → ``canceled``."""
        del now
        return attrs.evolve(session, status="canceled")

    @transition("processing", then=_after_approval)
    def approve(self, session: EmulatedPaymentSession, now: datetime) -> EmulatedPaymentSession:
        """Let a letter be issued: ``processing`` → ``captured``, or ``authorized`` if that is the session's kind.

        If the session tokenizes, its token is provisioned. If the review outlasted the hold, the session is canceled.
        """
        return attrs.evolve(session, status="canceled") if session.is_lapsed(now) else self._approve(session, now)

    def _approve(self, session: EmulatedPaymentSession, now: datetime) -> EmulatedPaymentSession:
        if session.tokenize and session.payment_token is None:
            session = attrs.evolve(session, payment_token=self._tokens.new_id())
        if session.kind == "authorization":
            # A row that was added as processing has no time of card entry.
            held_at = session.card_entered_on or now
            return attrs.evolve(
                session, status="authorized", authorized_on=held_at, hold_expires_at=held_at + HOLD_LIFE
            )
        amount = session.total_amount
        return attrs.evolve(session, status="captured", authorized_on=now, captured_on=now, capture_amount=amount)

    @transition("processing")
    def reject(self, session: EmulatedPaymentSession, now: datetime) -> EmulatedPaymentSession:
        """Let the review reject: ``processing`` → ``rejected``."""
        del now
        return attrs.evolve(session, status="rejected")

    @transition("authorized", params=Object(optional={"amount": Integer(1)}), then=_record_charge)
    def capture(
        self, session: EmulatedPaymentSession, now: datetime, amount: int | None = None
    ) -> EmulatedPaymentSession:
        """Capture cents of the hold, by default all of them: ``authorized`` → ``captured``.

        If the hold has ended, the session becomes ``authorization_expired`` instead.
        """
        if session.is_lapsed(now):
            return attrs.evolve(session, status="authorization_expired")
        captured = session.total_amount if amount is None else amount
        return attrs.evolve(
            session, status="captured", captured_on=now, capture_amount=captured, capture_id=str(uuid.uuid4())
        )

    @transition("authorized")
    def void(self, session: EmulatedPaymentSession, now: datetime) -> EmulatedPaymentSession:
        """Release the hold: ``authorized`` → ``authorization_voided``."""
        del now
        return attrs.evolve(session, status="authorization_voided", void_id=str(uuid.uuid4()))

    @transition("authorized")
    def expire_hold(self, session: EmulatedPaymentSession, now: datetime) -> EmulatedPaymentSession:
        """End the hold of an ``authorized`` session now, not after 6.95 days: the next capture finds it expired."""
        return attrs.evolve(session, hold_expires_at=now)

    @transition("authorized")
    def reauthorize(self, session: EmulatedPaymentSession, now: datetime) -> EmulatedPaymentSession:
        """Let a capture after the end of the hold succeed: the bank authorizes again."""
        del now
        return attrs.evolve(session, renewable=True)

    @transition(
        "captured", params=Object(optional={"amount": Integer(1), "reason": Enum(REASONS)}), then=_record_refund
    )
    def refund(
        self,
        session: EmulatedPaymentSession,
        now: datetime,
        amount: int | None = None,
        reason: str = "customer_request",
        item_details: list[dict[str, Any]] | None = None,
    ) -> EmulatedPaymentSession:
        """Refund cents of a ``captured`` session, by default all that is left; more is an InvalidTransitionError."""
        refunded = session.refundable if amount is None else amount
        if not 0 < refunded <= session.refundable:
            raise InvalidTransitionError(f"{session.id} has {session.refundable} cents to refund, not {refunded}")
        refund = Refund(
            refund_id=str(uuid.uuid4()), amount=refunded, reason=reason, created_at=now, item_details=item_details
        )
        return attrs.evolve(session, refunds=(*session.refunds, refund))

    @transition("captured", offered=lambda session: not session.disputed)
    def open_dispute(self, session: EmulatedPaymentSession, now: datetime) -> EmulatedPaymentSession:
        """Let the customer dispute a ``captured`` charge: refunds are rejected, the summary is ``Disputed``."""
        del now
        return attrs.evolve(session, disputed=True)

    @transition("captured", offered=_has_open_dispute)
    def close_dispute(self, session: EmulatedPaymentSession, now: datetime) -> EmulatedPaymentSession:
        """Let the merchant win the dispute: the charge is confirmed."""
        del now
        _require_not_lost(session)
        return attrs.evolve(session, disputed=False)

    @transition("captured", then=_record_loss, offered=_has_open_dispute)
    def lose_dispute(self, session: EmulatedPaymentSession, now: datetime) -> EmulatedPaymentSession:
        """Let the merchant lose the dispute: what was not refunded is deducted from the next payout."""
        del now
        _require_not_lost(session)
        return attrs.evolve(session, disputed=True, dispute_lost=True)

    def charge_token(self, id: str) -> Failure | None:
        """Charge the stored token of a ``pending`` session without its customer; return the failure, or ``None``."""
        with self.lock:
            session = self.get(id)
            assert session.payment_token is not None
            failure = self._tokens.charge(session.payment_token, id)
            if failure is None and self.submit(id).status == "processing":
                self.approve(id)
            return failure


def _require_not_lost(session: EmulatedPaymentSession) -> None:
    if session.dispute_lost:
        raise InvalidTransitionError(f"{session.id} is a lost dispute")


@attrs.frozen
class _Filters:
    """``search`` (case-folded) in id, e-mail and name."""

    search: str

    def match(self, session: EmulatedPaymentSession) -> bool:
        fields = (session.id, session.customer_email, session.customer_name)
        return any(field is not None and self.search in field.casefold() for field in fields)


ROUTES: Final = Routes()

_ITEM: Final = Object(
    LineItem.response_schema().required,
    {
        "amount_details": _AMOUNT_DETAILS,
        "total_refundable": Integer(),
        "quantity_refundable": Integer(),
        "total_capturable": Integer(),
        "quantity_capturable": Integer(),
    },
)
_MEMBERS: Final = EmulatedPaymentSession.response_schema().required
_SESSION: Final = Object({**_MEMBERS, "order_items": Array(_ITEM), "refunds": Array(Refund.response_schema())})
_ROW: Final = Object(_MEMBERS, {"order_items": Array(_ITEM), "refund_amount": Integer()})

_PATH: Final = "/payments/v1/payment_session/{payment_session_id}"
# The error for each status that does not allow an operation. Truemed documents ``SessionPending``, ``SessionCaptured``,
# ``SessionVoided`` and ``SessionExpired``; its pages are cut off before the others, if there are any.
_STATUS_ERRORS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pending": "SessionPending",
        "processing": "SessionPending",
        "authorized": "SessionAuthorized",
        "captured": "SessionCaptured",
        "rejected": "SessionRejected",
        "canceled": "SessionCanceled",
        "authorization_voided": "SessionVoided",
        "authorization_expired": "SessionExpired",
    }
)
_ALL_STATUS_ERRORS: Final = tuple(dict.fromkeys(_STATUS_ERRORS.values()))


@ROUTES.route(
    "POST",
    "/payments/v1/create_payment_session",
    "payment_sessions.create",
    body=EmulatedPaymentSession.request_schema("create", idempotency_key=optional(_KEY)),
    response=Object({"id": String(), "redirect_url": String()}),
    error="MissingField",
    member_errors={"total_amount": "TotalAmountInvalid"},
    errors={400: ("MissingField", "TotalAmountInvalid"), 404: ("NotFound",), 422: FAILURES},
)
def create_session(state: State, request: ReceivedRequest) -> object:
    """Create Payment Session."""

    def create() -> Mapping[str, object] | ApiError:
        fields = EmulatedPaymentSession.from_request("create", request.body)
        fields["order_items"] = [
            LineItem(**LineItem.from_request("create", item)) for item in request.body["order_items"]
        ]
        _validate_total(request.body, fields["order_items"])
        token = fields.get("payment_token")
        if token is not None:
            get_existing_token(state, token)
        id = state.payment_sessions.add(**fields)
        if token is not None:
            failure = state.payment_sessions.charge_token(id)
            if failure is not None:
                # The names beside redirect_url are assumptions. The session remains: the customer may still resolve it.
                more = {"redirect_url": hosted_url(request.origin, "payment_tokens", token)}
                return ApiError(422, failure, "the stored payment method cannot be charged", more=more)
        return {"id": id, "redirect_url": hosted_url(request.origin, "payment_sessions", id)}

    return state.idempotency.run_once("payment_sessions.create", "", request.body, create)


def _validate_total(body: Mapping[str, Any], items: list[LineItem]) -> None:
    """Raise the ``ApiError`` of an impossible total; that its ``error`` is the one of a capture is an assumption."""
    total: int = body["total_amount"]
    if total < 0:
        raise ApiError(400, "TotalAmountInvalid", "total_amount cannot be negative")
    if total == 0 and not (body.get("tokenize") and "display_next_bill_info" in body):
        raise ApiError(
            400, "TotalAmountInvalid", "total_amount is 0 only for a free trial: tokenize and display_next_bill_info"
        )
    # An order without itemized amounts may include shipping and tax in its total only, as older ones do.
    is_itemized = "amount_details" in body or any(item.amount_details is not None for item in items)
    if is_itemized and total != adjustment(body.get("amount_details")) + sum(item.total for item in items):
        raise ApiError(400, "TotalAmountInvalid", "total_amount must be the sum of order_items and amount_details")


@ROUTES.route("GET", _PATH, "payment_sessions.get", response=_SESSION, errors={404: ("NotFound",)})
def get_session(state: State, request: ReceivedRequest) -> object:
    """Get Payment Status."""
    try:
        session = state.payment_sessions.get(request.params["payment_session_id"])
    except KeyError:
        raise ApiError(404, "NotFound", "no such payment session") from None
    refunds = [refund.serialize() for refund in session.refunds]
    return {**session.serialize(), "order_items": session.serialize_items(), "refunds": refunds}


@ROUTES.route(
    "GET",
    "/payments/v1/payment_sessions",
    "payment_sessions.list",
    query={
        **PAGE_PARAMS,
        "include_order_items": QueryParameter(Boolean(), default=False),
        "summarize_refunds": QueryParameter(Boolean(), default=False),
        "search": QueryParameter(String()),
    },
    response=page_schema("payment_sessions", _ROW),
    listing=RowSource("payment_sessions", "payment_sessions", "id"),
)
def list_sessions(state: State, request: ReceivedRequest) -> object:
    """List Payment Sessions."""
    search = (request.query["search"] or "").casefold()

    def serialize(session: EmulatedPaymentSession) -> object:
        row = session.serialize()
        if request.query["include_order_items"]:
            row["order_items"] = session.serialize_items()
        if request.query["summarize_refunds"]:
            row["refund_amount"] = session.refund_amount
        return row

    filters = _Filters(search) if search else None
    return state.paginate(state.payment_sessions, request, "payment_sessions", filters, serialize)


@ROUTES.route(
    "POST",
    f"{_PATH}/capture",
    "payment_sessions.capture",
    body=Object({"total_amount": Integer()}, {"idempotency_key": _KEY}),
    response=Object({"id": String()}),
    error="MissingField",
    member_errors={"total_amount": "TotalAmountInvalid"},
    errors={400: ("MissingField", "TotalAmountInvalid", "PaymentSessionDoesNotExist", *_ALL_STATUS_ERRORS)},
)
def capture_session(state: State, request: ReceivedRequest) -> object:
    """Capture Session."""
    session = _get_existing(state, request)

    def capture() -> Mapping[str, object] | ApiError:
        if session.status != "authorized":
            raise _status_error(session)
        _validate_amount(session, request.body["total_amount"])
        after = state.payment_sessions.capture(session.id, request.body["total_amount"])
        # If this call found the session expired, the error is its effect, and the response to its key.
        return {"id": after.capture_id} if after.status == "captured" else _status_error(after)

    return state.idempotency.run_once("payment_sessions.capture", session.id, request.body, capture)


@ROUTES.route(
    "POST",
    f"{_PATH}/void",
    "payment_sessions.void",
    # ``MissingField`` is among the errors of Truemed's page, and nothing else in the body could be missing.
    body=Object({"idempotency_key": _KEY}),
    response=Object({"id": String()}),
    error="MissingField",
    errors={
        400: ("MissingField", "PaymentSessionDoesNotExist", "SessionCaptured", "SessionPending", "ImmediateCapture")
    },
)
def void_session(state: State, request: ReceivedRequest) -> object:
    """Void Session."""
    session = _get_existing(state, request)

    def void() -> Mapping[str, object]:
        if session.kind != "authorization":
            raise ApiError(400, "ImmediateCapture", "only a session of the kind authorization can be voided")
        if session.status == "captured":
            raise _status_error(session)
        # The page lists all errors, and none is that the hold is already released: the response is repeated.
        if session.status == "authorization_voided":
            return {"id": session.void_id}
        # Nor is there one for a session that never had a hold, or has it no longer.
        if session.status != "authorized":
            raise ApiError(400, "SessionPending", f"the session is {session.status}: there is no hold")
        return {"id": state.payment_sessions.void(session.id).void_id}

    return state.idempotency.run_once("payment_sessions.void", session.id, request.body, void)


@ROUTES.route(
    "POST",
    f"{_PATH}/cancel",
    "payment_sessions.cancel",
    # Truemed does not document the body.
    body=Object(optional={"idempotency_key": _KEY}),
    response=Object({"id": String(), "status": Enum(STATUSES)}),
    error="MissingField",
    errors={400: ("MissingField", "PaymentSessionDoesNotExist", "SessionProcessing", *_ALL_STATUS_ERRORS)},
)
def cancel_session(state: State, request: ReceivedRequest) -> object:
    """Cancel Payment Session."""
    session = _get_existing(state, request)

    def cancel() -> Mapping[str, object]:
        if session.status != "pending":
            raise _status_error(session, "SessionProcessing" if session.status == "processing" else None)
        state.payment_sessions.cancel(session.id)
        return {"id": session.id, "status": "canceled"}

    return state.idempotency.run_once("payment_sessions.cancel", session.id, request.body, cancel)


@ROUTES.route(
    "POST",
    "/payments/v1/refund",
    "payment_sessions.refund",
    body=Object(
        {"amount": Integer(), "idempotency_key": _KEY, "payment_id": String(), "reason": Enum(REASONS)},
        {"item_details": Nullable(Array(Object()))},
    ),
    response=Object({"refund_id": String()}),
    error="MissingField",
    member_errors={"amount": "AmountInvalid", "payment_id": "InvalidPaymentId"},
    errors={400: ("MissingField", "AmountInvalid", "InvalidPaymentId", "ChargeDisputed", "NoSessionCaptures")},
)
def refund_session(state: State, request: ReceivedRequest) -> object:
    """Create Refund."""

    def refund() -> Mapping[str, object]:
        body = request.body
        if body["payment_id"] not in state.payment_sessions:
            raise ApiError(400, "InvalidPaymentId", "no such payment session")
        session = state.payment_sessions.get(body["payment_id"])
        if session.status != "captured":
            raise ApiError(400, "NoSessionCaptures", f"the session is {session.status}: nothing was captured")
        if session.disputed:
            raise ApiError(400, "ChargeDisputed", "the charge is disputed")
        if not 0 < body["amount"] <= session.refundable:
            raise ApiError(400, "AmountInvalid", "amount must be positive, and at most what is left to refund")
        after = state.payment_sessions.refund(session.id, body["amount"], body["reason"], body.get("item_details"))
        return {"refund_id": after.refunds[-1].refund_id}

    return state.idempotency.run_once("payment_sessions.refund", "", request.body, refund)


def _get_existing(state: State, request: ReceivedRequest) -> EmulatedPaymentSession:
    try:
        return state.payment_sessions.get(request.params["payment_session_id"])
    except KeyError:
        raise ApiError(400, "PaymentSessionDoesNotExist", "no such payment session") from None


def _status_error(session: EmulatedPaymentSession, error: str | None = None) -> ApiError:
    return ApiError(400, error or _STATUS_ERRORS[session.status], f"the session is {session.status}")


def _validate_amount(session: EmulatedPaymentSession, amount: int) -> None:
    # Read literally, the page forbids to capture less than the items cost, although less than the total is allowed.
    if amount <= 0 or amount < session.items_total:
        raise ApiError(400, "TotalAmountInvalid", "total_amount is less than the items cost")
    if amount > session.total_amount:
        raise ApiError(400, "TotalAmountInvalid", "total_amount is more than was authorized")
