"""Writes whole listings to CSV, JSONL and Parquet files that can be resumed, mirrors and summarizes them.

:func:`~truemed_async.export` and :func:`~truemed_async.summarize` take the stream of any listing, of both clients;
:func:`~truemed_async.export_reconciliation` also checks that payouts and transactions add up, and
:func:`~truemed_async.mirror` keeps a table of all qualification sessions current.
"""

from __future__ import annotations

from truemed_async.exports.columns import RowType
from truemed_async.exports.export import ExportProgress, ExportResult, ProgressCallback, export
from truemed_async.exports.formats import Format
from truemed_async.exports.mirror import MirrorResult, mirror
from truemed_async.exports.pii import Pii
from truemed_async.exports.reconciliation import ReconciliationExport, export_reconciliation
from truemed_async.exports.summary import ListingSummary, summarize

__all__ = [
    "ExportProgress",
    "ExportResult",
    "Format",
    "ListingSummary",
    "MirrorResult",
    "Pii",
    "ProgressCallback",
    "ReconciliationExport",
    "RowType",
    "export",
    "export_reconciliation",
    "mirror",
    "summarize",
]
