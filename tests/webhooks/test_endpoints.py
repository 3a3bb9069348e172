"""The endpoints of the web frameworks, as applications register them."""

from flask import Flask

from tests.support.webhook_payloads import SECRET, make_capture_body, make_signed_headers
from truemed_async.webhooks import MemoryDedupStore, Receiver
from truemed_async.webhooks.flask import webhook_endpoint


def test_flask_application_can_have_two_webhooks():
    events, app = [], Flask("shop")
    for url in ("/payments", "/catalog", "/payments-again"):
        receiver = Receiver(events.append, secrets=SECRET, store=MemoryDedupStore())
        app.add_url_rule(url, view_func=webhook_endpoint(receiver), methods=["POST"])
    body, client = make_capture_body(), app.test_client()
    for url in ("/payments", "/catalog", "/payments-again", "/catalog"):
        assert client.post(url, data=body, headers=make_signed_headers(body)).status_code == 204
    assert len(events) == 3
