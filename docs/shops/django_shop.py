"""The same shop in Django: ordinary views, the synchronous client. In one file instead of a project."""

import os
import uuid
from html import escape

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.urls import path
from django.views.decorators.http import require_GET, require_POST
from orders import Orders

from truemed_async import OrderItem, Truemed
from truemed_async.errors import PaymentMethodError
from truemed_async.webhooks import Event, PaymentSessionUpdated, PaymentTokenUpdated, Receiver, SQLiteDedupStore
from truemed_async.webhooks.django import webhook_endpoint

SHOP = os.environ["SHOP_URL"]  # the address of this shop for customers' browsers
DATABASE = os.environ["SHOP_DATABASE"]
PRICE = 120_00  # cents
MAT = OrderItem(name="Acupressure mat", sku="mat-1", price=PRICE, quantity=1)

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=uuid.uuid4().hex,  # not used for signing here; a real shop stores one
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
)
django.setup()

truemed = Truemed()  # reads TRUEMED_API_KEY; one for the process, forks included
orders = Orders(DATABASE)


def handle_event(event: Event) -> None:
    """Handle a webhook: only `captured` means paid."""
    match event:
        case PaymentSessionUpdated(data=session) if session.payment_session_id is not None:
            if session.status.may_fulfill:
                orders.finish(session.payment_session_id, "fulfilled")
            elif session.status.is_final:
                orders.finish(session.payment_session_id, "rejected")
        case PaymentTokenUpdated(data=token) if token.payment_session_id is not None:
            orders.keep_token(token.payment_session_id, token.payment_token)


receiver = Receiver(
    handle_event, secrets=os.environ["TRUEMED_WEBHOOK_SECRET"], store=SQLiteDedupStore(f"{DATABASE}.webhooks")
)


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Each page view creates a new cart with the id of its future order."""
    cart = uuid.uuid4()
    buttons = {"": "Buy", "iframe": "Buy without leaving", "subscribe": "Buy, and again next month"}
    forms = "".join(
        button(request, "/buy", label, f'<input type="hidden" name="order_id" value="{cart}">', how)
        for how, label in buttons.items()
    )
    return page("Acupressure mat", f"<p>$120.00, payable with HSA or FSA money.</p>{forms}")


@require_POST
def buy(request: HttpRequest) -> HttpResponse:
    """A second click sends the same key with the same cart, so Truemed returns the same payment session."""
    order, how = str(uuid.UUID(request.POST["order_id"])), request.POST.get("how", "")
    orders.begin(order)
    session = truemed.payment_sessions.create(
        total_amount=PRICE,
        order_items=[MAT],
        success_url=f"{SHOP}/orders/{order}?session={{{{payment_session_id}}}}",
        failure_url=f"{SHOP}/orders/{order}",
        tokenize=how == "subscribe",
        use_iframe=how == "iframe",
        idempotency_key=order,
    )
    orders.set_payment_session(order, session.id, session.redirect_url)
    return go(f"/orders/{order}/frame" if how == "iframe" else session.redirect_url)


@require_GET
def frame(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """Show the checkout in an iframe; Truemed posts a message with the next URL at the end."""
    order = get_order(order_id)
    script = """addEventListener("message", (event) => {
        const frame = document.querySelector("iframe");
        const next = event.source === frame.contentWindow && event.data.redirect_url;
        if (next && new URL(next).origin === location.origin) location.href = next;
    });"""
    iframe = f'<iframe title="Checkout" src="{escape(order["redirect_url"])}" width="100%" height="700"></iframe>'
    return page("Checkout", f"{iframe}<script>{script}</script>")


@require_GET
def show(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """Show the stored state of the order; the return of the customer proves nothing, so it changes nothing."""
    order = get_order(order_id)
    words = {"open": "Waiting for payment confirmation…", "fulfilled": "Paid and on its way.", "rejected": "Not paid."}
    again = button(request, f"/orders/{order_id}/again", "Buy again now")
    cancel = button(request, f"/orders/{order_id}/cancel", "Cancel")
    offered = (again if order["payment_token"] else "") + (cancel if order["state"] == "open" else "")
    return page("Your order", f'<p id="state" data-state="{order["state"]}">{words[order["state"]]}</p>{offered}')


@require_POST
def again(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """Charge the stored payment method. If that fails, redirect the customer to Truemed's page to repair it."""
    order, renewal = get_order(order_id), str(uuid.uuid4())
    orders.begin(renewal)
    try:
        session = truemed.payment_sessions.create(
            total_amount=PRICE,
            order_items=[MAT],
            success_url=f"{SHOP}/orders/{order_id}",
            failure_url=f"{SHOP}/orders/{order_id}",
            payment_token=order["payment_token"],
            idempotency_key=renewal,
        )
    except PaymentMethodError as error:
        return go(error.redirect_url or f"/orders/{order_id}")
    orders.set_payment_session(renewal, session.id, None)
    return go(f"/orders/{renewal}")


@require_POST
def cancel(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """Cancel before the card is entered; the webhook closes the order."""
    truemed.payment_sessions.cancel(get_order(order_id)["payment_session_id"])
    return go(f"/orders/{order_id}")


def get_order(order_id: uuid.UUID) -> dict[str, str]:
    order = orders.get(str(order_id))
    if order is None:
        raise Http404
    return dict(order)


def button(request: HttpRequest, action: str, label: str, fields: str = "", how: str = "") -> str:
    csrf = f'<input type="hidden" name="csrfmiddlewaretoken" value="{get_token(request)}">'
    return (
        f'<form method="post" action="{action}">{csrf}{fields}<button name="how" value="{how}">{label}</button></form>'
    )


def go(url: str) -> HttpResponse:
    return HttpResponseRedirect(url, status=303)


def page(title: str, body: str) -> HttpResponse:
    return HttpResponse(
        f'<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">'
        f'<title>{title}</title><link rel="icon" href="data:,"><main><h1>{title}</h1>{body}</main></html>'
    )


urlpatterns = [
    path("", home),
    path("buy", buy),
    path("orders/<uuid:order_id>", show),
    path("orders/<uuid:order_id>/frame", frame),
    path("orders/<uuid:order_id>/again", again),
    path("orders/<uuid:order_id>/cancel", cancel),
    path("webhooks/truemed", webhook_endpoint(receiver)),
]
app = get_wsgi_application()
