"""Draw the picture of the command line that the first page shows: python docs/terminal_picture.py.

The commands are run against an emulator, whose made-up data is always the same.
"""

from __future__ import annotations

import io
import os
import shlex
from pathlib import Path
from unittest.mock import patch

from rich.console import Console
from rich.text import Text

from truemed_async.cli.start import run
from truemed_async.cli.output import Streams
from truemed_async.emulator import Emulator

FILE = Path(__file__).parent / "pictures" / "terminal.svg"
WIDTH = 96
COMMANDS = (
    "truemed payments list --limit 6 --columns id,status,total_amount,capture_amount,created_at",
    "truemed payments summary --since 2026-09-01",
)
# Without the fonts that rich would load from elsewhere.
SVG = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace }}
.{unique_id}-title {{ font: bold 18px sans-serif }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Terminal(io.StringIO):
    """Keeps what is written to it, and is a terminal to the program."""

    def isatty(self) -> bool:
        return True


def draw() -> str:
    """Run the commands and return the picture."""
    picture = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    with Emulator(sessions=0, payment_sessions=60) as emulator:
        variables = {
            "COLUMNS": str(WIDTH),
            "TZ": "UTC",
            "TERM": "xterm-256color",
            "TRUEMED_API_KEY": emulator.api_key,
            "TRUEMED_BASE_URL": emulator.url,
        }
        with patch.dict(os.environ, variables):
            for command in COMMANDS:
                terminal, messages = Terminal(), io.StringIO()  # progress bars do not belong into a picture
                code = run(shlex.split(command)[1:], Streams(terminal, messages))
                if code:
                    raise RuntimeError(messages.getvalue())
                picture.print(Text.assemble(("$ ", "green"), (command, "bold")), soft_wrap=True)
                picture.print(Text.from_ansi(terminal.getvalue().rstrip()))
                if command != COMMANDS[-1]:
                    picture.print()
    return picture.export_svg(title="truemed", code_format=SVG, unique_id="terminal")


if __name__ == "__main__":
    FILE.write_text(draw(), encoding="utf-8")
