"""Webhooks as Truemed sends them: which moves it tells of, how it signs, and how it repeats what was not taken.

A move of the state becomes an event (`events`), an event a delivery for each endpoint (`outbox`), a delivery one
request or several (`sender`), each with its authentication (`signing`), and with what is meant to go wrong (`faults`).
"""
