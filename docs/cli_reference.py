"""The reference of the command line, generated from the program by cyclopts."""

from __future__ import annotations

import io
import re
import sys
from unittest.mock import patch

from cyclopts import App

from truemed_async.cli.app import make_app
from truemed_async.cli.front_page import COMMANDS
from truemed_async.cli.output import Streams
from truemed_async.cli.options import GLOBAL_GROUP

# Options, environment variables and JSON objects within sentences.
_CODE = re.compile(r"(?<![\w#-])(--[a-z][a-z-]*|TRUEMED_[A-Z_]+|\{\".*?\})")
_CONTENTS = re.compile(r"^#+ Table of Contents\n.*?(?=^\*\*)", re.MULTILINE | re.DOTALL)


def markdown() -> str:
    """Return all commands as MyST Markdown: sections of the program and each group, with its commands below."""
    app = make_app(Streams(io.StringIO(), io.StringIO(), io.StringIO()))
    with patch.object(sys, "argv", ["truemed"]):  # cyclopts takes the name in a usage line from the running program
        text: str = app.generate_docs(output_format="markdown", heading_level=1)
    program, *commands = re.split(r"^(?=##+ truemed )", _CONTENTS.sub("", text.partition("\n")[2]), flags=re.MULTILINE)
    # The global options are the same for each command that has them: they are listed once.
    name = f"**{GLOBAL_GROUP.name}**:\n\n"
    common = f"{name}{program.partition(name)[2].rstrip()}\n"
    sections = [f"{section.replace(common, '').rstrip()}\n\n{_format_examples(section, app)}" for section in commands]
    root = f"## truemed\n\n{program.rstrip()}\n\n{_format_examples('# truemed', app)}"
    return _mark_code("".join([root, *sections]))


def _format_examples(section: str, app: App) -> str:
    """Return the examples at the end of a command's help; cyclopts leaves them out."""
    for word in section.partition("\n")[0].split()[2:]:
        app = app[word]
    if not app.help_epilogue:
        return ""
    lines = [line[2:] for line in app.help_epilogue.splitlines()[1:]]
    return "```console\n" + "".join(f"{line if line.startswith(' ') else f'$ {line}'}\n" for line in lines) + "```\n\n"


def _mark_code(text: str) -> str:
    """Format the words of code within sentences; what is formatted stays as it is."""
    parts = re.split(r"(```.*?```|`[^`\n]*`)", text, flags=re.DOTALL)
    return "".join(part if part.startswith("`") else _CODE.sub(r"`\1`", part) for part in parts)
