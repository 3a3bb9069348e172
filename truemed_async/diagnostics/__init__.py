"""Finds out which Truemed a client talks to: reads from the server, and reports types, names and counts, never a value.

:func:`examine_server` is the function behind ``truemed doctor``. It looks at raw responses, so it also works on a server
whose responses the models refuse.
"""

from __future__ import annotations

from truemed_async.diagnostics._examine import ProgressHook, examine_server
from truemed_async.diagnostics._report import Check, CheckStatus, FieldReport, ServerReport

__all__ = [
    "Check",
    "CheckStatus",
    "FieldReport",
    "ProgressHook",
    "ServerReport",
    "examine_server",
]
