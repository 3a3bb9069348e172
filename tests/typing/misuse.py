"""What a type checker must refuse. Each line is wrong on purpose: an ignore that nothing needs is itself an error."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from typing import Any

from truemed_async import AsyncTruemed, Endpoint, QualificationSession, RetryPolicy, Timeouts, Truemed


async def on_attempt(attempt: object) -> None:
    await asyncio.sleep(0)


async def asynchronous(client: AsyncTruemed, session: QualificationSession) -> None:
    sessions = client.qualification_sessions
    await sessions.update("qs_1", user_id=None)  # type: ignore[arg-type]
    await sessions.update("qs_1", metadata=None)  # type: ignore[arg-type]
    await sessions.update("qs_1", metadata=[1])  # type: ignore[arg-type]
    await sessions.update("qs_1", success_url=b"x")  # type: ignore[arg-type]
    await sessions.update("qs_1", status="x")  # type: ignore[call-arg]
    await sessions.get(7)  # type: ignore[arg-type]
    await sessions.get(id="qs_1")  # type: ignore[call-arg]
    await sessions.list("approved")  # type: ignore[call-arg]
    await sessions.list(page="1")  # type: ignore[arg-type]
    await sessions.list(expires_at=2025)  # type: ignore[arg-type]
    sessions.get_many([1, 2])  # type: ignore[list-item]
    sessions.update_many([{"user_id": "u"}])  # type: ignore[list-item]
    sessions.iter(since="2026-01-01")  # type: ignore[arg-type]
    for _ in sessions.iter():  # type: ignore[attr-defined]
        pass
    session.fee = 1.0  # type: ignore[misc]
    session.fees  # type: ignore[attr-defined]  # noqa: B018
    session.email.lower()  # type: ignore[union-attr]


async def books(client: AsyncTruemed) -> None:
    items, books = client.catalog_items, client.reconciliations
    await items.create("A-1")  # type: ignore[call-arg]
    await items.create("A-1", name="B", gtin=None)  # type: ignore[arg-type]
    await items.create("A-1", name="B", metadata={"a": 1})  # type: ignore[arg-type]
    await items.update("A-1", image_urls=7)  # type: ignore[arg-type]
    await items.update("A-1", name=None)  # type: ignore[arg-type]
    await items.checkout_method(sku="A-1")  # type: ignore[call-arg]
    await books.list_payouts(start_date="2026-10-01")  # type: ignore[call-arg]
    await books.list_transactions("2026-10-01", "2026-10-31")  # type: ignore[call-arg]
    books.iter_transactions(start_date=1, end_date=2)  # type: ignore[arg-type]
    books.reconcile(start_date="2026-10-01", end_date="2026-10-31", look_back=31)  # type: ignore[arg-type]


def clients() -> None:
    AsyncTruemed("key", environment="staging")  # type: ignore[arg-type]
    AsyncTruemed("key", "sandbox")  # type: ignore[call-arg]
    AsyncTruemed("key", timeout=None)  # type: ignore[arg-type]
    AsyncTruemed("key", retry=3)  # type: ignore[arg-type]
    AsyncTruemed("key", ssl_context=False)  # type: ignore[arg-type]
    AsyncTruemed("key", hooks=[1])  # type: ignore[list-item]
    Timeouts(total=None)  # type: ignore[arg-type]
    RetryPolicy(3)  # type: ignore[call-arg]
    Endpoint("x.y", "PUT", "/x", dict[str, Any])  # type: ignore[arg-type]


def synchronous(client: Truemed) -> None:
    client.qualification_sessions.update("qs_1", user_id=None)  # type: ignore[arg-type]
    client.aclose()  # type: ignore[attr-defined]
