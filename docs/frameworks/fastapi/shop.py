from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse

from truemed_async import AsyncTruemed, OrderItem
from truemed_async.errors import InvalidArgumentError, NotFoundError


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, AsyncTruemed]]:
    async with AsyncTruemed(timeout=20) as truemed:  # reads TRUEMED_API_KEY
        yield {"truemed": truemed}


def of_the_application(request: Request) -> AsyncTruemed:
    return request.state.truemed


Client = Annotated[AsyncTruemed, Depends(of_the_application)]
app = FastAPI(lifespan=lifespan)


@app.post("/orders/{number}/checkout")
async def checkout(number: str, request: Request, truemed: Client) -> RedirectResponse:
    session = await truemed.payment_sessions.create(
        total_amount=119_98,  # in cents: $119.98
        order_items=[OrderItem(name="Sauna blanket", price=59_99, quantity=2, sku="SB-1")],
        success_url=str(request.url_for("thanks")),
        metadata=number,  # the webhook brings it back
        idempotency_key=f"checkout-{number}",  # a second click leads to the same page
    )
    return RedirectResponse(session.redirect_url, status_code=303)


@app.get("/thanks")
async def thanks() -> dict[str, str]:
    return {"message": "Thank you. We ship as soon as your payment is confirmed."}


@app.get("/status/{session_id}")
async def status(session_id: str, truemed: Client) -> dict[str, str]:
    try:
        session = await truemed.qualification_sessions.get(session_id)
    except (InvalidArgumentError, NotFoundError):
        raise HTTPException(404) from None
    return {"status": session.status}
