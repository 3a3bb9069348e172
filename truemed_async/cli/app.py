"""Reads the command line, runs the command, and turns what goes wrong into a line and an exit code."""

import asyncio
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError
from rich.console import Console

from truemed_async import __version__
from truemed_async._warnings import TruemedWarning
from truemed_async.cli import catalog, payments, reconciliations, serve, sessions, tokens
from truemed_async.cli.exits import FAILED, INTERRUPTED, MISUSED, exit_code
from truemed_async.cli.options import AS_GIVEN, Count, Text
from truemed_async.cli.streams import Streams
from truemed_async.cli.target import Context, EnvironmentName, Target
from truemed_async.errors import TruemedError

HELP = """\
The Truemed merchant API from the command line.

The API key is read from the environment variable TRUEMED_API_KEY. There is no option for it on purpose: the list of \
processes would show it to everybody on the machine. TRUEMED_ENVIRONMENT and TRUEMED_BASE_URL stand in for --env and \
--base-url.

Exit codes: 0 done, 1 a call failed, 2 usage or configuration, 130 Ctrl-C.
"""


def run(argv: Sequence[str], streams: Streams | None = None) -> int:
    """Run one command line and return its exit code."""
    streams = streams or Streams.standard()
    code = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", TruemedWarning)
            # The page size is this program's choice, and the server's answer to it nobody's concern.
            warnings.filterwarnings(
                "ignore", "listing: the server gives [0-9]+ rows a page instead of [0-9]+: more requests are needed$"
            )
            warnings.showwarning = noting(streams)
            code = attempt(argv, streams)
        streams.out.flush()
    except BrokenPipeError:  # the reader has seen enough, as in `truemed sessions list | head -1`
        streams.abandon()
    except OSError as error:  # files and standard output; the client's own have become a TruemedError
        streams.abandon()
        streams.say(f"error: {error.strerror or error}")
        return FAILED
    return code


def noting(streams: Streams) -> Callable[..., None]:
    """Return what shows a warning as a note for people, rather than as a line of source."""

    def note(message: object, *_: object, **__: object) -> None:
        streams.say(f"note: {message}")

    return note


def attempt(argv: Sequence[str], streams: Streams) -> int:
    """Run one command line; what is expected to go wrong becomes a line and an exit code."""
    try:
        code: int | None = make_app(streams).meta(argv)
    except KeyboardInterrupt:
        streams.say("interrupted")
        return INTERRUPTED
    except CycloptsError as error:
        streams.say(f"error: {usage(error, argv)}")
        return MISUSED
    except TruemedError as error:
        streams.say(f"error: {error}")
        return exit_code(error)
    return code or 0


def make_app(streams: Streams) -> App:
    """Return the whole command line."""
    app = App(
        name="truemed",
        help=HELP,
        help_format="plaintext",
        version=__version__,
        console=Console(file=streams.out),
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
    )
    app.meta.suppress_keyboard_interrupt = False
    app.command(sessions.make_app())
    app.command(payments.make_app())
    app.command(tokens.make_app())
    app.command(catalog.make_app())
    app.command(reconciliations.make_app())
    app.command(serve.emulator)

    def launch(
        *words: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        env: Annotated[EnvironmentName | None, AS_GIVEN] = None,
        base_url: Text = None,
        sessions: Count = None,
        seed: Annotated[int | None, AS_GIVEN] = None,
    ) -> int | None:
        """Run one command.

        Args:
            words: The command and its options.
            env: Where to call: production, sandbox, or emulator: a server of made-up data, inside this one command.
            base_url: Another server: https, or http on this machine.
            sessions: How many sessions the emulator holds; 1000 if not given.
            seed: Which made-up data the emulator holds; 0 if not given.
        """
        command, bound, wanted = app.parse_args(words)
        context = Context(Target(env=env, base_url=base_url, sessions=sessions, seed=seed), streams)
        return perform(command, *bound.args, **bound.kwargs, **dict.fromkeys(wanted, context))

    app.meta.default(launch)
    return app


def perform(command: Callable[..., Any], *args: Any, **options: Any) -> int | None:
    """Call a command, in an event loop if it is a coroutine; the library's own, such as help, are not."""
    result = command(*args, **options)
    code: int | None = asyncio.run(result) if inspect.iscoroutine(result) else result
    return code


def usage(error: CycloptsError, argv: Sequence[str]) -> str:
    """Say what was wrong with the command line in one line, without repeating values: one may be a key or a name."""
    if isinstance(error, UnusedCliTokensError):
        return "too many arguments; put quotes around a value with blanks in it"
    if any(word.startswith("--api-key") for word in argv):
        return "there is no --api-key, which the list of processes would show; set TRUEMED_API_KEY"
    text = " ".join(str(error).split())
    for word in argv:
        name, equals, value = word.partition("=")
        if equals:
            text = text.replace(word, name)
        text = text.replace(f'"{value if equals else word}"', "what was given")
    return text
