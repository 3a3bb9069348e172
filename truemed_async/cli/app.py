"""Reads the command line, runs the command, and turns its errors into a message and an exit code."""

import inspect
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args, get_origin

import attrs
from cyclopts import (
    App,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    Parameter,
    UnknownOptionError,
    UnusedCliTokensError,
    ValidationError,
)
from cyclopts.exceptions import UnknownCommandError

from truemed_async import __version__
from truemed_async.cli.connection import Context, Target
from truemed_async.cli.examples import format_examples
from truemed_async.cli.failures import report_error
from truemed_async.cli.files import Overwriting
from truemed_async.cli.front_page import COMMANDS, HELP
from truemed_async.cli.options import HIDE_CHOICES, GlobalOptions
from truemed_async.cli.output import EXIT_INTERRUPTED, EXIT_USAGE, Streams, exit_code_of, find_similar
from truemed_async.errors import CallError, ConfigurationError, InvalidArgumentError, TruemedError

if TYPE_CHECKING:
    from rich.console import Console

    from truemed_async.cli.resources import ResourceCommands

NO_OPTIONS = GlobalOptions()

# What is shown of a mistyped word: an API key or a personal value does not look like this.
_WORD = re.compile(r"[a-z]+(-[a-z]+)*\Z")
MAX_SHOWN_WORD = 24

_PROGRAM_OPTIONS = (
    "--help",
    "--version",
    *(f"--{each.name.replace('_', '-')}" for each in attrs.fields(GlobalOptions)),
)

# In the docstring of a command.
_ARGUMENTS = re.compile(r"^Args:\n.*", re.MULTILINE | re.DOTALL)
_PARAGRAPHS = re.compile(r"\n\s*\n")

# Names in the messages of the library: the first word, or one with an underscore.
_ARGUMENT = re.compile(r"\A[a-z_]+\b|\b[a-z]+(_[a-z]+)+\b")
RENAMED_ARGUMENTS: Mapping[str, str] = {
    "amount_details": "--charges or --discounts",
    "image_urls": "--image-url",
    "order_items": "--item",
    "total_amount": "--amount",
}


def run_with_exit_code(argv: Sequence[str], streams: Streams) -> int:
    """Run one command line; expected errors become a message and an exit code."""
    try:
        code = run_app(make_app(streams, argv), streams, argv)
    except KeyboardInterrupt:
        streams.print_message("interrupted")
        return EXIT_INTERRUPTED
    except CycloptsError as error:
        streams.print_message(f"error: {format_usage_error(error, argv)}")
        return EXIT_USAGE
    except TruemedError as error:
        streams.print_message(f"error: {error}")
        return exit_code_of(error)
    return code or 0


def run_app(app: App, streams: Streams, argv: Sequence[str]) -> int | None:
    """Run one command line; its errors are raised.

    If an option precedes the command, all global options are read first. What else follows, such as --help, is read with
    the command.
    """
    _, apps, rest = app.parse_commands(argv)
    has_command = len(apps) > 1 and apps[-1].default_command is not None
    if has_command or not rest or not rest[0].startswith("-"):
        return launch_command(app, streams, argv)
    reader = App(help_flags=(), version_flags=(), exit_on_error=False, print_error=False)
    reader.default(app.default_command)
    launch, bound, _ = reader.parse_args(argv)
    code: int | None = launch(*bound.args, **bound.kwargs)
    return code


def load_command(name: str, words: Collection[str] = ()) -> App:
    """Import the module of a command and return its app.

    Of the commands below it, those that ``words`` do not name are not imported; they have a name alone.
    """
    module = import_module(f"truemed_async.cli.{name}")
    app: App = module.make_app()
    resource: ResourceCommands | None = getattr(module, "RESOURCE", None)
    if resource is not None:
        for command in select_named(app, words).intersection(resource.names):
            resource.define(app[command], command)
    prepare_command(app, name, words)
    return app


def select_named(app: App, words: Collection[str]) -> set[str]:
    """Return the names of the commands that the words of a command line name; all if they name none, as for help."""
    commands = {name for name in app if not name.startswith("-")}
    return commands.intersection(words) or commands


def prepare_command(app: App, path: str, words: Collection[str]) -> None:
    """Set what a command, and those below it, show at the end of their help, and whether they take global options.

    Only commands that call the API take them: those that receive a ``context``. It is read as the options, and made of
    them when the command runs.
    """
    command: Any = app.default_command
    if command is not None and "context" in command.__annotations__:
        command.__annotations__["context"] = GlobalOptions
        command.__kwdefaults__ = {**(command.__kwdefaults__ or {}), "context": NO_OPTIONS}
    app.help, app.help_epilogue = _describe_command(app.help), format_examples(path)
    for name in select_named(app, words):
        prepare_command(app[name], f"{path} {name}", words)


def _describe_command(docstring: str) -> str:
    """Return the description in a docstring, with each paragraph on one line, so that a terminal can wrap it."""
    text = _ARGUMENTS.sub("", f"{inspect.cleandoc(docstring)}\n").strip()
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in _PARAGRAPHS.split(text))


def make_app(streams: Streams, words: Collection[str] | None = None) -> App:
    """Return the command line: all of it, or with ``words`` the commands that these name.

    Importing every command would take longer than most of them run. The others only have a name and a line of help.
    """
    app = App(
        name="truemed",
        help=HELP,
        help_epilogue=format_examples(""),
        help_format="plaintext",
        # A description names the choices, with what they mean; of many, it has SHOW_CHOICES list them.
        default_parameter=HIDE_CHOICES,
        version=__version__,
        version_flags=("--version", "-V"),
        console=cast("Console", _HelpConsole(streams)),
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
    )
    for name, summary in COMMANDS.items():
        is_named = words is None or name in words
        app.command(load_command(name, words or ()) if is_named else App(name=name, help=summary))

    def launch(
        *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        options: GlobalOptions = NO_OPTIONS,
    ) -> int | None:
        if not tokens:
            app.help_print([])
            return None
        if tokens[0] not in app:
            raise UnknownCommandError(unused_tokens=[*tokens], app=app)
        return launch_command(app, streams, tokens, options)

    app.default(launch)
    return app


class _HelpConsole:
    """The console of help texts, which is made when it is first used: most commands draw nothing."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    @cached_property
    def _console(self) -> "Console":
        from truemed_async.cli.consoles import make_help_console  # noqa: PLC0415  # loads rich: only to draw

        return make_help_console(self._streams.out)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._console, name)


def launch_command(
    app: App, streams: Streams, tokens: Sequence[str], leading: GlobalOptions = NO_OPTIONS
) -> int | None:
    """Run the command of the tokens; an error of a call, which has a target, becomes a message and an exit code.

    Args:
        app: The command line.
        streams: The standard streams.
        tokens: The command and its options.
        leading: The global options, if one precedes the command: they are not among the tokens then.
    """
    command, bound, ignored = app.parse_args(tokens)
    options = leading
    if "context" in bound.signature.parameters:
        options = bound.arguments.get("context", leading)
    elif "streams" in ignored and (names := leading.names()):
        raise ConfigurationError(_refuse_options(names, app, tokens))
    streams = streams.show_details(options.verbose or options.show_server_messages)
    target = Target(options=options, streams=streams)
    internal: dict[str, Any] = {"context": Context(target, streams), "streams": streams}
    try:
        for option in bound.arguments.values():
            if isinstance(option, Overwriting):
                option.claim(streams)
        injected = {name: value for name, value in internal.items() if name in bound.signature.parameters}
        return run_command(command, *bound.args, **bound.kwargs | injected)
    except InvalidArgumentError as error:
        message = name_options(str(error), app, tokens)
    except CallError as error:
        report_error(streams, target, error)
        return exit_code_of(error)
    raise InvalidArgumentError(message)


def _refuse_options(names: Sequence[str], app: App, tokens: Sequence[str]) -> str:
    """Return the error of a command that does not call the API, after global options."""
    words, apps, _ = app.parse_commands(tokens)
    command = f"`truemed {' '.join(words)}`"
    own = {name for argument in apps[-1].assemble_argument_collection() for name in argument.names}
    if own.issuperset(names):
        return f"{', '.join(names)} must follow the command {command}"
    return f"{', '.join(name for name in names if name not in own)}: {command} has no such option"


def name_options(message: str, app: App, tokens: Sequence[str]) -> str:
    """Return the message of a refused argument with the option of the command in place of the Python argument.

    Only the first word and words with an underscore are names for certain: "status" may be a word of the sentence.
    """
    _, apps, _ = app.parse_commands(tokens)
    options = {
        name.removeprefix("--").replace("-", "_"): name
        for argument in apps[-1].assemble_argument_collection()
        if argument.parse
        for name in argument.names
        if name.startswith("--")
    }
    options |= {name: option for name, option in RENAMED_ARGUMENTS.items() if option.split(" ")[0] in options.values()}
    return _ARGUMENT.sub(lambda word: options.get(word[0], word[0]), message)


def run_command(command: Callable[..., Any], *args: Any, **options: Any) -> int | None:
    """Call a command, in an event loop if it is a coroutine; those of the library, such as help, are not."""
    result = command(*args, **options)
    if inspect.iscoroutine(result):
        import asyncio  # noqa: PLC0415  # takes as long to load as a quarter of --help

        result = asyncio.run(result)
    code: int | None = result
    return code


def format_usage_error(error: CycloptsError, argv: Sequence[str]) -> str:
    """Describe a usage error in one line.

    Mistyped commands, options and choices are quoted. Other values are not: one may be a key or a name.
    """
    if any(word.startswith("--api-key") for word in argv):
        return "there is no --api-key, because the list of processes would show it: set TRUEMED_API_KEY"
    match error:
        case UnusedCliTokensError():
            return "too many arguments; put quotes around a value that contains spaces"
        case UnknownCommandError(unused_tokens=["help", *_]):
            return "help is an option: --help"
        case UnknownCommandError(unused_tokens=[token, *_]) if token.startswith("-"):
            return f"unknown option{_quote_option(token.partition('=')[0], _PROGRAM_OPTIONS)}"
        case UnknownCommandError(unused_tokens=[token, *_], app=App() as app):
            commands = [name for name in app if not name.startswith("-")]
            return f"unknown command{_quote_mistyped(token, commands)}"
        case UnknownOptionError():
            name = (error.token.keyword or error.token.value).partition("=")[0]
            if name in _PROGRAM_OPTIONS:
                return f"{name}: `truemed {' '.join(error.command_chain or ())}` has no such option"
            options = [name for argument in error.argument_collection if argument.parse for name in argument.names]
            return f"unknown option{_quote_option(name, options)}"
        case CoercionError(token=token) if token is not None and get_origin(error.target_type) is Literal:
            choices = [str(choice) for choice in get_args(error.target_type)]
            return f"{token.keyword or _argument_name(error)}: unknown choice{_quote_mistyped(token.value, choices)}"
        case CoercionError():
            problem = "must be a whole number" if error.target_type is int else "has an invalid value"
            return f"{_argument_name(error)} {problem}"
        case ValidationError():
            return f"{_argument_name(error)} {error.exception_message[:1].lower()}{error.exception_message[1:].rstrip('.')}"
        case MissingArgumentError():
            name = error.keyword or _argument_name(error)
            return f"{name} is required" if error.keyword is None else f"{name} requires a value"
        case _:
            return "invalid command line; see --help"


def _argument_name(error: CycloptsError) -> str:
    return "an option" if error.argument is None else error.argument.name


def _quote_mistyped(token: str, names: Sequence[str]) -> str:
    """Return the token if it is a mistyped name or a plain word, and what it could be."""
    close = find_similar(token, names)
    quoted = f' "{token}"' if close or (_WORD.match(token) and len(token) <= MAX_SHOWN_WORD) else ""
    return f'{quoted}; did you mean "{close}"?' if close else f"{quoted}; choose from {', '.join(names)}"


def _quote_option(name: str, names: Sequence[str]) -> str:
    quoted = f" {name}" if _WORD.match(name.removeprefix("--")) and len(name) <= MAX_SHOWN_WORD else ""
    words = {option.lstrip("-"): option for option in names}  # dashes alone make no option like another
    close = find_similar(name.lstrip("-"), words)
    return f"{quoted}; did you mean {words[close]}?" if close else f"{quoted}; see --help"
