"""The routes about payment sessions."""

from typing import Final

from truemed_async.emulator.pagination import page_schema
from truemed_async.emulator.payment_sessions import handlers, money, wire
from truemed_async.emulator.payment_tokens.model import FAILURES
from truemed_async.emulator.routing import PAGE_PARAMS, Listing, Parameter, Route
from truemed_async.emulator.schema import Boolean, String

_ONE: Final = "/payments/v1/payment_session/{payment_session_id}"

ROUTES: Final = (
    Route(
        name="payment_sessions.create",
        method="POST",
        path="/payments/v1/create_payment_session",
        handler=handlers.create_session,
        summary="Create Payment Session",
        body=wire.CREATE,
        response=wire.CREATED,
        error="MissingField",
        member_errors={"total_amount": "TotalAmountInvalid"},
        errors={400: ("MissingField", "TotalAmountInvalid"), 404: ("NotFound",), 422: FAILURES},
    ),
    Route(
        name="payment_sessions.get",
        method="GET",
        path=_ONE,
        handler=handlers.get_session,
        summary="Get Payment Status",
        response=wire.SESSION,
        errors={404: ("NotFound",)},
    ),
    Route(
        name="payment_sessions.list",
        method="GET",
        path="/payments/v1/payment_sessions",
        handler=handlers.list_sessions,
        summary="List Payment Sessions",
        query={
            **PAGE_PARAMS,
            "include_order_items": Parameter(Boolean(), default=False),
            "summarize_refunds": Parameter(Boolean(), default=False),
            "search": Parameter(String()),
        },
        response=page_schema("payment_sessions", wire.ROW),
        listing=Listing("payment_sessions", "payment_sessions", "id"),
    ),
    Route(
        name="payment_sessions.capture",
        method="POST",
        path=f"{_ONE}/capture",
        handler=money.capture_session,
        summary="Capture Session",
        body=wire.CAPTURE,
        response=wire.MADE,
        error="MissingField",
        member_errors={"total_amount": "TotalAmountInvalid"},
        errors={400: ("MissingField", "TotalAmountInvalid", "PaymentSessionDoesNotExist", *money.STATUS_ERRORS)},
    ),
    Route(
        name="payment_sessions.void",
        method="POST",
        path=f"{_ONE}/void",
        handler=money.void_session,
        summary="Void Session",
        body=wire.VOID,
        response=wire.MADE,
        error="MissingField",
        errors={
            400: ("MissingField", "PaymentSessionDoesNotExist", "SessionCaptured", "SessionPending", "ImmediateCapture")
        },
    ),
    Route(
        name="payment_sessions.cancel",
        method="POST",
        path=f"{_ONE}/cancel",
        handler=money.cancel_session,
        summary="Cancel Payment Session",
        body=wire.CANCEL,
        response=wire.CANCELED,
        error="MissingField",
        errors={400: ("MissingField", "PaymentSessionDoesNotExist", "SessionProcessing", *money.STATUS_ERRORS)},
    ),
    Route(
        name="payment_sessions.refund",
        method="POST",
        path="/payments/v1/refund",
        handler=money.refund_session,
        summary="Create Refund",
        body=wire.REFUND,
        response=wire.REFUNDED,
        error="MissingField",
        member_errors={"amount": "AmountInvalid", "payment_id": "InvalidPaymentId"},
        errors={400: ("MissingField", "AmountInvalid", "InvalidPaymentId", "ChargeDisputed", "NoSessionCaptures")},
    ),
)
