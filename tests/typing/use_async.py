"""How a program uses the asynchronous client, and what its type checker makes of it. Checked, never run."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta
from types import NoneType
from typing import Any, Literal, assert_type

import aiohttp
import attrs
from yarl import URL

from truemed_async import (
    UNSET,
    AsyncTruemed,
    Attempt,
    CatalogEligibility,
    CatalogItem,
    CatalogItemCreation,
    CatalogItemUpdate,
    CheckoutMethod,
    Endpoint,
    Idempotency,
    Model,
    Outcome,
    Page,
    Pagination,
    Payout,
    PayoutCheck,
    QualificationSession,
    QualificationSessionUpdate,
    QualificationSessionUpdateParams,
    QualificationStatus,
    ReconciliationCheck,
    ReconciliationReport,
    ReconciliationRow,
    RequestOptions,
    Response,
    RetryPolicy,
    Stream,
    Timeouts,
    Transaction,
    TransactionType,
    Unset,
    UpdateOutcome,
    export,
    export_reconciliation,
    summarize,
)
from truemed_async.diagnostics import Check, FieldReport, ServerReport, examine_server
from truemed_async.errors import APIError, CallError, DecodeError, PaymentMethodError, RateLimitedError, TruemedError
from truemed_async.exports import ExportResult, ListingSummary


@attrs.frozen(kw_only=True)
class Thing(Model):
    name: str
    price: float | None = None


def on_attempt(attempt: Attempt) -> None:
    assert_type(attempt.endpoint, str)
    assert_type(attempt.status, int | None)
    assert_type(attempt.outcome, Literal["not_sent", "unknown", "rejected"] | None)
    assert_type(attempt.retry_in, float | None)


async def clients(session: aiohttp.ClientSession) -> None:
    AsyncTruemed()
    AsyncTruemed("key", environment="sandbox", timeout=30, retry=RetryPolicy(max_attempts=1))
    AsyncTruemed("key", base_url=URL("https://gateway.example"), timeout=Timeouts(connect=1, attempt=2, total=3.5))
    AsyncTruemed("key", session=session, hooks=[on_attempt, print], proxy="http://proxy.example:8080")
    AsyncTruemed("key", ssl_context=ssl.create_default_context(), max_concurrency=10)
    async with AsyncTruemed("key") as client:
        assert_type(client, AsyncTruemed)
        assert_type(client.with_options(timeout=5, retry=RetryPolicy(), hooks=(on_attempt,)), AsyncTruemed)
        assert_type(client.base_url, str)
        await client.aclose()


async def calls(client: AsyncTruemed, options: RequestOptions) -> None:
    sessions = client.qualification_sessions
    session = await sessions.get("qs_1", options=options)
    assert_type(session, QualificationSession)
    assert_type(session.status, QualificationStatus)
    assert_type(session.status.is_final, bool)
    assert_type(session.created_at, datetime | None)
    assert_type(session.eligible_amount, float | None)
    assert_type(session.extra, Mapping[str, Any])
    assert_type(session.to_dict(), dict[str, Any])
    assert_type(session.status == "approved", bool)

    page = await sessions.list(
        status=QualificationStatus.APPROVED, user_id="u", expires_at=date(2025, 1, 15), search="s", page=1, page_size=30
    )
    await sessions.list(status="brand_new", expires_at=datetime.now(UTC))
    await sessions.list(expires_at="2025-01-15")
    assert_type(page, Page[QualificationSession])
    assert_type(page.items, tuple[QualificationSession, ...])
    assert_type(page.pagination, Pagination | None)
    assert_type(len(page), int)
    assert_type([each.email for each in page], list[str | None])

    updated = await sessions.update("qs_1", user_id="u", metadata={"a": 1}, success_url=URL("https://shop.example"))
    await sessions.update("qs_1", metadata="{}", failure_url="https://shop.example", idempotency_key="k")
    user_id: str | Unset = UNSET
    await sessions.update("qs_1", user_id=user_id, metadata=UNSET, success_url=UNSET, failure_url=UNSET)
    assert_type(updated, QualificationSessionUpdate)
    assert_type(updated.idempotency_key, str)

    assert_type(await sessions.wait_until_final("qs_1", timeout=60), QualificationSession)


async def streams(client: AsyncTruemed, ids: AsyncIterator[str]) -> None:
    stream = client.qualification_sessions.iter(status="approved", page_size=50, prefetch=1)
    assert_type(stream, Stream[QualificationSession])
    async with stream as same:
        assert_type(same, Stream[QualificationSession])
        async for session in same:
            assert_type(session, QualificationSession)
    await stream.aclose()

    async for outcome in client.qualification_sessions.get_many(ids, concurrency=4, ordered=True):
        assert_type(outcome, Outcome[QualificationSession])
        assert_type(outcome.id, str)
        assert_type(outcome.value, QualificationSession | None)
        assert_type(outcome.error, TruemedError | None)
        assert_type(outcome.ok, bool)
        assert_type(outcome.unwrap(), QualificationSession)
    found = [each.unwrap() async for each in client.qualification_sessions.get_many(("a", "b"))]
    assert_type(found, list[QualificationSession])

    def progress(done: int, failed: int, total: int | None) -> None: ...

    client.qualification_sessions.get_many(ids, unique=True, progress=progress)
    client.qualification_sessions.iter(since=date(2026, 1, 1), look_back=timedelta(hours=1))
    changes = [QualificationSessionUpdateParams("qs_1", user_id="u", metadata={"a": [1]}, success_url=URL("https://x"))]
    async for result in client.qualification_sessions.update_many(changes, run_id="r", progress=progress):
        assert_type(result, UpdateOutcome[QualificationSessionUpdateParams, QualificationSessionUpdate])
        assert_type(result.change, QualificationSessionUpdateParams)
        assert_type(result.idempotency_key, str | None)
        assert_type(result.unwrap(), QualificationSessionUpdate)


async def catalog(client: AsyncTruemed, options: RequestOptions) -> None:
    items = client.catalog_items
    outcome = await items.create("A-1", name="Sauna", image_urls=[URL("https://a.example/1"), "https://a.example/2"])
    assert_type(outcome, CatalogItemCreation)
    assert_type(outcome.item, CatalogItem | None)
    assert_type(await items.update("A-1", gtin=None, url=UNSET, options=options), CatalogItemUpdate)
    item = await items.get("A-1")
    assert_type(item, CatalogItem)
    assert_type(item.eligibility, CatalogEligibility | None)
    assert_type(item.is_reviewed, bool)
    assert_type(item.image_urls, tuple[str, ...])
    if item.eligibility is not None:
        assert_type(item.eligibility.requires_lmn, bool)
    method = await items.checkout_method({"A-1", "B-2"})
    assert_type(method, CheckoutMethod)
    assert_type(method.is_truemed, bool | None)
    assert_type(await items.list(eligibility=CatalogEligibility.PENDING, page=1), Page[CatalogItem])
    assert_type(items.iter(eligibility="eligible"), Stream[CatalogItem])
    assert_type(items.get_many(["A-1"]), Stream[Outcome[CatalogItem]])


async def reconciliations(client: AsyncTruemed) -> None:
    books = client.reconciliations
    page = await books.list_payouts(start_date="2026-10-01", end_date=date(2026, 10, 31))
    assert_type(page, Page[Payout])
    assert_type([each.amount for each in page], list[int | None])
    rows = books.iter_transactions(start_date="2026-10-01", end_date="2026-10-31", payout_ids=("po_1",))
    assert_type(rows, Stream[Transaction])
    async for row in rows:
        assert_type(row.type, TransactionType)
        assert_type(row.payout_id, str | None)
    check = ReconciliationCheck()
    async for joined in books.reconcile(
        start_date="2026-10-01", end_date="2026-10-31", look_back=timedelta(60), concurrency=2
    ):
        assert_type(joined, ReconciliationRow)
        assert_type(joined.amount_cents, int | None)
        assert_type(joined.listed_on, date | None)
        check.add(joined)
    assert_type(check.report(), ReconciliationReport)
    done = await export_reconciliation(books.reconcile(month="2026-10"), "october.csv", columns=["amount_cents"])
    assert_type(await export(books.iter_payouts(start_date="2026-10-01", end_date="2026-10-31"), "x.csv"), ExportResult)
    assert_type(await summarize(client.qualification_sessions.iter()), ListingSummary)
    report = await examine_server(client, timeout=60, progress=lambda done, total: print(done, total))
    assert_type(report, ServerReport)
    assert_type(report.checks, tuple[Check, ...])
    assert_type(report.fields, tuple[FieldReport, ...])
    assert_type(report.dialect, Mapping[str, Any])
    assert_type(done.report.agrees, bool)
    assert_type(done.result.rows, int)
    for payout in done.report.mismatches:
        assert_type(payout, PayoutCheck)
        assert_type(payout.difference_cents, int | None)


async def own_endpoints(client: AsyncTruemed) -> None:
    thing = Endpoint("things.get", "GET", "/things/{thing_id}", Thing)
    assert_type(thing, Endpoint[Thing])
    response = await client.send(thing, path={"thing_id": "t"}, query={"deep": True, "page": 2, "none": None})
    assert_type(response, Response[Thing])
    assert_type(response.value, Thing)
    assert_type(response.status, int)
    assert_type(response.headers, Mapping[str, str])
    assert_type(response.request_id, str | None)
    assert_type(response.idempotency_key, str | None)

    raw = Endpoint("things.all", "GET", "/things", dict[str, Any])
    assert_type(raw, Endpoint[dict[str, Any]])
    assert_type((await client.send(raw)).value, dict[str, Any])

    nothing = Endpoint("things.delete", "POST", "/things/delete", NoneType, idempotency=Idempotency.KEYED)
    assert_type((await client.send(nothing, body={"id": 1}, idempotency_key="k")).value, None)

    things = Endpoint("things.list", "GET", "/things", Page[Thing], items="things")
    assert_type((await client.send(things)).value, Page[Thing])


async def errors(client: AsyncTruemed) -> None:
    try:
        await client.qualification_sessions.get("qs_1", options=RequestOptions(timeout=5, headers={"x-trace": "1"}))
    except RateLimitedError as error:
        assert_type(error.retry_after, float | None)
    except PaymentMethodError as error:
        assert_type(error.redirect_url, str | None)
    except APIError as error:
        assert_type(error.status, int)
        assert_type(error.code, str | None)
        assert_type(error.message, str | None)
    except DecodeError as error:
        assert_type(error.path, str)
    except CallError as error:
        assert_type(error.outcome, Literal["not_sent", "unknown", "rejected"])
        assert_type(error.attempts, int)
        assert_type(error.idempotency_key, str | None)
