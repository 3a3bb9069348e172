"""The endpoints about payment tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from truemed_async.emulator.clock import wire_datetime
from truemed_async.emulator.pagination import paginate
from truemed_async.emulator.payment_tokens.model import Filters, NextAction, PaymentToken, skus_of
from truemed_async.emulator.request import ApiError, Request, hosted_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.state import State

_KEPT = ("metadata", "success_url", "failure_url", "customer_email", "customer_name")


def create_token(state: State, request: Request) -> object:
    """POST /api/v1/payment_tokens/create."""

    def create() -> Mapping[str, object]:
        fields = {name: request.body[name] for name in _KEPT if name in request.body}
        provision = state.provision_requests.ask(skus=skus_of(request.body.get("order_items", ())), **fields)
        return {
            "provision_token_request_id": provision.id,
            "redirect_url": hosted_url(request.origin, "provision_requests", provision.id),
        }

    return state.replays.once("payment_tokens.create", "", request.body, create)


def get_token(state: State, request: Request) -> object:
    """GET /api/v1/payment_tokens/{payment_token}."""
    return _shown(existing(state, request.params["payment_token"]))


def list_tokens(state: State, request: Request) -> object:
    """GET /api/v1/payment_tokens."""
    month: str | None = request.query["card_expires_before"]
    filters = Filters(
        email=(request.query["email"] or "").casefold() or None,
        name=(request.query["name"] or "").casefold() or None,
        card_expires=None if month is None else (int(month[:4]), int(month[5:])),
        lmn_expires=request.query["lmn_expires_before"],
    )
    return paginate(state, state.payment_tokens, request, "payment_tokens", _shown, filters)


def update_token(state: State, request: Request) -> object:
    """POST /api/v1/payment_tokens/{payment_token}/update."""
    token = existing(state, request.params["payment_token"])

    def update() -> Mapping[str, object]:
        fields = {name: request.body[name] for name in _KEPT if name in request.body}
        skus = skus_of(request.body["order_items"]) if "order_items" in request.body else None
        action = _next_action(token, request.body, skus)
        provision = state.provision_requests.ask(updates=token.id, next_action=action, skus=skus, **fields)
        return {
            "next_action": action,
            "redirect_url": hosted_url(request.origin, "provision_requests", provision.id) if action else None,
            "provision_token_request_id": provision.id,
        }

    return state.replays.once("payment_tokens.update", token.id, request.body, update)


def delete_token(state: State, request: Request) -> object:
    """POST /api/v1/payment_tokens/{payment_token}/delete."""
    state.payment_tokens.delete(existing(state, request.params["payment_token"]).id)
    return None


def get_provision_request(state: State, request: Request) -> object:
    """GET /api/v1/payment_tokens/provision_request/{provision_token_request_id}."""
    try:
        provision = state.provision_requests.get(request.params["provision_token_request_id"])
    except KeyError:
        raise ApiError(404, "NotFound", "no such request") from None
    return {"payment_token": provision.payment_token, "metadata": provision.metadata}


def existing(state: State, payment_token: str) -> PaymentToken:
    """Return the token, or raise the `ApiError` of one that is unknown or deleted."""
    if payment_token in state.payment_tokens:
        token = state.payment_tokens.get(payment_token)
        if token.status != "deleted":
            return token
    raise ApiError(404, "NotFound", "no such payment token")


def _next_action(token: PaymentToken, body: Mapping[str, Any], skus: tuple[str, ...] | None) -> NextAction | None:
    # When a change of items needs another survey Truemed does not say: here when there is one more of them.
    if skus is not None and not set(skus) <= set(token.skus):
        return "HealthSurvey"
    return "UpdateCard" if body.get("update_card_info") else None


def _shown(token: PaymentToken) -> dict[str, object]:
    return {
        "payment_token": token.payment_token,
        "created_at": wire_datetime(token.created_at),
        "customer_email": token.customer_email,
        "customer_name": token.customer_name,
        "lmn_expires_at": wire_datetime(token.lmn_expires_at),
        "payment_methods": [
            {
                "id": card.id,
                "brand": card.brand,
                "last4": card.last4,
                "exp_month": card.exp_month,
                "exp_year": card.exp_year,
            }
            for card in token.payment_methods
        ],
    }
