"""The same client for code without an event loop. A facade: one loop thread does the work, with full concurrency."""

from __future__ import annotations

from truemed_async.sync._generated import QualificationSessions, Truemed
from truemed_async.sync._stream import SyncStream

__all__ = ["QualificationSessions", "SyncStream", "Truemed"]
