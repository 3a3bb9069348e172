"""Webhooks: which transitions become events, how deliveries are signed, sent and retried, and what can go wrong.

A transition of the state becomes an event (``events``), an event a delivery for each endpoint (``outbox``), a delivery
one request or more (``sender``). ``faults`` act on deliveries and on their requests.
"""
