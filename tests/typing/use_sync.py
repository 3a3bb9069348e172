"""How a program without an event loop uses the client, and what its type checker makes of it. Checked, never run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, assert_type

from truemed_async import (
    AttachOutcome,
    CatalogItem,
    CatalogItemUpdate,
    Endpoint,
    Outcome,
    Page,
    QualificationSession,
    QualificationSessionUpdate,
    QualificationSessionUpdateParams,
    ReconciliationRow,
    RequestOptions,
    Response,
    RetryPolicy,
    SyncStream,
    Timeouts,
    Truemed,
    UpdateOutcome,
    UserMatch,
    export,
    export_reconciliation,
    summarize,
)
from truemed_async.exports import ExportResult, ListingSummary, ReconciliationExport


def clients() -> None:
    Truemed("key", environment="production", timeout=Timeouts(total=5), retry=RetryPolicy(), hooks=[print])
    with Truemed() as client:
        assert_type(client, Truemed)
        assert_type(client.with_options(timeout=5), Truemed)
        assert_type(client.base_url, str)
    client.close()


def calls(client: Truemed) -> None:
    sessions = client.qualification_sessions
    assert_type(sessions.get("qs_1", options=RequestOptions(timeout=5)), QualificationSession)
    assert_type(sessions.list(expires_at=date(2025, 1, 15)), Page[QualificationSession])
    assert_type(sessions.update("qs_1", metadata={"a": [1]}), QualificationSessionUpdate)
    assert_type(sessions.wait_until_final("qs_1"), QualificationSession)
    assert_type(sessions.find_valid(email="a@example.com"), QualificationSession | None)
    assert_type(sessions.iter_expiring(date(2027, 1, 1), date(2027, 2, 1)), SyncStream[QualificationSession])
    assert_type(sessions.attach_users([UserMatch("a@example.com", "u")], dry_run=True), SyncStream[AttachOutcome])
    assert_type(client.send(Endpoint("x.y", "GET", "/x", dict[str, Any])), Response[dict[str, Any]])


def streams(client: Truemed, ids: Iterator[str]) -> None:
    stream = client.qualification_sessions.iter()
    assert_type(stream, SyncStream[QualificationSession])
    with stream as same:
        for session in same:
            assert_type(session, QualificationSession)
    stream.close()
    for outcome in client.qualification_sessions.get_many(ids, ordered=True):
        assert_type(outcome, Outcome[QualificationSession])
        assert_type(outcome.unwrap(), QualificationSession)
    changes = (QualificationSessionUpdateParams(each, user_id="u") for each in ids)
    for result in client.qualification_sessions.update_many(changes, run_id="r"):
        assert_type(result, UpdateOutcome[QualificationSessionUpdateParams, QualificationSessionUpdate])


def catalog_and_reconciliations(client: Truemed) -> None:
    assert_type(client.catalog_items.get("A-1"), CatalogItem)
    assert_type(client.catalog_items.update("A-1", name="B"), CatalogItemUpdate)
    for item in client.catalog_items.iter():
        assert_type(item, CatalogItem)
    rows = client.reconciliations.reconcile(start_date="2026-10-01", end_date="2026-10-31")
    assert_type(rows, SyncStream[ReconciliationRow])


def exports(client: Truemed) -> None:
    assert_type(export(client.payment_sessions.iter(), "x.csv", pii="drop"), ExportResult)
    assert_type(summarize(client.payment_tokens.iter()), ListingSummary)
    assert_type(export_reconciliation(client.reconciliations.reconcile(month="2026-10"), "x"), ReconciliationExport)
