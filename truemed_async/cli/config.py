"""``truemed config``: the configuration file and its profiles."""

from typing import Annotated

import attrs
from cyclopts import App

from truemed_async.cli.options import CONTEXT, ListFormat
from truemed_async.cli.output import Streams, render_rows
from truemed_async.cli.profiles import Profile, config_path, read_profiles
from truemed_async.errors import ConfigurationError

COLUMNS = tuple(field.name for field in attrs.fields(Profile))


def make_app() -> App:
    """Return ``truemed config``."""
    app = App(name="config", help="The configuration file: its path and its profiles. It never holds a key.")
    app.command(show_path, name="path")
    app.command(list_profiles, name="list")
    app.command(show_profile, name="show")
    return app


def show_path(*, streams: Annotated[Streams, CONTEXT]) -> None:
    """Print the path of the configuration file, which need not exist."""
    streams.print_data(str(config_path()))


def list_profiles(*, format: ListFormat = None, streams: Annotated[Streams, CONTEXT]) -> None:
    """List the profiles, and where the API key of each is.

    Args:
        format: table, json (one array), jsonl (one object a line) or csv. Default: table on a terminal, else jsonl.
    """
    render_rows(streams, [attrs.asdict(profile) for profile in read_profiles().values()], format, COLUMNS)


def show_profile(name: str, /, *, format: ListFormat = None, streams: Annotated[Streams, CONTEXT]) -> None:
    """Show a profile. `truemed whoami` shows what applies to a command.

    Args:
        name: The name of the profile.
        format: table, json (one array), jsonl (one object a line) or csv. Default: table on a terminal, else jsonl.
    """
    profile = read_profiles().get(name)
    if profile is None:
        raise ConfigurationError(f"there is no such profile in {config_path()}; see truemed config list")
    render_rows(streams, [attrs.asdict(profile)], format, COLUMNS)
