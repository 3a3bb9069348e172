"""A shop with one product: FastAPI, the async client in the lifespan, verified webhooks, SQLite."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from typing import Annotated, TypedDict

from fastapi import FastAPI, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from orders import Orders

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
    """Handle a webhook: only `captured` means paid."""
    match event:
        case PaymentSessionUpdated(data=session) if session.payment_session_id is not None:
            if session.status.may_fulfill:
                await asyncio.to_thread(orders.finish, session.payment_session_id, "fulfilled")
            elif session.status.is_final:
                await asyncio.to_thread(orders.finish, session.payment_session_id, "rejected")
        case PaymentTokenUpdated(data=token) if token.payment_session_id is not None:
            await asyncio.to_thread(orders.keep_token, token.payment_session_id, token.payment_token)


receiver = AsyncReceiver(
    handle_event, secrets=os.environ["TRUEMED_WEBHOOK_SECRET"], store=SQLiteDedupStore(f"{DATABASE}.webhooks")
)
app = FastAPI(lifespan=lifespan)
app.add_route("/webhooks/truemed", webhook_endpoint(receiver), methods=["GET", "POST"])


@app.get("/")
async def home() -> HTMLResponse:
    """Each page view creates a new cart with the id of its future order."""
    cart = uuid.uuid4()
    buttons = {"": "Buy", "iframe": "Buy without leaving", "subscribe": "Buy, and again next month"}
    forms = "".join(
        f'<form method="post" action="/buy"><input type="hidden" name="order_id" value="{cart}">'
        f'<button name="how" value="{how}">{label}</button></form>'
        for how, label in buttons.items()
    )
    return page("Acupressure mat", f"<p>$120.00, payable with HSA or FSA money.</p>{forms}")


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
    """Show the checkout in an iframe; Truemed posts a message with the next URL at the end."""
    order = await get_order(order_id)
    script = """addEventListener("message", (event) => {
        const frame = document.querySelector("iframe");
        const next = event.source === frame.contentWindow && event.data.redirect_url;
        if (next && new URL(next).origin === location.origin) location.href = next;
    });"""
    iframe = f'<iframe title="Checkout" src="{escape(order["redirect_url"])}" width="100%" height="700"></iframe>'
    return page("Checkout", f"{iframe}<script>{script}</script>")


@app.get("/orders/{order_id}")
async def show(order_id: uuid.UUID) -> HTMLResponse:
    """Show the stored state of the order; the return of the customer proves nothing, so it changes nothing."""
    order = await get_order(order_id)
    words = {"open": "Waiting for payment confirmation…", "fulfilled": "Paid and on its way.", "rejected": "Not paid."}
    again = f'<form method="post" action="/orders/{order_id}/again"><button>Buy again now</button></form>'
    cancel = f'<form method="post" action="/orders/{order_id}/cancel"><button>Cancel</button></form>'
    offered = (again if order["payment_token"] else "") + (cancel if order["state"] == "open" else "")
    return page("Your order", f'<p id="state" data-state="{order["state"]}">{words[order["state"]]}</p>{offered}')


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


def page(title: str, body: str) -> HTMLResponse:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">'
        f'<title>{title}</title><link rel="icon" href="data:,"><main><h1>{title}</h1>{body}</main></html>'
    )
