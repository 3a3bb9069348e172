"""The reference of the command line, generated from the program by cyclopts."""

from __future__ import annotations

import io
import re
import sys
from unittest.mock import patch

from truemed_async.cli.app import COMMANDS, make_app
from truemed_async.cli.output import Streams

# Options, environment variables and JSON objects within sentences.
_CODE = re.compile(r"(?<![\w#-])(--[a-z][a-z-]*|TRUEMED_[A-Z_]+|\{\".*?\})")
_CONTENTS = re.compile(r"^#+ Table of Contents\n.*?(?=^\*\*)", re.MULTILINE | re.DOTALL)


def markdown() -> str:
    """Return all commands as MyST Markdown: sections of the program and each group, with its commands below."""
    app = make_app(Streams(io.StringIO(), io.StringIO(), io.StringIO()), COMMANDS)
    with patch.object(sys, "argv", ["truemed"]):  # cyclopts takes the name in a usage line from the running program
        text: str = app.generate_docs(output_format="markdown", heading_level=1)
    program, *commands = re.split(r"^(?=##+ truemed )", _CONTENTS.sub("", text.partition("\n")[2]), flags=re.MULTILINE)
    # The options of the program apply to every command: they are listed once.
    common = program.partition("**Parameters**:\n\n")[2].rstrip() + "\n"
    sections = [section.replace(common, "").replace("**Parameters**:\n\n\n", "") for section in commands]
    return _mark_code("".join(["## truemed\n\n", program, *sections]))


def _mark_code(text: str) -> str:
    """Format the words of code within sentences; what is formatted stays as it is."""
    parts = re.split(r"(```.*?```|`[^`\n]*`)", text, flags=re.DOTALL)
    return "".join(part if part.startswith("`") else _CODE.sub(r"`\1`", part) for part in parts)
