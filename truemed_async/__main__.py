"""``python -m truemed_async`` and the command ``truemed``."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line, by default the process's, and return its exit code."""
    try:
        from truemed_async.cli.start import run  # noqa: PLC0415  # the libraries of the extra may be missing

        return run(sys.argv[1:] if argv is None else argv)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("cyclopts", "rich"):
            raise
        sys.stderr.write("the command line needs more libraries: pip install 'truemed-async[cli]'\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
