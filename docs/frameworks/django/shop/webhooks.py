from django.conf import settings

from shop.models import Order
from truemed_async.webhooks import Event, PaymentSessionUpdated, Receiver
from truemed_async.webhooks.django import DjangoInbox, webhook_endpoint


def handle(event: Event) -> None:  # in a transaction with the record that the event was handled
    if isinstance(event, PaymentSessionUpdated) and event.data.status.may_fulfill:
        Order.objects.filter(number=event.data.metadata).update(paid=True)


receiver = Receiver(handle, secrets=settings.TRUEMED_WEBHOOK_SECRET, store=DjangoInbox())
truemed_webhooks = webhook_endpoint(receiver)
