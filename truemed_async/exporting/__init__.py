"""Writes whole listings to CSV, JSONL and Parquet files that can be resumed, and that are only there when complete.

:func:`~truemed_async.export_sessions` exports qualification sessions, and
:func:`~truemed_async.export_reconciliation` payouts with their transactions. :func:`export` is what it is made of, for any
other listing: a :class:`Table` says what its rows are.
"""

from __future__ import annotations

from truemed_async.exporting.export import Exported, Progress, export
from truemed_async.exporting.formats import Format
from truemed_async.exporting.listings import CATALOG, PAYMENTS, TOKENS
from truemed_async.exporting.personal import Personal
from truemed_async.exporting.reconciliations import RECONCILIATION, ReconciliationExport, export_reconciliation
from truemed_async.exporting.sessions import SESSIONS, export_sessions
from truemed_async.exporting.table import Table

__all__ = [
    "CATALOG",
    "PAYMENTS",
    "RECONCILIATION",
    "SESSIONS",
    "TOKENS",
    "Exported",
    "Format",
    "Personal",
    "Progress",
    "ReconciliationExport",
    "Table",
    "export",
    "export_reconciliation",
    "export_sessions",
]
