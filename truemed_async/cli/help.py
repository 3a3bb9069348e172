"""The texts of a command's help, apart from its arguments."""

from __future__ import annotations

import inspect
import re

_ARGUMENTS = re.compile(r"^Args:\n.*", re.MULTILINE | re.DOTALL)
_PARAGRAPHS = re.compile(r"\n\s*\n")


def describe_command(docstring: str) -> str:
    """Return the description in a docstring, with each paragraph on one line, so that a terminal can wrap it."""
    text = _ARGUMENTS.sub("", f"{inspect.cleandoc(docstring)}\n").strip()
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in _PARAGRAPHS.split(text))
