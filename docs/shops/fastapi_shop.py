"""A shop with one product: FastAPI, the async client in the lifespan, verified webhooks, SQLite."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, TypedDict

from fastapi import FastAPI, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
import pages
from orders import Orders, order_state

from truemed_async import AsyncTruemed, OrderItem
from truemed_async.errors import PaymentMethodError
from truemed_async.webhooks import (
    AsyncReceiver,
    Event,
    PaymentSessionUpdated,
    PaymentTokenUpdated,
    SQLiteDedupStore,
)
from truemed_async.webhooks.starlette import webhook_endpoint

SHOP = os.environ["SHOP_URL"]  # the address of this shop for customers' browsers
DATABASE = os.environ["SHOP_DATABASE"]
PRICE = 120_00  # cents
MAT = OrderItem(name="Acupressure mat", sku="mat-1", price=PRICE, quantity=1)

orders = Orders(DATABASE)


class State(TypedDict):
    truemed: AsyncTruemed


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[State]:
    async with AsyncTruemed() as truemed:  # reads TRUEMED_API_KEY
        yield {"truemed": truemed}


async def handle_event(event: Event) -> None:
    """Handle a webhook. It may arrive twice, late, and before or after others."""
    match event:
        case PaymentSessionUpdated(data=session) if session.payment_session_id is not None:
            await asyncio.to_thread(orders.advance, session.payment_session_id, order_state(session.status))
        case PaymentTokenUpdated(data=token) if token.payment_session_id is not None:
            await asyncio.to_thread(orders.keep_token, token.payment_session_id, token.payment_token)


receiver = AsyncReceiver(
    handle_event, secrets=os.environ["TRUEMED_WEBHOOK_SECRET"], store=SQLiteDedupStore(f"{DATABASE}.webhooks")
)
app = FastAPI(lifespan=lifespan)
app.add_route("/webhooks/truemed", webhook_endpoint(receiver), methods=["GET", "POST"])


@app.get("/")
async def home() -> HTMLResponse:
    return HTMLResponse(pages.product(MAT))


@app.get("/cart")
async def cart() -> HTMLResponse:
    """Each view creates a new cart with the id of its future order."""
    return HTMLResponse(pages.cart(MAT, uuid.uuid4()))


@app.post("/buy")
async def buy(
    request: Request, order_id: Annotated[uuid.UUID, Form()], how: Annotated[str, Form()] = ""
) -> RedirectResponse:
    """A second click sends the same key with the same cart, so Truemed returns the same payment session."""
    order = str(order_id)
    await asyncio.to_thread(orders.begin, order)
    session = await client(request).payment_sessions.create(
        total_amount=PRICE,
        order_items=[MAT],
        success_url=f"{SHOP}/orders/{order}?session={{{{payment_session_id}}}}",
        failure_url=f"{SHOP}/orders/{order}",
        tokenize=how == "subscribe",
        use_iframe=how == "iframe",
        idempotency_key=order,
    )
    await asyncio.to_thread(orders.set_payment_session, order, session.id, session.redirect_url)
    return go(f"/orders/{order}/frame" if how == "iframe" else session.redirect_url)


@app.get("/orders/{order_id}/frame")
async def frame(order_id: uuid.UUID) -> HTMLResponse:
    """Show the checkout in an iframe."""
    order = await get_order(order_id)
    return HTMLResponse(pages.checkout(order["redirect_url"]))


@app.get("/orders/{order_id}")
async def show(order_id: uuid.UUID, session: str | None = None) -> HTMLResponse:
    """Show the stored state of the order; the return of the customer proves nothing, so it changes nothing."""
    return HTMLResponse(pages.order(await get_order(order_id), submitted=session is not None))


@app.post("/orders/{order_id}/again")
async def again(request: Request, order_id: uuid.UUID) -> RedirectResponse:
    """Charge the stored payment method. If that fails, redirect the customer to Truemed's page to repair it."""
    order, renewal = await get_order(order_id), str(uuid.uuid4())
    await asyncio.to_thread(orders.begin, renewal)
    try:
        session = await client(request).payment_sessions.create(
            total_amount=PRICE,
            order_items=[MAT],
            success_url=f"{SHOP}/orders/{order_id}",
            failure_url=f"{SHOP}/orders/{order_id}",
            payment_token=order["payment_token"],
            idempotency_key=renewal,
        )
    except PaymentMethodError as error:
        return go(error.redirect_url or f"/orders/{order_id}")
    await asyncio.to_thread(orders.set_payment_session, renewal, session.id, None)
    return go(f"/orders/{renewal}")


@app.post("/orders/{order_id}/cancel")
async def cancel(request: Request, order_id: uuid.UUID) -> RedirectResponse:
    """Cancel before the card is entered; the webhook closes the order."""
    order = await get_order(order_id)
    await client(request).payment_sessions.cancel(order["payment_session_id"])
    return go(f"/orders/{order_id}")


def client(request: Request) -> AsyncTruemed:
    return request.state.truemed


async def get_order(order_id: uuid.UUID) -> dict[str, str]:
    order = await asyncio.to_thread(orders.get, str(order_id))
    if order is None:
        raise HTTPException(404)
    return dict(order)


def go(url: str) -> RedirectResponse:
    return RedirectResponse(url, status_code=303)
