"""Writes ``sync/_generated.py`` from the resource files and the client.

    python -m truemed_async._codegen            write it
    python -m truemed_async._codegen --check    fail if it is not what would be written

Signatures, defaults and docstrings are copied; each body is one line. What the tables in ``rules.py`` do not cover is
an error, and so is a rule that no longer applies to anything: the facade is never a guess.
"""

from __future__ import annotations

import sys

from truemed_async._codegen.parser import CodegenError
from truemed_async._codegen.writer import PACKAGE, Writer

__all__ = ["CodegenError", "Writer", "main"]

TARGET = PACKAGE / "sync" / "_generated.py"


def main(arguments: list[str]) -> int:
    """Write the file, or compare it with what would be written."""
    source = Writer().source()
    if arguments == ["--check"]:
        if TARGET.read_text(encoding="utf-8") == source:
            return 0
        sys.stderr.write(f"{TARGET.name} is not what the generator writes: run python -m truemed_async._codegen\n")
        return 1
    TARGET.write_text(source, encoding="utf-8")
    return 0
