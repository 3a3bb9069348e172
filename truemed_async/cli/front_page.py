"""The help of the program itself, drawn without the libraries of the command line.

Loading these takes many times as long as drawing this page. What it shows is declared here, and the command line takes it
from here; a test compares the page with the one that cyclopts draws.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence

from truemed_async.cli.examples import format_examples

HELP = """\
The Truemed merchant API from the command line.

The API key is read from the environment variable TRUEMED_API_KEY, or from where a profile of the configuration file says. \
There is intentionally no option for it: the list of processes would show it to everybody on the machine. \
TRUEMED_PROFILE, TRUEMED_ENVIRONMENT and TRUEMED_BASE_URL are the defaults of --profile, --env and --base-url.

Exit codes: 0 success, 1 a call failed, 2 usage or configuration, 130 Ctrl-C.
"""

COMMANDS: Mapping[str, str] = {
    "sessions": "Qualification sessions: whether shoppers have a Letter of Medical Necessity.",
    "payments": "Payment sessions: checkouts, charges of stored payment methods, refunds.",
    "tokens": "Payment tokens: stored payment methods, for subscriptions.",
    "catalog": "The product catalog: which items may be paid for with HSA/FSA money.",
    "reconciliations": "Reconciliations: what was paid out, and for which transactions.",
    "invoices": "Truemed's weekly invoices for Letters, added up from qualification sessions.",
    "webhooks": "Webhooks: receive those of an emulator, send a test delivery, explain a refused one, catch up.",
    "logs": "Logs: the requests that reach an emulator, as they come.",
    "open": "Open a page of the server in the browser: the emulator's inspector, or Truemed's dashboard.",
    "whoami": "Show which profile, API key and server a command uses, and whether the key works.",
    "doctor": "Examine the server: connection, key, lists, fields, errors and headers.",
    "emulator": "Serve the Truemed API with generated data on this machine, until Ctrl-C.",
    "config": "The configuration file: its path and its profiles. It never holds a key.",
    "completion": "Print the script that completes commands, options and choices in a shell, or install it.",
}
"""The commands, each a module of this package, and what the help says of them."""
GLOBAL_OPTIONS_TITLE = "Global options"
GLOBAL_OPTIONS: Mapping[str, str] = {
    "profile": "The profile of the configuration file. Default: the one named default, if there is one.",
    "env": "The server: production, sandbox, or emulator: a server with generated data inside this command.",
    "base_url": "Another server: https, or http on this machine.",
    "timeout": "How long a call may take, in seconds, with its retries. Default: 60.",
    "sessions": "The number of sessions in the emulator. Default: 1000.",
    "seed": "The seed of the generated data in the emulator. Default: 0.",
    "verbose": "Show each request on standard error, and the server's messages in errors.",
    "show_server_messages": "Show the server's messages in errors, which may quote personal data. Default: on a terminal.",
}
"""The options of every command that calls the API, and what the help says of them."""

_VALUES: Mapping[str, str] = {
    "profile": "STR",
    "env": "CHOICE",
    "base_url": "STR",
    "timeout": "FLOAT",
    "sessions": "INT",
    "seed": "INT",
}
_FLAGS: Mapping[str, str] = {
    "--help (-h)": "Display this message and exit.",
    "--version (-V)": "Display application version.",
}

MIN_HELP_WIDTH = 40
_DEFAULT_WIDTH = 80
_NAMES_SHARE = 0.35  # of the width, at most, as cyclopts
_BORDERS = 4  # columns of the terminal: a line and a space on each side
_GAP = 2

_CYAN, _BOLD, _RESET = "\x1b[36m", "\x1b[1m", "\x1b[0m"


def find_width() -> int:
    """Return how wide help texts are: as the terminal, and at least ``MIN_HELP_WIDTH``."""
    columns = os.environ.get("COLUMNS", "")
    return max(int(columns) if columns.isdigit() else _terminal_width() or _DEFAULT_WIDTH, MIN_HELP_WIDTH)


def _terminal_width() -> int:
    for stream in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
        try:
            if stream is not None:
                return os.get_terminal_size(stream.fileno()).columns
        except (OSError, ValueError):  # it is no terminal, or closed
            pass
    return 0


def draw_front_page(width: int, *, is_colored: bool) -> str:
    """Return the help of the program, in lines of at most ``width`` columns."""
    usage = f"{_BOLD}Usage:{_RESET}" if is_colored else "Usage:"
    options = {
        f"--{name.replace('_', '-')} {_VALUES.get(name, '')}".rstrip(): text for name, text in GLOBAL_OPTIONS.items()
    }
    commands = {**dict(sorted(COMMANDS.items())), **_FLAGS}
    return "\n".join(
        [
            f"{usage} truemed COMMAND [OPTIONS]",
            "",
            *_wrap(HELP, width),
            *_draw_panel("Commands", commands, width, is_colored=is_colored),
            *_draw_panel(GLOBAL_OPTIONS_TITLE, options, width, is_colored=is_colored),
            "",
            *_wrap(format_examples(""), width),
            "",
        ]
    )


def _draw_panel(title: str, rows: Mapping[str, str], width: int, *, is_colored: bool) -> Iterator[str]:
    max_name_width = int(-(-width * _NAMES_SHARE // 1))
    names = [_wrap_name(name, max_name_width) for name in rows]
    name_width = max(len(line) for lines in names for line in lines)
    room = width - _BORDERS - name_width - _GAP
    yield f"╭─ {title} {'─' * (width - len(title) - 5)}╮"
    for lines, text in zip(names, rows.values(), strict=True):
        described = _wrap(text, room)
        for number in range(max(len(lines), len(described))):
            name, line = (part[number] if number < len(part) else "" for part in (lines, described))
            padded_name = f"{_CYAN}{name:{name_width}}{_RESET}" if is_colored and name else f"{name:{name_width}}"
            yield f"│ {padded_name}{'':{_GAP}}{line:{room}} │"
    yield f"╰{'─' * (width - 2)}╯"


def _wrap_name(name: str, width: int) -> list[str]:
    """Return the lines of a name, of which the further ones are indented; what is too long for a line is divided."""
    lines = [""]
    for word in name.split():
        if lines[-1].strip() and len(lines[-1]) + 1 + len(word) > width:
            lines.append("  ")
        rest = f"{lines[-1]} {word}" if lines[-1].strip() else lines[-1] + word
        while len(rest) > width:
            lines[-1], rest = rest[:width], f"  {rest[width:]}"
            lines.append("")
        lines[-1] = rest
    return lines


def _wrap(text: str, width: int) -> Sequence[str]:
    """Return the lines of a text, in which each line break is kept; an indented line continues without an indent."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        indent = paragraph[: len(paragraph) - len(paragraph.lstrip())]
        line = ""
        for word in paragraph.split():
            if line and len(line) + 1 + len(word) > width:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else indent + word
        lines.append(line)
    return lines
