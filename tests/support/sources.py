"""The package's source files as syntax trees, each parsed once, when a test first needs it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import truemed_async

PACKAGE = Path(truemed_async.__file__).parent
FILES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def syntax_tree(file: str) -> ast.Module:
    """Return the tree of a file, such as ``_core/retry.py``."""
    return ast.parse(FILES[file].read_text(encoding="utf-8"))


@cache
def syntax_trees() -> dict[str, ast.Module]:
    """Return the trees of all files."""
    return {file: syntax_tree(file) for file in FILES}
