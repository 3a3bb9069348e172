"""Payment tokens and the requests for them: entities, transitions, and the six endpoints about them.

Truemed's tables of the requests of create and update are incomplete: a member that is not shown to be required is
optional here, and the members of the sibling requests are accepted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import attrs

from truemed_async.emulator.clock import twelve_months_after
from truemed_async.emulator.entity import Entity, EventSpec, field, optional
from truemed_async.emulator.request import ApiError, hosted_url
from truemed_async.emulator.routing import PAGE_PARAMS, QueryParameter, Routes, RowSource, page_schema
from truemed_async.emulator.schema import Array, Boolean, Date, DateTime, Enum, Integer, Month, Nullable, Object, String
from truemed_async.emulator.store import Core, InvalidTransitionError, Store, Transition, action, transition

if TYPE_CHECKING:
    from truemed_async.emulator.request import ReceivedRequest
    from truemed_async.emulator.resources.state import State

# Why a stored payment method is not charged. Truemed documents an enum that names the cause, but not its values.
Failure = Literal["CardExpired", "CardDeclined", "CardRequired", "RequalificationRequired"]
FAILURES: Final[tuple[Failure, ...]] = ("CardExpired", "CardDeclined", "CardRequired", "RequalificationRequired")

# What the customer has to do. Only ``HealthSurvey`` is documented; the other value is an assumption.
NextAction = Literal["HealthSurvey", "UpdateCard"]
NEXT_ACTIONS: Final[tuple[NextAction, ...]] = ("HealthSurvey", "UpdateCard")

# The life of the new card with which a customer replaces one that failed, in years.
_CARD_YEARS: Final = 4


@attrs.frozen(kw_only=True)
class PaymentMethod(Entity):
    """One card. Truemed documents that its last four digits and its expiry are shown, but not the names of both."""

    id: str = field(String(), default="pm_example")
    brand: str = field(String(), default="visa")
    last4: str = field(String(), default="4242")
    exp_month: int = field(Integer(1, 12), default=12)
    exp_year: int = field(Integer(), default=2099)

    @property
    def expires(self) -> tuple[int, int]:
        """The year and the month after which it is not charged."""
        return self.exp_year, self.exp_month


def _payment_methods(values: Iterable[PaymentMethod | Mapping[str, Any]]) -> tuple[PaymentMethod, ...]:
    return tuple(value if isinstance(value, PaymentMethod) else PaymentMethod(**value) for value in values)


@attrs.frozen(kw_only=True)
class EmulatedPaymentToken(Entity):
    """One stored payment method of one customer: the response fields, then what is only stored.

    ``status`` is ``active`` or ``deleted``; Truemed's responses have none, and a deleted token is in no response.
    Datetimes are aware, in UTC.
    failure: why charges fail until the customer resolves it. failed_payment_session_id: the last one that failed.
    next_action: what an update asked of the customer, and is not done.
    """

    event: ClassVar[EventSpec | None] = EventSpec("payment_token_updated", "payment_token.updated")

    payment_token: str = field(String(), webhook="always")
    created_at: datetime = field(Nullable(DateTime()), column=True)
    customer_email: str = field(String(), default="customer@example.com")
    customer_name: str = field(String(), default="Sam Example")
    lmn_expires_at: datetime | None = field(Nullable(DateTime()), webhook="unless_null", column=True, default=None)
    payment_methods: tuple[PaymentMethod, ...] = field(
        Nullable(Array(PaymentMethod.response_schema())), default=(PaymentMethod(),), converter=_payment_methods
    )

    status: str = field(default="active")
    skus: tuple[str, ...] = field(default=())
    metadata: str | None = field(webhook="unless_null", default=None)
    failure: Failure | None = field(column=True, default=None)
    failed_payment_session_id: str | None = field(default=None)
    next_action: NextAction | None = field(default=None)

    @property
    def id(self) -> str:
        """The id, under the name that all rows share."""
        return self.payment_token

    def failure_at(self, now: datetime) -> Failure | None:
        """Return why a charge fails at this time, or ``None`` if it succeeds."""
        if self.failure is not None:
            return self.failure
        if self.next_action == "HealthSurvey" or (self.lmn_expires_at is not None and self.lmn_expires_at <= now):
            return "RequalificationRequired"
        if self.next_action == "UpdateCard" or not self.payment_methods:
            return "CardRequired"
        if all(card.expires < (now.year, now.month) for card in self.payment_methods):
            return "CardExpired"
        return None

    def event_payload(self, transition: Transition) -> Mapping[str, Any] | None:
        """Return the payload after a transition with an origin; the others are not reported by Truemed."""
        return {**self.webhook_payload(), **transition.origin} if transition.origin else None


@attrs.frozen(kw_only=True)
class ProvisionRequest(Entity):
    """A request for a token, or for a change of the one in ``updates``; ``status`` is ``pending`` or ``provisioned``.

    payment_token: the token, as soon as it can be charged. skus: what the customer subscribes to.
    """

    provision_token_request_id: str = field()
    created_at: datetime = field(column=True)
    status: str = field(default="pending")
    payment_token: str | None = field(Nullable(String()), column=True, default=None)
    updates: str | None = field(default=None)
    next_action: NextAction | None = field(column=True, default=None)
    skus: tuple[str, ...] | None = field(default=None)
    success_url: str | None = field(create=optional(String(min_length=1)), default=None)
    failure_url: str | None = field(create=optional(String(min_length=1)), default=None)
    metadata: str | None = field(Nullable(String()), create=optional(String()), default=None)
    customer_email: str | None = field(create=optional(String()), default=None)
    customer_name: str | None = field(create=optional(String()), default=None)

    @property
    def id(self) -> str:
        """The id, under the name that all rows share."""
        return self.provision_token_request_id


class PaymentTokenStore(Store[EmulatedPaymentToken]):
    """Payment tokens and their life: ``active`` → ``deleted``, and meanwhile whether they can be charged.

    Only the transitions that Truemed reports to merchants have an ``origin``.
    """

    name: ClassVar[str] = "payment_tokens"
    entity = EmulatedPaymentToken
    id_field: ClassVar[str] = "payment_token"

    def provision(self, origin: Mapping[str, str], *, has_letter: bool = True, **fields: Any) -> str:
        """Add a token that a customer has just provisioned, with a Letter of today unless none was needed."""
        values: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
        now = self._core.clock.now()
        values.setdefault("payment_token", self.new_id())
        values.setdefault("payment_methods", (_new_card(now),))
        values.setdefault("lmn_expires_at", twelve_months_after(now) if has_letter else None)
        return self.insert(EmulatedPaymentToken(created_at=self._core.clock.stamp(), **values), "provisioned", origin)

    @transition("active", params=Object(optional={"failure": Enum(FAILURES)}))
    def fail_next_charge(
        self, token: EmulatedPaymentToken, now: datetime, failure: Failure = "CardDeclined"
    ) -> EmulatedPaymentToken:
        """Let the next charge fail with 422, and those after it, until ``resolve_failure``."""
        del now
        if failure not in FAILURES:
            raise ValueError(f"failure must be one of {', '.join(FAILURES)}")
        return attrs.evolve(token, failure=failure)

    @transition("active")
    def expire_lmn(self, token: EmulatedPaymentToken, now: datetime) -> EmulatedPaymentToken:
        """End the Letter of Medical Necessity now, not after 12 months: charges fail until ``resolve_failure``."""
        return attrs.evolve(token, lmn_expires_at=now)

    @action("active")
    def resolve_failure(self, payment_token: str) -> None:
        """Let the customer resolve what keeps the token from being charged: with another card, or by requalifying."""
        failed = self.get(payment_token).failed_payment_session_id
        origin = {"failed_payment_session_id": failed} if failed else {}
        self.run_transition("resolve_failure", payment_token, _resolve_failure, origin)

    @transition("active")
    def delete(self, token: EmulatedPaymentToken, now: datetime) -> EmulatedPaymentToken:
        """Delete permanently: ``active`` → ``deleted``."""
        del now
        return attrs.evolve(token, status="deleted")

    def charge(self, payment_token: str, payment_session_id: str) -> Failure | None:
        """Charge the token for a payment session; return why that failed, or ``None``."""

        def record_failure(token: EmulatedPaymentToken, now: datetime) -> EmulatedPaymentToken:
            del now
            return attrs.evolve(token, failed_payment_session_id=payment_session_id)

        failure = self.get(payment_token).failure_at(self._core.clock.now())
        if failure is not None:
            self.run_transition("charge_fails", payment_token, record_failure)
        return failure


def _require_active(token: EmulatedPaymentToken) -> None:
    if token.status != "active":
        raise InvalidTransitionError(f"{token.id} is {token.status}, not active")


def _new_card(now: datetime) -> PaymentMethod:
    """Return a card that was issued this month."""
    return PaymentMethod(exp_month=now.month, exp_year=now.year + _CARD_YEARS)


def _resolve_failure(token: EmulatedPaymentToken, now: datetime) -> EmulatedPaymentToken:
    _require_active(token)
    failure = token.failure_at(now)
    if failure is None:
        raise InvalidTransitionError(f"{token.id} can be charged: there is nothing to resolve")
    return _recover(token, failure, now)


def _recover(token: EmulatedPaymentToken, failure: Failure, now: datetime) -> EmulatedPaymentToken:
    chargeable = attrs.evolve(token, failure=None, next_action=None, failed_payment_session_id=None)
    if failure == "RequalificationRequired":
        return attrs.evolve(chargeable, lmn_expires_at=twelve_months_after(now))
    return attrs.evolve(chargeable, payment_methods=(_new_card(now),))


class ProvisionRequestStore(Store[ProvisionRequest]):
    """Requests for tokens, and for changes of tokens: ``pending`` → ``provisioned`` when the customer submits."""

    name: ClassVar[str] = "provision_requests"
    entity = ProvisionRequest
    id_field: ClassVar[str] = "provision_token_request_id"

    def __init__(self, core: Core, tokens: PaymentTokenStore) -> None:
        """Begin empty; ``tokens`` receives the provisioned tokens."""
        super().__init__(core)
        self._tokens = tokens

    def create(self, **fields: Any) -> ProvisionRequest:
        """Add a request with these fields; one that asks nothing of the customer is provisioned at once."""
        with self.lock:
            request = self.get(self.add(**fields))
            if request.updates is not None:
                if request.next_action is None:
                    self.submit(request.id)
                else:
                    self._tokens.run_transition(
                        "request_update", request.updates, partial(_request_update, request=request)
                    )
            return self.get(request.id)

    @action("pending")
    def submit(self, provision_token_request_id: str) -> str:
        """Let the customer submit the form: ``pending`` → ``provisioned``. Return the token, new or changed.

        KeyError for an unknown id, InvalidTransitionError if it is provisioned or the token to change is deleted.
        """
        with self.lock:
            before = self.get(provision_token_request_id)
            payment_token = before.updates or self._tokens.new_id()
            origin = {"provision_token_request_id": before.id}
            if before.updates is not None and before.status == "pending":
                self._tokens.run_transition("update", payment_token, partial(_update, request=before), origin)
            self.run_transition("submit", before.id, partial(_provision, payment_token=payment_token))
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


def _request_update(token: EmulatedPaymentToken, now: datetime, *, request: ProvisionRequest) -> EmulatedPaymentToken:
    """Let a token wait for what its customer is asked to do."""
    del now
    _require_active(token)
    return attrs.evolve(token, next_action=request.next_action)


def _update(token: EmulatedPaymentToken, now: datetime, *, request: ProvisionRequest) -> EmulatedPaymentToken:
    """Change a token as requested, after the customer did what was asked."""
    _require_active(token)
    changed = attrs.evolve(token, skus=token.skus if request.skus is None else request.skus)
    if request.next_action is None:
        return changed
    failure: Failure = "RequalificationRequired" if request.next_action == "HealthSurvey" else "CardRequired"
    return _recover(changed, failure, now)


def _provision(request: ProvisionRequest, now: datetime, *, payment_token: str) -> ProvisionRequest:
    del now
    if request.status != "pending":
        raise InvalidTransitionError(f"{request.id} is {request.status}, not pending")
    return attrs.evolve(request, status="provisioned", payment_token=payment_token)


@attrs.frozen
class _Filters:
    """Deleted tokens match no filters. ``email`` and ``name`` are case-folded."""

    email: str | None = None
    name: str | None = None
    card_expires: tuple[int, int] | None = None
    lmn_expires: date | None = None

    def match(self, token: EmulatedPaymentToken) -> bool:
        return (
            token.status == "active"
            and (self.email is None or self.email in token.customer_email.casefold())
            and (self.name is None or self.name in token.customer_name.casefold())
            and (self.card_expires is None or any(card.expires <= self.card_expires for card in token.payment_methods))
            and (
                self.lmn_expires is None
                or (token.lmn_expires_at is not None and token.lmn_expires_at.date() <= self.lmn_expires)
            )
        )


ROUTES: Final = Routes()

_PATH: Final = "/api/v1/payment_tokens"
_TOKEN: Final = EmulatedPaymentToken.response_schema()
_NOT_FOUND: Final = MappingProxyType({404: ("NotFound",)})
_UNSTORED: Final = MappingProxyType(
    {
        "order_items": optional(
            Array(Object(optional={"sku": String(), "name": String(), "price": Integer(0), "quantity": Integer(1)}))
        ),
        "idempotency_key": optional(String(min_length=1)),
    }
)


@ROUTES.route(
    "POST",
    f"{_PATH}/create",
    "payment_tokens.create",
    body=ProvisionRequest.request_schema("create", **_UNSTORED),
    response=Object({"provision_token_request_id": String(), "redirect_url": String()}),
)
def create_token(state: State, request: ReceivedRequest) -> object:
    """Create Payment Token."""

    def create() -> Mapping[str, object]:
        fields = ProvisionRequest.from_request("create", request.body)
        created = state.provision_requests.create(skus=_skus(request.body.get("order_items", ())), **fields)
        return {
            "provision_token_request_id": created.id,
            "redirect_url": hosted_url(request.origin, "provision_requests", created.id),
        }

    return state.idempotency.run_once("payment_tokens.create", "", request.body, create)


@ROUTES.route("GET", f"{_PATH}/{{payment_token}}", "payment_tokens.get", response=_TOKEN, errors=_NOT_FOUND)
def get_token(state: State, request: ReceivedRequest) -> object:
    """Retrieve Payment Token."""
    return get_existing_token(state, request.params["payment_token"]).serialize()


@ROUTES.route(
    "GET",
    _PATH,
    "payment_tokens.list",
    query={
        **PAGE_PARAMS,
        "email": QueryParameter(String()),
        "name": QueryParameter(String()),
        "card_expires_before": QueryParameter(Month()),
        "lmn_expires_before": QueryParameter(Date()),
    },
    response=page_schema("payment_tokens", _TOKEN),
    listing=RowSource("payment_tokens", "payment_tokens", "payment_token"),
)
def list_tokens(state: State, request: ReceivedRequest) -> object:
    """List Payment Tokens."""
    month: str | None = request.query["card_expires_before"]
    filters = _Filters(
        email=(request.query["email"] or "").casefold() or None,
        name=(request.query["name"] or "").casefold() or None,
        card_expires=None if month is None else (int(month[:4]), int(month[5:])),
        lmn_expires=request.query["lmn_expires_before"],
    )
    return state.paginate(state.payment_tokens, request, "payment_tokens", filters)


@ROUTES.route(
    "POST",
    f"{_PATH}/{{payment_token}}/update",
    "payment_tokens.update",
    body=ProvisionRequest.request_schema("create", **_UNSTORED, update_card_info=optional(Boolean())),
    response=Object(
        {
            "next_action": Nullable(Enum(NEXT_ACTIONS)),
            "redirect_url": Nullable(String()),
            "provision_token_request_id": String(),
        }
    ),
    errors=_NOT_FOUND,
)
def update_token(state: State, request: ReceivedRequest) -> object:
    """Update Payment Token."""
    token = get_existing_token(state, request.params["payment_token"])

    def update() -> Mapping[str, object]:
        fields = ProvisionRequest.from_request("create", request.body)
        skus = _skus(request.body["order_items"]) if "order_items" in request.body else None
        next_action = _next_action(token, request.body, skus)
        created = state.provision_requests.create(updates=token.id, next_action=next_action, skus=skus, **fields)
        return {
            "next_action": next_action,
            "redirect_url": hosted_url(request.origin, "provision_requests", created.id) if next_action else None,
            "provision_token_request_id": created.id,
        }

    return state.idempotency.run_once("payment_tokens.update", token.id, request.body, update)


@ROUTES.route("POST", f"{_PATH}/{{payment_token}}/delete", "payment_tokens.delete", errors=_NOT_FOUND)
def delete_token(state: State, request: ReceivedRequest) -> object:
    """Delete Payment Token."""
    state.payment_tokens.delete(get_existing_token(state, request.params["payment_token"]).id)
    return None


@ROUTES.route(
    "GET",
    f"{_PATH}/provision_request/{{provision_token_request_id}}",
    "payment_tokens.get_provision_request",
    response=ProvisionRequest.response_schema(),
    errors=_NOT_FOUND,
)
def get_provision_request(state: State, request: ReceivedRequest) -> object:
    """Retrieve Provision Token Request."""
    try:
        return state.provision_requests.get(request.params["provision_token_request_id"]).serialize()
    except KeyError:
        raise ApiError(404, "NotFound", "no such request") from None


def get_existing_token(state: State, payment_token: str) -> EmulatedPaymentToken:
    """Return the token, or raise the ``ApiError`` of one that is unknown or deleted."""
    if payment_token in state.payment_tokens:
        token = state.payment_tokens.get(payment_token)
        if token.status != "deleted":
            return token
    raise ApiError(404, "NotFound", "no such payment token")


def _skus(order_items: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the SKUs of the items of a request; items without one are skipped."""
    return tuple(item["sku"] for item in order_items if "sku" in item)


def _next_action(
    token: EmulatedPaymentToken, body: Mapping[str, Any], skus: tuple[str, ...] | None
) -> NextAction | None:
    # Truemed does not document when a change of items requires another survey: here if an item is added.
    if skus is not None and not set(skus) <= set(token.skus):
        return "HealthSurvey"
    return "UpdateCard" if body.get("update_card_info") else None
