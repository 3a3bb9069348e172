"""The same client for code without an event loop. A facade: one loop thread does the work, with full concurrency."""

from __future__ import annotations

from truemed_async.sync import _generated
from truemed_async.sync._generated import *  # noqa: F403  # the client and its resources
from truemed_async.sync._stream import SyncStream

__all__ = ["SyncStream"]
__all__ += _generated.__all__
