"""``truemed completion``: the completion of commands, options and choices in a shell."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import docstring_parser
from cyclopts import App
from cyclopts.completion import ShellDetectionError, detect_shell

from truemed_async.cli.options import CONTEXT, LITERAL, Flag
from truemed_async.cli.output import Streams
from truemed_async.errors import InvalidArgumentError

Shell = Literal["bash", "zsh", "fish", "powershell"]


def make_app() -> App:
    """Return ``truemed completion``."""
    app = App(name="completion")
    app.default(completion)
    return app


def completion(
    shell: Annotated[Shell | None, LITERAL] = None,
    /,
    *,
    install: Flag = False,
    output: Annotated[Path | None, LITERAL] = None,
    streams: Annotated[Streams, CONTEXT],
) -> None:
    """Print the script that completes commands, options and choices in a shell, or install it.

    Install it again after an update of this program.

    Args:
        shell: The shell: bash, zsh, fish or powershell. Default: the one that runs this command.
        install: Write the script to where the shell finds it, and load it in the shell's start-up file.
        output: With --install, the file to write instead; no start-up file is changed.
    """
    from truemed_async.cli.app import make_app  # noqa: PLC0415  # it loads this module

    if output is not None and not install:
        raise InvalidArgumentError("--output requires --install")
    app = make_app(streams)
    shell = shell or _detect_shell()
    with _parse_each_docstring_once():
        if not install:
            streams.write_data(app.generate_completion(shell=shell))
            return
        path = app.install_completion(shell=shell, output=output, add_to_startup=output is None)
    streams.print_message(f"installed in {path}; it is loaded by the next {shell}")


def _detect_shell() -> Shell:
    try:
        return detect_shell()
    except ShellDetectionError:
        raise InvalidArgumentError("the shell is not known: pass bash, zsh, fish or powershell") from None


@contextmanager
def _parse_each_docstring_once() -> Generator[None]:
    """Let cyclopts parse the docstring of an option class once, and not again for each command with these options.

    It parses the source of the whole module for it: that would take half the time of a script.
    """
    parse = docstring_parser.parse_from_object
    docstring_parser.parse_from_object = cache(parse)
    try:
        yield
    finally:
        docstring_parser.parse_from_object = parse
