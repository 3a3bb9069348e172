"""Docstrings of commands as help texts."""

from __future__ import annotations

import inspect
import re

_SECTION = re.compile(r"^(Args|Examples):\n((?:[ \t]+.*\n?|\n)*)", re.MULTILINE)
_PARAGRAPHS = re.compile(r"\n\s*\n")


def split_examples(docstring: str) -> tuple[str, str]:
    """Return the description, each paragraph on one line, and the examples under a heading.

    The library shows the arguments from the docstring itself, and does not show examples.
    """
    text = inspect.cleandoc(docstring)
    sections = {match[1]: match[2] for match in _SECTION.finditer(f"{text}\n")}
    paragraphs = _PARAGRAPHS.split(_SECTION.sub("", f"{text}\n").strip())
    description = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    examples = inspect.cleandoc(f"\n{sections.get('Examples', '')}")
    lines = "".join(f"  {line}\n" for line in examples.splitlines())
    return description, f"Examples:\n{lines}" if lines else ""
