"""``python -m truemed_async`` and the command ``truemed``."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

GC_THRESHOLD = 50_000
"""So many new objects before unused ones are looked for: more than a command loads, which stays, and may look for more."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line, by default the process's, and return its exit code."""
    if argv is not None:
        return _run(argv)
    # This process is only there for the command: nothing that it loads is looked through for what is unused, neither
    # while it is loaded nor at exit. That would be a twentieth of the time of a short command.
    gc.set_threshold(GC_THRESHOLD)
    try:
        return _run(sys.argv[1:])
    finally:
        gc.freeze()


def _run(argv: Sequence[str]) -> int:
    try:
        from truemed_async.cli.start import run  # noqa: PLC0415  # the libraries of the extra may be missing

        return run(argv)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("cyclopts", "rich"):
            raise
        sys.stderr.write("the command line needs more libraries: pip install 'truemed-async[cli]'\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
