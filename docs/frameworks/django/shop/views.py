from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from truemed_async import OrderItem, Truemed
from truemed_async.errors import InvalidArgumentError, NotFoundError

truemed = Truemed(timeout=20)  # reads TRUEMED_API_KEY; nothing is opened yet


@require_POST
def checkout(request: HttpRequest, number: str) -> HttpResponseRedirect:
    session = truemed.payment_sessions.create(
        total_amount=119_98,  # in cents: $119.98
        order_items=[OrderItem(name="Sauna blanket", price=59_99, quantity=2, sku="SB-1")],
        success_url=request.build_absolute_uri(reverse("thanks")),
        metadata=number,  # the webhook brings it back
        idempotency_key=f"checkout-{number}",  # a second click leads to the same page
    )
    return HttpResponseRedirect(session.redirect_url)


def thanks(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Thank you. We ship as soon as your payment is confirmed.")


def status(request: HttpRequest, session_id: str) -> JsonResponse:
    try:
        session = truemed.qualification_sessions.get(session_id)
    except (InvalidArgumentError, NotFoundError):
        raise Http404 from None
    return JsonResponse({"status": session.status})
