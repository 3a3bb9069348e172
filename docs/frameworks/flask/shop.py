from flask import Flask, Response, abort, redirect, url_for

from truemed_async import OrderItem, Truemed
from truemed_async.errors import InvalidArgumentError, NotFoundError


def create_app(truemed: Truemed | None = None) -> Flask:
    truemed = truemed or Truemed(timeout=20)  # reads TRUEMED_API_KEY; nothing is opened yet
    app = Flask(__name__)

    @app.post("/orders/<number>/checkout")
    def checkout(number: str) -> Response:
        session = truemed.payment_sessions.create(
            total_amount=119_98,  # in cents: $119.98
            order_items=[OrderItem(name="Sauna blanket", price=59_99, quantity=2, sku="SB-1")],
            success_url=url_for("thanks", _external=True),
            metadata=number,  # the webhook brings it back
            idempotency_key=f"checkout-{number}",  # a second click leads to the same page
        )
        return redirect(session.redirect_url, code=303)

    @app.get("/thanks")
    def thanks() -> dict[str, str]:
        return {"message": "Thank you. We ship as soon as your payment is confirmed."}

    @app.get("/status/<session_id>")
    def status(session_id: str) -> dict[str, str]:
        try:
            session = truemed.qualification_sessions.get(session_id)
        except (InvalidArgumentError, NotFoundError):
            abort(404)
        return {"status": session.status}

    return app
