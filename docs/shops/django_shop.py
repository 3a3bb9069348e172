"""The same shop in Django: ordinary views, the synchronous client. In one file instead of a project."""

import os
import uuid

import django
import pages
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.urls import path
from django.views.decorators.http import require_GET, require_POST
from orders import Orders, order_state

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
    """Handle a webhook. It may arrive twice, late, and before or after others."""
    match event:
        case PaymentSessionUpdated(data=session) if session.payment_session_id is not None:
            orders.advance(session.payment_session_id, order_state(session.status))
        case PaymentTokenUpdated(data=token) if token.payment_session_id is not None:
            orders.keep_token(token.payment_session_id, token.payment_token)


receiver = Receiver(
    handle_event, secrets=os.environ["TRUEMED_WEBHOOK_SECRET"], store=SQLiteDedupStore(f"{DATABASE}.webhooks")
)


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse(pages.product(MAT))


@require_GET
def cart(request: HttpRequest) -> HttpResponse:
    """Each view creates a new cart with the id of its future order."""
    return HttpResponse(pages.cart(MAT, uuid.uuid4(), csrf_field(request)))


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
    """Show the checkout in an iframe."""
    return HttpResponse(pages.checkout(get_order(order_id)["redirect_url"]))


@require_GET
def show(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """Show the stored state of the order; the return of the customer proves nothing, so it changes nothing."""
    order, submitted = get_order(order_id), "session" in request.GET
    return HttpResponse(pages.order(order, submitted=submitted, csrf=csrf_field(request)))


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


def csrf_field(request: HttpRequest) -> str:
    return f'<input type="hidden" name="csrfmiddlewaretoken" value="{get_token(request)}">'


def go(url: str) -> HttpResponse:
    return HttpResponseRedirect(url, status=303)


urlpatterns = [
    path("", home),
    path("cart", cart),
    path("buy", buy),
    path("orders/<uuid:order_id>", show),
    path("orders/<uuid:order_id>/frame", frame),
    path("orders/<uuid:order_id>/again", again),
    path("orders/<uuid:order_id>/cancel", cancel),
    path("webhooks/truemed", webhook_endpoint(receiver)),
]
app = get_wsgi_application()
