"""The client for code without an event loop: a facade whose calls run concurrently on one loop thread."""

from __future__ import annotations

from truemed_async.sync import _generated
from truemed_async.sync._generated import *  # noqa: F403  # the client and its resources
from truemed_async.sync._stream import SyncStream

__all__ = ["SyncStream"]
__all__ += _generated.__all__
