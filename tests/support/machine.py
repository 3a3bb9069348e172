"""Makes what the tests inherit from their caller the same everywhere.

A background job starts with SIGINT ignored, ``nohup`` ignores SIGHUP, a terminal sets its width, a machine has proxies,
a locale and a umask. Processes that the tests start inherit all of that, too.
"""

from __future__ import annotations

import os
import signal

OWN_VARIABLES = ("TRUEMED_AXE", "TRUEMED_CHROMIUM", "TRUEMED_DOCS", "TRUEMED_LONG", "TRUEMED_SCREENSHOTS")
DROPPED_VARIABLES = frozenset({
    "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "LANG", "LANGUAGE", "LINES", "NETRC", "NO_COLOR",
    "PYTHONDEVMODE", "PYTHONDONTWRITEBYTECODE", "PYTHONOPTIMIZE", "PYTHONUNBUFFERED", "PYTHONUTF8", "PYTHONWARNINGS", "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
})  # fmt: skip
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def reset_inherited_state() -> None:
    """Restore default signal handling, environment, umask and an open standard input."""
    _reset_signals()
    _reset_environment()
    os.umask(0o022)
    try:
        os.fstat(0)
    except OSError:
        os.open(os.devnull, os.O_RDONLY)  # the lowest free descriptor: 0


def _reset_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals():
        if number not in IGNORED_BY_PYTHON and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def _reset_environment() -> None:
    for name in list(os.environ):
        if (
            name in DROPPED_VARIABLES
            or name.startswith("LC_")
            or name.lower().endswith("_proxy")
            or (name.startswith("TRUEMED_") and name not in OWN_VARIABLES)
        ):
            del os.environ[name]
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["LC_ALL"] = "C.UTF-8"
    os.environ["TERM"] = "xterm"
